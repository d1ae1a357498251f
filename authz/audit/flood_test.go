package audit_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
)

// frozen is a clock that stands still, so that a rate is only its burst.
func frozen() time.Time { return noon }

func TestAFloodIsCountedExactlyBeyondItsRate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir, Now: frozen, FloodRate: 1, FloodBurst: 5,
		Gateway: authz.Gateway{ID: "sallyport", Enclaves: []string{"iad-1"}}}, "us-defense")
	const appenders, each = 8, 100
	var wg sync.WaitGroup
	for a := range appenders {
		wg.Go(func() {
			for i := range each {
				r := nobody(fmt.Sprint(a, "/", i), fmt.Sprint("192.0.2.", a%2))
				if i%4 == 0 {
					r.Reasons = []authz.Reason{"request.ambiguous", "identity.missing"}
				}
				if err := l.Append(context.Background(), r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	mustAppend(t, l, nobody("another source", "192.0.2.9"), decision("a subject", false, ""), decision("an allow", true, "us-defense"))
	if n := l.Stats()["gateway"].Counted; n != appenders*each-10 {
		t.Errorf("Counted is %d", n)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	report := mustVerify(t, dir).Logs[0]
	if report.Denies+report.Counted != appenders*each+2 || report.Denies != 12 {
		t.Errorf("report: %+v", report)
	}
	missing, ambiguous := 0, 0
	for _, r := range contents(t, dir)["gateway"] {
		switch r.Type {
		case "decision":
			for _, id := range r.Reasons {
				if id == "identity.missing" {
					missing++
				} else if id == "request.ambiguous" {
					ambiguous++
				}
			}
		case "flood":
			m, _ := strconv.Atoi(r.Fields["identity.missing"])
			a, _ := strconv.Atoi(r.Fields["request.ambiguous"])
			missing, ambiguous = missing+m, ambiguous+a
			if r.Allow || r.DecisionID == "" || r.Time.IsZero() || r.Gateway.ID != "sallyport" || len(r.Reasons) != 2 || r.Fields["sources"] != "2" {
				t.Errorf("flood record: %+v", r)
			}
		}
	}
	if missing != appenders*each+1 || ambiguous != appenders*each/4 {
		t.Errorf("identity.missing %d times, request.ambiguous %d times", missing, ambiguous)
	}
}

func TestARateComesBackWithTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var now atomic.Int64
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir, FloodRate: 2, FloodBurst: 2, Now: func() time.Time { return noon.Add(time.Duration(now.Load())) }})
	one := func(id string) { mustAppend(t, l, nobody(id, "192.0.2.1")) }
	one("a")
	one("b")
	one("counted")
	now.Store(int64(time.Second))
	if err := l.WriteFlood(); err != nil { // also forgets the source, whose rate is whole again
		t.Fatal(err)
	}
	if err := l.WriteFlood(); err != nil { // nothing to record
		t.Fatal(err)
	}
	one("c")
	one("d")
	have := contents(t, dir)["gateway"]
	var types []string
	for _, r := range have {
		types = append(types, r.Type)
	}
	if diff := cmp.Diff([]string{"decision", "decision", "flood", "decision", "decision"}, types); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}

func TestManySourcesTogetherAreBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir, Durability: audit.Buffered, Now: frozen, FloodRate: 1, FloodBurst: 3})
	const sources = 10_000
	for i := range sources {
		mustAppend(t, l, nobody(fmt.Sprint(i), fmt.Sprintf("10.1.%d.%d", i/256, i%256)))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if have := mustVerify(t, dir).Logs[0]; have.Denies != 30 || have.Counted != sources-30 {
		t.Errorf("report: %+v", have)
	}
}

func TestASourceIsWhatAStrangerCannotHaveManyOf(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7",
		"2001:db8::1": "2001:db8::/64", "2001:db8::ffff:2": "2001:db8::/64", "2001:db8:0:1::1": "2001:db8:0:1::/64", "fe80::1%eth0": "fe80::/64",
		"": "", "unix": "",
	} {
		if have := audit.SourceKey(address); have != want {
			t.Errorf("source of %q is %q, want %q", address, have, want)
		}
	}
}

func TestAFloodIsRefusedWhenItsCountsCannotBeRecorded(t *testing.T) {
	t.Parallel()
	d := &disk{log: "gateway"}
	c := d.config(t.TempDir())
	c.Now, c.FloodRate, c.FloodBurst = frozen, 1, 1
	l := openLogs(t, c)
	mustAppend(t, l, nobody("a", "192.0.2.1"), nobody("counted", "192.0.2.1"))
	fail := func(audit.File) error { return syscall.EIO }
	d.sync.Store(&fail)
	if err := l.WriteFlood(); err == nil {
		t.Fatal("the flood record was not refused")
	}
	if err := l.Append(t.Context(), nobody("c", "192.0.2.1")); err == nil {
		t.Error("a denial was counted that can't be recorded")
	}
	if err := l.Close(); err == nil {
		t.Error("Close lost counts and did not say so")
	}
}

func TestCountsThatFoundNoRoomAreRecordedLater(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := &disk{log: "gateway"}
	c := d.config(dir)
	c.Now, c.FloodRate, c.FloodBurst, c.MaxQueue = frozen, 1, 2, 1
	l := openLogs(t, c)
	began, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	stall := func(f audit.File) error { once.Do(func() { close(began) }); <-goOn; return f.Sync() }
	d.sync.Store(&stall)
	var wg sync.WaitGroup
	add := func(id string) {
		wg.Go(func() {
			if err := l.Append(context.Background(), nobody(id, "192.0.2.1")); err != nil {
				t.Error(err)
			}
		})
	}
	add("in the group")
	<-began
	add("behind it")
	for l.Stats()["gateway"].Queued < 1 {
		time.Sleep(time.Millisecond)
	}
	mustAppend(t, l, nobody("counted", "192.0.2.1"), nobody("counted", "192.0.2.1"))
	if err := l.WriteFlood(); err == nil {
		t.Fatal("the flood record found room")
	}
	close(goOn)
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if have := mustVerify(t, dir).Logs[0]; have.Denies != 2 || have.Counted != 2 {
		t.Errorf("report: %+v", have)
	}
}
