package identity

import (
	"errors"
	"fmt"
	"maps"
	"slices"
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
func (m mapping) apply(o map[string]any, schemes map[string]*scheme) map[string]any {
	out := map[string]any{}
	for _, name := range []string{"acr", "amr", "auth_time"} {
		if v, ok := o[name]; ok {
			out[name] = v
		}
	}
	if act, ok := o["act"]; ok {
		out["iss"], out["act"] = o["iss"], m.actor(act, schemes, 0)
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
		if _, text := v.(string); text && (name == "clearances" || slices.Contains(listClaims, name)) {
			v = []any{v}
		}
		if l, ok := v.([]any); ok && name == "clearances" && m.Scheme != "" {
			v = m.clearances(l, schemes[m.Scheme])
		}
		out[name] = v
	}
	if theirs := m.Names[countryOnly]; theirs != "" {
		delete(out, "affiliation")
		if v, ok := o[theirs]; ok {
			out["affiliation"] = m.affiliation(v)
		}
	}
	return out
}

// actor returns an act claim with its clearances by our name, and so on for whoever acted before.
func (m mapping) actor(v any, schemes map[string]*scheme, depth int) any {
	o, ok := v.(map[string]any)
	if !ok || depth > maxActors {
		return v // for the reader to refuse
	}
	out := maps.Clone(o)
	if theirs := m.Names["clearances"]; theirs != "" {
		delete(out, theirs)
		delete(out, "clearances")
		if v, ok := o[theirs]; ok {
			out["clearances"] = v
		}
	}
	if _, text := out["clearances"].(string); text {
		out["clearances"] = []any{out["clearances"]}
	}
	if l, ok := out["clearances"].([]any); ok && m.Scheme != "" {
		out["clearances"] = m.clearances(l, schemes[m.Scheme])
	}
	if act, ok := o["act"]; ok {
		out["act"] = m.actor(act, schemes, depth+1)
	}
	return out
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

// clearances turns texts into objects: a level of the scheme or, where it has none of that name, a native word.
func (m mapping) clearances(l []any, s *scheme) []any {
	out := make([]any, len(l))
	for n, v := range l {
		text, ok := v.(string)
		if !ok {
			out[n] = v
			continue
		}
		word := "level"
		if _, ok := s.rank[text]; !ok && s.native[text] != nil {
			word = "native"
		}
		out[n] = map[string]any{"scheme": m.Scheme, word: text}
	}
	return out
}
