package audit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/authz/audit"
)

// cpu is what this process has used.
func cpu() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

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
			before := cpu()
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
			b.ReportMetric(float64((cpu()-before).Nanoseconds())/1e3/float64(b.N), "cpu-µs/record")
		})
	}
}

// BenchmarkLatency is what one caller waits for, beside what the disk needs for the same bytes: they take turns, so that both see the same
// disk.
func BenchmarkLatency(b *testing.B) {
	dir := b.TempDir()
	l := openLogs(b, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
	raw, err := audit.OpenFile(filepath.Join(dir, "raw"), os.O_CREATE|os.O_WRONLY|os.O_APPEND)
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	r := decision("0123456789abcdef0123456789abcdef", true, "us-defense")
	bytes := make([]byte, 1200)
	var appends, flushes []time.Duration
	for b.Loop() {
		began := time.Now()
		if err := l.Append(context.Background(), r); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		if _, err := raw.Write(bytes); err != nil {
			b.Fatal(err)
		}
		if err := raw.Sync(); err != nil {
			b.Fatal(err)
		}
		appends, flushes = append(appends, middle.Sub(began)), append(flushes, time.Since(middle))
	}
	slices.Sort(appends)
	slices.Sort(flushes)
	b.ReportMetric(float64(appends[len(appends)/2].Nanoseconds())/1e3, "append-p50-µs")
	b.ReportMetric(float64(flushes[len(flushes)/2].Nanoseconds())/1e3, "flush-p50-µs")
}

// BenchmarkEncode is what a caller does before it waits: a record to its line's members, of the size above and of twice that.
func BenchmarkEncode(b *testing.B) {
	r := decision("0123456789abcdef0123456789abcdef", true, "us-defense")
	for _, size := range []int{40, 90} {
		r.Accesses[0].Input = json.RawMessage(`{"subject":` + strings.Repeat(`{"a":[1,2,3],"b":"text","c":`, size) + `null` + strings.Repeat(`}`, size) + `}`)
		b.Run(fmt.Sprintf("input of %d bytes", len(r.Accesses[0].Input)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := audit.Encode(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkVerify is lines that are read and judged.
func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	const n = 100_000
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
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	before := cpu()
	for b.Loop() {
		if _, err := audit.Verify(dir); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpu()-before).Nanoseconds())/1e3/float64(b.N)/n, "cpu-µs/record")
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "records/s")
}
