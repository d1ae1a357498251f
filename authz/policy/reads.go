package policy

import "github.com/open-policy-agent/opa/v1/ast"

// readsResourceID reports whether the rules of a document, or what they ask, may read input.resource.id. Whatever is not plainly
// something else counts: input or input.resource as a value, a member picked by a variable, a replaced input.
func readsResourceID(c *ast.Compiler, document ast.Ref) bool {
	reads := false
	for r := range asked(c, document) {
		v := ast.NewGenericVisitor(func(x any) bool {
			switch x := x.(type) {
			case ast.Ref:
				reads = reads || refReadsID(x)
			case ast.Var:
				reads = reads || x == ast.InputRootDocument.Value
			}
			if ref, ok := x.(ast.Ref); ok && ref.HasPrefix(ast.InputRootRef) {
				// Its head is judged with it; what picks its members is not.
				for _, t := range ref[1:] {
					reads = reads || termReadsID(t)
				}
				return true
			}
			return reads
		})
		v.Walk(r)
	}
	return reads
}

// asked returns the rules of a document and all that they lead to: what else a bundle has, such as words that explain a decision, is
// never evaluated for it.
func asked(c *ast.Compiler, document ast.Ref) map[*ast.Rule]bool {
	all := map[*ast.Rule]bool{}
	var add func(*ast.Rule)
	add = func(r *ast.Rule) {
		if r == nil || all[r] {
			return
		}
		all[r] = true
		add(r.Else)
		for next := range c.Graph.Dependencies(r) {
			if rule, ok := next.(*ast.Rule); ok {
				add(rule)
			}
		}
	}
	for _, r := range c.GetRules(document) {
		add(r)
	}
	return all
}

func termReadsID(t *ast.Term) bool {
	reads := false
	ast.WalkRefs(t, func(r ast.Ref) bool {
		reads = reads || refReadsID(r)
		return reads
	})
	return reads
}

// refReadsID reports whether a reference may reach input.resource.id.
func refReadsID(r ast.Ref) bool {
	if !r.HasPrefix(ast.InputRootRef) {
		return false
	}
	for i, name := range []ast.String{"resource", "id"} {
		if len(r) <= i+1 {
			return true // the whole of input, or of input.resource
		}
		s, ok := r[i+1].Value.(ast.String)
		if !ok {
			return true // any member
		}
		if s != name {
			return false
		}
	}
	return true
}
