package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
)

func TestVerifyFindsEveryFlippedBit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := groups(t, dir, 3)
	path := segment(dir, "us-defense", 0)
	begin := bytes.IndexByte(log, '\n') + 1
	end := begin + bytes.IndexByte(log[begin:], '\n') + 1
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	set := func(i int, b byte) {
		if _, err := f.WriteAt([]byte{b}, int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := begin; i < end; i++ {
		for bit := range 8 {
			set(i, log[i]^1<<bit)
			if _, err := audit.Verify(filepath.Dir(path)); err == nil {
				t.Fatalf("bit %d of byte %d of line 1 (%q) flipped: not found", bit, i-begin, log[i])
			}
		}
		set(i, log[i])
	}
	mustVerify(t, dir)
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	log := groups(t, t.TempDir(), 2)
	parts := func(ids string, ks ...int) []byte { // lines of one group, parts ks of 3
		var b []byte
		for i, k := range ks {
			id := string(ids[i])
			b = audit.AppendLine(b, uint64(i), 0, fmt.Appendf(nil, `%s,"part":[%d,3]`, bytes.Replace([]byte(minimal), []byte(`"d"`), []byte(`"`+id+`"`), 1), k))
		}
		return b
	}
	for name, test := range map[string]struct {
		file  string
		bytes []byte
		index uint64
		want  string
	}{
		"a first segment of another index":      {"seg-00000000000000065536.jsonl", log, 0, "missing or misnamed"},
		"a segment with a short name":           {"seg-0.jsonl", log, 0, "missing or misnamed"},
		"a compressed segment":                  {"seg-00000000000000000000.jsonl.zst", log, 0, "missing or misnamed"},
		"a record that lacks a member":          {"seg-00000000000000000000.jsonl", audit.AppendLine(nil, 0, 0, []byte(`"type":"start"`)), 0, "is missing"},
		"a decision that begins with part 2":    {"seg-00000000000000000000.jsonl", parts("aa", 2, 3), 0, "comes first"},
		"a decision that lacks part 2":          {"seg-00000000000000000000.jsonl", parts("aa", 1, 3), 1, "ends after part 1"},
		"a decision that ends early":            {"seg-00000000000000000000.jsonl", parts("aa", 1, 2), 2, "ends after part 2"},
		"a decision inside another":             {"seg-00000000000000000000.jsonl", parts("aba", 1, 2, 2), 1, "ends after part 1"},
		"a group that goes on after the next":   {"seg-00000000000000000000.jsonl", append(bytes.Clone(log), audit.AppendLine(nil, 2, 0, []byte(minimal))...), 2, "group 0, after one of group 1"},
		"a group that begins before the log":    {"seg-00000000000000000000.jsonl", audit.AppendLine(nil, 0, 5, []byte(minimal)), 0, "group 5"},
		"an empty line":                         {"seg-00000000000000000000.jsonl", append(bytes.Clone(log), '\n'), 2, "not of the form"},
		"a line in front of the first":          {"seg-00000000000000000000.jsonl", append([]byte("\n"), log...), 0, "not of the form"},
		"a last line that only lacks a newline": {"seg-00000000000000000000.jsonl", log[:len(log)-1], 1, "ends inside a line"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			plant(t, dir, "us-defense", test.bytes, test.file)
			wantDamage(t, dir, test.index, test.want)
		})
	}
	for name, second := range map[string]string{
		"parts that disagree on allow":  reframe(`{"n":1,"g":0,` + strings.Replace(allowing("d"), `"reasons"`, `"part":[2,2],"reasons"`, 1)),
		"a decision over two groups":    reframe(`{"n":1,"g":1,` + minimal + `,"part":[2,2]`),
		"a decision whose size changes": reframe(`{"n":1,"g":0,` + minimal + `,"part":[2,3]`),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			first := reframe(`{"n":0,"g":0,` + minimal + `,"part":[1,2]`)
			plant(t, dir, "us-defense", []byte(first+"\n"+second+"\n"))
			wantDamage(t, dir, 1, "")
		})
	}
	t.Run("a segment with a line too many", func(t *testing.T) {
		var b []byte
		for n := range uint64(audit.SegmentLines + 1) {
			b = audit.AppendLine(b, n, n, []byte(minimal))
		}
		dir := t.TempDir()
		plant(t, dir, "us-defense", b)
		wantDamage(t, dir, audit.SegmentLines, "a segment has")
		wantNoOpen(t, dir, "us-defense")
	})
	t.Run("a folder without a log", func(t *testing.T) {
		if _, err := audit.Verify(t.TempDir()); err == nil {
			t.Error("no error")
		}
	})
	t.Run("a log without a segment", func(t *testing.T) {
		dir := t.TempDir()
		plant(t, dir, "us-defense", nil)
		if err := os.Remove(segment(dir, "us-defense", 0)); err != nil {
			t.Fatal(err)
		}
		wantDamage(t, dir, 0, "no segment")
	})
	t.Run("one damaged log and reports the others", func(t *testing.T) {
		dir := t.TempDir()
		groups(t, dir, 2)
		plant(t, dir, "aa", []byte("x\n"))
		report, err := audit.Verify(dir)
		if err == nil || len(report.Logs) != 3 || report.Logs[0].Damage == nil || report.Logs[2].Lines != 2 || report.Logs[2].Damage != nil {
			t.Errorf("error %v, report %+v", err, report)
		}
	})
}

