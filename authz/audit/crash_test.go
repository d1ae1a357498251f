package audit_test

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
	"github.com/sallyport-dev/sallyport/authz/audit/tlog"
)

const (
	victimDir = "SALLYPORT_AUDIT_VICTIM" // folder of the logs; set in the process to be killed
	victimRun = "SALLYPORT_AUDIT_RUN"
)

// victim appends until it is killed, and prints the id of each record that was acknowledged.
func victim(dir string) {
	l, err := audit.Open(audit.Config{Key: signingKey, Dir: dir})
	if err == nil {
		err = l.Use([]string{"us-defense", "fr-space"})
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	var out sync.Mutex
	for w := range 16 {
		go func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%s/%d/%d", os.Getenv(victimRun), w, i)
				r := decision(id, true, "us-defense")
				switch i % 8 {
				case 0:
					r = decision(id, true, "us-defense", "fr-space")
				case 1:
					r = many(id, 40, 4_000, true)
				}
				if err := l.Append(context.Background(), r); err != nil {
					fmt.Println("error:", err)
					os.Exit(1)
				}
				out.Lock()
				fmt.Println(id)
				out.Unlock()
			}
		}()
	}
	select {}
}

var kills = flag.Int("kills", 30, "how often the writer is killed")

func TestKill9LosesNoAcknowledgedRecord(t *testing.T) {
	t.Parallel()
	const each = 30 // each log is read as a whole after every kill
	for done := 0; done < *kills; done += each {
		t.Run(fmt.Sprintf("kills %d to %d", done+1, min(done+each, *kills)), func(t *testing.T) { killed(t, min(each, *kills-done)) })
	}
}

// killed kills the writer of one set of logs so many times.
func killed(t *testing.T, kills int) {
	dir := t.TempDir()
	acked := map[string]bool{}
	last := map[string]tlog.Checkpoint{}
	for run := range kills {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), victimDir+"="+dir, victimRun+"="+fmt.Sprint(run))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		if !lines.Scan() {
			t.Fatal("the process ended by itself")
		}
		acked[lines.Text()] = true
		var killed atomic.Bool
		time.AfterFunc(time.Duration(rand.IntN(60))*time.Millisecond, func() { killed.Store(true); cmd.Process.Kill() })
		if _, err := audit.Verify(dir); err != nil && !killed.Load() { // a torn end is damage once nobody runs
			t.Errorf("run %d, while it writes: %v", run, err)
		}
		for lines.Scan() {
			acked[lines.Text()] = true
		}
		cmd.Wait()
		checkpointsAgree(t, dir, last)
	}
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense", "fr-space")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	report := mustVerify(t, dir)
	t.Logf("%d acknowledged; us-defense: %+v", len(acked), report.Logs[2])
	have := map[string]int{}
	for _, r := range contents(t, dir)["us-defense"] {
		if r.Part == nil || r.Part[0] == r.Part[1] {
			have[r.DecisionID]++
		}
	}
	for id := range acked {
		if have[id] != 1 {
			t.Errorf("record %q was acknowledged and is there %d times", id, have[id])
		}
	}
}

// checkpointsAgree looks at the checkpoint that each log was left with, and requires that the tree it had before, as far as that reached,
// is the beginning of the tree of its lines now. It notes the new ones.
func checkpointsAgree(t testing.TB, dir string, last map[string]tlog.Checkpoint) {
	t.Helper()
	for _, log := range []string{"gateway", "us-defense", "fr-space"} {
		a, err := audit.OpenArchive(filepath.Join(dir, log))
		if err != nil {
			continue // killed before it was made
		}
		before := last[log]
		if a.Checkpoint().Size < before.Size {
			t.Errorf("log %s: a checkpoint of %d lines after one of %d", log, a.Checkpoint().Size, before.Size)
		}
		if before.Size > 0 {
			var tree tlog.Tree
			// What is after the checkpoint may be torn, and is read no further than this.
			if err := audit.Read(filepath.Join(dir, log), func(_ string, line []byte, _ authz.Record) error {
				if tree.Size() == before.Size {
					return io.EOF
				}
				tree.Append(tlog.LeafHash(line))
				return nil
			}); tree.Size() != before.Size || tree.Root() != before.Root {
				t.Errorf("log %s: its first %d lines are not those of the checkpoint before: %v", log, before.Size, err)
			}
		}
		last[log] = a.Checkpoint()
	}
}

// groups writes a log whose groups are known: each append waits for the one before, and every record is of one line unless
// long is set.
func groups(t testing.TB, dir string, n int) []byte {
	t.Helper()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
	for i := range n {
		mustAppend(t, l, decision(fmt.Sprint(i), true, "us-defense"))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return readFile(t, segment(dir, "us-defense", 0))
}

// reopen opens a log that holds these bytes, closes it and returns its records' ids or types, and how it was recovered.
func reopen(t testing.TB, log []byte) ([]string, map[string]string) {
	t.Helper()
	dir := t.TempDir()
	plant(t, dir, "us-defense", log)
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir, Durability: audit.Buffered}, "us-defense")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	mustVerify(t, dir)
	var have []string
	var fields map[string]string
	for _, r := range contents(t, dir)["us-defense"] {
		if r.Type == "recovered" {
			fields = r.Fields
		} else {
			have = append(have, r.DecisionID)
		}
	}
	return have, fields
}

