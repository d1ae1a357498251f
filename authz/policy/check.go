package policy

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

// Check loads and compiles dir, tests included, and lints it: Rego is formatted as `opa fmt` does, every id of
// data.compliance.required and of an annotation (custom.id) stands in the catalogue of reasons. See ExitCode for its errors.
func Check(dir string) error {
	b, err := Load(dir)
	if err != nil {
		return err
	}
	if _, err := b.compile(true); err != nil {
		return err
	}
	compiler, err := b.compile(false)
	if err != nil {
		return err
	}
	if _, err := b.compileOverlays(); err != nil {
		return err
	}
	var r report
	requireDecision(compiler, &r)
	b.lintFormat(&r)
	b.lintAnnotations(&r)
	b.lintNames(&r)
	b.lintRequired(compiler, &r)
	return r.err(dir)
}

func (b *Bundle) lintFormat(r *report) {
	for _, m := range b.modules {
		want, err := format.SourceWithOpts(m.file, m.source, format.Opts{RegoVersion: ast.RegoV1})
		switch {
		case err != nil:
			r.add(m.file, 0, "can't be formatted: %v; correct it", err)
		case !bytes.Equal(want, m.source):
			r.add(m.file, firstDifference(m.source, want), "is not formatted; run opa fmt --write")
		}
	}
}

// firstDifference returns the first line of a that is not the same in b.
func firstDifference(a, b []byte) int {
	theirs := bytes.Split(b, []byte("\n"))
	for i, line := range bytes.Split(a, []byte("\n")) {
		if i >= len(theirs) || !bytes.Equal(line, theirs[i]) {
			return i + 1
		}
	}
	return 0
}

func (b *Bundle) lintAnnotations(r *report) {
	for _, m := range b.modules {
		for _, a := range m.parsed.Annotations {
			if id, ok := a.Custom["id"]; ok && !b.isFamily(id) {
				b.lintID(m.file, a.Location.Row, "custom.id", id, r)
			}
		}
	}
}

// isFamily reports whether id is family.*, as a package says it of its rules, and the catalogue has ids of that family.
func (b *Bundle) isFamily(id any) bool {
	text, _ := id.(string)
	prefix, ok := strings.CutSuffix(text, "*")
	reasons, _ := b.data["reasons"].(map[string]any)
	for known := range reasons {
		if ok && strings.HasSuffix(prefix, ".") && strings.HasPrefix(known, prefix) {
			return true
		}
	}
	return false
}

// lintRequired evaluates data.compliance.required, the constant set of checks.
func (b *Bundle) lintRequired(c *ast.Compiler, r *report) {
	const query = "data.compliance.required"
	rules := c.GetRulesExact(ast.MustParseRef(query))
	if len(rules) == 0 {
		r.add("", 0, "no rule %s; write the set of the checks that an allow needs", query)
		return
	}
	at := rules[0].Location
	results, err := rego.New(rego.Query(query), rego.Compiler(c), rego.Store(inmem.NewFromObjectWithOpts(b.data, inmem.OptRoundTripOnWrite(false))),
		rego.StrictBuiltinErrors(true)).Eval(context.Background())
	if err != nil || len(results) != 1 {
		r.add(at.File, at.Row, "%s has no value without input; make it constant", query)
		return
	}
	ids, ok := results[0].Expressions[0].Value.([]any)
	if !ok || len(ids) == 0 {
		r.add(at.File, at.Row, "%s is no set of ids; write the checks that an allow needs", query)
		return
	}
	for _, id := range ids {
		if !b.lintID(at.File, at.Row, query, id, r) {
			continue
		}
		entry, _ := b.data["reasons"].(map[string]any)[id.(string)].(map[string]any)
		if entry["scope"] != "policy" {
			r.add(at.File, at.Row, "%s: %q has scope %v in the catalogue; want policy", query, id, entry["scope"])
		}
	}
}

func (b *Bundle) lintID(file string, line int, what string, id any, r *report) bool {
	reasons, _ := b.data["reasons"].(map[string]any)
	name, ok := id.(string)
	if _, exists := reasons[name]; ok && exists {
		return true
	}
	r.add(file, line, "%s: %q is not in the catalogue of reasons%s", what, fmt.Sprint(id), oneOf(fmt.Sprint(id), slices.Collect(maps.Keys(reasons))))
	return false
}
