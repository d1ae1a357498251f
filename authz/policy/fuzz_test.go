package policy_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

// fuzzDocument feeds a document to the loader: it never panics, and what it accepts it reads the same again.
func fuzzDocument(f *testing.F, schema string, seeds ...string) {
	for _, s := range append(seeds, "", "a: &x [*x]\n", "<<: {}\n", "!!binary aGk=\n", "? {}\n: x\n", "\xff", "a: 1\n---\nb: 2\n", "{\"a\": \"\\ud83d\"}") {
		f.Add([]byte(s))
	}
	d := policy.NewDocuments()
	f.Fuzz(func(t *testing.T, data []byte) {
		once, err := d.Read(schema, data)
		if err != nil {
			return
		}
		twice, err := d.Read(schema, once)
		if err != nil {
			t.Fatalf("%s is refused: %v", once, err)
		}
		if !bytes.Equal(once, twice) {
			t.Errorf("read as %s, and that as %s", once, twice)
		}
	})
}

func FuzzManifest(f *testing.F) { fuzzDocument(f, "manifest", files(world)[manifest]) }

func FuzzDataFile(f *testing.F) {
	fuzzDocument(f, "catalogue", files(world)[catalogue], "rows: {}\n", `{"rows": {"a/": null}}`)
}

// FuzzResult feeds answers of Rego to the reader. Only an object that says allow, proves everything and knows its ids may allow.
func FuzzResult(f *testing.F) {
	for _, s := range []string{
		`{"allow": true, "unproven": [], "reasons": [], "obligations": [{"id": "notify"}]}`,
		`{"allow": false, "unproven": ["a.b", "c.d"], "reasons": ["a.b"], "obligations": []}`,
		`{"allow": true, "unproven": ["a.b"], "reasons": ["a.b"], "obligations": []}`,
		`{"allow": "true", "unproven": [], "reasons": [], "obligations": []}`,
		`{"allow": true, "unproven": null, "reasons": [], "obligations": []}`,
		`true`, `null`, `[]`,
	} {
		f.Add([]byte(s))
	}
	known := map[authz.Reason]bool{"a.b": true, "c.d": true}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := ast.ValueFromReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		d, err := policy.ReadAnswer(known, v)
		if err != nil {
			if d.Allow {
				t.Fatalf("%s is an error and an allow", data)
			}
			return
		}
		var plain struct {
			Allow             *bool
			Unproven, Reasons []authz.Reason
			Obligations       []authz.Obligation
		}
		if err := json.Unmarshal(data, &plain); err != nil || plain.Allow == nil {
			t.Fatalf("%s is read as %+v, but is no answer: %v", data, d, err)
		}
		if d.Allow != *plain.Allow || d.Allow != (len(plain.Unproven) == 0) || (len(plain.Reasons) == 0) != d.Allow {
			t.Fatalf("%s is read as %+v", data, d)
		}
		for _, r := range append(d.Reasons, d.Unproven...) {
			if !known[r] {
				t.Fatalf("%s is read with the unknown id %q", data, r)
			}
		}
	})
}
