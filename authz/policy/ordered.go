package policy

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// lintOrder reports lists that are made of a set or an object and not sorted. topdown walks those in order, Wasm does not, so whatever
// depends on the order of such a list is decided otherwise by each. The answer itself can't: its ids are sorted in Go.
//
// It sees what the compiler knows the type of: rules, literals and comprehensions. A fact of the bundle or a parameter of a function
// may be a set or an object too; what comes of that is left to the comparisons at activation and in service.
func lintOrder(c *ast.Compiler, r *report) {
	for _, file := range slices.Sorted(maps.Keys(c.Modules)) {
		ast.WalkRules(c.Modules[file], func(rule *ast.Rule) bool {
			fine := orderless(rule)
			ast.WalkTerms(rule, func(t *ast.Term) bool {
				if list, ok := t.Value.(*ast.ArrayComprehension); ok && !fine[list] {
					if source := unordered(c, rule, list); source != nil {
						r.add(file, t.Location.Row, "a list is made of %s, which has no order; sort the list, or make it a set", original(c, source))
					}
				}
				return false
			})
			return false
		})
	}
}

// orderless returns the list comprehensions of a rule that only builtins see whose result does not depend on the order: the compiler
// gives each a name, which is then an operand.
func orderless(rule *ast.Rule) map[*ast.ArrayComprehension]bool {
	fine := map[*ast.ArrayComprehension]bool{}
	lists, uses, good := map[ast.Var]*ast.ArrayComprehension{}, occurrences(rule), map[ast.Var]int{}
	ast.WalkExprs(rule, func(e *ast.Expr) bool {
		if e.IsEquality() {
			for i := range 2 {
				name, named := e.Operand(i).Value.(ast.Var)
				if list, ok := e.Operand(1 - i).Value.(*ast.ArrayComprehension); ok && named {
					lists[name] = list
				}
			}
		}
		if e.IsCall() && slices.Contains([]string{"sort", "count", "sum", "product", "max", "min"}, e.Operator().String()) {
			switch v := e.Operand(0).Value.(type) {
			case ast.Var:
				good[v]++
			case *ast.ArrayComprehension:
				fine[v] = true
			}
		}
		return false
	})
	for name, list := range lists {
		if uses[name] == good[name]+1 { // and where it gets its name
			fine[list] = true
		}
	}
	return fine
}

// unordered returns what a comprehension walks over that is a set or an object, nil if nothing is known to be.
func unordered(c *ast.Compiler, rule *ast.Rule, list *ast.ArrayComprehension) (found ast.Ref) {
	inRule, inList, earlier, sets := occurrences(rule), occurrences(list), map[ast.Var]int{}, map[ast.Var]bool{}
	for _, e := range list.Body {
		if e.IsEquality() {
			for i := range 2 {
				if name, ok := e.Operand(i).Value.(ast.Var); ok && hasNoOrder(e.Operand(1-i)) {
					sets[name] = true
				}
			}
		}
		ast.WalkRefs(e, func(ref ast.Ref) bool {
			for i := 1; i < len(ref) && found == nil; i++ {
				v, free := ref[i].Value.(ast.Var)
				if !free || earlier[v] > 0 || inRule[v] > inList[v] {
					continue // it has a value already, and picks one member
				}
				head, _ := ref[0].Value.(ast.Var)
				switch c.TypeEnv.GetByRef(ref[:i]).(type) {
				case *types.Set, *types.Object:
					found = ref[:i]
				}
				if i == 1 && sets[head] {
					found = ref[:i]
				}
			}
			return false
		})
		for v, n := range occurrences(e) {
			earlier[v] += n
		}
	}
	return found
}

func hasNoOrder(t *ast.Term) bool {
	switch t.Value.(type) {
	case ast.Set, ast.Object, *ast.SetComprehension, *ast.ObjectComprehension:
		return true
	}
	return false
}

func occurrences(x any) map[ast.Var]int {
	n := map[ast.Var]int{}
	ast.WalkVars(x, func(v ast.Var) bool { n[v]++; return false })
	return n
}
