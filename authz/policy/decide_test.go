package policy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"go.uber.org/goleak"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

// probe stands in for the builtin semver.is_valid, so that a test's Rego can panic, hang or be counted.
var probe = struct {
	release chan struct{} // what "hang" waits for
	calls   atomic.Int64  // of "count"
	flips   atomic.Int64  // of "flip"
}{release: make(chan struct{})}

func TestMain(m *testing.M) {
	topdown.RegisterBuiltinFunc("semver.is_valid", func(_ topdown.BuiltinContext, terms []*ast.Term, iter func(*ast.Term) error) error {
		switch s, _ := terms[0].Value.(ast.String); s {
		case "panic":
			panic("a builtin panics")
		case "hang":
			<-probe.release
		case "count":
			probe.calls.Add(1)
		case "flip": // true when Wasm asks, since topdown asks after it
			return iter(ast.BooleanTerm(probe.flips.Add(1)%2 == 1))
		}
		return iter(ast.BooleanTerm(true))
	})
	code := m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// core is the Rego of an Engine under test; decides is what stands for the decision.
func core(decides string) change {
	return put(rules, "package compliance\n\n"+decides+"\n")
}

const allowed = `{"allow": true, "unproven": set(), "reasons": set(), "obligations": set()}`

func engine(t testing.TB, c policy.Config, changes ...change) *policy.Engine {
	t.Helper()
	dir := folder(t, append([]change{drop("root/compliance/compliance_test.rego")}, changes...)...) // tests of the Rego take their time
	b, err := policy.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	e, err := policy.New(t.Context(), b, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func access(id string) authz.Access {
	return authz.Access{
		Action:   authz.Action{Name: "read", Properties: authz.ActionProperties{Protocol: "s3", Operation: "GetObject", To: authz.To{Kind: "client"}}},
		Resource: authz.Resource{Type: "object", ID: id},
	}
}

var (
	ann = authz.Subject{Type: "person", ID: "usa|ann"}
	now = authz.Context{Time: authz.At(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)), Source: authz.Source{Basis: "unknown"}, Freshness: authz.Freshness{Clock: "trusted"}}
)

// input is the policy input of ann's access, as a record keeps it.
func input(t testing.TB, a authz.Access) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(authz.Input{Subject: ann, Action: a.Action, Resource: a.Resource, Context: now})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func denied(r authz.Reason) authz.Decision {
	return authz.Decision{Unproven: []authz.Reason{r}, Reasons: []authz.Reason{r}, Obligations: []authz.Obligation{}}
}

var permitted = authz.Decision{Allow: true, Unproven: []authz.Reason{}, Reasons: []authz.Reason{}, Obligations: []authz.Obligation{}}

func TestDecide(t *testing.T) {
	t.Parallel()
	const slow = `count([1 | some a in xs; some b in xs; some c in xs; some d in xs; some e in xs; some f in xs; some g in xs; some h in xs]) > 1`
	rows := []struct {
		name, decides string
		want          authz.Decision
	}{
		{"everything proven", `decision := ` + allowed, permitted},
		{"lists instead of sets, sorted", `decision := {"allow": false, "unproven": ["label.missing", "clearance.level"], "reasons": ["label.missing"], "obligations": [{"id": "watermark"}, {"id": "notify"}]}`,
			authz.Decision{Unproven: []authz.Reason{"clearance.level", "label.missing"}, Reasons: []authz.Reason{"label.missing"}, Obligations: []authz.Obligation{{ID: "notify"}, {ID: "watermark"}}}},
		{"an obligation with fields", `decision := {"allow": true, "unproven": set(), "reasons": set(), "obligations": {{"id": "audit.mask", "fields": {"/subject/id", "/context"}}}}`,
			authz.Decision{Allow: true, Unproven: []authz.Reason{}, Reasons: []authz.Reason{}, Obligations: []authz.Obligation{{ID: "audit.mask", Fields: []string{"/context", "/subject/id"}}}}},
		{"an obligation whose fields are no texts", `decision := {"allow": true, "unproven": set(), "reasons": set(), "obligations": {{"id": "audit.mask", "fields": [7]}}}`, denied(authz.SystemPolicyError)},
		{"an obligation whose fields are no list", `decision := {"allow": true, "unproven": set(), "reasons": set(), "obligations": {{"id": "audit.mask", "fields": "/subject"}}}`, denied(authz.SystemPolicyError)},
		{"an obligation with fields and more", `decision := {"allow": true, "unproven": set(), "reasons": set(), "obligations": {{"id": "audit.mask", "fields": [], "why": "x"}}}`, denied(authz.SystemPolicyError)},
		{"an obligation with fields and no id", `decision := {"allow": true, "unproven": set(), "reasons": set(), "obligations": {{"fields": []}}}`, denied(authz.SystemPolicyError)},
		{"no decision", `decision := ` + allowed + ` if input.subject.type == "nobody"`, denied(authz.SystemPolicyError)},
		{"allow is a text", `decision := {"allow": "true", "unproven": set(), "reasons": set(), "obligations": set()}`, denied(authz.SystemPolicyError)},
		{"allow is a number", `decision := {"allow": 1, "unproven": set(), "reasons": set(), "obligations": set()}`, denied(authz.SystemPolicyError)},
		{"true instead of an object", `decision := true`, denied(authz.SystemPolicyError)},
		{"allow is missing", `decision := {"unproven": set(), "reasons": set(), "obligations": set()}`, denied(authz.SystemPolicyError)},
		{"unproven is missing", `decision := {"allow": true, "reasons": set(), "obligations": set()}`, denied(authz.SystemPolicyError)},
		{"unproven is null", `decision := {"allow": true, "unproven": null, "reasons": set(), "obligations": set()}`, denied(authz.SystemPolicyError)},
		{"one member too many", `decision := {"allow": true, "unproven": set(), "reasons": set(), "obligations": set(), "really": true}`, denied(authz.SystemPolicyError)},
		{"allow with something unproven", `decision := {"allow": true, "unproven": {"label.missing"}, "reasons": {"label.missing"}, "obligations": set()}`, denied(authz.SystemPolicyError)},
		{"a denial with nothing unproven", `decision := {"allow": false, "unproven": set(), "reasons": set(), "obligations": set()}`, denied(authz.SystemPolicyError)},
		{"something unproven for no reason", `decision := {"allow": false, "unproven": {"label.missing"}, "reasons": set(), "obligations": set()}`, denied(authz.SystemPolicyError)},
		{"a reason that is not unproven", `decision := {"allow": false, "unproven": {"label.missing"}, "reasons": {"clearance.level"}, "obligations": set()}`, denied(authz.SystemPolicyError)},
		{"an id that the catalogue lacks", `decision := {"allow": false, "unproven": {"label.mising"}, "reasons": {"label.mising"}, "obligations": set()}`, denied(authz.SystemPolicyError)},
		{"an id twice", `decision := {"allow": false, "unproven": ["label.missing", "label.missing"], "reasons": {"label.missing"}, "obligations": set()}`, denied(authz.SystemPolicyError)},
		{"an id that is no text", `decision := {"allow": false, "unproven": {7}, "reasons": {7}, "obligations": set()}`, denied(authz.SystemPolicyError)},
		{"an obligation without an id", `decision := {"allow": true, "unproven": set(), "reasons": set(), "obligations": {{"name": "notify"}}}`, denied(authz.SystemPolicyError)},
		{"an obligation with more than an id", `decision := {"allow": true, "unproven": set(), "reasons": set(), "obligations": {{"id": "notify", "who": "all"}}}`, denied(authz.SystemPolicyError)},
		{"an obligation that is a text", `decision := {"allow": true, "unproven": set(), "reasons": set(), "obligations": {"notify"}}`, denied(authz.SystemPolicyError)},
		{"two rules that contradict each other", `decision := ` + allowed + "\n\n" + `decision := {"allow": false, "unproven": {"label.missing"}, "reasons": {"label.missing"}, "obligations": set()} if input.subject.type == "person"`, denied(authz.SystemPolicyError)},
		{"a builtin that fails", `decision := ` + allowed + "if not broken\n\nbroken if to_number(input.subject.id) > 1", denied(authz.SystemPolicyError)},
		{"a builtin that panics", `decision := ` + allowed + ` if semver.is_valid("panic")`, denied(authz.SystemPolicyError)},
		{"a loop without end", "xs := [1, 2, 3, 4, 5, 6, 7, 8, 9]\n\ndecision := " + allowed + " if " + slow, denied(authz.SystemTimeout)},
	}
	for i := range 2 * len(rows) {
		r, name := rows[i/2], []string{policy.Wasm, policy.Topdown}[i%2]
		t.Run(r.name+"/"+name, func(t *testing.T) {
			t.Parallel()
			e := engine(t, policy.Config{Engine: name, Workers: 1, Timeout: 2 * time.Second, Shadow: -1}, core(r.decides))
			want := []policy.Outcome{{Decision: r.want, Input: input(t, access("s3://acme-plans/x"))}}
			for range 2 { // the worker lives on
				got, err := e.Decide(t.Context(), ann, now, []authz.Access{access("s3://acme-plans/x")})
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("outcomes (-want +got):\n%s", d)
				}
			}
		})
	}
}

func TestAnAnswerIsOneResult(t *testing.T) {
	t.Parallel()
	v := ast.MustParseTerm(allowed).Value
	if _, err := policy.ReadAnswer(nil, v); err != nil {
		t.Error(err)
	}
	if d, err := policy.ReadAnswer(nil, v, v); err == nil || d.Allow {
		t.Errorf("two results are read as %+v, %v", d, err)
	}
	if d, err := policy.ReadAnswer(nil); err == nil || d.Allow {
		t.Errorf("no result is read as %+v, %v", d, err)
	}
}

func TestDecideRefusesWhatItCantJudge(t *testing.T) {
	t.Parallel()
	e := engine(t, policy.Config{}, core("decision := "+allowed))
	if _, err := e.Decide(t.Context(), ann, now, nil); err == nil {
		t.Error("no accesses are judged")
	}
	e.Close()
	e.Close()
	if _, err := e.Decide(t.Context(), ann, now, []authz.Access{access("x")}); !errors.Is(err, policy.ErrClosed) {
		t.Errorf("a closed engine answers %v", err)
	}
}

// Not parallel: it holds the probe that hangs.
func TestAStuckWorkerDelaysNobody(t *testing.T) {
	e := engine(t, policy.Config{Workers: 1, Timeout: 500 * time.Millisecond},
		core("decision := "+allowed+" if not stuck\n\nstuck if {\n\tinput.resource.id == \"hang\"\n\tsemver.is_valid(\"hang\")\n\tfalse\n}"))
	ask := func(ctx context.Context, ids ...string) []authz.Decision {
		t.Helper()
		var as []authz.Access
		for _, id := range ids {
			as = append(as, access(id))
		}
		start := time.Now()
		got, err := e.Decide(ctx, ann, now, as)
		if err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("an answer took %s", d)
		}
		var ds []authz.Decision
		for _, o := range got {
			ds = append(ds, o.Decision)
		}
		return ds
	}
	if d := cmp.Diff([]authz.Decision{permitted, denied(authz.SystemTimeout), denied(authz.SystemTimeout)}, ask(t.Context(), "x", "hang", "y")); d != "" {
		t.Errorf("the request that is stuck (-want +got):\n%s", d)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if d := cmp.Diff([]authz.Decision{denied(authz.SystemOverloaded)}, ask(gone, "x")); d != "" {
		t.Errorf("a request that was given up (-want +got):\n%s", d)
	}
	close(probe.release)
	for deadline := time.Now().Add(10 * time.Second); !ask(t.Context(), "x")[0].Allow; {
		if time.Now().After(deadline) {
			t.Fatal("the worker never came back")
		}
	}
}

func TestAccessesThatDifferOnlyInTheirIDAreEvaluatedOnce(t *testing.T) {
	e := engine(t, policy.Config{Timeout: 10 * time.Second}, core("decision := "+allowed+" if semver.is_valid(\"count\")"))
	var as []authz.Access
	var want []policy.Outcome
	for i := range 1000 {
		a := access(fmt.Sprintf("s3://acme-plans/<%d>", i))
		if i%2 == 1 {
			a.Action.Name = "delete"
		}
		as = append(as, a)
		want = append(want, policy.Outcome{Decision: permitted, Input: input(t, a)})
	}
	probe.calls.Store(0)
	got, err := e.Decide(t.Context(), ann, now, as)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("outcomes (-want +got):\n%s", d)
	}
	if n := probe.calls.Load(); n != 2 {
		t.Errorf("%d evaluations for two kinds of access", n)
	}
}

