package road_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
)

// rateOfOneSource is what a source may ask, in Envoy's config.
var rateOfOneSource = regexp.MustCompile(`max_tokens: \d+, tokens_per_fill: \d+, fill_interval: 1s`)

// TestAClearedClientWorksBesideAFloodAndStalledBodies lets 200 clients stall in the middle of bodies that the gateway waits for, and
// strangers from another address ask faster than the rate of one source, while sam asks. The rate is lower than the shipped one,
// which a small machine can't exceed.
func TestAClearedClientWorksBesideAFloodAndStalledBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const perSecond = 300
	ports := w.anotherEnvoy(t, change{rateOfOneSource, fmt.Sprintf("max_tokens: %d, tokens_per_fill: %[1]d, fill_interval: 1s", perSecond)})
	token := w.token(t, "sam")
	var stalled sync.WaitGroup
	var cut atomic.Int32
	for i := range 200 {
		address, head := ports.Compute, "POST /v1/jobs HTTP/1.1"
		if i%2 == 0 {
			address, head = ports.Storage, "POST /us-defense-plans?delete HTTP/1.1"
		}
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", address))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "%s\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", head, address, token)
		stalled.Go(func() {
			c.SetReadDeadline(time.Now().Add(40 * time.Second))
			if _, err := io.Copy(io.Discard, c); err == nil { // the other side has closed
				cut.Add(1)
			}
		})
	}

	ctx, stop := context.WithCancel(t.Context())
	var strangers sync.WaitGroup
	var statuses sync.Map // of *atomic.Int64
	for range 8 {
		strangers.Go(func() {
			from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}} // another source than sam's
			c := &http.Client{Transport: &http.Transport{DialContext: from.DialContext}}
			defer c.CloseIdleConnections()
			for ctx.Err() == nil {
				req, err := http.NewRequest(http.MethodGet, w.url(ports.Storage)+welcome, nil)
				if err != nil {
					t.Error(err)
					return
				}
				a, err := do(c, req)
				if err != nil {
					t.Error(err)
					return
				}
				n, _ := statuses.LoadOrStore(a.status, new(atomic.Int64))
				n.(*atomic.Int64).Add(1)
			}
		})
	}
	asked, longest := 0, time.Duration(0)
	patient := &http.Client{Timeout: 5 * time.Second} // who waits longer is not served
	for began := time.Now(); time.Since(began) < 6*time.Second; asked++ {
		sent := time.Now()
		req, err := http.NewRequest(http.MethodGet, w.url(ports.Storage)+welcome, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		a, err := do(patient, req)
		if err != nil {
			t.Fatal(err)
		}
		longest = max(longest, time.Since(sent))
		if d := cmp.Diff(http.StatusOK, a.status); d != "" {
			t.Errorf("sam's request %d (-want +have):\n%s%s", asked, d, a.body)
		}
		time.Sleep(10 * time.Millisecond)
	}
	a := ask(t, w.url(ports.Compute), w.authorized(t, jobOn("us-defense-plans/", "iad-1").start("sam")))
	w.check(t, a, allowed(http.StatusAccepted, usDefense))
	stop()
	strangers.Wait()

	count := map[int]int64{}
	statuses.Range(func(status, n any) bool { count[status.(int)] = n.(*atomic.Int64).Load(); return true })
	t.Logf("sam: %d requests, the longest took %v; strangers: %v", asked, longest, count)
	if count[http.StatusUnauthorized] == 0 || count[http.StatusTooManyRequests] == 0 || len(count) != 2 {
		t.Errorf("strangers got %v: want some 401 and some 429, and nothing else", count)
	}
	w.counts(t, "identity.missing", count[http.StatusUnauthorized])
	stalled.Wait()
	if n := cut.Load(); n != 200 {
		t.Errorf("%d of 200 stalled bodies were ended", n)
	}
	w.verify(t, 0)
}

// counts wants exactly so many denials for a reason in the gateway's log: those with a record of their own, and those that a flood's
// record counts.
func (w *world) counts(t *testing.T, reason authz.Reason, want int64) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) { // floods are written once a second
		var each, flooded int64
		segments, err := filepath.Glob(filepath.Join(w.Audit(), "gateway", "*.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		for _, segment := range segments {
			b, err := os.ReadFile(segment)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(b)) {
				var r authz.Record
				if json.Unmarshal([]byte(line), &r) != nil {
					continue // the last one may not be whole
				}
				switch {
				case r.Type == "flood":
					n, _ := strconv.ParseInt(r.Fields[string(reason)], 10, 64)
					flooded += n
				case join(r.Reasons) == string(reason):
					each++
				}
			}
		}
		if each+flooded == want && flooded > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("the log has %d records of %s and counts %d more, want %d together and some of both", each, reason, flooded, want)
			return
		}
	}
}
