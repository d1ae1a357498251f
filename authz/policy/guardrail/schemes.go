package guardrail

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sallyport-dev/sallyport/authz"
)

// everyScheme tries each scheme of the bundle in the invented world: each level against each lower clearance, and each value against
// whoever lacks what it asks for.
func (s *scope) everyScheme(b *book) {
	for _, id := range slices.Sorted(maps.Keys(s.facts.Schemes)) {
		sc := s.facts.Schemes[id]
		ladder := sc.ladder()
		for i, level := range ladder {
			w := s.inScheme(id, level, "", "")
			for _, lower := range append([]string{""}, ladder[:i]...) {
				b.deny("I-1", w, "clearance.level", fmt.Sprintf("cleared up to %q", lower), in(subject+"clearances.0.levels", append([]string{}, sc.upTo(lower)...)))
			}
			for _, other := range slices.Sorted(maps.Keys(s.facts.Schemes)) {
				if s.facts.Schemes[other].Nation != sc.Nation && other != id {
					b.deny("I-8", w, "clearance.missing", "with a clearance of "+other+" that has the same name", in(subject+"clearances.0.scheme", other))
					break
				}
			}
		}
		for _, set := range slices.Sorted(maps.Keys(sc.TagSets)) {
			for _, v := range sc.TagSets[set].Values {
				s.denyValue(b, id, set, v)
			}
		}
	}
}

// inScheme is a member's read in the invented world of what carries one label of a scheme, by someone of its nation who has exactly that.
// Where the label is at odds with its scheme's own rules it is denied for that too.
func (s *scope) inScheme(id, level, set, value string) witness {
	sc := s.facts.Schemes[id]
	l := authz.Label{
		Scheme: id, Level: level, Categories: map[string][]string{}, Nation: []string{}, Handling: []string{}, Created: s.given(), Alternatives: []authz.Label{},
	}
	switch sc.TagSets[set].Type {
	case "nation":
		l.Nation = []string{value}
	case "handling":
		l.Handling = []string{value}
	case "restrictive", "permissive", "informative":
		l.Categories[set] = []string{value}
	}
	who := s.member("guardrail", dataRow)
	who.Resource.Properties.Labels = []authz.Label{l}
	who.Subject.Properties.Clearances = []authz.Clearance{s.carrier(l, "x")}
	who.Subject.Properties.Affiliation.Country, who.Subject.Properties.Nationalities = sc.Nation, []string{sc.Nation}
	name := "a member reads " + id + " " + level
	if value != "" {
		name += " " + value
	}
	return s.witness(name, who, s.world)
}

func (s *scope) denyValue(b *book, id, set string, v tag) {
	sc := s.facts.Schemes[id]
	ladder := sc.ladder()
	w := s.inScheme(id, ladder[len(ladder)-1], set, v.ID)
	switch sc.TagSets[set].Type {
	case "restrictive":
		b.deny("I-3", w, "category.restrictive", "without that category", in(subject+"clearances.0.categories", map[string]any{}))
	case "permissive":
		b.deny("I-3", w, "category.permissive", "without that category", in(subject+"clearances.0.categories", map[string]any{}))
	}
	if len(v.Affiliations) > 0 && !slices.Contains(v.Affiliations, nowhere) {
		b.deny("I-10", w, "release.nation", "affiliated with another nation", in(subject+"affiliation.country", nowhere))
	}
	if len(v.Nationalities) > 0 {
		b.deny("I-10", w, "release.nation", "of another nationality", in(subject+"nationalities", []string{nowhere}))
	}
	if v.OriginatorConsent {
		b.deny("I-27", w, "release.originator", "without the originator's consent", fact([]any{}, "tenants", "guardrail", "agreements", "consents"))
	}
	if sc.TagSets[set].Type != "informative" {
		b.deny("I-11", w, "release.nation", "affiliated with a nation that the label is not released to", in(subject+"affiliation.country", nowhere))
	}
}