func TestWhetherAPolicyReadsTheID(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name, condition string
		want            bool
	}{
		{"another member", `input.resource.properties.row == "x"`, false},
		{"another member by name", `input["resource"]["type"] == "object"`, false},
		{"the subject's id", `input.subject.id == "x"`, false},
		{"the id", `input.resource.id == "x"`, true},
		{"the id by name", `input.resource["id"] == "x"`, true},
		{"the resource as a value", "r := input.resource\n\tr.type == \"object\"", true},
		{"the resource handed to a function", `object.get(input.resource, "id", "") == "x"`, true},
		{"the whole input", "i := input\n\ti.subject.type == \"person\"", true},
		{"any member of the resource", "some k\n\tinput.resource[k] == \"object\"", true},
		{"any member of the input", "some k\n\tinput[k].type == \"object\"", true},
		{"the id as what picks another", `data.enclaves[input.resource.id].country == "USA"`, true},
		{"the id within what picks a member", `input.subject.properties[input.resource.id] == "USA"`, true},
		{"the id in a comprehension", `count({x | x := input.resource.id}) == 1`, true},
		{"a replaced input", `helper with input as {}`, true},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			e := engine(t, policy.Config{Workers: 1}, core("helper if true\n\ndecision := "+allowed+" if {\n\t"+r.condition+"\n}"))
			if got := policy.ReadsID(e); got != r.want {
				t.Errorf("have %t, want %t", got, r.want)
			}
		})
	}
}

// Swaps engines under load, as the gateway does with a new bundle: each request is judged whole by one of them.
func TestEnginesMayBeSwappedUnderLoad(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	b, err := policy.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	open := func() *policy.Engine {
		e, err := policy.New(t.Context(), b, policy.Config{Workers: 2, Timeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	var current atomic.Pointer[policy.Engine]
	current.Store(open())
	want := []policy.Outcome{{Decision: denied("label.missing"), Input: input(t, access("x"))}}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	var judged atomic.Int64
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				got, err := current.Load().Decide(context.Background(), ann, now, []authz.Access{access("x")})
				if errors.Is(err, policy.ErrClosed) {
					continue
				}
				if d := cmp.Diff(want, got); err != nil || d != "" {
					t.Errorf("error %v, outcomes (-want +got):\n%s", err, d)
					return
				}
				judged.Add(1)
			}
		})
	}
	for range 5 {
		next := open()
		current.Swap(next).Close()
	}
	for deadline := time.Now().Add(10 * time.Second); judged.Load() == 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	close(stop)
	wg.Wait()
	current.Load().Close()
	if judged.Load() == 0 {
		t.Error("nothing was judged")
	}
}
