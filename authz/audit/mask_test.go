package audit_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
)

const secretInput = `{"subject":{"id":"usa|alice","properties":{"nationalities":["USA"],"tenant":"us-defense","clearances":[{"native":"TS/SCI"}]}},` +
	`"resource":{"id":"s3://us-defense-plans/k","properties":{"row":"us-defense-plans/","owner":null}},"context":{"source":{"address":"192.0.2.7","principal":null}}}`

// secret is a record with these masks, each member of which is worth hiding.
func secret(id string, fields ...string) authz.Record {
	r := decision(id, false, "us-defense")
	r.Principal = "spiffe://sallyport.test/envoy"
	r.Detail = "about alice"
	r.Subject.Evidence.Claims = json.RawMessage(`{"sub":"alice"}`)
	r.Accesses[0].Input = json.RawMessage(secretInput)
	r.Accesses[0].Obligations = []authz.Obligation{{ID: authz.AuditMask, Fields: fields}}
	return r
}

// recorded appends r and returns what its one line says, and the line.
func recorded(t *testing.T, dir string, r authz.Record) (authz.Record, []byte) {
	t.Helper()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
	mustAppend(t, l, r)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	mustVerify(t, dir)
	lines := bytes.Split(bytes.TrimSpace(readFile(t, segment(dir, "us-defense", 0))), []byte("\n"))
	all := contents(t, dir)["us-defense"]
	return all[len(all)-1], lines[len(lines)-1]
}

func TestWhatIsMaskedIsNotInTheLogAndOpensWithItsOpening(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fields []string
		masked []string // pointers from the record
		gone   []string // texts that the line must not hold
	}{
		"a person": {[]string{"/subject/id"}, []string{"/accesses/0/input/subject/id", "/detail", "/subject/id", "/subject/token/claims"}, []string{"alice"}},
		"a claim": {[]string{"/subject/properties/nationalities"}, []string{"/accesses/0/input/subject/properties/nationalities", "/detail", "/subject/token/claims"},
			[]string{`["USA"]`}},
		"an element": {[]string{"/subject/properties/clearances/0/native"}, []string{"/accesses/0/input/subject/properties/clearances/0/native", "/detail", "/subject/token/claims"},
			[]string{"SCI"}},
		"an object": {[]string{"/resource/id"}, []string{"/accesses/0/input/resource/id", "/accesses/0/resource", "/detail", "/request/host", "/request/path"},
			[]string{"us-defense-plans/k", `"/b/k"`, "storage.sallyport.test"}},
		"a row":      {[]string{"/resource/properties/row"}, []string{"/accesses/0/input/resource/properties/row", "/accesses/0/row", "/detail"}, []string{`"us-defense-plans/"`}},
		"an address": {[]string{"/context/source/address"}, []string{"/accesses/0/input/context/source/address", "/detail", "/requested_by"}, []string{"192.0.2.7"}},
		"what is null already": {[]string{"/context/source/principal", "/resource/properties/owner/nation"}, []string{"/detail", "/principal"},
			[]string{"spiffe"}},
		"beyond the end of an array": {[]string{"/subject/properties/clearances/7/native"}, []string{"/detail", "/subject/token/claims"}, []string{"about"}},
		"a field within another, once": {[]string{"/subject/id", "/subject", "/subject"}, []string{"/accesses/0/input/subject", "/detail", "/subject/id", "/subject/token/claims"},
			[]string{"alice", "TS/SCI"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			plain := secret("d", test.fields...)
			have, line := recorded(t, dir, plain)
			for _, text := range test.gone {
				if bytes.Contains(line, []byte(text)) {
					t.Errorf("the line holds %s", text)
				}
			}
			if have.MaskingError != "" {
				t.Errorf("masking error %q", have.MaskingError)
			}
			closed, err := audit.Reveal(line, nil)
			if diff := cmp.Diff(test.masked, closed.Closed); err != nil || diff != "" {
				t.Errorf("%v; masked (-want +have)\n%s", err, diff)
			}
			found, err := audit.FindOpenings(dir, "d")
			if err != nil {
				t.Fatal(err)
			}
			opened, err := audit.Reveal(line, found)
			if diff := cmp.Diff(test.masked, opened.Opened); err != nil || diff != "" || len(opened.Closed) > 0 {
				t.Fatalf("%v; opened (-want +have)\n%s", err, diff)
			}
			var again authz.Record
			if err := json.Unmarshal(opened.Record, &again); err != nil {
				t.Fatal(err)
			}
			want := plain
			slices.Sort(want.Reasons)
			again.Salt = ""
			want.Accesses = slices.Clone(want.Accesses)
			want.Accesses[0].Reasons, want.Accesses[0].Unproven = []authz.Reason{}, []authz.Reason{}
			if diff := cmp.Diff(want, again, cmp.Transformer("", func(r json.RawMessage) string { return string(r) })); diff != "" {
				t.Errorf("the record, opened (-want +have)\n%s", diff)
			}
			if replays := have.Accesses[0].Replay; (replays == "openings") != slices.ContainsFunc(test.masked, func(at string) bool { return strings.Contains(at, "/input") }) {
				t.Errorf("replay is %q", replays)
			}
		})
	}
}

