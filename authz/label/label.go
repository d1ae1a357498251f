// Package label reads and writes labels and clearances in the forms that others use: JSON, display markings, ADatP-4774 XML, and the
// headers SIO-Label and X-Protective-Marking.
//
// A form is only a way of writing; what its words mean is in the schemes, which are data (policies/schemes). No nation, level or
// marking is known to this package, and a new scheme needs no Go.
//
// Invariants: nothing that is not understood is dropped. An unknown policy, level, tag set, value or parameter is an error that names
// it, and so is whatever a form can't say when a label is written. What is read holds every list, is free of repeated values, and has
// them in the order of the scheme (countries by their code), so parse(print(x)) = x. Inputs are bounded (see the constants).
//
// Non-goals: whether a label is valid or who may see it (that is policy), signatures and the binding of labels to data (ADatP-4778),
// ASN.1 labels (RFC 2634). Release lists are countries in the form of ISO 3166-1 alpha-3; which codes exist is not known here.
//
// Rules: reference X.841 and ADatP-4774 edition A (labels, clearances, semantics of tag types), ADatP-4774.1 table 14 (aciClr),
// RFC 7444 and RFC 8187 (SIO-Label), the Australian Email Protective Marking Standard.
package label

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/label/strictxml"
)

// Limits of what is read.
const (
	MaxBytes        = 16 << 10 // of a document or a header, before base64 is undone
	MaxMarking      = 1 << 10  // bytes of a display marking
	maxValues       = 256      // values of one list
	maxAlternatives = 16
	maxText         = 256 // bytes of one name
)

// quote makes what a stranger wrote safe for an error, and short.
var quote = strictxml.Quote

// Check returns an error that names the first part of l that its scheme has no word for, or that stands there twice.
func (s *Schemes) Check(l authz.Label) error {
	if err := s.checkOne(l); err != nil {
		return err
	}
	if len(l.Alternatives) > maxAlternatives {
		return fmt.Errorf("alternatives: %d, want at most %d", len(l.Alternatives), maxAlternatives)
	}
	for i, a := range l.Alternatives {
		if len(a.Alternatives) > 0 {
			return fmt.Errorf("alternatives[%d]: has alternatives of its own", i)
		}
		if err := s.checkOne(a); err != nil {
			return fmt.Errorf("alternatives[%d]: %w", i, err)
		}
	}
	return nil
}

func (s *Schemes) checkOne(l authz.Label) error {
	sc, err := s.scheme(l.Scheme)
	if err != nil {
		return err
	}
	if _, ok := sc.level(l.Level); !ok {
		return fmt.Errorf("level %s: %s has no such level", quote(l.Level), sc.id)
	}
	if err := sc.checkCategories(l.Categories, "restrictive", "permissive", "informative"); err != nil {
		return err
	}
	for _, flat := range []struct {
		kind   string
		values []string
	}{{"nation", l.Nation}, {"handling", l.Handling}} {
		for i, v := range flat.values {
			if sc.setOf(flat.kind, v) == nil {
				return fmt.Errorf("%s value %s: %s has no such value", flat.kind, quote(v), sc.id)
			}
			if slices.Contains(flat.values[:i], v) {
				return fmt.Errorf("%s value %s: is there twice", flat.kind, quote(v))
			}
		}
	}
	for _, list := range lists {
		if err := checkCountries(list.of(&l)); err != nil {
			return fmt.Errorf("%s: %w", list.name, err)
		}
	}
	return nil
}

// CheckClearance does for a clearance what Check does for a label.
func (s *Schemes) CheckClearance(c authz.Clearance) error {
	sc, err := s.scheme(c.Scheme)
	if err != nil {
		return err
	}
	for i, id := range c.Levels {
		if _, ok := sc.level(id); !ok {
			return fmt.Errorf("level %s: %s has no such level", quote(id), sc.id)
		}
		if slices.Contains(c.Levels[:i], id) {
			return fmt.Errorf("level %s: is there twice", quote(id))
		}
	}
	if _, ok := sc.data.Native[c.Native]; !ok && c.Native != "" {
		return fmt.Errorf("native clearance %s: %s has no such clearance", quote(c.Native), sc.id)
	}
	return sc.checkCategories(c.Categories, "restrictive", "permissive")
}

func (sc *scheme) checkCategories(categories map[string][]string, kinds ...string) error {
	for _, name := range slices.Sorted(maps.Keys(categories)) {
		set := sc.sets[name]
		if set == nil || !slices.Contains(kinds, set.kind) {
			return fmt.Errorf("tag set %s: %s has no such %s tag set", quote(name), sc.id, strings.Join(kinds, " or "))
		}
		for i, v := range categories[name] {
			if !set.has(v) {
				return fmt.Errorf("value %s of tag set %s: %s has no such value", quote(v), quote(name), sc.id)
			}
			if slices.Contains(categories[name][:i], v) {
				return fmt.Errorf("value %s of tag set %s: is there twice", quote(v), quote(name))
			}
		}
	}
	return nil
}