// allowing is the shortest record that allows.
func allowing(id string) string {
	return strings.NewReplacer(`"start"`, `"decision"`, `"d"`, `"`+id+`"`, `"allow":false`, `"allow":true,"subject":{},"accesses":[{}]`).Replace(minimal)
}

func TestReadEndsWithItsCallersError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	groups(t, dir, 3)
	enough := fmt.Errorf("enough")
	calls := 0
	err := audit.Read(dir, func(string, []byte, authz.Record) error { calls++; return enough })
	if err != enough || calls != 1 {
		t.Errorf("error %v after %d calls", err, calls)
	}
}

func TestASegmentHas65536LinesAndAGroupIsSplitAtItsEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var almost []byte
	for n := range uint64(audit.SegmentLines - 2) {
		almost = audit.AppendLine(almost, n, n, []byte(minimal))
	}
	plant(t, dir, "us-defense", almost)
	c := audit.Config{Key: signingKey, Dir: dir}
	l := openLogs(t, c, "us-defense")
	mustAppend(t, l, many("long", 80, 3_000, true), decision("after", true, "us-defense"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	report := mustVerify(t, dir).Logs[1]
	if report.Lines < audit.SegmentLines+3 || report.Records != audit.SegmentLines || report.Allows != 2 {
		t.Errorf("report: %+v", report)
	}
	if n := bytes.Count(readFile(t, segment(dir, "us-defense", 0)), []byte("\n")); n != audit.SegmentLines {
		t.Errorf("first segment has %d lines", n)
	}

	t.Run("a crash at the end of a segment leaves the decision unfinished", func(t *testing.T) {
		second := segment(dir, "us-defense", audit.SegmentLines)
		whole := readFile(t, second)
		defer rewind(t, dir, "us-defense")
		defer writeFile(t, second, whole)
		for name, crash := range map[string]func() error{
			"before the next one exists":      func() error { return os.Remove(second) },
			"before the next one has a line":  func() error { return os.Truncate(second, 0) },
			"when the next one has part of a": func() error { return os.WriteFile(second, whole[:100], 0o600) },
		} {
			if err := crash(); err != nil {
				t.Fatal(err)
			}
			rewind(t, dir, "us-defense")
			wantUnfinished(t, dir, name)
		}
	})
	t.Run("a full segment that ends inside a line is damage while the gateway runs too", func(t *testing.T) {
		l := openLogs(t, c, "us-defense")
		defer l.Close()
		path := segment(dir, "us-defense", 0)
		whole := readFile(t, path)
		if err := os.Truncate(path, int64(len(whole)-1)); err != nil {
			t.Fatal(err)
		}
		wantDamage(t, dir, audit.SegmentLines-1, "ends inside a line")
		writeFile(t, path, whole)
	})
	t.Run("a segment that is missing is damage", func(t *testing.T) {
		if err := os.Rename(segment(dir, "us-defense", 0), filepath.Join(dir, "away.tmp")); err != nil {
			t.Fatal(err)
		}
		wantDamage(t, dir, 0, "one is missing")
		wantNoOpen(t, dir, "us-defense")
		if err := os.Rename(filepath.Join(dir, "away.tmp"), segment(dir, "us-defense", 0)); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("a full segment that lost its last line is damage", func(t *testing.T) {
		path := segment(dir, "us-defense", 0)
		whole := readFile(t, path)
		writeFile(t, path, whole[:bytes.LastIndexByte(whole[:len(whole)-1], '\n')+1])
		wantDamage(t, dir, audit.SegmentLines-1, "has 65535 lines")
		wantNoOpen(t, dir, "us-defense")
	})
}

// wantUnfinished opens a log and wants it to tell of one unfinished decision and to go on.
func wantUnfinished(t testing.TB, dir, name string) {
	t.Helper()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
	mustAppend(t, l, decision("goes on", true, "us-defense"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	last := mustVerify(t, dir).Logs[1]
	if last.Lines != audit.SegmentLines+2 || last.Recovered != 1 || last.Allows != 1 {
		t.Errorf("%s: %+v", name, last)
	}
}

// wantDamage verifies a folder and wants damage at an index.
func wantDamage(t testing.TB, dir string, index uint64, cause string) {
	t.Helper()
	_, err := audit.Verify(dir)
	var d *audit.Damage
	if !errors.As(err, &d) {
		t.Fatalf("Verify: %v, want damage", err)
	}
	if d.Index != index || !strings.Contains(d.Cause, cause) {
		t.Errorf("Verify: %v, want damage at line %d with %q", err, index, cause)
	}
}

// wantNoOpen wants a log to be refused for damage, as it is.
func wantNoOpen(t testing.TB, dir, tenant string) {
	t.Helper()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir})
	defer l.Close()
	err := l.Use([]string{tenant})
	var d *audit.Damage
	if !errors.As(err, &d) {
		t.Errorf("Use: %v, want damage", err)
	}
	if err := l.Append(t.Context(), decision("x", true, tenant)); err == nil {
		t.Error("Append to a log that is damaged did not fail")
	}
}
