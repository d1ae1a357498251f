package audit_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
	"github.com/sallyport-dev/sallyport/authz/audit/tlog"
)

// fill writes n records of a log at once and closes it.
func fill(t testing.TB, dir string, n int) {
	t.Helper()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir, Durability: audit.Buffered}, "us-defense")
	var wg sync.WaitGroup
	for w := range 50 {
		wg.Go(func() {
			for i := w; i < n; i += 50 {
				if err := l.Append(context.Background(), decision(fmt.Sprint(i), true, "us-defense")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// copyLog returns a copy of the log of us-defense, in a folder of its own.
func copyLog(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "us-defense")
	if err := os.CopyFS(to, os.DirFS(filepath.Join(dir, "us-defense"))); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestAChangedBitInAnyFileOfALogIsDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fill(t, dir, 600)
	log := filepath.Join(dir, "us-defense")
	for _, file := range []string{"origin.json", "key.pub", "checkpoint", "tile/0/000", "tile/0/001", "seg-00000000000000000000.jsonl"} {
		path := filepath.Join(log, file)
		whole := readFile(t, path)
		step := max(1, len(whole)/25)
		for i := 0; i < len(whole); i += step {
			changed := bytes.Clone(whole)
			changed[i] ^= 1 << (i % 8)
			writeFile(t, path, changed)
			_, err := audit.Verify(log)
			var d *audit.Damage
			if !errors.As(err, &d) {
				t.Fatalf("%s: bit %d of byte %d flipped: %v", file, i%8, i, err)
			}
			if strings.HasPrefix(file, "tile/") && d.Index != uint64(i/32)+map[string]uint64{"tile/0/000": 0, "tile/0/001": 256}[file] {
				t.Errorf("%s: byte %d changed: %v", file, i, d)
			}
		}
		for name, content := range map[string][]byte{"cut short": whole[:len(whole)-1], "longer": append(bytes.Clone(whole), '\n'), "empty": nil} {
			writeFile(t, path, content)
			if _, err := audit.Verify(log); err == nil {
				t.Errorf("%s %s: not found", file, name)
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if _, err := audit.Verify(log); err == nil {
			t.Errorf("%s missing: not found", file)
		}
		writeFile(t, path, whole)
	}
	for _, file := range []string{"notes.txt", "tile/0/002", "tile/0/000.p/3", "tile/1/000", "tile/x"} {
		path := filepath.Join(log, file)
		writeFile(t, path, []byte("x"))
		if _, err := audit.Verify(log); err == nil {
			t.Errorf("a strange file %s: not found", file)
		}
		if err := os.RemoveAll(filepath.Join(log, strings.TrimSuffix(file, "/3"))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(log, "tile/1")); err != nil {
		t.Fatal(err)
	}
	mustVerify(t, log)
}

// reline puts another line in the place of line n, with right checksum and numbers: what somebody would do who knows the format.
func reline(t testing.TB, log string, n int, old, new string) {
	t.Helper()
	path := filepath.Join(log, "seg-00000000000000000000.jsonl")
	lines := bytes.SplitAfter(readFile(t, path), []byte("\n"))
	f, err := audit.ParseLine(bytes.TrimSuffix(lines[n], []byte("\n")))
	if err != nil {
		t.Fatal(err)
	}
	number, group := f.Numbers()
	members := bytes.Replace(f.Members(), []byte(old), []byte(new), 1)
	if bytes.Equal(members, f.Members()) {
		t.Fatalf("line %d has no %q", n, old)
	}
	lines[n] = audit.AppendLine(nil, number, group, members)
	writeFile(t, path, bytes.Join(lines, nil))
}

func TestAForgedLineWithARightChecksumIsFoundAtItsIndex(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fill(t, dir, 600)
	for n, want := range map[int]struct {
		index uint64
		cause string
	}{
		0:   {0, "the line is not the one"},
		300: {300, "the line is not the one"},
		511: {511, "the line is not the one"},
		512: {512, "this line, or one after it"}, // no full tile holds it
		599: {512, "this line, or one after it"},
	} {
		log := copyLog(t, dir)
		reline(t, log, n, "usa|alice", "usa|mallo")
		wantDamage(t, log, want.index, want.cause)
	}
	t.Run("also when its tile is forged with it", func(t *testing.T) {
		log := copyLog(t, dir)
		reline(t, log, 300, "usa|alice", "usa|mallo")
		var tree tlog.Tree
		for line := range bytes.Lines(readFile(t, filepath.Join(log, "seg-00000000000000000000.jsonl"))) {
			tree.Append(tlog.LeafHash(bytes.TrimSuffix(line, []byte("\n"))))
		}
		for _, tile := range tree.Take() {
			writeFile(t, filepath.Join(log, tile.Path()), tile.Hashes)
		}
		wantDamage(t, log, 512, "not the one that the checkpoint was signed for")
	})
	t.Run("also when the checkpoint is signed with another key", func(t *testing.T) {
		log := copyLog(t, dir)
		other := ed25519.NewKeyFromSeed(make([]byte, 32))
		name, _, _ := strings.Cut(string(readFile(t, filepath.Join(log, "key.pub"))), "+")
		signed, err := tlog.Checkpoint{Origin: name, Size: 600}.Sign(other)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(log, "checkpoint"), signed)
		wantDamage(t, log, 0, "")
	})
}

func TestLinesRemovedFromTheEndAreDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	whole := groups(t, dir, 5)
	writeFile(t, segment(dir, "us-defense", 0), whole[:bytes.LastIndexByte(whole[:len(whole)-1], '\n')+1])
	wantDamage(t, dir, 4, "signed for 5 lines")
	wantNoOpen(t, dir, "us-defense")
}

func TestAPinnedKeyFindsALogThatWasMadeAnew(t *testing.T) {
	t.Parallel()
	forged := t.TempDir()
	l := openLogs(t, audit.Config{Key: ed25519.NewKeyFromSeed(make([]byte, 32)), Dir: forged}, "us-defense")
	mustAppend(t, l, decision("d", true, "us-defense"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	report := mustVerify(t, forged)
	if report.Logs[1].Pinned || report.Logs[1].Signed != 1 {
		t.Errorf("report: %+v", report.Logs[1])
	}
	pin := signingKey.Public().(ed25519.PublicKey)
	if _, err := audit.Verify(forged, pin); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("error %v", err)
	}
	good := t.TempDir()
	groups(t, good, 1)
	if report, err := audit.Verify(good, pin); err != nil || !report.Logs[1].Pinned {
		t.Errorf("%v, %+v", err, report)
	}
}

func TestAnotherKeyIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	groups(t, dir, 2)
	if _, err := audit.Open(audit.Config{Key: ed25519.NewKeyFromSeed(make([]byte, 32)), Dir: dir}); err == nil || !strings.Contains(err.Error(), "signed by another key") {
		t.Errorf("error %v", err)
	}
	mustVerify(t, dir)
}

func TestTilesThatAreGoneOrWrongAreMadeAgainFromTheLines(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fill(t, dir, 700)
	tile := filepath.Join(dir, "us-defense/tile/0/001")
	want := readFile(t, tile)
	for name, change := range map[string]func() error{
		"gone":  func() error { return os.Remove(tile) },
		"wrong": func() error { return os.WriteFile(tile, want[1:], 0o600) },
		"all":   func() error { return os.RemoveAll(filepath.Join(dir, "us-defense/tile")) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if _, err := audit.Verify(dir); err == nil {
			t.Errorf("%s: not found", name)
		}
		l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		mustVerify(t, dir)
		if !bytes.Equal(readFile(t, tile), want) {
			t.Errorf("%s: another tile", name)
		}
	}
}

func TestACheckpointComesByItselfWithinASecondOrSo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
	mustAppend(t, l, decision("d", true, "us-defense"))
	for deadline := time.Now().Add(20 * time.Second); l.Stats()["us-defense"].Signed != 1; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("stats: %+v", l.Stats()["us-defense"])
		}
	}
	if have := mustVerify(t, dir).Logs[1]; have.Signed != 1 || have.Lines != 1 {
		t.Errorf("report: %+v", have)
	}
}

// TestACrashAtAnyStepOfACheckpointIsRecovered ends the log at each write and flush of a tile or checkpoint.
func TestACrashAtAnyStepOfACheckpointIsRecovered(t *testing.T) {
	t.Parallel()
	for step := range 12 {
		t.Run(fmt.Sprint("step ", step), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			groups(t, dir, 3)
			var mu sync.Mutex
			left := step
			fails := func() bool {
				mu.Lock()
				defer mu.Unlock()
				left--
				return left < 0
			}
			c := audit.Config{Key: signingKey, Dir: dir, Durability: audit.Buffered}.WithFiles(func(path string, flag int) (audit.File, error) {
				f, err := audit.OpenFile(path, flag)
				if err != nil || filepath.Ext(path) != ".tmp" || filepath.Base(filepath.Dir(path)) != "us-defense" {
					return f, err
				}
				return failing{f, fails}, nil
			})
			l := openLogs(t, c, "us-defense")
			var wg sync.WaitGroup
			for i := range 600 {
				wg.Go(func() { l.Append(context.Background(), decision(fmt.Sprint("more ", i), true, "us-defense")) })
			}
			wg.Wait()
			closed := l.Close()
			if step < 6 && (closed == nil || !l.Stats()["us-defense"].Failed) {
				t.Errorf("Close: %v, stats %+v", closed, l.Stats()["us-defense"])
			}
			l = openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if have := mustVerify(t, dir).Logs[1]; have.Lines != 603 || have.Signed != 603 {
				t.Errorf("report: %+v", have)
			}
		})
	}
}

// failing is a file whose writes and flushes fail, the writes in their middle, when fails says so.
type failing struct {
	audit.File
	fails func() bool
}

func (f failing) Write(b []byte) (int, error) {
	if f.fails() {
		n, _ := f.File.Write(b[:len(b)/2])
		return n, syscall.EIO
	}
	return f.File.Write(b)
}

func (f failing) Sync() error {
	if f.fails() {
		return syscall.EIO
	}
	return f.File.Sync()
}

func TestALogWhoseMakingWasInterruptedIsFinished(t *testing.T) {
	t.Parallel()
	for _, remove := range [][]string{{"seg-00000000000000000000.jsonl"}, {"seg-00000000000000000000.jsonl", "checkpoint"},
		{"seg-00000000000000000000.jsonl", "checkpoint", "key.pub"}, {"seg-00000000000000000000.jsonl", "checkpoint", "key.pub", "origin.json"}} {
		dir := t.TempDir()
		plant(t, dir, "us-defense", nil)
		for _, name := range remove {
			if err := os.Remove(filepath.Join(dir, "us-defense", name)); err != nil {
				t.Fatal(err)
			}
		}
		writeFile(t, filepath.Join(dir, "us-defense", "origin.json.tmp"), []byte("{"))
		l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
		mustAppend(t, l, decision("d", true, "us-defense"))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		mustVerify(t, dir)
	}
}

func TestANewIncarnationKeepsTheOldLogAndNamesIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	whole := groups(t, dir, 5)
	c := audit.Config{Key: signingKey, Dir: dir, Gateway: authz.Gateway{ID: "sallyport"}}
	writeFile(t, segment(dir, "us-defense", 0), whole[:len(whole)/2]) // came back shorter
	wantNoOpen(t, dir, "us-defense")

	for name, why := range map[string]string{"us-defense": " ", "../x": "x", "fr-space": "there is none"} {
		if _, err := audit.NewIncarnation(c, name, why); err == nil {
			t.Errorf("new incarnation of %q because %q", name, why)
		}
	}
	old, err := audit.NewIncarnation(c, "us-defense", "restored from yesterday's copy")
	if err != nil {
		t.Fatal(err)
	}
	l := openLogs(t, c, "us-defense")
	if _, err := audit.NewIncarnation(c, "us-defense", "again"); err == nil || !strings.Contains(err.Error(), "locked") {
		t.Errorf("a new incarnation while a gateway runs: %v", err)
	}
	mustAppend(t, l, decision("after", true, "us-defense"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	mustVerify(t, filepath.Join(dir, "us-defense"))
	if diff := cmp.Diff([]string{"after"}, ids(t, filepath.Join(dir, "us-defense"))["us-defense"]); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	origin := string(readFile(t, filepath.Join(dir, "us-defense/origin.json")))
	checkpoint := string(readFile(t, filepath.Join(old, "checkpoint")))
	if !strings.Contains(origin, "restored from yesterday's copy") || !strings.Contains(origin, strings.Split(checkpoint, "\n")[2]) {
		t.Errorf("origin: %s", origin)
	}
	if have := readFile(t, filepath.Join(old, "seg-00000000000000000000.jsonl")); !bytes.Equal(have, whole[:len(whole)/2]) {
		t.Error("the old log was changed")
	}
	if _, err := audit.Verify(old); err == nil {
		t.Error("the old log verifies")
	}

	writeFile(t, filepath.Join(old, "seg-00000000000000000000.jsonl"), whole) // found again
	mustVerify(t, dir)
	var empty tlog.Tree
	rolled, err := tlog.Checkpoint{Origin: strings.Split(checkpoint, "\n")[0], Root: empty.Root()}.Sign(signingKey)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(old, "checkpoint"), rolled) // as somebody would have it who has the key too
	if _, err := audit.Verify(dir); err == nil || !strings.Contains(err.Error(), "not the one that the log after it was begun with") {
		t.Errorf("error %v", err)
	}
}

func TestACrashBetweenTheRenamesOfANewIncarnationIsFinished(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	groups(t, dir, 2)
	c := audit.Config{Key: signingKey, Dir: dir}
	old, err := audit.NewIncarnation(c, "us-defense", "first")
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "us-defense")
	if err := os.Rename(old, log+".new"); err != nil { // as after the exchange
		t.Fatal(err)
	}
	l := openLogs(t, c)
	if err := l.Use([]string{"us-defense"}); err == nil || !strings.Contains(err.Error(), "not finished") {
		t.Errorf("error %v", err)
	}
	again, err := audit.NewIncarnation(c, "us-defense", "first")
	if err != nil || again != old {
		t.Errorf("%q, %v", again, err)
	}
	if err := l.Use([]string{"us-defense"}); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	mustVerify(t, dir)
}

func TestALogWithoutItsOriginOrCheckpointIsNotOpened(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"origin.json", "key.pub", "checkpoint"} {
		dir := t.TempDir()
		groups(t, dir, 2)
		if err := os.Remove(filepath.Join(dir, "us-defense", name)); err != nil {
			t.Fatal(err)
		}
		wantNoOpen(t, dir, "us-defense")
		wantDamage(t, dir, 0, "")
	}
}
