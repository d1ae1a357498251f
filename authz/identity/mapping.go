package identity

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sallyport-dev/sallyport/authz/label"
)

// mapping is how an issuer says what we ask: by other names, by texts instead of objects, or not at all. So a token of Keycloak, or
// of a coalition's attributes (clearance, countryOfAffiliation, acpCOI), needs no change at its issuer. It changes words and never
// what the issuer may say: all of it is cut to the grant like any other claim.
type mapping struct {
	Names  map[string]string `json:"names"`  // our claim → the issuer's
	Fixed  map[string]any    `json:"fixed"`  // our claim → what every token of the issuer says, whatever is in it
	Scheme string            `json:"scheme"` // of a clearance that is a text
}

var (
	listClaims   = []string{"nationalities", "export_status", "communities", "roles"}
	mappedClaims = append([]string{"subject_type", "tenant", "affiliation", "clearances", "location", "high_water"}, listClaims...)

	// fixedClaims are what may be true of everybody that an issuer knows. Nationalities and places are not: what is fixed would hide
	// the adverse one.
	fixedClaims = []string{"subject_type", "tenant", "affiliation"}
)

// xmlClearance is the claim that is a clearance in XML by itself (ADatP-4774.1 table 14), whoever uses it.
const xmlClearance = "aciClr"

// countryOnly is the name by which the country alone of an affiliation is mapped; kind and organization are fixed then.
const countryOnly = "affiliation.country"

// check holds that each claim is mapped once, and that what is fixed could be claimed.
func (m mapping) check(schemes map[string]*scheme) error {
	for _, name := range slices.Sorted(maps.Keys(m.Names)) {
		known := name == countryOnly || slices.Contains(mappedClaims, name)
		if _, ok := m.Fixed[name]; ok || !known || m.Names[name] == "" {
			return fmt.Errorf("names.%s: want the issuer's name of %s or one of %v, and none that is fixed", name, countryOnly, mappedClaims)
		}
	}
	if _, ok := schemes[m.Scheme]; !ok && m.Scheme != "" {
		return fmt.Errorf("scheme: %s is unknown", quote(m.Scheme))
	}
	fixed := map[string]any{"subject_type": "person"}
	for _, name := range slices.Sorted(maps.Keys(m.Fixed)) {
		if !slices.Contains(fixedClaims, name) {
			return fmt.Errorf("fixed.%s: want only %v, which may be true of everybody that the issuer knows", name, fixedClaims)
		}
		fixed[name] = m.Fixed[name]
	}
	if m.Names[countryOnly] != "" {
		fixed["affiliation"] = m.affiliation("AAA")
	}
	if _, err := readClaims(fixed, schemes); err != nil {
		return errors.New("fixed: " + err.Error())
	}
	return nil
}

// apply returns the claims of a token by our names.
func (m mapping) apply(o map[string]any, schemes map[string]*scheme, forms *label.Schemes) (map[string]any, error) {
	out := map[string]any{}
	for _, name := range []string{"acr", "amr", "auth_time"} {
		if v, ok := o[name]; ok {
			out[name] = v
		}
	}
	if act, ok := o["act"]; ok {
		act, err := m.actor(act, schemes, forms, 0)
		if err != nil {
			return nil, err
		}
		out["iss"], out["act"] = o["iss"], act
	}
	for _, name := range mappedClaims {
		theirs := m.Names[name]
		if theirs == "" {
			theirs = name
		}
		v, ok := m.Fixed[name]
		if !ok {
			v, ok = o[theirs]
		}
		if !ok {
			continue
		}
		if _, text := v.(string); text && slices.Contains(listClaims, name) {
			v = []any{v}
		}
		if name == "clearances" {
			var err error
			if v, err = m.clearances(v, schemes, forms); err != nil {
				return nil, err
			}
		}
		out[name] = v
	}
	if theirs := m.Names[countryOnly]; theirs != "" {
		delete(out, "affiliation")
		if v, ok := o[theirs]; ok {
			out["affiliation"] = m.affiliation(v)
		}
	}
	return out, nil
}

// actor returns an act claim with its clearances by our name, and so on for whoever acted before.
func (m mapping) actor(v any, schemes map[string]*scheme, forms *label.Schemes, depth int) (any, error) {
	o, ok := v.(map[string]any)
	if !ok || depth > maxActors {
		return v, nil // for the reader to refuse
	}
	theirs := m.Names["clearances"]
	if theirs == "" {
		theirs = "clearances"
	}
	out := maps.Clone(o)
	delete(out, theirs)
	delete(out, "clearances")
	var err error
	if v, ok := o[theirs]; ok {
		if out["clearances"], err = m.clearances(v, schemes, forms); err != nil {
			return nil, err
		}
	}
	if act, ok := o["act"]; ok {
		if out["act"], err = m.actor(act, schemes, forms, depth+1); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// affiliation is the one that is fixed, with a country.
func (m mapping) affiliation(country any) map[string]any {
	fixed, _ := m.Fixed["affiliation"].(map[string]any)
	a := maps.Clone(fixed)
	if a == nil {
		a = map[string]any{}
	}
	a["country"] = country
	return a
}

// clearances turns texts into objects: XML by its own rules; else a level of the scheme or, where it has none of that name, a native
// word. What is no text is left for the reader to judge.
func (m mapping) clearances(v any, schemes map[string]*scheme, forms *label.Schemes) (any, error) {
	if _, ok := v.(string); ok {
		v = []any{v}
	}
	l, ok := v.([]any)
	if !ok {
		return v, nil
	}
	out := make([]any, len(l))
	for n, v := range l {
		text, ok := v.(string)
		switch {
		case m.Names["clearances"] == xmlClearance:
			c, err := forms.ParseACIClr(text)
			if err != nil { // whose text may hold words of the claim
				return nil, fmt.Errorf("%s[%d]: want a clearance in XML of a policy of the bundle, in base64url", xmlClearance, n)
			}
			out[n] = map[string]any{"scheme": c.Scheme, "levels": anys(c.Levels), "categories": anyLists(c.Categories)}
		case ok && m.Scheme != "":
			word, s := "level", schemes[m.Scheme]
			if _, ok := s.rank[text]; !ok && s.native[text] != nil {
				word = "native"
			}
			out[n] = map[string]any{"scheme": m.Scheme, word: text}
		default:
			out[n] = v
		}
	}
	return out, nil
}

func anys(texts []string) []any {
	out := make([]any, len(texts))
	for n, t := range texts {
		out[n] = t
	}
	return out
}

func anyLists(sets map[string][]string) map[string]any {
	out := map[string]any{}
	for name, values := range sets {
		out[name] = anys(values)
	}
	return out
}
