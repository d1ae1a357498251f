package policy

import (
	"errors"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// reserved are the names under data that documents and overlays fill, so no module of the root may be a package there.
var reserved = []string{"bundle", "enclaves", "issuers", "overlay", "reasons", "revocations", "schemes", "services", "tenants"}

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
	l.modules = append(l.modules, module{file: f.path, source: f.data, parsed: m, test: test, overlay: p.tenant})
	if p.tenant == "" {
		if first := packageName(m)[0]; slices.Contains(reserved, first) {
			l.add(f.path, m.Package.Location.Row, "package %s: data.%s is not for the root's modules; use another package", packageText(m), first)
		}
		if !test {
			l.checkAsksNoOverlay(m)
		}
		return
	}
	if !strings.HasPrefix(name, "overlay/") {
		l.add(f.path, 0, "a tenant's Rego stands in overlay/; move it there")
		return
	}
	if p.overlay += len(f.data); p.overlay > maxOverlayBytes && !test {
		l.add(f.path, 0, "more than %d KiB of overlays; an overlay only objects, the rest is for the root", maxOverlayBytes>>10)
		return
	}
	l.checkOverlay(p, m, test)
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
