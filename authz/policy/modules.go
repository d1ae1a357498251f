package policy

import (
	"errors"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// reserved are the names under data that documents and overlays fill, so no module of the root may be a package there.
var reserved = []string{"bundle", "enclaves", "issuers", "overlay", "reasons", "revocations", "schemes", "tenants"}

// readModule parses a module and holds it to the packages that its part may write.
func (l *loader) readModule(p *part, name string, f file) {
	m, err := ast.ParseModuleWithOpts(f.path, string(f.data), ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV1})
	if err != nil {
		addRegoErrors(f.path, err, &l.report)
		return
	}
	if m == nil {
		l.add(f.path, 0, "is empty; write a module, or delete the file")
		return
	}
	test := strings.HasSuffix(name, "_test.rego")
	l.modules = append(l.modules, module{file: f.path, source: f.data, parsed: m, test: test})
	if p.tenant == "" {
		if first := packageName(m)[0]; slices.Contains(reserved, first) {
			l.add(f.path, m.Package.Location.Row, "package %s: data.%s is not for the root's modules; use another package", packageText(m), first)
		}
		return
	}
	if !strings.HasPrefix(name, "overlay/") {
		l.add(f.path, 0, "a tenant's Rego stands in overlay/; move it there")
		return
	}
	l.checkOverlay(p, m, test)
}

// checkOverlay holds a tenant's module to its own package and to objections: it can't allow, prove or replace anything.
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
		if h := rule.Head; rule.Default || !h.Ref().Equal(ast.Ref{ast.VarTerm("object")}) || h.RuleKind() != ast.MultiValue {
			l.add(file, rule.Location.Row, "rule %s: an overlay can only object; write object contains \"…\" if { … }", h.Ref())
		}
	}
	ast.WalkWiths(m, func(w *ast.With) bool {
		l.add(file, w.Location.Row, "with %s: an overlay can't replace what it reads; leave it out", w.Target)
		return false
	})
}

// packageName returns the elements of m's package without data.
func packageName(m *ast.Module) []string {
	var names []string
	for _, t := range m.Package.Path[1:] {
		s, _ := t.Value.(ast.String)
		names = append(names, string(s))
	}
	return names
}

func packageText(m *ast.Module) string { return strings.TrimPrefix(m.Package.Path.String(), "data.") }

// addRegoErrors reports what OPA's parser found.
func addRegoErrors(file string, err error, r *report) {
	var errs ast.Errors
	var one *ast.Error
	switch {
	case errors.As(err, &errs):
	case errors.As(err, &one):
		errs = ast.Errors{one}
	default:
		r.add(file, 0, "can't be read as Rego: %v; correct it", err)
		return
	}
	for _, e := range errs {
		line := 0
		if e.Location != nil {
			line = e.Location.Row
		}
		r.add(file, line, "%s; correct it", e.Message)
	}
}
