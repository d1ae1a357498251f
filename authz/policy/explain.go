package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/sallyport-dev/sallyport/authz"
)

// Explanation is how a decision came about: every check that an allow needs, with what proved it or what was missing.
type Explanation struct {
	authz.Decision
	Checks []Finding `json:"checks"` // in the order of the tree: each after the check that it stands behind
}

// The states of a check.
const (
	Proven   = "proven"
	Unproven = "unproven" // and all that it requires is proven: a reason
	Waiting  = "waiting"  // not proven either, but something that it requires is not
)

// Finding is about one of the checks that an allow needs.
type Finding struct {
	ID       string   `json:"id"`
	State    string   `json:"state"`
	Title    string   `json:"title"`     // what is so if it is not proven, from the catalogue of reasons
	Remedy   string   `json:"remedy"`    // what helps then
	Requires []string `json:"requires"`  // the checks that stand before it
	WaitsFor []string `json:"waits_for"` // those of them that are not proven, also those behind others
	Facts    []Fact   `json:"facts"`     // what it compares, as the rules facts of the bundle tell it
	Proofs   []Proof  `json:"proofs"`    // the rules that can prove it; one suffices
	Depth    int      `json:"-"`         // in the tree
}

// Fact is something that a check compares, in words.
type Fact struct {
	Name   string   `json:"name"`
	Values []string `json:"values"` // none: there is none
}

// Proof is a rule that can prove a check.
type Proof struct {
	Title    string  `json:"title"`    // of its annotation
	Location string  `json:"location"` // file:line, the file relative to the folder
	Holds    bool    `json:"holds"`
	Stopped  []Place `json:"stopped"` // where it got no further: the condition of the rule, then what that asked
	Read     []Read  `json:"read"`    // what it read of input and data
}

// Place is a condition that does not hold.
type Place struct {
	Location  string `json:"location"`
	Condition string `json:"condition"`
}

// Read is a value of input or data that a rule read.
type Read struct {
	Path  string `json:"path"`
	Value string `json:"value"` // JSON, cut where it is long; missing is "", which is no JSON
}

// Bounds of an Explanation: it is for people, and no input may make it endless.
const (
	maxFacts  = 20   // of a check
	maxValues = 20   // of a fact
	maxReads  = 20   // of a proof
	maxPlaces = 6    // where a proof stopped
	maxText   = 400  // bytes of a value
	maxEvents = 50e3 // of the trace of a proof
)

// Explain judges an input as Eval does, and says of each check how it was proven or not. The decision is the engine's own; what
// is said about it comes from OPA's interpreter, which runs the rules once more, each by itself, and is no part of it.
func Explain(ctx context.Context, dir string, input []byte) (Explanation, error) {
	if err := checkInput(input); err != nil {
		return Explanation{}, err
	}
	b, err := Load(dir)
	if err != nil {
		return Explanation{}, err
	}
	e, err := build(ctx, b, Config{Workers: 1, Timeout: evalTimeout})
	if err != nil {
		return Explanation{}, err
	}
	defer e.Close()
	x, err := newExplainer(ctx, b, false)
	if err != nil {
		return Explanation{}, err
	}
	defer x.store.Abort(ctx, x.txn)
	return e.explain(x, input)
}

func (e *Engine) explain(x *explainer, input []byte) (Explanation, error) {
	decisions, err := e.decide(x.ctx, []json.RawMessage{input}, []string{ownerIn(input)})
	if err != nil {
		return Explanation{}, err
	}
	value, err := ast.ValueFromReader(bytes.NewReader(input))
	if err != nil {
		return Explanation{}, err
	}
	x.input = ast.NewTerm(value)
	checks := x.checks(decisions[0])
	for i := range checks {
		if checks[i].ID == string(authz.OverlayObjected) {
			checks[i].Facts = e.overlays.facts(x.ctx, ownerIn(input), input)
		}
	}
	return Explanation{Decision: decisions[0], Checks: checks}, nil
}

// explainer runs rules of a bundle on one input.
type explainer struct {
	ctx      context.Context
	compiler *ast.Compiler
	store    storage.Store
	txn      storage.Transaction
	input    *ast.Term
	reasons  map[string]catalogued
}

type catalogued struct {
	Title, Remedy string
	Requires      []string
}

func newExplainer(ctx context.Context, b *Bundle, tests bool) (*explainer, error) {
	compiler, err := b.compile(tests)
	if err != nil {
		return nil, err
	}
	x := &explainer{
		ctx: ctx, compiler: compiler, reasons: documentOf[map[string]catalogued](b, "reasons"),
		store: inmem.NewFromObjectWithOpts(b.data, inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true)),
	}
	x.txn, err = x.store.NewTransaction(ctx, storage.TransactionParams{})
	return x, err
}

// checks returns each check that d needs, in the order of the tree.
func (x *explainer) checks(d authz.Decision) []Finding {
	ids := x.required()
	for _, r := range append(slices.Clone(d.Unproven), authz.OverlayObjected) {
		if !slices.Contains(ids, string(r)) && (r != authz.OverlayObjected || x.reasons[string(r)].Title != "") {
			ids = append(ids, string(r))
		}
	}
	slices.Sort(ids)
	state := func(id string) string {
		switch {
		case slices.Contains(d.Reasons, authz.Reason(id)):
			return Unproven
		case slices.Contains(d.Unproven, authz.Reason(id)):
			return Waiting
		}
		return Proven
	}
	proofs := x.proofs()
	found := map[string]Finding{}
	for _, id := range ids {
		c := Finding{ID: id, State: state(id), Title: x.reasons[id].Title, Remedy: x.reasons[id].Remedy,
			Requires: append([]string{}, x.reasons[id].Requires...), WaitsFor: []string{}, Facts: x.facts(id), Proofs: []Proof{}}
		for _, p := range x.before(id) {
			if state(p) != Proven {
				c.WaitsFor = append(c.WaitsFor, p)
			}
		}
		for _, rule := range proofs {
			if p, about := x.prove(rule, id); about {
				c.Proofs = append(c.Proofs, p)
			}
		}
		found[id] = c
	}
	return tree(ids, found)
}

