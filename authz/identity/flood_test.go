package identity_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
)

// flood sends requests at a rate, all that the machine can if it is 0, until stop is called, which returns how many were sent and
// why they were refused.
func flood(w *world, senders, perSecond int, request func(n int64) authz.Request) (stop func() (int64, map[authz.Reason]int64)) {
	var n atomic.Int64
	var mu sync.Mutex
	reasons := map[authz.Reason]int64{}
	ctx, end := context.WithCancel(context.Background())
	var running sync.WaitGroup
	began := time.Now()
	for range senders {
		running.Go(func() {
			mine := map[authz.Reason]int64{}
			for ctx.Err() == nil {
				i := n.Add(1)
				if due := began.Add(time.Duration(i) * time.Second / time.Duration(max(perSecond, 1))); perSecond > 0 {
					time.Sleep(time.Until(due))
				}
				_, err := w.verifier.Verify(context.Background(), request(i))
				var r *authz.Refusal
				if errors.As(err, &r) {
					mine[r.Reason]++
				} else {
					mine[""]++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for reason, count := range mine {
				reasons[reason] += count
			}
		})
	}
	return func() (int64, map[authz.Reason]int64) {
		end()
		running.Wait()
		return n.Load(), reasons
	}
}

// BenchmarkGoodTraffic is what a good request costs while somebody floods the gateway: one with a token that is remembered, and one
// with a token that is new. Beside the mean it shows the slowest hundredth, and how often keys were fetched.
//
//   - 10,000 tokens a second under kids that nobody has cost one fetch each MinRefresh, whatever their number.
//   - ES384 garbage under a kid that exists costs the slots of its own issuer: its new tokens may be refused as system.overloaded, those
//     of others are not.
func BenchmarkGoodTraffic(b *testing.B) {
	w := newWorld(b)
	unknown := make([]authz.Request, 1000)
	garbage := make([]authz.Request, 1000)
	es384 := usaKeys()["ES384"]
	header := text(map[string]any{"alg": "ES384", "kid": es384.kid, "typ": "at+jwt"})
	good := es384.sign(header, text(w.claims("sam")))
	for n := range unknown {
		unknown[n] = bearer(floodToken(w, n))
		// A signature of the right length over something else, which only the whole verification can tell.
		claims := b64(text(w.claims("sam", map[string]any{"jti": fmt.Sprint(n)})))
		garbage[n] = bearer(b64(header) + "." + claims + good[strings.LastIndexByte(good, '.'):])
	}
	sam, gina := bearer(w.token("sam")), bearer(w.token("gina"))
	for _, attack := range []struct {
		name    string
		rate    int // 0: as fast as four senders can
		request []authz.Request
	}{{"nobody floods", 0, nil}, {"10,000 unknown kids a second", 10_000, unknown}, {"ES384 garbage", 0, garbage}} {
		for _, good := range []struct {
			name string
			req  authz.Request
			new  bool
		}{{"remembered", sam, false}, {"new, of another issuer", gina, true}} {
			b.Run(attack.name+"/"+good.name, func(b *testing.B) {
				before := w.issuerKeys.States()["usa"].Fetches
				began := time.Now()
				stop := func() (int64, map[authz.Reason]int64) { return 0, nil }
				if attack.request != nil {
					stop = flood(w, 4, attack.rate, func(n int64) authz.Request { return attack.request[n%1000] })
				}
				var took []time.Duration
				for b.Loop() {
					if good.new {
						b.StopTimer()
						w.verifier.Forget()
						b.StartTimer()
					}
					start := time.Now()
					if _, err := w.verifier.Verify(context.Background(), good.req); err != nil {
						b.Fatal(err)
					}
					took = append(took, time.Since(start))
				}
				sent, reasons := stop()
				if attack.request != nil && reasons[""] > 0 {
					b.Errorf("%d of the flood got in: %v", reasons[""], reasons)
				}
				fetches := w.issuerKeys.States()["usa"].Fetches - before
				if allowed := 1 + uint64(time.Since(began)/(30*time.Second)); fetches > allowed {
					b.Errorf("%d fetches in %v, want at most %d", fetches, time.Since(began), allowed)
				}
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "ns-p99")
				b.ReportMetric(float64(fetches), "fetches")
				b.ReportMetric(float64(sent)/time.Since(began).Seconds(), "flood/s")
			})
		}
	}
}
