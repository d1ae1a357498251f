package policy

import (
	"errors"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/sallyport-dev/sallyport/authz"
)

var entrypointRef = ast.MustParseRef(entrypoint)

// asValue keeps the answer as OPA has it: as JSON, sets and arrays could not be told apart.
func asValue(t *ast.Term, _ *rego.EvalContext) (any, error) { return t.Value, nil }

// readAnswer reads what Rego answered at the entrypoint, strictly: one object of exactly allow, unproven, reasons and obligations,
// which agree with each other. Whatever else it is, it is an error, and no error is an allow.
func readAnswer(results rego.ResultSet, known map[authz.Reason]bool) (authz.Decision, error) {
	if len(results) != 1 || len(results[0].Expressions) != 1 {
		return authz.Decision{}, fmt.Errorf("%d results, want one", len(results))
	}
	object, ok := results[0].Expressions[0].Value.(ast.Object)
	if !ok || object.Len() != 4 {
		return authz.Decision{}, errors.New("the answer is not an object of allow, unproven, reasons and obligations")
	}
	var d authz.Decision
	var err error
	allow, ok := member(object, "allow").(ast.Boolean)
	if !ok {
		return authz.Decision{}, errors.New("allow is no boolean")
	}
	if d.Unproven, err = readReasons(object, "unproven", known); err != nil {
		return authz.Decision{}, err
	}
	if d.Reasons, err = readReasons(object, "reasons", known); err != nil {
		return authz.Decision{}, err
	}
	if d.Obligations, err = readObligations(object); err != nil {
		return authz.Decision{}, err
	}
	for _, r := range d.Reasons {
		if !slices.Contains(d.Unproven, r) {
			return authz.Decision{}, fmt.Errorf("reason %q is not among the unproven", r)
		}
	}
	if len(d.Unproven) > 0 && len(d.Reasons) == 0 {
		return authz.Decision{}, errors.New("something is unproven for no reason")
	}
	if bool(allow) != (len(d.Unproven) == 0) {
		return authz.Decision{}, fmt.Errorf("allow is %t with %d checks unproven", allow, len(d.Unproven))
	}
	d.Allow = bool(allow)
	return d, nil
}

// member returns the member of that name, nil if there is none.
func member(o ast.Object, name string) ast.Value {
	if t := o.Get(ast.StringTerm(name)); t != nil {
		return t.Value
	}
	return nil
}

// elements returns the elements of a set or an array; false if v is neither or holds an element twice.
func elements(v ast.Value) ([]ast.Value, bool) {
	var out []ast.Value
	distinct := true
	add := func(t *ast.Term) {
		distinct = distinct && !slices.ContainsFunc(out, func(o ast.Value) bool { return o.Compare(t.Value) == 0 })
		out = append(out, t.Value)
	}
	switch v := v.(type) {
	case ast.Set:
		v.Foreach(add)
	case *ast.Array:
		v.Foreach(add)
	default:
		return nil, false
	}
	return out, distinct
}

func readReasons(o ast.Object, name string, known map[authz.Reason]bool) ([]authz.Reason, error) {
	values, ok := elements(member(o, name))
	if !ok {
		return nil, fmt.Errorf("%s is no set or list of distinct ids", name)
	}
	out := make([]authz.Reason, len(values))
	for i, v := range values {
		s, ok := v.(ast.String)
		if !ok || !known[authz.Reason(s)] {
			return nil, fmt.Errorf("%s holds %v, which is no id of the catalogue", name, v)
		}
		out[i] = authz.Reason(s)
	}
	slices.Sort(out)
	return out, nil
}

func readObligations(o ast.Object) ([]authz.Obligation, error) {
	values, ok := elements(member(o, "obligations"))
	if !ok {
		return nil, errors.New("obligations is no set or list of distinct obligations")
	}
	out := make([]authz.Obligation, len(values))
	for i, v := range values {
		object, ok := v.(ast.Object)
		if !ok || object.Len() != 1 {
			return nil, fmt.Errorf("obligations holds %v, which is no object of id alone", v)
		}
		id, ok := member(object, "id").(ast.String)
		if !ok || id == "" {
			return nil, fmt.Errorf("obligations holds %v, whose id is no text", v)
		}
		out[i] = authz.Obligation{ID: string(id)}
	}
	slices.SortFunc(out, func(a, b authz.Obligation) int { return ast.String(a.ID).Compare(ast.String(b.ID)) })
	return out, nil
}