// tree puts each check behind one that it requires: one that is not proven, or else the last.
func tree(ids []string, found map[string]Finding) []Finding {
	behind := map[string][]string{}
	for _, id := range ids {
		parent := ""
		for _, r := range found[id].Requires {
			if _, known := found[r]; known && (parent == "" || found[parent].State == Proven) {
				parent = r
			}
		}
		behind[parent] = append(behind[parent], id)
	}
	var out []Finding
	var add func(parent string, depth int)
	add = func(parent string, depth int) {
		for _, id := range behind[parent] {
			c := found[id]
			c.Depth = depth
			out = append(out, c)
			add(id, depth+1)
		}
	}
	add("", 0)
	return out
}

// before returns all that id requires, transitively and sorted.
func (x *explainer) before(id string) []string {
	seen := map[string]bool{}
	var list []string
	var add func(id string)
	add = func(id string) {
		for _, r := range x.reasons[id].Requires {
			if !seen[r] {
				seen[r] = true
				list = append(list, r)
				add(r)
			}
		}
	}
	add(id)
	slices.Sort(list)
	return list
}

// required is the constant set of checks, empty where the bundle has no such rule.
func (x *explainer) required() []string {
	v, err := x.value(ast.MustParseRef("data.compliance.required"))
	if err != nil {
		return nil
	}
	var ids []string
	if !elements(v, &ids, func(v ast.Value) (string, bool) { s, ok := v.(ast.String); return string(s), ok }) {
		return nil
	}
	return ids
}

// facts asks the rules facts[id] of every package what the check id compares: a list of pairs of a name and a value, which is a text, a
// list of texts, or null for what is unknown.
func (x *explainer) facts(id string) []Fact {
	facts := []Fact{}
	for _, path := range x.factPaths() {
		v, err := x.value(path.Append(ast.StringTerm(id)))
		if errors.Is(err, errUndefined) {
			continue
		}
		list, ok := v.(*ast.Array)
		if err != nil || !ok {
			facts = append(facts, Fact{Name: fmt.Sprintf("%s[%q]", path, id), Values: []string{shorten(fmt.Sprintf("gives no list of names and values (%v)", err))}})
			continue
		}
		list.Foreach(func(t *ast.Term) {
			pair, ok := t.Value.(*ast.Array)
			if ok && pair.Len() == 2 && len(facts) < maxFacts {
				facts = append(facts, Fact{Name: words(pair.Elem(0).Value)[0], Values: words(pair.Elem(1).Value)})
			}
		})
	}
	return facts
}

// factPaths are the documents facts of all packages.
func (x *explainer) factPaths() []ast.Ref {
	var paths []ast.Ref
	for _, m := range x.compiler.Modules {
		for _, r := range m.Rules {
			if h := r.Head; len(h.Args) == 0 && len(h.Ref()) == 2 && h.Ref()[0].Value.Compare(ast.Var("facts")) == 0 {
				paths = append(paths, m.Package.Path.Append(ast.StringTerm("facts")))
				break
			}
		}
	}
	slices.SortFunc(paths, func(a, b ast.Ref) int { return a.Compare(b) })
	return slices.CompactFunc(paths, func(a, b ast.Ref) bool { return a.Equal(b) })
}

// words returns a value in words: a list as its elements, null as "unknown", text as it is and everything else as JSON.
func words(v ast.Value) []string {
	out := []string{}
	one := func(v ast.Value) {
		switch v := v.(type) {
		case ast.Null:
			out = append(out, "unknown")
		case ast.String:
			out = append(out, shorten(string(v)))
		default:
			out = append(out, shorten(v.String()))
		}
	}
	list, ok := v.(*ast.Array)
	if !ok {
		one(v)
		return out
	}
	for i := range min(list.Len(), maxValues) {
		one(list.Elem(i).Value)
	}
	if n := list.Len() - maxValues; n > 0 {
		out = append(out, fmt.Sprintf("and %d more", n))
	}
	return out
}

// shorten cuts a long text.
func shorten(s string) string {
	if len(s) <= maxText {
		return s
	}
	return fmt.Sprintf("%s… (%d more bytes)", strings.ToValidUTF8(s[:maxText], ""), len(s)-maxText)
}

// facts are the objections of the overlay of a tenant.
func (o *overlays) facts(ctx context.Context, tenant string, input []byte) []Fact {
	v := o.of[tenant]
	if v == nil {
		return []Fact{{Name: "overlay of the owner", Values: []string{}}}
	}
	said := v.ask(ctx, input)
	f := Fact{Name: "objections of " + tenant, Values: []string{}}
	for i, t := range said.Texts {
		if i == maxValues {
			f.Values = append(f.Values, fmt.Sprintf("and %d more", len(said.Texts)-i))
			break
		}
		f.Values = append(f.Values, shorten(t))
	}
	if said.Failed != "" {
		f.Values = append(f.Values, shorten(said.Failed))
	}
	return []Fact{f}
}
