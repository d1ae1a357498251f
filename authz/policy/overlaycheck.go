package policy

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxOverlayBytes bounds the Rego of a tenant, and with it what compiling it costs.
const maxOverlayBytes = 64 << 10

// checkOverlay holds a tenant's module to its own package, to objections and to its own facts: it can't allow, prove or replace
// anything, and reads nothing of another tenant and nothing of the root's rules. The parsed module shows what its author wrote, before
// the compiler gives names others.
func (l *loader) checkOverlay(p *part, m *ast.Module, test bool) {
	file := m.Package.Location.File
	want := []string{"overlay", p.tenant}
	if test {
		want[1] += "_test"
	}
	if !slices.Equal(packageName(m), want) {
		l.add(file, m.Package.Location.Row, "package %s: this part may write only package overlay[%q]; use that", packageText(m), want[1])
	}
	if test {
		return
	}
	for _, rule := range m.Rules {
		if h := rule.Head; rule.Default || rule.Else != nil || !h.Ref().Equal(ast.Ref{ast.VarTerm("object")}) || h.RuleKind() != ast.MultiValue {
			l.add(file, rule.Location.Row, "rule %s: an overlay can only object; write object contains \"…\" if { … }", h.Ref())
		}
		l.checkOverlayReads(p.tenant, file, rule)
		l.checkFormats(file, rule)
	}
	for _, i := range m.Imports {
		l.checkOverlayReads(p.tenant, file, i.Path)
	}
	ast.WalkWiths(m, func(w *ast.With) bool {
		l.add(file, w.Location.Row, "with %s: an overlay can't replace what it reads; leave it out", w.Target)
		return false
	})
}

// checkOverlayReads reports what x reads under data that is not for an overlay.
func (l *loader) checkOverlayReads(tenant, file string, x any) {
	refuse := func(at *ast.Location, what any) {
		line := 0
		if at != nil {
			line = at.Row
		}
		l.add(file, line, "%s: an overlay may read input, data.schemes, data.enclaves and data.tenants[%q]; leave it out", what, tenant)
	}
	ast.NewGenericVisitor(func(x any) bool {
		t, ok := x.(*ast.Term)
		if !ok {
			return false
		}
		switch v := t.Value.(type) {
		case ast.Var:
			if v == ast.DefaultRootDocument.Value {
				refuse(t.Location, v)
			}
		case ast.Ref:
			if v.HasPrefix(ast.DefaultRootRef) {
				if !ownOrShared(tenant, v) {
					refuse(t.Location, v)
				}
				for _, e := range v[1:] { // its head is judged with it; what picks its members is not
					l.checkOverlayReads(tenant, file, e)
				}
				return true
			}
		}
		return false
	}).Walk(x)
}

// ownOrShared reports whether a reference under data is to facts of the tenant, or to those of the root that overlays see.
func ownOrShared(tenant string, r ast.Ref) bool {
	name := func(i int) string {
		if i >= len(r) {
			return ""
		}
		s, _ := r[i].Value.(ast.String)
		return string(s)
	}
	switch name(1) {
	case "schemes", "enclaves":
		return true
	case "tenants":
		return name(2) == tenant
	}
	return false
}

// checkFormats wants formats that use each argument once and as it is: a width or an index makes much text of little.
func (l *loader) checkFormats(file string, rule *ast.Rule) {
	check := func(terms []*ast.Term) {
		if len(terms) < 2 || terms[0].Value.String() != "sprintf" {
			return
		}
		format, ok := terms[1].Value.(ast.String)
		if !ok || strings.ContainsAny(afterPercents(string(format)), "0123456789*[") {
			l.add(file, terms[0].Location.Row, "sprintf: an overlay's format is a literal text without widths and indexes; use %%s, %%d or %%v")
		}
	}
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			if terms, ok := x.Terms.([]*ast.Term); ok {
				check(terms)
			}
		case ast.Call:
			check(x)
		}
		return false
	}).Walk(rule)
}

// afterPercents returns the byte after each percent sign, flags left out.
func afterPercents(format string) string {
	var out []byte
	for _, verb := range strings.Split(strings.ReplaceAll(format, "%%", ""), "%")[1:] {
		if verb = strings.TrimLeft(verb, "+-# 0."); verb != "" {
			out = append(out, verb[0])
		}
	}
	return string(out)
}

// checkAsksNoOverlay reports where a module of the root reads overlays: they are evaluated on their own, after it.
func (l *loader) checkAsksNoOverlay(m *ast.Module) {
	overlays := ast.DefaultRootRef.Append(ast.StringTerm("overlay"))
	refuse := func(r ast.Ref) bool {
		if r.HasPrefix(overlays) {
			l.add(m.Package.Location.File, r[0].Location.Row, "%s: the gateway asks the owner's overlay by itself, after the root's decision; leave it out", r)
		}
		return false
	}
	for _, rule := range m.Rules {
		ast.WalkRefs(rule, refuse)
	}
	for _, i := range m.Imports {
		ast.WalkRefs(i.Path, refuse)
	}
}
