package policy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	if err := policy.Check(folder(t)); err != nil {
		t.Error(err)
	}
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	const deny = `{"allow": false, "unproven": {"label.missing"}, "reasons": {"label.missing"}, "obligations": set()}`
	decide := func(condition string) change {
		return core("required := {\"label.missing\"}\n\ndefault decision := " + deny + "\n\ndecision := " + allowed + " if " + condition)
	}
	rows := []struct {
		name   string
		change change
		want   string
	}{
		{"a misspelt member of the input", decide(`input.subject.propertes.tenant == "acme"`),
			`root/compliance/compliance.rego:7: input.subject.propertes.tenant: unknown member "propertes"; did you mean "properties"?`},
		{"a misspelt member deep in the input", decide(`input.resource.properties.labels[_].levle == "LOW"`),
			`root/compliance/compliance.rego:7: input.resource.properties.labels[_].levle: unknown member "levle"; did you mean "level"?`},
		{"a misspelt member of what may be null", decide(`input.resource.properties.owner.naton == "USA"`),
			`root/compliance/compliance.rego:7: input.resource.properties.owner.naton: unknown member "naton"; did you mean "nation"?`},
		{"a misspelt document", decide(`data.enclave.one.country == "USA"`),
			`root/compliance/compliance.rego:7: data.enclave: unknown name "enclave"; did you mean "enclaves"?`},
		{"a misspelt member of a document", decide(`data.enclaves[input.resource.properties.place.enclave].operater.law == "USA"`),
			`root/compliance/compliance.rego:7: data.enclaves[_].operater: unknown name "operater"; did you mean "operator"?`},
		{"a misspelt tenant's document", decide(`data.tenants[input.resource.properties.tenant].catalog`),
			`root/compliance/compliance.rego:7: data.tenants[_].catalog: unknown name "catalog"; did you mean "catalogue"?`},
		{"a misspelt package", decide(`data.complaince.required`),
			`root/compliance/compliance.rego:7: data.complaince: unknown name "complaince"; did you mean "compliance"?`},
		{"a misspelt rule", decide(`data.compliance.requird`),
			`root/compliance/compliance.rego:7: data.compliance.requird: unknown name "requird"; did you mean "required"?`},
		{"a builtin that reads the clock", decide(`time.now_ns() > 0`),
			"root/compliance/compliance.rego:7: the builtin time.now_ns is not allowed in policies; decide from input and data alone (authz/policy/builtins.txt says why)"},
		{"a builtin that asks the network", decide(`http.send({"method": "GET", "url": "http://example.com"}).status_code == 200`),
			"root/compliance/compliance.rego:7: the builtin http.send is not allowed in policies; decide from input and data alone (authz/policy/builtins.txt says why)"},
		{"a builtin only for tests", decide("{\n\twalk(input.subject, [_, \"x\"])\n}"),
			"root/compliance/compliance.rego:8: the builtin walk is not allowed in policies; decide from input and data alone (authz/policy/builtins.txt says why)"},
		{"a builtin that does not exist", decide(`conut([1]) == 1`),
			"root/compliance/compliance.rego:7: undefined function conut; correct it"},
		{"a variable that is not used", decide("{\n\tx := 1\n}"),
			"root/compliance/compliance.rego:8: assigned var x unused; correct it"},
		{"a number compared with a text", decide(`count(input.subject.id) == "1"`),
			"root/compliance/compliance.rego:7: match error (left : number, right : string); correct it"},
		{"no decision", func(t testing.TB, f map[string]string) {
			put(rules, "package compliance\n\nrequired := {\"label.missing\"}\n")(t, f)
			drop("root/compliance/compliance_test.rego")(t, f)
		},
			"DIR: no rule data.compliance.decision; write the rule that decides"},
		{"rules that need each other", core("required := {\"label.missing\"}\n\ndecision := " + deny + " if a\n\na if b\n\nb if a"),
			"root/compliance/compliance.rego:7: rule data.compliance.a is recursive: data.compliance.a -> data.compliance.b -> data.compliance.a; correct it\nroot/compliance/compliance.rego:9: rule data.compliance.b is recursive: data.compliance.b -> data.compliance.a -> data.compliance.b; correct it"},
		{"no required checks", put(rules, strings.Replace(files(world)[rules], `required := {"label.missing", "clearance.level"}`, "", 1)),
			"DIR: no rule data.compliance.required; write the set of the checks that an allow needs\nroot/compliance/compliance.rego:5: is not formatted; run opa fmt --write"},
		{"required checks that depend on the request", swap(rules, `required := {"label.missing", "clearance.level"}`, `required := {"label.missing"} if input.subject.id == "x"`),
			"root/compliance/compliance.rego:5: data.compliance.required has no value without input; make it constant"},
		{"a required check that the catalogue lacks", swap(rules, `"clearance.level"`, `"clearance.levl"`),
			`root/compliance/compliance.rego:5: data.compliance.required: "clearance.levl" is not in the catalogue of reasons; did you mean "clearance.level"?`},
		{"a required check of the gateway's", swap(rules, `"clearance.level"`, `"system.timeout"`),
			`root/compliance/compliance.rego:5: data.compliance.required: "system.timeout" has scope gateway in the catalogue; want policy`},
		{"an annotation with an id that the catalogue lacks", swap(rules, "required :=", "# METADATA\n# title: x\n# custom:\n#   id: label.mising\nrequired :="),
			`root/compliance/compliance.rego:5: custom.id: "label.mising" is not in the catalogue of reasons; did you mean "label.missing"?`},
		{"Rego that is not formatted", swap(rules, "required := {", "required   := {"),
			"root/compliance/compliance.rego:5: is not formatted; run opa fmt --write"},
		{"a test that does not compile", swap("root/compliance/compliance_test.rego", "compliance.decision.allow", "compliance.decison.allow"),
			`root/compliance/compliance_test.rego:5: data.compliance.decison: unknown name "decison"; did you mean "decision"?`},
		{"an overlay that misspells", swap(overlay, "input.context.source", "input.context.sauce"),
			`tenants/acme/overlay/acme.rego:3: input.context.sauce.address: unknown member "sauce"; did you mean "source"?`},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, r.change)
			err := policy.Check(dir)
			if d := cmp.Diff(r.want, text(err, dir)); d != "" {
				t.Errorf("error (-want +got):\n%s", d)
			}
			if code := policy.ExitCode(err); code != 3 {
				t.Errorf("exit code %d, want 3", code)
			}
		})
	}
}

