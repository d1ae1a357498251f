package policy_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

var update = flag.Bool("update", false, "write testdata/explain anew")

// ofRow is an access to a row of the shipped bundle, with what its catalogue says.
func ofRow(t testing.TB, b *policy.Bundle, tenant, id string, action authz.Action) authz.Access {
	t.Helper()
	var tenants map[string]struct {
		Catalogue struct{ Rows map[string]json.RawMessage }
	}
	p := authz.ResourceProperties{Row: &id, Tenant: &tenant}
	if err := json.Unmarshal(b.Document("tenants"), &tenants); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(tenants[tenant].Catalogue.Rows[id], &p); err != nil {
		t.Fatal(err)
	}
	return authz.Access{Action: action, Resource: authz.Resource{Type: "object", ID: "s3://" + id + "welcome.txt", Properties: p}}
}

// person is somebody of the demo, with one clearance.
func person(id, issuer, kind, organization, country string, c authz.Clearance) authz.Subject {
	s := usaPerson("sam", "UNCLASSIFIED", "CONFIDENTIAL", "SECRET")
	p := &s.Properties
	c.Sponsor, c.NotBefore, c.NotAfter = issuer, p.Clearances[0].NotBefore, p.Clearances[0].NotAfter
	s.ID, p.Issuer, p.Tenant, p.Clearances = issuer+"|"+id, issuer, nil, []authz.Clearance{c}
	if kind == "tenant" {
		p.Tenant = &organization
	}
	p.Affiliation = &authz.Affiliation{Kind: kind, Organization: organization, Country: country}
	p.Nationalities, p.HeldNationalities, p.Session = []string{country}, []string{country}, authz.Session{}
	return s
}

var (
	line   = regexp.MustCompile(`\.rego:\d+`)
	proven = regexp.MustCompile(`(?m)^ *proven .*\n(?: +[^ ].*\n)*\n?`)
)

// TestExplainSaysWhatWasMissing holds what is said about the checks that were not proven to the files in testdata/explain.
func TestExplainSaysWhatWasMissing(t *testing.T) {
	t.Parallel()
	dir := shipped(t)
	b, err := policy.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	read := plans("").Action
	france := authz.Clearance{Scheme: "FRA", Levels: []string{"SECRET"}, Categories: map[string][]string{}}
	special := authz.Clearance{Scheme: "FRA", Levels: []string{"SECRET"}, Categories: map[string][]string{"special": {"FRANCE"}}}
	britain := authz.Clearance{Scheme: "GBR", Levels: []string{"OFFICIAL", "SECRET"}, Categories: map[string][]string{}}
	uma := usaPerson("uma", "UNCLASSIFIED", "CONFIDENTIAL")
	nobody := usaPerson("sam", "UNCLASSIFIED", "CONFIDENTIAL", "SECRET")
	nobody.Properties.Clearances, nobody.Properties.Nationalities = nil, nil
	job := read
	job.Properties.To = authz.To{Kind: "enclave", Enclave: new("par-2")}
	rows := []struct {
		name    string
		subject authz.Subject
		access  authz.Access
	}{
		{"uma_reads_plans", uma, ofRow(t, b, "us-defense", "us-defense-plans/", read)},
		{"luc_reads_missions", person("luc", "fra", "tenant", "fr-space", "FRA", france), ofRow(t, b, "fr-space", "fr-space-missions/", read)},
		{"gina_reads_noforn", person("gina", "gbr", "partner", "uk-mod", "GBR", britain), ofRow(t, b, "us-defense", "us-defense-plans/noforn/", read)},
		{"claire_runs_missions_in_par-2", person("claire", "fra", "tenant", "fr-space", "FRA", special), ofRow(t, b, "fr-space", "fr-space-missions/", job)},
		{"unknown_clearances_and_nationalities", nobody, ofRow(t, b, "us-defense", "us-defense-plans/", read)},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			in, err := json.Marshal(authz.Input{Subject: r.subject, Action: r.access.Action, Resource: r.access.Resource, Context: demoContext()})
			if err != nil {
				t.Fatal(err)
			}
			x, err := policy.Explain(t.Context(), dir, in)
			if err != nil {
				t.Fatal(err)
			}
			got := line.ReplaceAllString(proven.ReplaceAllString(x.Text(), ""), ".rego")
			golden := filepath.Join("testdata", "explain", r.name+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("explanation (-want +got):\n%s", d)
			}
		})
	}
}

