package audit_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
)

const minimal = `"type":"start","decision_id":"d","salt":"s","timestamp":"2026-01-02T12:00:00.000000000Z","clock":"trusted",` +
	`"gateway":{"id":"g","enclaves":null},"marking":"","allow":false,"reasons":[],"unproven":[],"bundle":{"revision":"","digest":""}`

// FuzzLine holds that a line which parses is exactly what the writer would write of its parts, and that no bytes panic.
func FuzzLine(f *testing.F) {
	f.Add([]byte(strings.TrimSuffix(string(audit.AppendLine(nil, 7, 3, []byte(minimal))), "\n")))
	f.Add([]byte(strings.TrimSuffix(string(audit.AppendLine(nil, 1<<63, 0, []byte(`"type":"decision","part":[1,2]`))), "\n")))
	f.Add([]byte(`{"n":0,"g":0,"c":"00000000"}`))
	f.Add([]byte(`{"n":01,"g":0,"c":"00000000"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		parsed, err := audit.ParseLine(line)
		if err != nil {
			return
		}
		n, g := parsed.Numbers()
		if again := audit.AppendLine(nil, n, g, parsed.Members()); !bytes.Equal(again, append(bytes.Clone(line), '\n')) {
			t.Errorf("parsed  %q\nwritten %q", line, again)
		}
		audit.ParseRecord(parsed.Members())
	})
}

// FuzzRecord lets the fuzzer past the checksum.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte(minimal + `,"part":[1,2],"accesses":[{"input":{"a":"\\\""}}]`))
	f.Add([]byte(`"a":{"b":[1,{"c":"}"}]},"a":1`))
	f.Fuzz(func(t *testing.T, members []byte) {
		r, err := audit.ParseRecord(members)
		if err == nil && (r.DecisionID == "" || r.Time.IsZero() || r.Allow && r.Subject == nil) {
			t.Errorf("accepted %q", members)
		}
		quick, quickErr := audit.QuickRecord(members)
		switch {
		case err == nil && quickErr != nil:
			t.Errorf("Verify refuses what Read accepts: %q: %v", members, quickErr)
		case quickErr == nil && !json.Valid([]byte("{"+string(members)+"}")):
			t.Errorf("Verify accepts what is no JSON: %q", members)
		case err == nil && (quick.Type != r.Type || quick.Allow != r.Allow || !quick.Time.Equal(r.Time.Time)):
			t.Errorf("Verify and Read differ about %q", members)
		}
	})
}

func TestParseLineRefuses(t *testing.T) {
	t.Parallel()
	good := strings.TrimSuffix(string(audit.AppendLine(nil, 12, 10, []byte(minimal))), "\n")
	if _, err := audit.ParseLine([]byte(good)); err != nil {
		t.Fatal(err)
	}
	sum := good[len(good)-10 : len(good)-2]
	for name, line := range map[string]string{
		"nothing":                       "",
		"an empty object":               "{}",
		"a frame with no members":       `{"n":0,"g":0,"c":"00000000"}`,
		"a checksum in upper case":      strings.Replace(good, sum, strings.ToUpper(sum), 1),
		"another checksum":              strings.Replace(good, sum, "00000000", 1),
		"an index with a leading zero":  reframe(`{"n":012,"g":10,` + minimal),
		"an index with a sign":          reframe(`{"n":-1,"g":10,` + minimal),
		"an index above 64 bits":        reframe(`{"n":18446744073709551616,"g":10,` + minimal),
		"a space":                       reframe(`{"n": 12,"g":10,` + minimal),
		"a group before the index":      reframe(`{"g":10,"n":12,` + minimal),
		"a newline after it":            good + "\n",
		"one byte more than is allowed": strings.TrimSuffix(string(audit.AppendLine(nil, 12, 10, bytes.Repeat([]byte("x"), audit.MaxLine-20))), "\n"),
	} {
		t.Run(name, func(t *testing.T) {
			if strings.ToUpper(sum) == sum && name == "a checksum in upper case" {
				t.Fatal("the checksum of the example has no letter")
			}
			if f, err := audit.ParseLine([]byte(line)); err == nil {
				t.Errorf("accepted as %+v", f)
			}
		})
	}
}

// reframe puts a right checksum behind a line's beginning.
func reframe(begin string) string {
	return begin + `,"c":"` + audit.Checksum(begin) + `"}`
}

func TestParseRecordRefuses(t *testing.T) {
	t.Parallel()
	if _, err := audit.ParseRecord([]byte(minimal + `,"of_later":{"x":[1]}`)); err != nil {
		t.Fatalf("with a member that it does not know: %v", err)
	}
	with := func(old, new string) string {
		if !strings.Contains(minimal, old) {
			t.Fatalf("%q is not in the example", old)
		}
		return strings.Replace(minimal, old, new, 1)
	}
	for name, test := range map[string]struct{ members, want string }{
		"a record in two objects":          {minimal + `}{"a":1`, "invalid character"},
		"a member twice":                   {minimal + `,"allow":false`, `"allow" is there twice`},
		"a member of the frame again":      {minimal + `,"n":0`, `"n" is there twice`},
		"a member in another case":         {minimal + `,"Allow":true`, `"Allow"`},
		"an escaped name":                  {minimal + `,"\u0061llow":true`, "lower-case"},
		"a missing member":                 {with(`"allow":false,`, ""), `"allow" is missing`},
		"a member of another type":         {with(`"allow":false`, `"allow":"false"`), "cannot unmarshal"},
		"a space":                          {with(`,"allow"`, `, "allow"`), "lower-case"},
		"a byte above ASCII":               {with(`"marking":""`, `"marking":"é"`), "not printable ASCII"},
		"a tab":                            {with(`"marking"`, "\t"+`"marking"`), "not printable ASCII"},
		"no reasons":                       {with(`"reasons":[]`, `"reasons":null`), "null"},
		"reasons out of order":             {with(`"reasons":[]`, `"reasons":["b","a"]`), "not sorted"},
		"a reason twice":                   {with(`"reasons":[]`, `"reasons":["a","a"]`), "names one twice"},
		"no time":                          {with(`"2026-01-02T12:00:00.000000000Z"`, "null"), "timestamp"},
		"a time with fewer digits":         {with(`12:00:00.000000000Z`, `12:00:00Z`), "timestamp"},
		"an empty id":                      {with(`"decision_id":"d"`, `"decision_id":""`), "empty"},
		"part 0":                           {minimal + `,"part":[0,2]`, "part"},
		"part 3 of 2":                      {minimal + `,"part":[3,2]`, "part"},
		"part 1 of 1":                      {minimal + `,"part":[1,1]`, "part"},
		"an event that allows":             {with(`"allow":false`, `"allow":true`), "allows without"},
		"an allow with no subject":         {strings.Replace(with(`"allow":false`, `"allow":true`), "start", "decision", 1), "allows without"},
		"nothing at all":                   {"", "missing"},
		"an object that is not closed":     {minimal + `,"a":{`, "unexpected end"},
		"a value after the object is over": {minimal + `},"a":{`, "invalid character"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := audit.QuickRecord([]byte(test.members)); err == nil {
				t.Error("Verify accepts it")
			}
			if _, err := audit.ParseRecord([]byte(test.members)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

// FuzzTime holds the reader of times against that of package time.
func FuzzTime(f *testing.F) {
	for _, text := range []string{"2026-01-02T12:00:00.000000000Z", "2024-02-29T23:59:59.999999999Z", "2025-02-29T00:00:00.000000000Z", "2026-13-01T00:00:00.000000000Z",
		"2026-01-02T24:00:00.000000000Z", "2026-01-02T12:00:60.000000000Z", "0001-01-01T00:00:00.000000000Z", "2026-01-02T12:00:00,000000000Z", "2026-00-00T00:00:00.000000000Z"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		have, ok := audit.ParseTime([]byte(text))
		want, err := time.Parse(time.RFC3339Nano, text)
		valid := err == nil && !want.IsZero() && want.UTC().Format(authz.TimeLayout) == text
		if ok != valid || ok && !have.Equal(want) {
			t.Errorf("%q: %v %v, package time says %v %v", text, have, ok, want, err)
		}
	})
}