func TestAMaskingErrorMasksEverythingAndLosesNothing(t *testing.T) {
	t.Parallel()
	for name, fields := range map[string][]string{
		"no field":                    nil,
		"a field that is no pointer":  {"subject.id"},
		"an empty pointer":            {""},
		"a member that is not there":  {"/subject/nationality"},
		"a step into a text":          {"/subject/id/usa"},
		"an element that is no index": {"/subject/properties/nationalities/first"},
		"one good, one not":           {"/subject/id", "/resource/ID"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			have, line := recorded(t, dir, secret("d", fields...))
			if have.MaskingError == "" {
				t.Error("the record does not say that masking failed")
			}
			for _, text := range []string{"alice", "192.0.2.7", "plans/k", "SCI", "spiffe", "/b/k"} {
				if bytes.Contains(line, []byte(text)) {
					t.Errorf("the line holds %s", text)
				}
			}
			found, err := audit.FindOpenings(filepath.Join(dir, "us-defense"), "d")
			if err != nil {
				t.Fatal(err)
			}
			opened, err := audit.Reveal(line, found)
			if err != nil || len(opened.Closed) > 0 || !bytes.Contains(opened.Record, []byte(secretInput)) || !bytes.Contains(opened.Record, []byte(`"sub":"alice"`)) {
				t.Errorf("%v: %+v\n%s", err, opened, opened.Record)
			}
		})
	}
}

func TestAMaskOfOneAccessHoldsForAllInEveryLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := decision("d", true, "us-defense", "fr-space")
	r.Accesses[0].Input, r.Accesses[1].Input = json.RawMessage(secretInput), json.RawMessage(secretInput)
	r.Accesses[0].Obligations = []authz.Obligation{{ID: authz.AuditMask, Fields: []string{"/subject/id"}}}
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense", "fr-space")
	mustAppend(t, l, r)
	for _, log := range []string{"us-defense", "fr-space"} {
		if bytes.Contains(readFile(t, segment(dir, log, 0)), []byte("alice")) {
			t.Errorf("log %s names the person", log)
		}
		found, err := audit.FindOpenings(filepath.Join(dir, log), "d")
		if err != nil || bytes.Count(found, []byte("\n")) != 2 { // the record's and its one access's
			t.Errorf("log %s: %v, openings\n%s", log, err, found)
		}
	}
	if r.Accesses[0].Masked != nil || r.Subject.ID == "" {
		t.Error("Append changed the caller's record")
	}
}