func checkCountries(list []string) error {
	if len(list) > maxValues {
		return fmt.Errorf("%d countries, want at most %d", len(list), maxValues)
	}
	for i, c := range list {
		if !isCountry(c) {
			return fmt.Errorf("country %s: want three capital letters (ISO 3166-1 alpha-3)", quote(c))
		}
		if slices.Contains(list[:i], c) {
			return fmt.Errorf("country %s: is there twice", c)
		}
	}
	return nil
}

func isCountry(s string) bool {
	return len(s) == 3 && strings.IndexFunc(s, func(c rune) bool { return c < 'A' || c > 'Z' }) < 0
}

// countryList is one of a label's lists of countries.
type countryList struct {
	name string // in data and in errors
	tag  string // the tag set of ADatP-4774 where the scheme gives it no name
	of   func(*authz.Label) []string
	set  func(*authz.Label, []string)
}

var lists = []countryList{
	{"release", "Releasable To", func(l *authz.Label) []string { return l.Release }, func(l *authz.Label, c []string) { l.Release = c }},
	{"display", "Display Only", func(l *authz.Label) []string { return l.Display }, func(l *authz.Label, c []string) { l.Display = c }},
}

// empty is a label of which nothing is known but that it is whole: it has no values.
func empty() authz.Label {
	return authz.Label{Categories: map[string][]string{}, Nation: []string{}, Handling: []string{}, Alternatives: []authz.Label{}}
}

// add puts a value of a set where it belongs in a label.
func (set *tagSet) add(l *authz.Label, id string) error {
	values := set.values(*l)
	if slices.Contains(values, id) {
		return fmt.Errorf("%s is there twice", quote(id))
	}
	if len(values) >= maxValues {
		return fmt.Errorf("more than %d values of %s", maxValues, quote(set.name))
	}
	switch set.kind {
	case "nation":
		l.Nation = append(l.Nation, id)
	case "handling":
		l.Handling = append(l.Handling, id)
	default:
		l.Categories[set.name] = append(l.Categories[set.name], id)
	}
	return nil
}

// values returns what a label says of a set, in the order of the scheme.
func (set *tagSet) values(l authz.Label) (values []string) {
	carried := l.Categories[set.name]
	switch set.kind {
	case "nation":
		carried = l.Nation
	case "handling":
		carried = l.Handling
	}
	for _, w := range set.words {
		if slices.Contains(carried, w.id) {
			values = append(values, w.id)
		}
	}
	return values
}

// sorted puts the values of l into the order of the scheme.
func (sc *scheme) sorted(l authz.Label) authz.Label {
	out := l
	out.Categories, out.Nation, out.Handling = map[string][]string{}, []string{}, []string{}
	for _, name := range sc.order {
		set := sc.sets[name]
		values := set.values(l)
		switch set.kind {
		case "nation":
			out.Nation = append(out.Nation, values...)
		case "handling":
			out.Handling = append(out.Handling, values...)
		default:
			if _, ok := l.Categories[name]; ok {
				out.Categories[name] = append([]string{}, values...)
			}
		}
	}
	for _, list := range lists {
		if c := list.of(&l); c != nil {
			c = append([]string{}, c...)
			slices.Sort(c)
			list.set(&out, c)
		}
	}
	return out
}

// printable refuses text by which two names could look the same in a log, or that a form can't hold.
func printable(s string) error {
	switch {
	case s == "" || len(s) > maxText:
		return fmt.Errorf("%s: want 1 to %d bytes", quote(s), maxText)
	case strings.IndexFunc(s, func(c rune) bool { return !unicode.IsPrint(c) || c == unicode.ReplacementChar }) >= 0:
		return fmt.Errorf("%s: want printable characters", quote(s))
	}
	return nil
}

var errAlternatives = errors.New("alternatives: this form holds one label; write each by itself")

// equal compares labels whose values are in the order of their scheme.
func equal(a, b authz.Label) bool {
	return a.Scheme == b.Scheme && a.Level == b.Level && a.Created.Equal(b.Created.Time) &&
		maps.EqualFunc(a.Categories, b.Categories, slices.Equal) && slices.Equal(a.Nation, b.Nation) && slices.Equal(a.Handling, b.Handling) &&
		!slices.ContainsFunc(lists, func(list countryList) bool {
			x, y := list.of(&a), list.of(&b)
			return (x == nil) != (y == nil) || !slices.Equal(x, y)
		}) && len(a.Alternatives) == 0 && len(b.Alternatives) == 0
}
