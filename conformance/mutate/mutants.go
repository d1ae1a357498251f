package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// mutant is one change to one module.
type mutant struct {
	name string // file: rule: change, without line numbers, so that it stays the same while other rules change
	file string
	site int // which of the module's sites
}

// site is one place that can be changed, in one copy of a module.
type site struct {
	rule, change string
	apply        func()
}

// mutants lists the mutants of the modules whose file's name contains only.
func (c *corpus) mutants(only string) []mutant {
	var out []mutant
	for _, file := range slices.Sorted(maps.Keys(c.modules)) {
		if strings.HasSuffix(file, "_test.rego") || !strings.Contains(file, only) || strings.Contains(file, "/explain/") {
			continue // explain puts a decision into words, and makes none
		}
		seen := map[string]int{}
		for i, s := range sites(c.modules[file].Copy()) {
			name := file + ": " + s.rule + ": " + s.change
			if seen[name]++; seen[name] > 1 {
				name += fmt.Sprintf(" #%d", seen[name])
			}
			out = append(out, mutant{name, file, i})
		}
	}
	return out
}

// mutated returns the modules with m's change.
func (c *corpus) mutated(m mutant) map[string]*ast.Module {
	modules := maps.Clone(c.modules)
	changed := c.modules[m.file].Copy()
	sites(changed)[m.site].apply()
	modules[m.file] = changed
	return modules
}

// sites lists the places of m, always in the same order; each changes m in place.
func sites(m *ast.Module) []site {
	var out []site
	for i, rule := range m.Rules {
		for r, part := rule, ""; r != nil; r, part = r.Else, " else" {
			v := &visitor{rule: clipped(rule.Head.String()) + part}
			v.head(r.Head)
			v.body(r.Body)
			out = append(out, v.sites...)
		}
		out = append(out, site{clipped(rule.Head.String()), "rule removed", func() { m.Rules = slices.Delete(slices.Clone(m.Rules), i, i+1) }})
	}
	return out
}

// visitor collects the sites of one rule.
type visitor struct {
	rule  string
	sites []site
}

func (v *visitor) add(change string, apply func()) {
	v.sites = append(v.sites, site{v.rule, change, apply})
}

// head visits what a rule gives: literals and comprehensions.
func (v *visitor) head(h *ast.Head) {
	if h.Value != nil {
		v.term(h.Value, false)
	}
}

func (v *visitor) body(b ast.Body) {
	for i, e := range b {
		if t, ok := e.Terms.(*ast.Term); ok && !e.Negated && t.Equal(ast.BooleanTerm(true)) {
			continue // a rule without conditions
		}
		text := clipped(e.String())
		v.add("without "+text, func() {
			b[i] = ast.NewExpr(ast.BooleanTerm(true))
			b[i].Index = i
		})
		if _, some := e.Terms.(*ast.SomeDecl); !some && !e.IsAssignment() {
			if _, every := e.Terms.(*ast.Every); !every {
				v.add("not "+text, func() { e.Negated = !e.Negated })
			}
		}
		v.expr(e)
	}
}

// turned are the comparisons that a comparison is changed into.
var turned = map[string][]string{"lt": {"lte"}, "lte": {"lt"}, "gt": {"gte"}, "gte": {"gt"}}

func (v *visitor) expr(e *ast.Expr) {
	switch t := e.Terms.(type) {
	case *ast.Term:
		v.term(t, false)
	case []*ast.Term:
		if ref, ok := t[0].Value.(ast.Ref); ok {
			for _, other := range turned[ref.String()] {
				v.add(fmt.Sprintf("%s for %s in %s", other, ref, clipped(e.String())), func() { t[0] = ast.RefTerm(ast.VarTerm(other)) })
			}
		}
		compared := e.IsCall() && slices.Contains([]string{"equal", "eq", "lt", "lte", "gt", "gte", "neq"}, e.Operator().String())
		for _, operand := range t[1:] {
			v.term(operand, compared)
		}
	case *ast.SomeDecl:
		for _, s := range t.Symbols {
			v.term(s, false)
		}
	case *ast.Every:
		v.term(t.Domain, false)
		v.body(t.Body)
	}
}

// term visits a term. Scalars are changed only where they are compared; elsewhere they are names.
func (v *visitor) term(t *ast.Term, compared bool) {
	switch x := t.Value.(type) {
	case ast.Boolean:
		if compared {
			v.constant(t, ast.Boolean(!x))
		}
	case ast.String:
		if compared {
			v.constant(t, x+"~")
		}
	case ast.Number:
		if n, ok := x.Int64(); compared && ok {
			v.constant(t, ast.Number(json.Number(fmt.Sprint(n+1))))
		}
	case *ast.Array:
		for i := range x.Len() {
			if literal(x.Elem(i)) {
				v.add("without "+x.Elem(i).String()+" in "+clipped(t.String()), func() { t.Value = ast.NewArray(others(x, i)...) })
			}
			v.term(x.Elem(i), false)
		}
	case ast.Set:
		for i, e := range x.Slice() {
			if literal(e) {
				v.add("without "+e.String()+" in "+clipped(t.String()), func() {
					t.Value = ast.NewSet(slices.Delete(slices.Clone(x.Slice()), i, i+1)...)
				})
			}
		}
	case ast.Object:
		x.Foreach(func(_, value *ast.Term) { v.term(value, false) })
	case *ast.ArrayComprehension:
		v.term(x.Term, false)
		v.body(x.Body)
	case *ast.SetComprehension:
		v.term(x.Term, false)
		v.body(x.Body)
	case *ast.ObjectComprehension:
		v.term(x.Value, false)
		v.body(x.Body)
	case ast.Call:
		for _, operand := range x[1:] {
			v.term(operand, false)
		}
	case ast.Ref:
		for _, part := range x[1:] {
			if _, name := part.Value.(ast.String); !name {
				v.term(part, false)
			}
		}
	}
}

func (v *visitor) constant(t *ast.Term, other ast.Value) {
	v.add(fmt.Sprintf("%s for %s", other, t.Value), func() { t.Value = other })
}

func literal(t *ast.Term) bool {
	switch t.Value.(type) {
	case ast.String, ast.Number, ast.Boolean:
		return true
	}
	return false
}

func others(a *ast.Array, without int) []*ast.Term {
	var out []*ast.Term
	for i := range a.Len() {
		if i != without {
			out = append(out, a.Elem(i))
		}
	}
	return out
}

// clipped is text on one line, and not too long to be a name.
func clipped(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > 120 {
		return string(r[:117]) + "..."
	}
	return text
}
