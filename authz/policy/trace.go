package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

var errUndefined = errors.New("undefined")

// errEnough ends a query that has one result.
var errEnough = errors.New("enough")

// value returns the value of a document, or errUndefined.
func (x *explainer) value(ref ast.Ref) (v ast.Value, err error) {
	result := ast.VarTerm("result")
	found, err := x.run(ast.NewBody(ast.Equality.Expr(result, ast.NewTerm(ref))), nil, func(r topdown.QueryResult) {
		if t := r["result"]; t != nil {
			v = t.Value
		}
	})
	if err == nil && !found {
		err = errUndefined
	}
	return v, err
}

// run evaluates a body that the compiler made, up to its first result.
func (x *explainer) run(body ast.Body, t topdown.QueryTracer, each func(topdown.QueryResult)) (found bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	stop := topdown.NewCancel()
	defer time.AfterFunc(shadowTimeout, stop.Cancel).Stop()
	q := topdown.NewQuery(body).WithCompiler(x.compiler).WithStore(x.store).WithTransaction(x.txn).WithInput(x.input).
		WithCancel(stop).WithStrictBuiltinErrors(true)
	if t != nil {
		q = q.WithQueryTracer(t)
	}
	err = q.Iter(x.ctx, func(r topdown.QueryResult) error {
		found = true
		if each != nil {
			each(r)
		}
		return errEnough
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return found, err
}

// proofs are the rules that add to a set satisfied, those first that name what they prove, in order of file and line.
func (x *explainer) proofs() []*ast.Rule {
	var rules []*ast.Rule
	for _, m := range x.compiler.Modules {
		for _, r := range m.Rules {
			if r.Head.RuleKind() == ast.MultiValue && r.Head.Ref().Equal(ast.Ref{ast.VarTerm("satisfied")}) {
				rules = append(rules, r)
			}
		}
	}
	slices.SortFunc(rules, func(a, b *ast.Rule) int {
		return cmp.Or(cmp.Compare(computed(a), computed(b)), a.Location.Compare(b.Location))
	})
	return rules
}

// computed is 1 if a rule computes what it proves, 0 if it names it.
func computed(r *ast.Rule) int {
	if _, named := r.Head.Key.Value.(ast.String); named {
		return 0
	}
	return 1
}

// prove runs a rule for one id, and reports whether it is about that id: it names it, or it computes its ids and gave this one or has it
// in its file.
func (x *explainer) prove(r *ast.Rule, id string) (p Proof, about bool) {
	body := r.Body
	if name, ok := r.Head.Key.Value.(ast.String); ok {
		if string(name) != id {
			return Proof{}, false
		}
	} else {
		body = body.Copy()
		body.Append(ast.Equality.Expr(r.Head.Key.Copy(), ast.StringTerm(id)))
	}
	t := &trace{reads: map[string]ast.Ref{}}
	holds, err := x.run(body, t, nil)
	if computed(r) == 1 && !holds && !mentions(x.compiler.Modules[r.Location.File], id) {
		return Proof{}, false
	}
	p = Proof{Title: title(r), Location: location(r.Location), Holds: holds, Stopped: []Place{}, Read: x.read(t.reads)}
	switch {
	case err != nil:
		p.Holds = false
		p.Stopped = []Place{{Location: p.Location, Condition: shorten("fails: " + err.Error())}}
	case !holds:
		p.Stopped = t.stopped()
	}
	return p, true
}

// mentions reports whether a module has the text id, other than to name what a rule proves.
func mentions(m *ast.Module, id string) bool {
	found := false
	look := func(t *ast.Term) bool {
		if s, ok := t.Value.(ast.String); ok && string(s) == id {
			found = true
		}
		return found
	}
	for _, r := range m.Rules {
		ast.WalkTerms(r.Body, look)
		if r.Head.Value != nil {
			ast.WalkTerms(r.Head.Value, look)
		}
	}
	return found
}

func title(r *ast.Rule) string {
	for _, a := range r.Annotations {
		if a.Title != "" {
			return a.Title
		}
	}
	line, _, _ := strings.Cut(string(r.Location.Text), "\n")
	return shorten(strings.TrimSuffix(line, " if {"))
}

func location(l *ast.Location) string { return fmt.Sprintf("%s:%d", l.File, l.Row) }

// trace is what topdown did for one query: the base documents that it read, and the steps that lead to where it stopped.
type trace struct {
	reads map[string]ast.Ref
	steps []step
}

type step struct {
	op            topdown.Op
	query, parent uint64
	expr          *ast.Expr
}

func (*trace) Enabled() bool { return true }

func (*trace) Config() topdown.TraceConfig { return topdown.TraceConfig{PlugLocalVars: true} }

func (t *trace) TraceEvent(e topdown.Event) {
	if len(t.steps) >= maxEvents {
		return
	}
	expr, _ := e.Node.(*ast.Expr)
	switch e.Op {
	case topdown.EvalOp, topdown.RedoOp:
		if expr != nil {
			t.note(expr, e.Locals)
		}
	case topdown.FailOp, topdown.EnterOp, topdown.ExitOp:
	default:
		return
	}
	t.steps = append(t.steps, step{e.Op, e.QueryID, e.ParentID, expr})
}

// note keeps the references of an expression to input and data, as far as their variables have values. What stands in comprehensions and
// the like has steps of its own.
func (t *trace) note(x any, locals *ast.ValueMap) {
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
			return true
		case *ast.Every:
			t.note(x.Domain, locals)
			return true
		case ast.Ref:
			if x.HasPrefix(ast.InputRootRef) || x.HasPrefix(ast.DefaultRootRef) {
				r := plugged(x, locals)
				t.reads[r.String()] = r
			}
		}
		return false
	}).Walk(x)
}