func TestAnOpeningOpensOneCommitmentAndNoOther(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, line := recorded(t, dir, secret("d", "/subject/id", "/resource/id"))
	_, other := recorded(t, dir, secret("e", "/subject/id", "/resource/id"))
	found, err := audit.FindOpenings(dir, "d")
	if err != nil {
		t.Fatal(err)
	}
	for one := range bytes.Lines(found) {
		have, err := audit.Reveal(line, one)
		if err != nil || len(have.Opened) != 1 || len(have.Closed) != 7 {
			t.Errorf("%s opens %v, %v", one, have.Opened, err)
		}
		if have, err := audit.Reveal(other, one); err != nil || len(have.Opened) != 0 {
			t.Errorf("%s opens %v of another record, %v", one, have.Opened, err)
		}
		for i := range one {
			changed := bytes.Clone(one)
			changed[i] ^= 1
			if changed, err := audit.Reveal(line, changed); err == nil && len(changed.Opened) > 0 && !bytes.Equal(changed.Record, have.Record) {
				t.Errorf("byte %d changed: opens %s", i, changed.Record)
			}
		}
	}
	for name, bad := range map[string]string{
		"no JSON":                 "{\n",
		"a member that is unkown": `{"decision_id":"d","commitment":"","at":"","salt":"","value":1,"more":1}`,
		"a salt that is none":     `{"decision_id":"d","commitment":"","at":"","salt":"00","value":1}`,
		"another commitment":      `{"decision_id":"d","commitment":"00","at":"","salt":"00000000000000000000000000000000","value":1}`,
	} {
		if _, err := audit.Reveal(line, []byte(bad)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestOpeningsThatCannotBeWrittenFailTheRecord(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
	writeFile(t, dir+audit.OpeningsSuffix, []byte("in the way"))
	if err := l.Append(t.Context(), secret("d", "/subject/id")); err == nil || !strings.Contains(err.Error(), "openings") {
		t.Errorf("error %v", err)
	}
	if have := ids(t, dir)["us-defense"]; len(have) > 0 {
		t.Errorf("the log has %v", have)
	}
}

func TestATornOpeningSpoilsNoLaterOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	recorded(t, dir, secret("d", "/subject/id"))
	path := filepath.Join(dir+audit.OpeningsSuffix, "us-defense", fmt.Sprintf("open-%020d.jsonl", 0))
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"decision_id":"torn","commit`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	_, line := recorded(t, dir, secret("e", "/subject/id"))
	found, err := audit.FindOpenings(dir, "e")
	if err != nil {
		t.Fatal(err)
	}
	if have, err := audit.Reveal(line, found); err != nil || len(have.Closed) > 0 {
		t.Errorf("%v: %+v", err, have)
	}
}

func FuzzReveal(f *testing.F) {
	f.Add(`/subject/properties/clearances/0/native`, secretInput)
	f.Add(`/a~1b/~0`, `{"a/b":{"~":1}}`)
	f.Add(`/x`, `{"x":1,"x":2}`)
	f.Fuzz(func(t *testing.T, field, input string) {
		r := secret("d", field)
		r.Accesses[0].Input = json.RawMessage(input)
		masked, opened, err := audit.Mask(r)
		if err != nil {
			return
		}
		line, err := audit.AppendRecord(nil, &masked)
		if err != nil {
			t.Fatalf("%s with %q masked: %v", input, field, err)
		}
		if !json.Valid(line) {
			t.Fatalf("%s with %q masked is %s", input, field, line)
		}
		framed := audit.AppendLine(nil, 0, 0, line[1:len(line)-1])
		have, err := audit.Reveal(bytes.TrimSpace(framed), opened)
		if err != nil {
			return // not of the form of a record, such as one without a salt
		}
		if len(have.Closed) > 0 {
			t.Errorf("%s with %q masked: %v stays closed", input, field, have.Closed)
		}
	})
}

func TestMaskingErrorsAndRecoveriesAreCounted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
	mustAppend(t, l, secret("good", "/subject/id"), secret("bad"), secret("bad too", "/nothing"))
	if s := l.Stats()["us-defense"]; s.MaskAll != 2 || s.Recovered {
		t.Errorf("%+v", s)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path := segment(dir, "us-defense", 0)
	writeFile(t, path, append(readFile(t, path), `{"n":3,`...))
	l = openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
	if s := l.Stats()["us-defense"]; s.MaskAll != 0 || !s.Recovered {
		t.Errorf("%+v", s)
	}
}
