package audit_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
)

// unhurried is a record whose answer need not wait for the disk, as policy says of each of its accesses.
func unhurried(id string, tenants ...string) authz.Record {
	r := decision(id, true, tenants...)
	for i := range r.Accesses {
		r.Accesses[i].Obligations = []authz.Obligation{{ID: authz.AuditBuffered}}
	}
	return r
}

func TestARecordWaitsForTheDiskUnlessPolicyLetsEachAccessGo(t *testing.T) {
	t.Parallel()
	d := &disk{log: "us-defense"}
	l := openLogs(t, d.config(t.TempDir()), "us-defense", "fr-space")
	mixed := unhurried("mixed", "us-defense", "us-defense")
	mixed.Accesses[1].Obligations = nil
	other := unhurried("other", "us-defense", "fr-space")
	other.Accesses[1].Obligations = nil // its own copy waits, not that of us-defense
	for _, step := range []struct {
		record authz.Record
		wait   bool
	}{
		{unhurried("1", "us-defense"), false},
		{mixed, true},
		{other, false},
		{decision("2", true, "us-defense"), true},
		{unhurried("3", "us-defense"), false},
	} {
		before := d.syncs.Load()
		mustAppend(t, l, step.record)
		if waited := d.syncs.Load() > before; waited != step.wait {
			t.Errorf("record %s waited for the disk: %v, want %v", step.record.DecisionID, waited, step.wait)
		}
	}
}

func TestARecordThatNeedNotWaitIsAnsweredBeforeTheFlushOfItsGroup(t *testing.T) {
	t.Parallel()
	d := &disk{log: "us-defense"}
	l := openLogs(t, d.config(t.TempDir()), "us-defense")
	began, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	stall := func(f audit.File) error { once.Do(func() { close(began) }); <-goOn; return f.Sync() }
	d.sync.Store(&stall)
	slow := make(chan error, 2)
	add := func(id string) {
		go func() { slow <- l.Append(context.Background(), decision(id, true, "us-defense")) }()
	}
	add("first")
	<-began
	add("second") // waits with the one that need not
	fast := make(chan error)
	go func() { fast <- l.Append(context.Background(), unhurried("fast", "us-defense")) }()
	for l.Stats()["us-defense"].Queued < 2 {
		time.Sleep(time.Millisecond)
	}
	goOn <- struct{}{} // ends the flush of the first; that of the second's group stalls
	if err := <-fast; err != nil {
		t.Error(err)
	}
	if err := <-slow; err != nil {
		t.Error(err)
	}
	select {
	case err := <-slow:
		t.Errorf("the second did not wait: %v", err)
	default:
	}
	close(goOn)
	if err := <-slow; err != nil {
		t.Error(err)
	}
}

// TestLinesThatWaitForNoFlushAreOneGroup: after a power cut any of them can be missing, which must not look like damage.
func TestLinesThatWaitForNoFlushAreOneGroup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := &disk{log: "us-defense"}
	l := openLogs(t, d.config(dir), "us-defense")
	mustAppend(t, l, decision("0", true, "us-defense"))
	for _, id := range []string{"1", "2", "3"} {
		mustAppend(t, l, unhurried(id, "us-defense"))
	}
	mustAppend(t, l, decision("4", true, "us-defense"), decision("5", true, "us-defense"))
	var groups []uint64
	log := bytes.SplitAfter(readFile(t, segment(dir, "us-defense", 0)), []byte("\n"))
	for _, line := range log[:6] {
		f, err := audit.ParseLine(bytes.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		_, g := f.Numbers()
		groups = append(groups, g)
	}
	if diff := cmp.Diff([]uint64{0, 1, 1, 1, 1, 5}, groups); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	lost := bytes.Join([][]byte{log[0], log[1], bytes.Repeat([]byte{0}, len(log[2])), log[3]}, nil) // the sectors of line 2
	have, recovered := reopen(t, lost)
	if diff := cmp.Diff([]string{"0", "1"}, have); diff != "" || recovered == nil {
		t.Errorf("recovered %v (-want +have)\n%s", recovered, diff)
	}
}

func TestWhatWasBufferedIsFlushedBeforeTheNextCheckpoint(t *testing.T) {
	t.Parallel()
	d := &disk{log: "us-defense"}
	l := openLogs(t, d.config(t.TempDir()), "us-defense")
	mustAppend(t, l, unhurried("1", "us-defense"))
	for l.Stats()["us-defense"].Signed < 1 {
		time.Sleep(10 * time.Millisecond)
	}
	if n := d.syncs.Load(); n != 1 {
		t.Errorf("%d flushes before the checkpoint", n)
	}
}
