package audit_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
)

// disk gives files of one log that can fail and stall.
type disk struct {
	log   string
	write atomic.Pointer[func(audit.File, []byte) (int, error)] // instead of Write; nil: as it is
	sync  atomic.Pointer[func(audit.File) error]                // instead of Sync
	syncs atomic.Int64
}

func (d *disk) config(dir string) audit.Config {
	return audit.Config{Key: signingKey, Dir: dir}.WithFiles(func(path string, flag int) (audit.File, error) {
		f, err := audit.OpenFile(path, flag)
		if err != nil || filepath.Base(filepath.Dir(path)) != d.log || filepath.Ext(path) != ".jsonl" {
			return f, err
		}
		return diskFile{f, d}, nil
	})
}

type diskFile struct {
	audit.File
	disk *disk
}

func (f diskFile) Write(b []byte) (int, error) {
	if fault := f.disk.write.Load(); fault != nil {
		return (*fault)(f.File, b)
	}
	return f.File.Write(b)
}

func (f diskFile) Sync() error {
	f.disk.syncs.Add(1)
	if fault := f.disk.sync.Load(); fault != nil {
		return (*fault)(f.File)
	}
	return f.File.Sync()
}

func TestTheFirstErrorEndsALogForGood(t *testing.T) {
	t.Parallel()
	type write = func(audit.File, []byte) (int, error)
	type flush = func(audit.File) error
	for name, fault := range map[string]struct {
		write write
		sync  flush
		after []string // what is in the log after the next start
	}{
		"a write that fails and does nothing":  {write: func(audit.File, []byte) (int, error) { return 0, syscall.EIO }, after: []string{"before"}},
		"a write that fails when it has begun": {write: func(f audit.File, b []byte) (int, error) { n, _ := f.Write(b[:20]); return n, syscall.EIO }, after: []string{"before", ""}},
		"a write that fails when it is done":   {write: func(f audit.File, b []byte) (int, error) { n, _ := f.Write(b); return n, syscall.EIO }, after: []string{"before", "lost"}},
		"a disk that is full after all":        {write: func(f audit.File, b []byte) (int, error) { n, _ := f.Write(b[:20]); return n, syscall.ENOSPC }, after: []string{"before", ""}},
		"a flush that fails and does nothing":  {sync: func(audit.File) error { return syscall.EIO }, after: []string{"before", "lost"}},
		"a flush that fails when it is done":   {sync: func(f audit.File) error { f.Sync(); return syscall.EIO }, after: []string{"before", "lost"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			d := &disk{log: "us-defense"}
			l := openLogs(t, d.config(dir), "us-defense", "fr-space")
			mustAppend(t, l, decision("before", true, "us-defense"))

			if fault.write != nil {
				d.write.Store(&fault.write)
			} else {
				d.sync.Store(&fault.sync)
			}
			if err := l.Append(t.Context(), decision("lost", true, "us-defense", "fr-space")); err == nil {
				t.Error("the append during the fault did not fail")
			}
			d.write.Store(nil) // everything would succeed from here on
			d.sync.Store(nil)
			flushes := d.syncs.Load()
			if err := l.Append(t.Context(), decision("later", true, "us-defense")); err == nil || !strings.Contains(err.Error(), "us-defense has failed") {
				t.Errorf("the append after the fault: %v", err)
			}
			if err := l.Append(t.Context(), decision("both", true, "fr-space", "us-defense")); err == nil {
				t.Error("the append to two logs, one failed, did not fail")
			}
			if err := l.Append(t.Context(), decision("other", true, "fr-space")); err != nil {
				t.Errorf("the other log: %v", err)
			}
			if err := l.Ready(); err == nil || !strings.Contains(err.Error(), "us-defense") || strings.Contains(err.Error(), "fr-space") {
				t.Errorf("Ready: %v", err)
			}
			if s := l.Stats(); !s["us-defense"].Failed || s["fr-space"].Failed || s["us-defense"].Records != 1 {
				t.Errorf("Stats: %+v", s)
			}
			if err := l.Close(); err == nil {
				t.Error("Close did not fail")
			}
			if d.syncs.Load() != flushes {
				t.Error("the log was flushed again after it failed")
			}

			l = openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			mustVerify(t, dir)
			want := fault.after
			have := ids(t, dir)["us-defense"]
			if len(want) == 2 && want[1] == "" && len(have) == 2 { // the recovered record, whose id is random
				have[1] = ""
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
		})
	}
}

func TestAFailedLogFailsEverybodyWhoWaits(t *testing.T) {
	t.Parallel()
	d := &disk{log: "us-defense"}
	l := openLogs(t, d.config(t.TempDir()), "us-defense")
	began, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	stall := func(audit.File) error { once.Do(func() { close(began) }); <-goOn; return syscall.EIO }
	d.sync.Store(&stall)
	results := make(chan error)
	add := func(id string) {
		go func() { results <- l.Append(context.Background(), decision(id, true, "us-defense")) }()
	}
	add("in the group")
	<-began
	for i := range 10 {
		add(fmt.Sprint("behind it ", i))
	}
	for l.Stats()["us-defense"].Queued < 10 {
		time.Sleep(time.Millisecond)
	}
	close(goOn)
	for range 11 {
		if err := <-results; !errors.Is(err, syscall.EIO) {
			t.Errorf("error %v", err)
		}
	}
}

func TestADiskThatStallsFailsTheCallerInTimeAndBoundsTheQueue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := &disk{log: "us-defense"}
	c := d.config(dir)
	c.MaxQueue = 3
	l := openLogs(t, c, "us-defense", "fr-space")
	began, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	stall := func(f audit.File) error { once.Do(func() { close(began) }); <-goOn; return f.Sync() }
	d.sync.Store(&stall)

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := l.Append(ctx, decision("late", true, "us-defense")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the append that stalls: %v", err)
	}
	<-began
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			if err := l.Append(context.Background(), decision(fmt.Sprint(i), true, "us-defense")); err != nil {
				t.Error(err)
			}
		})
	}
	for l.Stats()["us-defense"].Queued < 3 {
		time.Sleep(time.Millisecond)
	}
	if err := l.Append(t.Context(), decision("too many", true, "us-defense")); err == nil || !strings.Contains(err.Error(), "3 records") {
		t.Errorf("the append to a full queue: %v", err)
	}
	mustAppend(t, l, decision("other", true, "fr-space"))

	closed := make(chan error)
	go func() { closed <- l.Close() }()
	select {
	case <-closed:
		t.Error("Close did not wait for what is queued")
	case <-time.After(20 * time.Millisecond):
	}
	close(goOn)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	wg.Wait()
	if err := l.Append(context.Background(), decision("closed", true, "us-defense")); err == nil {
		t.Error("the append after Close did not fail")
	}
	if err := l.Ready(); err == nil {
		t.Error("closed logs are ready")
	}
	if err := l.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	have := ids(t, dir)["us-defense"]
	if len(have) != 4 || have[0] != "late" {
		t.Errorf("log has %v", have)
	}
}

