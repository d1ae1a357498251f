package gateway

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/sallyport-dev/sallyport/gateway/extauthz"
)

// BenchmarkCheck is a whole check, from Envoy's question to its answer, with so many in flight: the demo's bundle, a durable log, a
// token that was seen before. Only gRPC is not in it. It reports the mean of each step too; steps overlap, so at more than one in
// flight they hold the time that others took. cpu is the whole process's, the collector included, and the figure to compare by on
// a machine that others use too; -cpuprofile shows where it goes.
func BenchmarkCheck(b *testing.B) {
	g := start(b, world)
	in := ask(http.MethodGet, "/us-defense-plans/welcome.txt", token(b, "SECRET"))
	check := func() *authv3.CheckResponse {
		return extauthz.Render(g.Check(context.Background(), extauthz.Parse(in, time.Now())), mark)
	}
	if check().GetOkResponse() == nil {
		b.Fatal("denied")
	}
	for _, inFlight := range []int{1, 64} {
		b.Run(fmt.Sprintf("%d in flight", inFlight), func(b *testing.B) {
			b.ReportAllocs()
			before, used := steps(b, g), cpu(b)
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range inFlight {
				wg.Go(func() {
					for next.Add(1) <= int64(b.N) {
						if check().GetOkResponse() == nil {
							b.Error("denied")
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64((cpu(b)-used).Microseconds())/float64(b.N), "cpu-µs/op")
			for step, sum := range steps(b, g) {
				if sum > 0 {
					b.ReportMetric((sum-before[step])*1e6/float64(b.N), step+"-µs/op")
				}
			}
		})
	}
}

// cpu returns what this process has used so far.
func cpu(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// steps returns the seconds that each step took so far.
func steps(b *testing.B, g gateway) map[string]float64 {
	w := httptest.NewRecorder()
	g.c.Metrics.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	sums := map[string]float64{}
	for lines := bufio.NewScanner(w.Body); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), `sallyport_check_duration_seconds_sum{step="`); ok {
			step, value, _ := strings.Cut(rest, `"} `)
			sum, err := strconv.ParseFloat(value, 64)
			if err != nil {
				b.Fatal(err)
			}
			sums[step] = sum
		}
	}
	return sums
}
