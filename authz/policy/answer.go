package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/sallyport-dev/sallyport/authz"
)

var entrypointRef = ast.MustParseRef(entrypoint)

// answer is what Rego said at the entrypoint: exactly allow, unproven, reasons and obligations, of the right types, and not judged yet.
type answer struct {
	allow             bool
	unproven, reasons []string
	obligations       []authz.Obligation
}

// decision judges an answer: its ids are known and distinct, and its members agree with each other. Whatever else it is, it is an
// error, and no error is an allow.
func (a answer) decision(known map[authz.Reason]bool) (authz.Decision, error) {
	var d authz.Decision
	var err error
	if d.Unproven, err = reasons("unproven", a.unproven, known); err != nil {
		return authz.Decision{}, err
	}
	if d.Reasons, err = reasons("reasons", a.reasons, known); err != nil {
		return authz.Decision{}, err
	}
	slices.SortFunc(a.obligations, func(a, b authz.Obligation) int { return strings.Compare(a.ID, b.ID) })
	d.Obligations = append([]authz.Obligation{}, a.obligations...)
	for i, o := range d.Obligations {
		if o.ID == "" || i > 0 && o.ID == d.Obligations[i-1].ID {
			return authz.Decision{}, fmt.Errorf("obligations holds %q, which is empty or there twice", o.ID)
		}
		slices.Sort(o.Fields)
	}
	for _, r := range d.Reasons {
		if !slices.Contains(d.Unproven, r) {
			return authz.Decision{}, fmt.Errorf("reason %q is not among the unproven", r)
		}
	}
	if len(d.Unproven) > 0 && len(d.Reasons) == 0 {
		return authz.Decision{}, errors.New("something is unproven for no reason")
	}
	if a.allow != (len(d.Unproven) == 0) {
		return authz.Decision{}, fmt.Errorf("allow is %t with %d checks unproven", a.allow, len(d.Unproven))
	}
	d.Allow = a.allow
	return d, nil
}

func reasons(name string, ids []string, known map[authz.Reason]bool) ([]authz.Reason, error) {
	out := make([]authz.Reason, len(ids))
	for i, id := range ids {
		if out[i] = authz.Reason(id); !known[out[i]] {
			return nil, fmt.Errorf("%s holds %q, which is no id of the catalogue", name, id)
		}
	}
	slices.Sort(out)
	if len(slices.Compact(out)) != len(ids) {
		return nil, fmt.Errorf("%s holds an id twice", name)
	}
	return out, nil
}

var errShape = errors.New("the answer is not one object of allow, unproven, reasons and obligations")

// unchanged keeps the answer as OPA has it, without a detour over Go's maps.
func unchanged(t *ast.Term, _ *rego.EvalContext) (any, error) { return t.Value, nil }

// answerOf reads the results of topdown.
func answerOf(results rego.ResultSet) (a answer, err error) {
	if len(results) != 1 || len(results[0].Expressions) != 1 {
		return a, fmt.Errorf("%d results, want one", len(results))
	}
	object, ok := results[0].Expressions[0].Value.(ast.Object)
	if !ok || object.Len() != 4 {
		return a, errShape
	}
	allow, ok := member(object, "allow").(ast.Boolean)
	a.allow = bool(allow)
	id := func(v ast.Value) (string, bool) { s, ok := v.(ast.String); return string(s), ok }
	for name, ids := range map[string]*[]string{"unproven": &a.unproven, "reasons": &a.reasons} {
		ok = elements(member(object, name), ids, id) && ok
	}
	ok = elements(member(object, "obligations"), &a.obligations, func(v ast.Value) (o authz.Obligation, ok bool) {
		object, ok := v.(ast.Object)
		if !ok {
			return o, false
		}
		o.ID, ok = id(member(object, "id"))
		fields := member(object, "fields")
		if fields != nil {
			ok = elements(fields, &o.Fields, id) && ok && object.Len() == 2
			return o, ok
		}
		return o, ok && object.Len() == 1
	}) && ok
	if !ok {
		return answer{}, errShape
	}
	return a, nil
}

// member returns the member of that name, nil if there is none.
func member(o ast.Object, name string) ast.Value {
	if t := o.Get(ast.StringTerm(name)); t != nil {
		return t.Value
	}
	return nil
}

// elements reads the elements of a set or an array into out; false if v is neither or holds what read does not take.
func elements[E any](v ast.Value, out *[]E, read func(ast.Value) (E, bool)) bool {
	good := true
	add := func(t *ast.Term) {
		s, ok := read(t.Value)
		good = good && ok
		*out = append(*out, s)
	}
	switch v := v.(type) {
	case ast.Set:
		v.Foreach(add)
	case *ast.Array:
		v.Foreach(add)
	default:
		return false
	}
	return good
}

// parseAnswer reads the results of Wasm, which writes them as JSON without spaces, sets as lists.
func parseAnswer(results []byte) (answer, error) {
	p := answerParser{rest: results, ok: true}
	var a answer
	p.want(`[{"result":{`)
	for i, seen := 0, ""; i < 4; i++ {
		if i > 0 {
			p.want(`,`)
		}
		name := p.text()
		p.want(`:`)
		switch name {
		case "allow":
			if a.allow = p.has("true"); !a.allow {
				p.want("false")
			}
		case "unproven":
			a.unproven = list(&p, p.text)
		case "reasons":
			a.reasons = list(&p, p.text)
		case "obligations":
			a.obligations = list(&p, func() (o authz.Obligation) {
				p.want(`{`)
				if p.has(`"fields":`) { // members come in the order of their names
					o.Fields = list(&p, p.text)
					p.want(`,`)
				}
				p.want(`"id":`)
				o.ID = p.text()
				p.want(`}`)
				return o
			})
		default:
			p.ok = false
		}
		p.ok = p.ok && !strings.Contains(seen, name)
		seen += name + " "
	}
	p.want(`}}]`)
	if !p.ok || len(p.rest) > 0 {
		return answer{}, errShape
	}
	return a, nil
}

// answerParser takes one text after the other from rest, until something is not what it must be.
type answerParser struct {
	rest []byte
	ok   bool
}

func (p *answerParser) has(s string) bool {
	rest, ok := bytes.CutPrefix(p.rest, []byte(s))
	p.rest = rest
	return ok
}

func (p *answerParser) want(s string) { p.ok = p.ok && p.has(s) }

func (p *answerParser) text() string {
	if !p.ok || len(p.rest) == 0 || p.rest[0] != '"' {
		p.ok = false
		return ""
	}
	plain := true
	for i := 1; i < len(p.rest); i++ {
		switch p.rest[i] {
		case '\\':
			plain = false
			i++
		case '"':
			s := p.rest[:i+1]
			p.rest = p.rest[i+1:]
			if plain {
				return string(s[1:i])
			}
			var text string
			p.ok = json.Unmarshal(s, &text) == nil
			return text
		}
	}
	p.ok = false
	return ""
}

func list[E any](p *answerParser, element func() E) []E {
	p.want(`[`)
	var out []E
	for p.ok && !p.has(`]`) {
		if len(out) > 0 {
			p.want(`,`)
		}
		out = append(out, element())
	}
	return out
}