func TestNullMayBeComparedWith(t *testing.T) {
	t.Parallel()
	engine(t, policy.Config{Workers: 1}, core("decision := "+allowed+` if {
	input.subject.properties.tenant == null
	input.resource.properties.constraints.residency == "any"
	input.resource.properties.owner != null
	is_null(input.context.approvals)
	some l in input.resource.properties.labels
	l.alternatives[0].alternatives[0].level == "LOW"
	l.categories.sci[_] == "SI"
}`))
}

func TestExitCode(t *testing.T) {
	t.Parallel()
	none := filepath.Join(t.TempDir(), "none")
	aFile := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(aFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, tests := policy.Test(t.Context(), folder(t, drop("root/compliance/compliance_test.rego")))
	_, input := policy.Eval(t.Context(), none, []byte("{}"))
	rows := []struct {
		name string
		err  error
		want int
	}{
		{"no error", nil, 0},
		{"a folder that is not there", policy.Check(none), 2},
		{"a file where a folder should be", policy.Check(aFile), 2},
		{"an input that is none", input, 2},
		{"a folder without policies", policy.Check(t.TempDir()), 3},
		{"a bundle that does not load", policy.Check(folder(t, drop(manifest))), 3},
		{"tests that are missing", tests, 4},
		{"anything else", errors.New("x"), 1},
	}
	for _, r := range rows {
		if got := policy.ExitCode(r.err); got != r.want {
			t.Errorf("%s: exit code %d, want %d (%v)", r.name, got, r.want, r.err)
		}
	}
}

func TestLoadRefusesLinks(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "root", "README.md")); err != nil {
		t.Skip(err)
	}
	_, err := policy.Load(dir)
	if d := cmp.Diff("root/README.md: is no regular file; put the file itself there", text(err, dir)); d != "" {
		t.Errorf("error (-want +got):\n%s", d)
	}
}

func TestLoadRefusesWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	deep := filepath.Join(dir, strings.Repeat("d/", 12))
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "root", "README.md"), make([]byte, 16<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := policy.Load(dir)
	want := "d/d/d/d/d/d/d/d/d/d/d: more than 10 folders deep; move it up\nroot/README.md: more than 16 MiB in a file or 128 in all; split it"
	if d := cmp.Diff(want, text(err, dir)); d != "" {
		t.Errorf("error (-want +got):\n%s", d)
	}
}

func TestTest(t *testing.T) {
	t.Parallel()
	dir := folder(t, put("root/compliance/more_test.rego", `package compliance_test

test_fails if false

test_prints if {
	print("seven is", 7)
	false
}

todo_test_later if true

test_breaks if to_number("x") == 1

test_cases[name] if {
	some name, want in {"good": true, "bad": false}
	want
}
`))
	report, err := policy.Test(t.Context(), dir)
	for i := range report.Tests {
		if report.Tests[i].Duration < 0 {
			t.Errorf("%s took %s", report.Tests[i].Name, report.Tests[i].Duration)
		}
		report.Tests[i].Duration = 0
	}
	const more = "root/compliance/more_test.rego:"
	want := []policy.TestResult{
		{Package: "compliance_test", Name: "test_deny_without_input", Location: "root/compliance/compliance_test.rego:5", Pass: true},
		{Package: "compliance_test", Name: "test_fails", Location: more + "3"},
		{Package: "compliance_test", Name: "test_prints", Location: more + "5", Output: "seven is 7\n"},
		{Package: "compliance_test", Name: "todo_test_later", Location: more + "10", Output: "skipped: a test that does not run proves nothing; make it run, or delete it"},
		{Package: "compliance_test", Name: "test_breaks", Location: more + "12", Output: more + "12: eval_builtin_error: to_number: strconv.ParseFloat: parsing \"x\": invalid syntax"},
		{Package: "compliance_test", Name: "test_cases", Location: more + "14", Output: "failed case: bad\n"},
	}
	if d := cmp.Diff(want, report.Tests); d != "" {
		t.Errorf("report (-want +got):\n%s", d)
	}
	if d := cmp.Diff("policy: tests failed: 5 of 6 in DIR", text(err, dir)); d != "" {
		t.Errorf("error (-want +got):\n%s", d)
	}
	if code := policy.ExitCode(err); code != 4 {
		t.Errorf("exit code %d, want 4", code)
	}
}

func TestEval(t *testing.T) {
	t.Parallel()
	in := input(t, access("s3://acme-plans/x"))
	got, err := policy.Eval(t.Context(), folder(t), in)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(policy.Outcome{Decision: denied("label.missing"), Input: in}, got); d != "" {
		t.Errorf("outcome (-want +got):\n%s", d)
	}
}

