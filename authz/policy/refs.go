package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// checkDataRefs reports references under data to what can't exist: OPA takes them for undefined, and a misspelt fact would never
// prove anything. Packages and rules come from the compiled modules, documents from policies/schemas/data.json.
func checkDataRefs(c *ast.Compiler, r *report) {
	documents, err := newSchemas().compiler.Compile(schemaBase + "data.json")
	must(err)
	for _, name := range slices.Sorted(maps.Keys(c.Modules)) {
		ast.WalkRefs(c.Modules[name], func(ref ast.Ref) bool {
			if !ref.HasPrefix(ast.DefaultRootRef) || len(ref) == 1 {
				return false
			}
			pos, known := unknownElement(c.RuleTree, documents, ref)
			if pos > 0 {
				word := string(ref[pos].Value.(ast.String))
				line := 0
				if l := ref[0].Location; l != nil {
					line = l.Row
				}
				r.add(name, line, "%s: unknown name %q%s", original(c, ref[:pos+1]), word, oneOf(word, known))
			}
			return false
		})
	}
}

// original returns ref with the names that its author gave the variables.
func original(c *ast.Compiler, ref ast.Ref) ast.Ref {
	out := ref.Copy()
	if v, ok := out[0].Value.(ast.Var); ok {
		if name, ok := c.RewrittenVars[v]; ok {
			out[0] = ast.NewTerm(name)
		}
	}
	for i, t := range out[1:] {
		if v, ok := t.Value.(ast.Var); ok {
			name, ok := c.RewrittenVars[v]
			if !ok {
				name = "_" // an expression
			}
			out[i+1] = ast.NewTerm(name)
		}
	}
	return out
}

// unknownElement returns the position of the first element of ref that nothing is called, and what it could be called; else 0.
func unknownElement(rules *ast.TreeNode, documents *jsonschema.Schema, ref ast.Ref) (int, []string) {
	root := rules.Child(ast.DefaultRootDocument.Value)
	first, ok := ref[1].Value.(ast.String)
	if !ok || first == "overlay" { // modules.go says who may
		return 0, nil
	}
	if _, ok := documents.Properties[string(first)]; ok {
		return unknownMember(documents, ref)
	}
	node := root
	for i := 1; i < len(ref); i++ {
		if node == nil || len(node.Values) > 0 {
			return 0, nil
		}
		s, ok := ref[i].Value.(ast.String)
		if !ok {
			return 0, nil
		}
		next := node.Child(s)
		if next == nil {
			names := childNames(node)
			if i == 1 {
				names = append(names, slices.Collect(maps.Keys(documents.Properties))...)
			}
			return i, names
		}
		node = next
	}
	return 0, nil
}

func childNames(n *ast.TreeNode) []string {
	var names []string
	for key := range n.Children {
		if s, ok := key.(ast.String); ok && !strings.HasPrefix(string(s), "test_") {
			names = append(names, string(s))
		}
	}
	return names
}

// unknownMember follows ref into the schema of data; where the schema leaves a choice, anything goes.
func unknownMember(s *jsonschema.Schema, ref ast.Ref) (int, []string) {
	for i := 1; i < len(ref); i++ {
		for s.Ref != nil {
			s = s.Ref
		}
		name, text := ref[i].Value.(ast.String)
		additional, open := s.AdditionalProperties.(*jsonschema.Schema)
		member, ok := s.Properties[string(name)]
		switch {
		case text && ok:
			s = member
		case open:
			s = additional
		case s.Items2020 != nil:
			s = s.Items2020
		case text && s.AdditionalProperties == false:
			return i, slices.Collect(maps.Keys(s.Properties))
		default:
			return 0, nil
		}
	}
	return 0, nil
}