func TestTheBytesThatWaitAreBoundedToo(t *testing.T) {
	t.Parallel()
	d := &disk{log: "us-defense"}
	l := openLogs(t, d.config(t.TempDir()), "us-defense")
	began, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	stall := func(audit.File) error { once.Do(func() { close(began) }); <-goOn; return nil }
	d.sync.Store(&stall)
	var wg sync.WaitGroup
	add := func(r authz.Record) {
		wg.Go(func() {
			if err := l.Append(context.Background(), r); err != nil {
				t.Error(err)
			}
		})
	}
	add(decision("first", true, "us-defense"))
	<-began
	big := many("big", 1_000, 30_000, true) // 30 MB
	for i := range 2 {
		add(big)
		for l.Stats()["us-defense"].Queued <= i {
			time.Sleep(time.Millisecond)
		}
	}
	if err := l.Append(t.Context(), big); err == nil || !strings.Contains(err.Error(), "2 records") {
		t.Errorf("error %v", err)
	}
	close(goOn)
	wg.Wait()
}

func TestADiskAtItsReserveRefusesDecisionsAndTakesEvents(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var free atomic.Uint64
	free.Store(1 << 30)
	c := audit.Config{Key: signingKey, Dir: dir, Reserve: 1 << 20}.WithFree(func(string) (uint64, error) { return free.Load(), nil })
	l := openLogs(t, c, "us-defense")
	mustAppend(t, l, decision("before", true, "us-defense"))
	free.Store(1<<20 - 1)
	if err := l.Append(t.Context(), decision("refused", false, "us-defense")); err == nil || !strings.Contains(err.Error(), "make room") {
		t.Errorf("error %v", err)
	}
	if err := l.Ready(); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("Ready: %v", err)
	}
	stop := decision("stop", false)
	stop.Type = "stop"
	mustAppend(t, l, stop)
	free.Store(1 << 20)
	mustAppend(t, l, decision("after", true, "us-defense"))
	if err := l.Ready(); err != nil {
		t.Errorf("Ready: %v", err)
	}
	if diff := cmp.Diff(map[string][]string{"us-defense": {"before", "after"}, "gateway": {"stop"}}, ids(t, dir)); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}

func TestBufferedDoesNotWaitForTheDiskButCloseDoes(t *testing.T) {
	t.Parallel()
	d := &disk{log: "us-defense"}
	c := d.config(t.TempDir())
	c.Durability = audit.Buffered
	l := openLogs(t, c, "us-defense")
	for i := range 5 {
		mustAppend(t, l, decision(fmt.Sprint(i), true, "us-defense"))
	}
	if n := d.syncs.Load(); n != 0 {
		t.Errorf("%d flushes", n)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if n := d.syncs.Load(); n != 1 {
		t.Errorf("%d flushes after Close", n)
	}
}

func TestALogThatCannotBeBroughtBackIsNotOpened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := groups(t, dir, 2)
	writeFile(t, segment(dir, "us-defense", 0), log[:len(log)-9])
	rewind(t, dir, "us-defense")
	d := &disk{log: "us-defense"}
	for name, fault := range map[string]func(audit.File) error{
		"the flush after the cut fails": func(audit.File) error { return syscall.EIO },
	} {
		t.Run(name, func(t *testing.T) {
			d.sync.Store(&fault)
			l := openLogs(t, d.config(dir))
			if err := l.Use([]string{"us-defense"}); !errors.Is(err, syscall.EIO) {
				t.Errorf("error %v", err)
			}
			if err := l.Append(t.Context(), decision("x", true, "us-defense")); err == nil {
				t.Error("the append did not fail")
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := os.Stat(segment(dir, "us-defense", 0)); err != nil {
		t.Error(err)
	}
}
