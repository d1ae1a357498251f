package audit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
)

// BenchmarkAppend is durable records with so many callers in flight. A record has about the size of a real one with its input.
func BenchmarkAppend(b *testing.B) {
	r := decision("0123456789abcdef0123456789abcdef", true, "us-defense")
	r.Accesses[0].Input = json.RawMessage(`{"subject":` + strings.Repeat(`{"a":[1,2,3],"b":"text","c":`, 40) + `null` + strings.Repeat(`}`, 40) + `}`)
	for _, inFlight := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("%d in flight", inFlight), func(b *testing.B) {
			l := openLogs(b, audit.Config{Key: signingKey, Dir: b.TempDir()}, "us-defense")
			b.ReportAllocs()
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range inFlight {
				wg.Go(func() {
					for next.Add(1) <= int64(b.N) {
						if err := l.Append(context.Background(), r); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// BenchmarkVerify is lines that are read and judged.
func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	const n = 10_000
	l := openLogs(b, audit.Config{Key: signingKey, Dir: dir, Durability: audit.Buffered}, "us-defense")
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			for range n / 100 {
				if err := l.Append(context.Background(), decision("d", true, "us-defense")); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for b.Loop() {
		if err := audit.Read(dir, func(string, []byte, authz.Record) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "records/s")
}