// plugged returns a reference up to the first element that has no value.
func plugged(r ast.Ref, locals *ast.ValueMap) ast.Ref {
	out := ast.Ref{r[0]}
	for _, e := range r[1:] {
		if v, ok := e.Value.(ast.Var); ok {
			value := locals.Get(v)
			if value == nil {
				break
			}
			e = ast.NewTerm(value)
		}
		if !ast.IsScalar(e.Value) {
			break
		}
		out = append(out, e)
	}
	return out
}

// read returns the values behind references to input and to documents of the bundle, in order, rules and what another one holds left
// out.
func (x *explainer) read(refs map[string]ast.Ref) []Read {
	paths := []ast.Ref{}
	for _, r := range refs {
		if r.HasPrefix(ast.InputRootRef) || len(r) > 1 && x.document(r) {
			paths = append(paths, r)
		}
	}
	slices.SortFunc(paths, func(a, b ast.Ref) int { return a.Compare(b) })
	reads := []Read{}
	for i, r := range paths {
		if i+1 < len(paths) && paths[i+1].HasPrefix(r) && len(r) < 4 {
			continue // all of input, or of a document, of which parts follow
		}
		if n := len(reads); n > 0 && i > 0 && r.HasPrefix(paths[i-1]) && strings.HasPrefix(r.String(), reads[n-1].Path) {
			continue // a part of what stands before it
		}
		if len(reads) == maxReads {
			reads = append(reads, Read{Path: fmt.Sprintf("and %d more", len(paths)-i)})
			break
		}
		reads = append(reads, Read{Path: r.String(), Value: x.text(r)})
	}
	return reads
}

// document reports whether a reference under data is to a document of the bundle.
func (x *explainer) document(r ast.Ref) bool {
	name, ok := r[1].Value.(ast.String)
	return ok && slices.Contains(reserved, string(name)) && name != "overlay"
}

// text returns the JSON of a value, "" for one that is missing.
func (x *explainer) text(r ast.Ref) string {
	v, err := x.value(r)
	if err != nil || v == nil {
		return ""
	}
	return shorten(v.String())
}

// stopped returns the condition of the query that failed last, and what within it failed.
func (t *trace) stopped() []Place {
	places := []Place{}
	if len(t.steps) == 0 {
		return places
	}
	from, to := 0, len(t.steps)
	for query := t.steps[0].query; len(places) < maxPlaces; {
		at := t.furthest(query, from, to)
		if at < 0 {
			break
		}
		e := t.steps[at].expr
		p := Place{Location: location(e.Location), Condition: shorten(strings.Join(strings.Fields(string(e.Location.Text)), " "))}
		if n := len(places); n == 0 || places[n-1] != p {
			places = append(places, p)
		}
		from, to = t.begin(query, e, from, at), at
		var inner bool
		if query, inner = t.within(query, from, to); !inner {
			break
		}
	}
	return places
}

// furthest returns the last failure of the last of a query's conditions that were reached, -1 if there is none.
func (t *trace) furthest(query uint64, from, to int) int {
	at := -1
	for i := from; i < to; i++ {
		s := t.steps[i]
		if s.op == topdown.FailOp && s.query == query && s.expr != nil && s.expr.Location != nil &&
			(at < 0 || s.expr.Index >= t.steps[at].expr.Index) {
			at = i
		}
	}
	return at
}

// begin returns where the evaluation that failed at that step began.
func (t *trace) begin(query uint64, e *ast.Expr, from, at int) int {
	for i := at - 1; i >= from; i-- {
		if s := t.steps[i]; s.op == topdown.EvalOp && s.query == query && s.expr == e {
			return i
		}
	}
	return from
}

// within returns the last query that was asked by another and came to nothing.
func (t *trace) within(parent uint64, from, to int) (uint64, bool) {
	asked, exited := []uint64{}, map[uint64]bool{}
	for _, s := range t.steps[from:to] {
		switch {
		case s.op == topdown.EnterOp && s.parent == parent:
			asked = append(asked, s.query)
		case s.op == topdown.ExitOp:
			exited[s.query] = true
		}
	}
	for _, q := range slices.Backward(asked) {
		if !exited[q] {
			return q, true
		}
	}
	return 0, false
}