func TestATornTailIsCutAtEveryByte(t *testing.T) {
	t.Parallel()
	log := groups(t, t.TempDir(), 3)
	last := bytes.LastIndexByte(log[:len(log)-1], '\n') + 1
	for end := last; end < len(log); end++ {
		have, recovered := reopen(t, log[:end])
		var want map[string]string
		if end > last {
			want = map[string]string{"bytes_cut": fmt.Sprint(end - last)}
		}
		if diff := cmp.Diff([]string{"0", "1"}, have) + cmp.Diff(want, recovered); diff != "" {
			t.Fatalf("cut at %d (-want +have)\n%s", end-last, diff)
		}
	}
}

func TestATornTailIsDamageToAVerifierUnlessAGatewayRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := groups(t, dir, 3)
	path := segment(dir, "us-defense", 0)
	writeFile(t, path, log[:len(log)-5])
	rewind(t, dir, "us-defense")
	wantDamage(t, dir, 2, "ends inside a line")

	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
	mustAppend(t, l, decision("after", true, "us-defense"))
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"n":4,`); err != nil { // as a verifier may meet it in the middle of a write
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	report := mustVerify(t, dir).Logs[1]
	if report.Lines != 4 || report.InFlight != 7 || report.Recovered != 1 {
		t.Errorf("report: %+v", report)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// oneGroup writes n records that are one group, after one record that is acknowledged, and returns the log and where the
// group begins.
func oneGroup(t testing.TB, n int) ([]byte, int) {
	t.Helper()
	log := groups(t, t.TempDir(), n+1)
	first := bytes.IndexByte(log, '\n') + 1
	var out []byte
	for i, line := range bytes.Split(bytes.TrimSuffix(log, []byte("\n")), []byte("\n")) {
		f, err := audit.ParseLine(line)
		if err != nil {
			t.Fatal(err)
		}
		out = audit.AppendLine(out, uint64(i), uint64(min(i, 1)), f.Members())
	}
	return out, first
}

func TestLostSectorsOfTheLastGroupLoseNothingAcknowledged(t *testing.T) {
	t.Parallel()
	log, from := oneGroup(t, 6)
	random := rand.New(rand.NewPCG(1, 2))
	for trial := range 300 {
		b := bytes.Clone(log[:from+random.IntN(len(log)-from+1)])
		for sector := from / 512; sector*512 < len(b); sector++ {
			if random.IntN(4) == 0 {
				clear(b[max(from, sector*512):min(len(b), sector*512+512)])
			}
		}
		have, _ := reopen(t, b)
		for i, id := range have {
			if id != fmt.Sprint(i) {
				t.Fatalf("trial %d: records %v", trial, have)
			}
		}
		if len(have) == 0 {
			t.Fatalf("trial %d: the acknowledged record is gone", trial)
		}
	}
}

func TestADecisionThatACrashLeftUnfinishedIsToldAndNotCounted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
	mustAppend(t, l, decision("first", true, "us-defense"), many("long", 100, 3_000, true))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	log := readFile(t, segment(dir, "us-defense", 0))
	end := 0
	for range 3 { // the first decision and two parts of the second
		end += bytes.IndexByte(log[end:], '\n') + 1
	}
	writeFile(t, segment(dir, "us-defense", 0), log[:end])
	rewind(t, dir, "us-defense")
	wantDamage(t, dir, 3, "decision long ends after part 2 of")

	l = openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
	mustAppend(t, l, decision("after", true, "us-defense"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	report := mustVerify(t, dir).Logs[1]
	if report.Allows != 2 || report.Records != 3 || report.Lines != 5 || report.Recovered != 1 {
		t.Errorf("report: %+v", report)
	}
	records := contents(t, dir)["us-defense"]
	if diff := cmp.Diff(map[string]string{"bytes_cut": "0", "unfinished": "long"}, records[3].Fields); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}

func TestDamageToAcknowledgedLinesIsNeverCut(t *testing.T) {
	t.Parallel()
	log := groups(t, t.TempDir(), 4)
	lines := bytes.SplitAfter(bytes.TrimSuffix(log, []byte("\n")), []byte("\n"))
	lines[3] = append(lines[3], '\n')
	flipped := bytes.Clone(lines[1])
	flipped[40] ^= 1
	long := append(bytes.Repeat([]byte("x"), audit.MaxLine*2), '\n')
	join := func(lines ...[]byte) []byte { return bytes.Join(lines, nil) }
	for name, b := range map[string][]byte{
		"a changed line":                      join(lines[0], flipped, lines[2], lines[3]),
		"a changed first line":                join(flipped, lines[1]),
		"a missing line":                      join(lines[0], lines[2], lines[3]),
		"a missing line before the last":      join(lines[0], lines[1], lines[3]),
		"two lines in the other order":        join(lines[0], lines[2], lines[1], lines[3]),
		"a line twice":                        join(lines[0], lines[1], lines[1], lines[2]),
		"the last line twice":                 join(lines[0], lines[1], lines[1]),
		"a line longer than any":              join(lines[0], long, lines[1], lines[2]),
		"zeros directly before a later group": join(lines[0], make([]byte, len(lines[1])), lines[2]),
		"a newline turned into a space":       join(lines[0], lines[1][:len(lines[1])-1], []byte(" "), lines[2], lines[3]),
		"the line of a group that never was":  join(lines[0], []byte(reframe(`{"n":1,"g":5,`+minimal)+"\n")),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			plant(t, dir, "us-defense", b)
			wantNoOpen(t, dir, "us-defense")
			if have := readFile(t, segment(dir, "us-defense", 0)); !bytes.Equal(have, b) {
				t.Error("a log that was refused was changed")
			}
			if _, err := audit.Verify(filepath.Join(dir, "us-defense")); err == nil {
				t.Error("Verify found nothing")
			}
		})
	}
}