// TestExplainAgreesWithTheDecision explains inputs of all kinds. Each check that was proven must have a rule that holds by itself, and
// no other check one; and the shipped bundle has facts on every check.
func TestExplainAgreesWithTheDecision(t *testing.T) {
	t.Parallel()
	b, err := policy.Load(shipped(t))
	if err != nil {
		t.Fatal(err)
	}
	e, err := policy.New(t.Context(), b, policy.Config{Workers: 1, Timeout: 10 * time.Second, Shadow: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	explain := policy.Explainer(t, e, b)
	grid := policy.Grid(b)
	states := map[string]map[string]int{}
	for i := 0; i < len(grid); i += len(grid)/30 + 1 {
		x := explain(grid[i])
		d, err := policy.DecideText(e, grid[i])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(d, x.Decision); diff != "" {
			t.Errorf("decision (-without +with explanation):\n%s", diff)
		}
		for _, c := range x.Checks {
			if states[c.ID] == nil {
				states[c.ID] = map[string]int{}
			}
			states[c.ID][c.State]++
			if len(c.Facts) == 0 {
				t.Errorf("%s has no facts\n%s", c.ID, grid[i])
			}
			for _, f := range c.Facts {
				if f.Name == "" || slices.ContainsFunc(f.Values, func(v string) bool { return strings.Contains(v, "gives no list") || strings.Contains(v, "%!") }) {
					t.Errorf("%s: fact %v\n%s", c.ID, f, grid[i])
				}
			}
			holds := slices.ContainsFunc(c.Proofs, func(p policy.Proof) bool { return p.Holds })
			if c.ID != string(authz.OverlayObjected) && holds != (c.State == policy.Proven) {
				t.Errorf("%s is %s, and a rule holds: %t\n%s", c.ID, c.State, holds, grid[i])
			}
			wants := map[string]bool{policy.Proven: slices.Contains(d.Reasons, authz.Reason(c.ID)) || slices.Contains(d.Unproven, authz.Reason(c.ID)),
				policy.Unproven: !slices.Contains(d.Reasons, authz.Reason(c.ID)), policy.Waiting: slices.Contains(d.Reasons, authz.Reason(c.ID)) || len(c.WaitsFor) == 0}
			if wants[c.State] {
				t.Errorf("%s is %s, and the reasons are %v", c.ID, c.State, d.Reasons)
			}
			if c.State != policy.Proven && !slices.ContainsFunc(c.Proofs, func(p policy.Proof) bool { return len(p.Stopped) > 0 }) {
				t.Errorf("%s is %s, and nothing says where its rules stopped", c.ID, c.State)
			}
		}
	}
	t.Log(states)
}

// TestExplainKnowsRulesThatNobodyToldItOf has a bundle with checks of its own, and without words for them.
func TestExplainKnowsRulesThatNobodyToldItOf(t *testing.T) {
	t.Parallel()
	const rego = `package compliance

import data.compliance.hours

required := {"clearance.level", "label.missing"}

satisfied := hours.satisfied

unproven := required - satisfied

decision := {"allow": count(unproven) == 0, "unproven": unproven, "reasons": {id | some id in unproven; not id == "clearance.level"}, "obligations": set()}
`
	const hours = `package compliance.hours

# METADATA
# title: The subject has a nationality of the enclave's country
satisfied contains "label.missing" if {
	input.subject.type == "person"
	some nation in input.subject.properties.nationalities
	nation == data.enclaves[input.resource.properties.place.enclave].country
	startswith(input.subject.id, "x")
}

satisfied contains id if {
	some id in {"clearance.level"}
	input.subject.id == "nobody"
}
`
	const lost = `package compliance.lost

satisfied contains "clearance.level"

facts["clearance.level"] := 7

facts["label.missing"] := [["who", input.subject.id], ["unknown", null], ["long", sprintf("%500d", [1])], ["many", [n | some n in split("a a a a a a a a a a a a a a a a a a a a a a a a", " ")]], 7]
`
	dir := folder(t, put(rules, rego), put("root/compliance/hours.rego", hours))
	a := ofPlace()
	in := input(t, a)
	x, err := policy.Explain(t.Context(), dir, in)
	if err != nil {
		t.Fatal(err)
	}
	want := []policy.Finding{
		{ID: "label.missing", State: policy.Unproven, Title: "no label", Remedy: "label it", Requires: []string{}, WaitsFor: []string{}, Facts: []policy.Fact{},
			Proofs: []policy.Proof{{
				Title: "The subject has a nationality of the enclave's country", Location: "root/compliance/hours.rego:5",
				Stopped: []policy.Place{{Location: "root/compliance/hours.rego:7", Condition: "some nation in input.subject.properties.nationalities"}},
				Read:    []policy.Read{{Path: "input.subject.properties.nationalities", Value: "null"}, {Path: "input.subject.type", Value: `"person"`}},
			}}},
		{ID: "clearance.level", State: policy.Waiting, Title: "too low", Remedy: "ask", Requires: []string{"label.missing"}, WaitsFor: []string{"label.missing"}, Facts: []policy.Fact{}, Depth: 1,
			Proofs: []policy.Proof{{
				Title: "satisfied contains id", Location: "root/compliance/hours.rego:12",
				Stopped: []policy.Place{{Location: "root/compliance/hours.rego:14", Condition: `input.subject.id == "nobody"`}},
				Read:    []policy.Read{{Path: "input.subject.id", Value: `"usa|ann"`}},
			}}},
	}
	if d := cmp.Diff(want, x.Checks); d != "" {
		t.Errorf("checks (-want +got):\n%s", d)
	}

	dir = folder(t, put(rules, rego), put("root/compliance/hours.rego", hours), put("root/compliance/lost.rego", lost))
	if x, err = policy.Explain(t.Context(), dir, in); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"    who: usa|ann\n", "    unknown: unknown\n", "(100 more bytes)\n", "; a; a; and 4 more\n",
		`data.compliance.lost.facts["clearance.level"]: gives no list of names and values`,
		"but root/compliance/lost.rego:3 proves it; is its package missing in data.compliance.satisfied?\n",
		"input.subject.properties.nationalities is unknown\n",
	} {
		if !strings.Contains(x.Text(), part) {
			t.Errorf("%q is not in\n%s", part, x.Text())
		}
	}
	if x.Allow {
		t.Error("an explanation changed the decision")
	}
}

// TestExplainTellsTheObjections has the texts of an overlay, which are in no answer.
func TestExplainTellsTheObjections(t *testing.T) {
	t.Parallel()
	change := core("decision := " + allowed)
	catalogued := swap("root/reasons/data.yaml", "system.timeout:", "overlay.objected: {title: the overlay objects, controls: [AC-3], remedy: ask them, requires: [], visible: never, scope: gateway}\nsystem.timeout:")
	for when, want := range map[string][]policy.Fact{
		`input.subject.id == "usa|ann"`:   {{Name: "objections of acme", Values: []string{"no"}}},
		`input.subject.id == "usa|bob"`:   {{Name: "objections of acme", Values: []string{}}},
		`to_number(input.subject.id) > 1`: {{Name: "objections of acme", Values: []string{"it fails"}}},
	} {
		x, err := policy.Explain(t.Context(), folder(t, change, catalogued, objects(when)), input(t, ofPlace()))
		if err != nil {
			t.Fatal(err)
		}
		facts := x.Checks[len(x.Checks)-1].Facts
		for i, v := range facts[0].Values {
			facts[0].Values[i], _, _ = strings.Cut(v, ":")
		}
		if d := cmp.Diff(want, facts); d != "" {
			t.Errorf("facts (-want +got):\n%s", d)
		}
	}
}

// ofPlace is an access of ann to acme's plans, in a place.
func ofPlace() authz.Access {
	a := owned("acme")
	a.Resource.Properties.Place = &authz.Place{Enclave: "one", Replicas: []string{}, Backups: []string{}}
	return a
}
