package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const policies = "../../policies"

func quietly(string) {}

// TestEveryConditionOnHoldsIsTested mutates one small topic; `make mutate` does all of them.
func TestEveryConditionOnHoldsIsTested(t *testing.T) {
	r, err := run(t.Context(), policies, "equivalent.yaml", "hold/", true, quietly)
	if err != nil {
		t.Fatalf("%v\n%v\n%s", err, r, strings.Join(r.survivors, "\n"))
	}
	if r.byTests < 10 {
		t.Errorf("%v; want at least 10 killed by tests", r)
	}
}

// list writes a list of equivalent mutants.
func list(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "equivalent.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// small is a policy of which no test looks at one condition.
func small(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"reasons/data.yaml": "label.missing: {title: no label, controls: [AC-16], remedy: label it, requires: [], visible: never, scope: policy}\n",
		"compliance/compliance.rego": `package compliance

required := {"label.missing"}

decision := {"allow": false, "unproven": required, "reasons": required, "obligations": set()}

known if {
	input.action.name == "read"
	input.resource.type == "object"
}
`,
		"compliance/compliance_test.rego": `package compliance_test

import data.compliance

test_known if compliance.known with input as {"action": {"name": "read"}, "resource": {"type": "object"}}

test_unknown if not compliance.known with input as {"action": {"name": "burn"}, "resource": {"type": "object"}}

test_decision if {
	not compliance.decision.allow
	"label.missing" in compliance.decision.unproven
	"label.missing" in compliance.decision.reasons
	count(compliance.decision.obligations) == 0
}
`,
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const untested = `compliance/compliance.rego: known = true: without equal(input.resource.type, "object")`

func TestAConditionThatNoTestLooksAtSurvives(t *testing.T) {
	r, err := run(t.Context(), small(t), list(t, "{}"), "", false, quietly)
	if err == nil || !slices.Equal(r.survivors, []string{untested}) {
		t.Errorf("%v, survivors %q; want %q", err, r.survivors, untested)
	}
	r, err = run(t.Context(), small(t), list(t, "'"+untested+"': it is only an example"), "", false, quietly)
	if err != nil || r.equivalent != 1 {
		t.Errorf("listed: %v, %v", r, err)
	}
}

func TestTheListIsHeldToTheMutants(t *testing.T) {
	stale := `hold/hold.rego: gone`
	r, err := run(t.Context(), policies, list(t, "'"+stale+"': it is not"), "hold/", true, quietly)
	if err == nil || !slices.Equal(r.stale, []string{stale}) {
		t.Errorf("a mutant that does not exist: %v, %q", err, r.stale)
	}
	if _, err := readEquivalent(list(t, "'x': ''")); err == nil || !strings.Contains(err.Error(), "no reason") {
		t.Errorf("a mutant without a reason: %v", err)
	}
}