func TestEvalRefusesInputs(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	in := string(input(t, access("s3://acme-plans/x")))
	edit := func(old, new string) string {
		if !strings.Contains(in, old) {
			t.Fatalf("the input has no %s", old)
		}
		return strings.Replace(in, old, new, 1)
	}
	rows := []struct{ name, input, want string }{
		{"nothing", "",
			"input.json: is not JSON; give one policy input, as a record has it"},
		{"no JSON", "subject: x",
			"input.json: is not JSON; give one policy input, as a record has it"},
		{"a list", "[]",
			"input.json:1: have array; want object"},
		{"a misspelt member", edit(`"cut"`, `"cutt"`),
			`input.json:1: subject.properties: unknown member "cutt"; did you mean "cut"?`},
		{"a member twice", edit(`"cut":null`, `"cut":null,"cut":[]`),
			`input.json:1: member "cut" stands here twice; keep one`},
		{"a member that is missing", edit(`"cut":null,`, ``),
			`input.json:1: subject.properties: member "cut" is missing; add it`},
		{"a verb that is none", edit(`"name":"read"`, `"name":"raed"`),
			`input.json:1: action.name: unknown value "raed"; did you mean "read"?`},
		{"a time with fewer digits", edit(`"2026-06-01T00:00:00.000000000Z"`, `"2026-06-01T00:00:00Z"`),
			`input.json:1: context.time: "2026-06-01T00:00:00Z"; want RFC 3339 in UTC with nine digits, such as 2026-01-02T15:04:05.000000000Z`},
		{"a country of two letters", edit(`"country":null`, `"country":"US"`),
			`input.json:1: context.source.country: "US"; want an ISO 3166-1 alpha-3 code, such as USA`},
		{"a text for a list", edit(`"cut":null`, `"cut":"none"`),
			"input.json:1: subject.properties.cut: have string; want null or array"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			_, err := policy.Eval(t.Context(), dir, []byte(r.input))
			if d := cmp.Diff(r.want, text(err, dir)); d != "" {
				t.Errorf("error (-want +got):\n%s", d)
			}
		})
	}
}

// The schema of the input is closed, so a member that Go adds must be added there.
func TestTheSchemaOfTheInputKnowsEveryMember(t *testing.T) {
	t.Parallel()
	word, country, yes, seconds := "x", "USA", true, int64(1)
	label := authz.Label{Categories: map[string][]string{"sci": {"SI"}}, Release: []string{}, Alternatives: []authz.Label{{}}, Created: now.Time}
	clearance := authz.Clearance{Levels: []string{"LOW"}, NotBefore: now.Time}
	constraints := authz.Constraints{Residency: authz.Countries{Any: true}, Reach: authz.Countries{List: []string{"USA"}}, Export: &authz.Export{Mode: "ITAR"}, PersonalData: &yes}
	owner := authz.Owner{Nation: "USA"}
	in := authz.Input{
		Subject: authz.Subject{Type: "person", ID: "usa|ann", Properties: authz.SubjectProperties{
			Tenant: &word, Affiliation: &authz.Affiliation{Kind: "tenant", Country: "USA"}, Nationalities: []string{"USA"}, Clearances: []authz.Clearance{clearance},
			Cut: []authz.Cut{{Claim: "clearance", Value: map[string]any{"scheme": "USA"}}}, Session: authz.Session{HighWater: []authz.Label{label}},
			Via: []authz.Via{{Clearances: []authz.Clearance{clearance}}}, Assurance: authz.Assurance{ACR: &word, AgeSeconds: &seconds},
		}},
		Action: authz.Action{Name: "create", Properties: authz.ActionProperties{RequestLabels: []authz.Label{label}, To: authz.To{Kind: "object", Row: &word},
			From: []authz.Origin{{Row: &word, Owner: &owner, Labels: []authz.Label{label}, Constraints: &constraints}}}},
		Resource: authz.Resource{Type: "object", ID: "s3://x/y", Properties: authz.ResourceProperties{Row: &word, Owner: &owner, Labels: []authz.Label{label},
			Constraints: &constraints, Place: &authz.Place{Backups: []string{"one"}}, Hold: &yes}},
		Context: authz.Context{Time: now.Time, Source: authz.Source{Country: &country, Basis: "claim"}, Freshness: authz.Freshness{BundleAge: &seconds, Clock: "floor"},
			Approvals: []authz.Approval{{NotBefore: now.Time}}, Purpose: &word},
	}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := policy.NewDocuments().Read("input", b); err != nil {
		t.Error(fmt.Sprint(err))
	}
}
