package oracle_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
	"github.com/sallyport-dev/sallyport/conformance/oracle"
)

// The catalogue and the oracle say each by itself which checks there are and what stands before each.
func TestTheCatalogueHasTheSameChecksAndPrerequisites(t *testing.T) {
	text, err := os.ReadFile(policies + "/reasons/data.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var catalogue map[authz.Reason]struct {
		Scope    string
		Requires []authz.Reason
	}
	if err := yaml.Unmarshal(text, &catalogue); err != nil {
		t.Fatal(err)
	}
	var all func(authz.Reason) []authz.Reason
	all = func(id authz.Reason) (before []authz.Reason) {
		for _, p := range catalogue[id].Requires {
			before = append(append(before, p), all(p)...)
		}
		return before
	}
	want, got := map[authz.Reason][]authz.Reason{}, map[authz.Reason][]authz.Reason{}
	for id, r := range catalogue {
		if r.Scope == "policy" {
			want[id] = sorted(all(id))
		}
	}
	for _, id := range oracle.Checks() {
		got[id] = sorted(oracle.Prerequisites(id))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("prerequisites (-catalogue +oracle):\n%s", d)
	}
}

func sorted(ids []authz.Reason) []authz.Reason {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return append([]authz.Reason{}, slices.Compact(ids)...)
}

func TestTheBaseOfEachFamilyIsAllowed(t *testing.T) {
	w := open(t, gridWorld)
	for name, base := range map[string]func() authz.Input{
		"a member reads": w.read, "a member creates": w.create, "an operator reads": w.operate, "a partner reads": w.partner, "a member starts a job": w.job,
	} {
		if d := w.oracle.Decide(base()); !d.Allow {
			t.Errorf("%s: denied for %v", name, d.Reasons)
		}
		if d := w.ask(t, policy.Topdown, base()); !d.Allow {
			t.Errorf("%s: policy denies for %v", name, d.Reasons)
		}
	}
}

func TestAnEmptyInputAndAnEmptyBundleProveNothing(t *testing.T) {
	w := open(t, gridWorld)
	if d := w.oracle.Decide(authz.Input{}); d.Allow || !slices.Contains(d.Reasons, "label.missing") {
		t.Errorf("the zero input: %+v", d)
	}
	if d := (&oracle.Bundle{}).Decide(w.read()); d.Allow {
		t.Errorf("the zero bundle: %+v", d)
	}
}

func TestADocumentThatIsNoJSONIsNamed(t *testing.T) {
	_, err := oracle.Read(func(name string) json.RawMessage {
		if name == "tenants" {
			return json.RawMessage(`[`)
		}
		return json.RawMessage(`{}`)
	})
	if want := "oracle: document tenants: unexpected end of JSON input"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
