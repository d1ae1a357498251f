package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/sallyport-dev/sallyport/authz/audit"
)

// TestACheckpointThatWasKeptShowsALogThatWasPutBack: a folder as it once was verifies by itself, and not against what somebody has seen
// since.
func TestACheckpointThatWasKeptShowsALogThatWasPutBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fill(t, dir, 300)
	log := filepath.Join(dir, "us-defense")
	first := readFile(t, filepath.Join(log, "checkpoint"))
	before := copyLog(t, dir)
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
	mustAppend(t, l, decision("more", true, "us-defense"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	last := readFile(t, filepath.Join(log, "checkpoint"))
	verify := func(dir string, kept ...[]byte) (uint64, error) {
		rd := audit.Reader{Kept: kept}
		report, err := rd.Verify(dir)
		return report.Logs[0].Kept, errors.Join(err, rd.Unclaimed(report))
	}
	for name, test := range map[string]struct {
		dir  string
		kept [][]byte
		want uint64
		bad  bool
	}{
		"the log goes on from both":    {log, [][]byte{first, last}, 301, false},
		"the log as it was then":       {before, [][]byte{first}, 300, false},
		"put back":                     {before, [][]byte{first, last}, 300, true},
		"of a log that is not there":   {filepath.Join(dir, "gateway"), [][]byte{last}, 0, true},
		"a line of it is another's":    {log, [][]byte{first[:len(first)-10]}, 0, true},
		"nothing was kept of this one": {log, nil, 0, false},
	} {
		have, err := verify(test.dir, test.kept...)
		if (err != nil) != test.bad || have != test.want {
			t.Errorf("%s: %v, %d lines of a kept checkpoint found, want %d", name, err, have, test.want)
		}
	}

	// A log that was made anew with the same key, under the same origin file, is another tree.
	forged := t.TempDir()
	for _, name := range []string{"origin.json", "key.pub"} {
		writeFile(t, filepath.Join(forged, "us-defense", name), readFile(t, filepath.Join(log, name)))
	}
	fill(t, forged, 301)
	if report, err := audit.Verify(filepath.Join(forged, "us-defense")); err != nil || report.Logs[0].Lines != 301 {
		t.Fatalf("the forged log does not verify by itself: %v", err)
	}
	if _, err := verify(filepath.Join(forged, "us-defense"), first); err == nil {
		t.Error("a forged log goes on from a kept checkpoint")
	}
	if err := os.RemoveAll(forged); err != nil {
		t.Fatal(err)
	}
}
