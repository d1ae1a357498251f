package policy

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

//go:embed builtins.txt
var builtinsText string

// capabilities returns what Rego may use: the builtins of builtins.txt, no network.
func capabilities(tests bool) *ast.Capabilities {
	if tests {
		return builtins("", "root", "test")
	}
	return builtins("", "root")
}

// builtins returns the capabilities of builtins.txt that carry one of marks.
func builtins(marks ...string) *ast.Capabilities {
	allowed := map[string]bool{}
	for line := range strings.Lines(builtinsText) {
		name, mark, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name != "" && name != "#" && slices.Contains(marks, mark) {
			allowed[name] = true
		}
	}
	c := ast.CapabilitiesForThisVersion()
	c.Builtins = slices.DeleteFunc(slices.Clone(c.Builtins), func(b *ast.Builtin) bool { return !allowed[b.Name] })
	c.AllowNet = []string{}
	return c
}

func newCompiler(tests bool) *ast.Compiler {
	return compilerFor(capabilities(tests), tests)
}

func compilerFor(c *ast.Capabilities, prints bool) *ast.Compiler {
	types := ast.NewSchemaSet()
	input := checkable(rawSchema("input.json"), nil)
	types.Put(ast.SchemaRootRef, input)
	types.Put(ast.MustParseRef("schema.input"), input)
	return ast.NewCompiler().
		WithStrict(true).
		WithCapabilities(c).
		WithSchemas(types).
		WithUseTypeCheckAnnotations(true).
		WithEnablePrintStatements(prints).
		WithDefaultRegoVersion(ast.RegoV1).
		SetErrorLimit(0)
}

// compile compiles the modules of b that decide, or with tests all of them. An error is an *Errors.
func (b *Bundle) compile(tests bool) (*ast.Compiler, error) {
	return b.compileWith(newCompiler(tests), b.parsed(tests), !tests)
}

func (b *Bundle) compileWith(c *ast.Compiler, modules map[string]*ast.Module, ordered bool) (*ast.Compiler, error) {
	c.Compile(modules)
	var r report
	if c.Failed() {
		addCompileErrors(c.Errors, &r)
		return nil, r.err(b.dir)
	}
	checkDataRefs(c, &r)
	if ordered {
		lintOrder(c, &r)
	}
	return c, r.err(b.dir)
}

// parsed returns the root's modules, or with tests all: theirs, the overlays and theirs.
func (b *Bundle) parsed(tests bool) map[string]*ast.Module {
	modules := map[string]*ast.Module{}
	for _, m := range b.modules {
		if tests || !m.test && m.overlay == "" {
			modules[m.file] = m.parsed
		}
	}
	return modules
}

// addCompileErrors reports what OPA's compiler found, with the nearest name that it would take.
func addCompileErrors(errs ast.Errors, r *report) {
	for _, e := range errs {
		file, line := "", 0
		if e.Location != nil {
			file, line = e.Location.File, e.Location.Row
		}
		r.add(file, line, "%s", compileError(e))
	}
}

func compileError(e *ast.Error) string {
	var wanted []string
	switch d := e.Details.(type) {
	case *ast.RefErrInvalidDetail:
		for _, v := range d.OneOf {
			if s, ok := v.(ast.String); ok {
				wanted = append(wanted, string(s))
			}
		}
		if s, ok := d.Ref[d.Pos].Value.(ast.String); ok && len(wanted) > 0 {
			return fmt.Sprintf("%s: unknown member %q%s", d.Ref, string(s), oneOf(string(s), wanted))
		}
	}
	if name, ok := strings.CutPrefix(e.Message, "undefined function "); ok {
		if _, exists := ast.BuiltinMap[name]; exists {
			return fmt.Sprintf("the builtin %s is not allowed in policies; decide from input and data alone (authz/policy/builtins.txt says why)", name)
		}
	}
	if e.Details != nil {
		var details []string
		for _, line := range e.Details.Lines() {
			details = append(details, strings.Join(strings.Fields(line), " "))
		}
		return fmt.Sprintf("%s (%s); correct it", e.Message, strings.Join(details, ", "))
	}
	return e.Message + "; correct it"
}

// requireDecision wants a rule at the entrypoint.
func requireDecision(c *ast.Compiler, r *report) {
	if len(c.GetRulesExact(entrypointRef)) == 0 {
		r.add("", 0, "no rule %s; write the rule that decides", entrypoint)
	}
}

// compileFailure turns an error of OPA's query or test machinery into an *Errors where it can.
func compileFailure(dir string, err error) error {
	var errs ast.Errors
	if !errors.As(err, &errs) {
		return err
	}
	var r report
	addCompileErrors(errs, &r)
	return r.err(dir)
}

// checkable rewrites a JSON Schema into what OPA's type checker makes good types of. It knows neither null nor unions, and would
// refuse a comparison with null: what may be null keeps its members but loses its scalar type, and a union becomes anything.
func checkable(v any, defs map[string]any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = checkable(e, defs)
		}
		return out
	case map[string]any:
		if d, ok := v["$defs"].(map[string]any); ok {
			defs = d
		}
		if types, ok := v["type"].([]any); ok {
			return nullable(v, slices.DeleteFunc(slices.Clone(types), func(t any) bool { return t == "null" }), defs)
		}
		if alternatives, ok := v["anyOf"].([]any); ok {
			return union(alternatives, defs)
		}
		out := map[string]any{}
		for k, e := range v {
			if k != "$schema" {
				out[k] = checkable(e, defs)
			}
		}
		return out
	}
	return v
}

func nullable(v map[string]any, types []any, defs map[string]any) any {
	if len(types) != 1 || types[0] != "object" && types[0] != "array" {
		return map[string]any{}
	}
	out := map[string]any{}
	for k, e := range v {
		out[k] = checkable(e, defs)
	}
	out["type"] = types[0]
	return out
}

func union(alternatives []any, defs map[string]any) any {
	rest := slices.DeleteFunc(slices.Clone(alternatives), func(a any) bool {
		m, _ := a.(map[string]any)
		return m["type"] == "null"
	})
	if len(rest) != 1 {
		return map[string]any{}
	}
	ref, _ := rest[0].(map[string]any)["$ref"].(string)
	def, _ := defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	if def["type"] != "object" {
		return map[string]any{}
	}
	return rest[0]
}
