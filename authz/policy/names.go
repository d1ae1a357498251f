package policy

import "github.com/open-policy-agent/opa/v1/ast"

// lintNames reports rules that compare levels by their names alone. A level has the same name in several schemes and means something in
// its own only, so the schemes are compared too, or an equivalence says what one is in the other.
func (b *Bundle) lintNames(r *report) {
	for _, m := range b.modules {
		if m.test {
			continue
		}
		ast.WalkRules(m.parsed, func(rule *ast.Rule) bool {
			compared := comparisons(rule)
			for _, c := range compared {
				if c.member == "level" && !c.of("scheme", compared) {
					r.add(m.file, c.line, "%s and %s are compared by name; levels mean something in their scheme only: compare the schemes too, or use an equivalence", c.a, c.b)
				}
			}
			return false
		})
	}
}

// comparison is of the same member of two things.
type comparison struct {
	a, b   ast.Ref
	member string
	line   int
}

// of reports whether another member of the same two things is compared.
func (c comparison) of(member string, all []comparison) bool {
	for _, o := range all {
		if o.member == member && (owner(o.a).Equal(owner(c.a)) && owner(o.b).Equal(owner(c.b)) || owner(o.a).Equal(owner(c.b)) && owner(o.b).Equal(owner(c.a))) {
			return true
		}
	}
	return false
}

func owner(r ast.Ref) ast.Ref { return r[:len(r)-1] }

// comparisons returns where a rule asks whether the same member of two things is equal.
func comparisons(rule *ast.Rule) (found []comparison) {
	ast.WalkExprs(rule, func(e *ast.Expr) bool {
		if !e.IsCall() || len(e.Operands()) != 2 {
			return false
		}
		switch e.Operator().String() {
		case "equal", "eq", "neq":
		default:
			return false
		}
		a, one := e.Operand(0).Value.(ast.Ref)
		b, other := e.Operand(1).Value.(ast.Ref)
		if one && other && len(a) > 1 && len(b) > 1 && a[len(a)-1].Equal(b[len(b)-1]) {
			if name, ok := a[len(a)-1].Value.(ast.String); ok {
				found = append(found, comparison{a, b, string(name), e.Location.Row})
			}
		}
		return false
	})
	return found
}
