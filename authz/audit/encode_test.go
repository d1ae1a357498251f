package audit_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
)

// many is a decision with n accesses whose inputs have so many bytes.
func many(id string, n, bytes int, allow bool) authz.Record {
	r := decision(id, allow)
	for i := range n {
		a := access("us-defense", allow)
		a.Resource = fmt.Sprintf("s3://us-defense-plans/%d", i)
		a.Input = json.RawMessage(`"` + strings.Repeat("x", bytes) + `"`)
		r.Accesses = append(r.Accesses, a)
	}
	return r
}

func TestALongDecisionIsSeveralLinesOfOneGroup(t *testing.T) {
	t.Parallel()
	for _, size := range []struct{ accesses, bytes int }{{2, 40_000}, {40, 3_000}, {1_000, 3_000}, {1_000, 100}} {
		t.Run(fmt.Sprintf("%d accesses of %d bytes", size.accesses, size.bytes), func(t *testing.T) {
			dir := t.TempDir()
			l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
			mustAppend(t, l, decision("before", true, "us-defense"), many("long", size.accesses, size.bytes, true), decision("after", true, "us-defense"))

			accesses, parts, of := 0, 0, 0
			salts := map[string]bool{}
			err := audit.Read(dir, func(_ string, line []byte, r authz.Record) error {
				if len(line) > audit.MaxLine {
					t.Errorf("a line has %d bytes", len(line))
				}
				if r.DecisionID != "long" {
					return nil
				}
				for _, a := range r.Accesses {
					if a.Resource != fmt.Sprintf("s3://us-defense-plans/%d", accesses) {
						t.Fatalf("access %d is %s", accesses, a.Resource)
					}
					accesses++
				}
				parts++
				of = r.Part[1]
				salts[r.Salt] = true
				if r.Part[0] != parts || !r.Allow || r.Subject.ID != "usa|alice" {
					t.Errorf("line %d: %+v", parts, r)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if accesses != size.accesses || parts != of || parts < 2 || len(salts) != parts {
				t.Errorf("%d accesses in %d of %d lines with %d salts", accesses, parts, of, len(salts))
			}
			if have := mustVerify(t, dir).Logs[1]; have.Records != 3 || have.Lines != uint64(2+parts) || have.Allows != 3 {
				t.Errorf("report: %+v", have)
			}
			if s := l.Stats()["us-defense"]; s.Records != 3 {
				t.Errorf("stats: %+v", s)
			}
		})
	}
}

func TestALineCanBeExactlyAsLongAsAllowed(t *testing.T) {
	t.Parallel()
	edge := func(bytes int) authz.Record { // two accesses, both of which fit alone
		r := many("edge", 2, 30_000, true)
		r.Accesses[1].Input = json.RawMessage(`"` + strings.Repeat("y", bytes) + `"`)
		return r
	}
	lengths := func(r authz.Record) []int {
		dir := t.TempDir()
		l := openLogs(t, audit.Config{Key: signingKey, Dir: dir, Durability: audit.Buffered}, "us-defense")
		defer l.Close()
		mustAppend(t, l, r)
		mustVerify(t, dir)
		var all []int
		if err := audit.Read(dir, func(_ string, line []byte, _ authz.Record) error { all = append(all, len(line)); return nil }); err != nil {
			t.Fatal(err)
		}
		return all
	}
	const shortFrame = len(`{"n":0,"g":0,,"c":"00000000"}`)
	fits := 20_000 + audit.MaxMembers + shortFrame - lengths(edge(20_000))[0]
	for over := -2; over <= 2; over++ {
		have := lengths(edge(fits + over))
		if len(have) != 1+min(1, max(0, over)) || have[0] > audit.MaxLine {
			t.Errorf("%d bytes more than fit: lines of %v bytes", over, have)
		}
	}
}

func TestAnAllowThatFitsNoLineIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
	for name, r := range map[string]authz.Record{
		"one access is too long": many("d", 3, audit.MaxLine, true),
		"the rest is too long": func() authz.Record {
			r := decision("d", true, "us-defense")
			r.Detail = strings.Repeat("x", audit.MaxLine)
			return r
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			if err := l.Append(t.Context(), r); err == nil || !strings.Contains(err.Error(), "does not fit") {
				t.Errorf("error %v", err)
			}
		})
	}
	if have := ids(t, dir); len(have) != 0 {
		t.Errorf("in the logs: %v", have)
	}
}

func TestADenialThatFitsNoLineIsRecordedInShort(t *testing.T) {
	t.Parallel()
	worst := strings.Repeat("\x01", audit.MaxLine)
	r := many("d", 3, 100, false)
	r.Accesses[1].Input = json.RawMessage(`"` + strings.Repeat("é", audit.MaxLine) + `"`)
	r.Accesses[2].Resource = worst
	r.Request = &authz.Summary{Protocol: worst, Operation: worst, Method: worst, Host: worst, Path: worst}
	r.RequestID, r.RequestedBy, r.Principal, r.Detail = worst, worst, worst, worst
	r.Subject.ID, r.Subject.Evidence.KeyID = worst, worst
	r.Subject.Evidence.Claims = json.RawMessage(`"` + strings.Repeat("x", audit.MaxLine) + `"`)
	r.Fields = map[string]string{"k": worst}

	dir := t.TempDir()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
	mustAppend(t, l, r)
	mustVerify(t, dir)
	var have []authz.RecordAccess
	for _, line := range contents(t, dir)["us-defense"] {
		have = append(have, line.Accesses...)
		if !strings.Contains(line.Detail, "recorded in short") || !strings.Contains(line.Request.Path, "bytes cut]") || len(line.Reasons) != 2 {
			t.Errorf("line: %+v", line)
		}
	}
	if len(have) != 3 || string(have[0].Input) == "null" || string(have[1].Input) != "null" {
		t.Errorf("accesses: %+v", have)
	}
	if r.Request.Path != worst || r.Subject.ID != worst || r.Accesses[2].Resource != worst {
		t.Error("Append changed the caller's record")
	}
}
