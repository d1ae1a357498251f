package guardrail

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sallyport-dev/sallyport/authz"
)

// denyLabel: no access without labels that are known and allowed.
func (s *scope) denyLabel(b *book, w witness) {
	labels := w.in.Resource.Properties.Labels
	b.deny("I-6", w, "label.missing", "to what has no label", in(res+"labels", []any{}))
	b.deny("I-6", w, "label.missing", "to what nobody knows the label of", in(res+"labels", nil))
	b.deny("I-6", w, "label.missing", "to what is in no row", in(res+"row", nil))
	b.deny("I-7", w, "label.invalid", "to what is of an unknown nation", in(res+"owner.nation", nowhere))
	b.deny("I-6", w, "label.invalid", "to what has no owner", in(res+"owner", nil))
	for i, l := range labels {
		at := fmt.Sprintf(res+"labels.%d.", i)
		sc := s.facts.Schemes[l.Scheme]
		b.deny("I-7", w, "scheme.unknown", "to a label of an unknown scheme", in(at+"scheme", nowhere))
		b.deny("I-7", w, "label.unknown", "to a label of an unknown level", in(at+"level", nowhere))
		b.deny("I-7", w, "label.unknown", "to a label with an unknown category", in(at+"categories."+nowhere, []string{}))
		b.deny("I-7", w, "label.unknown", "to a label with an unknown nation tag", in(at+"nation", []string{nowhere}))
		b.deny("I-7", w, "label.unknown", "to a label with an unknown handling tag", in(at+"handling", append(slices.Clone(l.Handling), nowhere)))
		b.deny("I-6", w, "label.unknown", "to a label of an unknown date", in(at+"created", nil))
		b.deny("I-11", w, "label.invalid", "to a label that is released to nobody", in(at+"release", []any{}))
		b.deny("I-11", w, "label.invalid", "to a label whose release list leaves its owner out", in(at+"release", []string{s.country(w, nowhere, sc.Nation)}))
		for _, name := range slices.Sorted(maps.Keys(l.Categories)) {
			b.deny("I-7", w, "label.unknown", "to a label with an unknown value of "+name, in(at+"categories."+name+fmt.Sprintf(".%d", len(l.Categories[name])), nowhere))
			if sc.TagSets[name].Type == "permissive" {
				b.deny("I-5", w, "label.invalid", "to a label that lets nobody of "+name+" in", in(at+"categories."+name, []any{}))
			}
		}
		for _, name := range sc.sets("nation") {
			for _, v := range sc.TagSets[name].Values {
				if !v.WithRelease {
					b.deny("I-10", w, "label.invalid", "to a label with "+v.ID+" beside a release list", in(at+"nation", []string{v.ID}), in(at+"release", []string{sc.Nation}))
				}
			}
		}
		odd := l
		odd.Level, odd.Alternatives = nowhere, []authz.Label{}
		b.deny("I-9", w, "label.unknown", "to a second label of an unknown level", in(fmt.Sprintf(res+"labels.%d", len(labels)), odd))
		b.deny("I-7", w, "label.unknown", "to a label with an alternative of an unknown level", in(at+"alternatives", []authz.Label{odd}))
		b.deny("I-6", w, "label.unknown", "to a label with unknown alternatives", in(at+"alternatives", nil))
		inner := l
		inner.Alternatives = []authz.Label{l}
		b.deny("I-7", w, "label.invalid", "to a label whose alternative has alternatives", in(at+"alternatives", []authz.Label{inner}))
	}
}

// country returns the subject's country, or another where that is not allowed to be it.
func (s *scope) country(w witness, other, not string) string {
	if c := w.in.Subject.Properties.Affiliation.Country; c != not {
		return c
	}
	return other
}

// denyClearance: one clearance in force carries each label whole.
func (s *scope) denyClearance(b *book, w witness) {
	held := w.in.Subject.Properties.Clearances
	list := subject + "clearances"
	b.deny("I-6", w, "clearance.missing", "without a clearance", in(list, []any{}))
	b.deny("I-6", w, "clearance.missing", "of unknown clearance", in(list, nil))
	change := func(f func(*authz.Clearance)) patch {
		all := slices.Clone(held)
		for i := range all {
			f(&all[i])
		}
		return in(list, all)
	}
	b.deny("I-7", w, "clearance.missing", "cleared in an unknown scheme", change(func(c *authz.Clearance) { c.Scheme = nowhere }))
	b.deny("I-1", w, "clearance.level", "cleared to no level", change(func(c *authz.Clearance) { c.Levels = []string{} }))
	b.deny("I-7", w, "clearance.level", "cleared to unknown levels", change(func(c *authz.Clearance) { c.Levels = nil }))
	b.deny("I-22", w, "clearance.expired", "after the clearance ended", change(func(c *authz.Clearance) { c.NotAfter = s.now }))
	b.deny("I-22", w, "clearance.expired", "before the clearance begins", change(func(c *authz.Clearance) { c.NotBefore = s.later() }))
	b.deny("I-6", w, "clearance.expired", "with a clearance without an end", change(func(c *authz.Clearance) { c.NotAfter = authz.Time{} }))
	b.deny("I-6", w, "clearance.expired", "with a clearance without a beginning", change(func(c *authz.Clearance) { c.NotBefore = authz.Time{} }))
	via := func(c []authz.Clearance) patch {
		return in(subject+"via", []authz.Via{{Type: "device", ID: "d", Clearances: c}})
	}
	b.deny("M5", w, "clearance.missing", "through a device without clearance", via([]authz.Clearance{}))
	b.deny("M5", w, "clearance.missing", "through a device of unknown clearance", via(nil))
	b.deny("I-14", w, "clearance.issuer", "after the issuer lost all clearances that it claimed", in(list, []any{}),
		in(subject+"cut", []authz.Cut{{Claim: "clearance", Value: nowhere + " HIGH", Why: "not granted"}}))
	for _, l := range w.in.Resource.Properties.Labels {
		b.deny("M7", w, "clearance.issuer", "for whom a sponsor claimed a clearance of the scheme that it may not give",
			in(subject+"cut", []authz.Cut{{Claim: "clearance", Value: map[string]any{"scheme": l.Scheme, "level": l.Level, "categories": map[string]any{}}, Why: "not granted"}}))
		b.deny("M7", w, "clearance.issuer", "for whom a sponsor claimed a clearance as text that it may not give",
			in(subject+"cut", []authz.Cut{{Claim: "clearance", Value: l.Scheme + " " + l.Level, Why: "not granted"}}))
		s.denyCarrier(b, w, l, change, via)
	}
}

// denyCarrier takes from the clearances what they need to carry one label.
func (s *scope) denyCarrier(b *book, w witness, l authz.Label, change func(func(*authz.Clearance)) patch, via func([]authz.Clearance) patch) {
	held := w.in.Subject.Properties.Clearances
	for _, c := range held {
		for _, level := range s.facts.Schemes[c.Scheme].ladder() {
			levels := s.facts.Schemes[c.Scheme].upTo(level)
			if !related(s, l, c, w) || w.tenant.reaches(l, c.Scheme, levels) {
				continue
			}
			b.deny("I-1", w, "clearance.level", "cleared to "+c.Scheme+" "+level+" only", change(func(k *authz.Clearance) {
				if k.Scheme == c.Scheme {
					k.Levels = levels
				} else {
					k.Levels = []string{}
				}
			}))
			low := c
			low.Levels = levels
			b.deny("M5", w, "clearance.level", "through a device cleared to "+level+" only", via([]authz.Clearance{low}))
		}
	}
	sc := s.facts.Schemes[l.Scheme]
	if w.in.Subject.Properties.Affiliation.Kind == "partner" && !slices.ContainsFunc(held, func(c authz.Clearance) bool { return c.Scheme == l.Scheme }) {
		return // the categories of a translated carrier are the row's
	}
	for _, name := range slices.Sorted(maps.Keys(l.Categories)) {
		without := change(func(c *authz.Clearance) { c.Categories = map[string][]string{} })
		switch sc.TagSets[name].Type {
		case "restrictive":
			b.deny("I-3", w, "category.restrictive", "without the category "+name, without)
			b.deny("I-7", w, "category.restrictive", "of unknown categories", change(func(c *authz.Clearance) { c.Categories = nil }))
			s.denySplit(b, w, l, name)
			for _, v := range sc.TagSets[name].Values {
				if !slices.Contains(l.Categories[name], v.ID) {
					b.deny("I-4", w, "category.restrictive", "to a label that also carries "+v.ID, in(labelAt(w, l)+"categories."+name, append(slices.Clone(l.Categories[name]), v.ID)))
				}
			}
		case "permissive":
			b.deny("I-3", w, "category.permissive", "without a value of "+name, without)
			for _, v := range sc.TagSets[name].Values {
				if !slices.ContainsFunc(held, func(c authz.Clearance) bool { return slices.Contains(c.Categories[name], v.ID) }) {
					b.deny("I-5", w, "category.permissive", "to a label that lets in only "+v.ID, in(labelAt(w, l)+"categories."+name, []string{v.ID}))
				}
			}
		}
	}
	for i, level := range sc.ladder() {
		if reached := sc.upTo(l.Level); i >= len(reached) && w.in.Subject.Properties.Affiliation.Kind != "partner" {
			b.deny("I-2", w, "clearance.level", "to the same label raised to "+level, in(labelAt(w, l)+"level", level))
		}
	}
}

// denySplit gives the level to one clearance and a category to another.
func (s *scope) denySplit(b *book, w witness, l authz.Label, name string) {
	for _, c := range w.in.Subject.Properties.Clearances {
		if c.Scheme != l.Scheme {
			continue
		}
		level, category := c, c
		level.Categories = maps.Clone(c.Categories)
		delete(level.Categories, name)
		category.Levels = []string{}
		b.deny("M3", w, "category.restrictive", "whose level comes from one clearance and whose "+name+" from another",
			in(subject+"clearances", []authz.Clearance{level, category}))
	}
}

func labelAt(w witness, l authz.Label) string {
	for i, k := range w.in.Resource.Properties.Labels {
		if text(k) == text(l) {
			return fmt.Sprintf(res+"labels.%d.", i)
		}
	}
	panic("a label of the witness")
}

// related reports whether c could be about l.
func related(s *scope, l authz.Label, c authz.Clearance, w witness) bool {
	return c.Scheme == l.Scheme || s.facts.Schemes[c.Scheme].Nation == w.in.Subject.Properties.Affiliation.Country
}

// denyRelease: cleared is not released.
func (s *scope) denyRelease(b *book, w witness) {
	who := w.in.Subject.Properties.Affiliation
	for i, l := range w.in.Resource.Properties.Labels {
		at := fmt.Sprintf(res+"labels.%d.", i)
		sc := s.facts.Schemes[l.Scheme]
		if who.Kind == "partner" {
			b.deny("I-11", w, "release.nation", "to a label without a release list", in(at+"release", nil))
			b.deny("I-11", w, "release.nation", "to a label released to others", in(at+"release", []string{sc.Nation, nowhere}))
		} else {
			b.deny("I-11", w, "release.nation", "affiliated with a nation to which the label is not released", in(subject+"affiliation.country", nowhere))
		}
		for _, name := range sc.sets("nation") {
			for _, v := range sc.TagSets[name].Values {
				if !carries(l, v.ID) && (len(v.Affiliations) > 0 && !slices.Contains(v.Affiliations, who.Country) || len(v.Affiliations) == 0 && len(v.Nationalities) == 0) {
					b.deny("I-10", w, "release.nation", "to a label that carries "+v.ID+" instead of a release list", in(at+"nation", []string{v.ID}), in(at+"release", nil))
				}
				if carries(l, v.ID) && len(v.Affiliations) > 0 {
					b.deny("I-10", w, "release.nation", "affiliated with another nation than "+v.ID+" wants", in(subject+"affiliation.country", nowhere))
				}
			}
		}
		for _, set := range sc.TagSets {
			for _, v := range set.Values {
				if len(v.Nationalities) > 0 && carries(l, v.ID) {
					b.deny("I-10", w, "release.nation", "of another nationality than "+v.ID+" wants", in(subject+"nationalities", []string{nowhere}))
					b.deny("I-10", w, "release.nation", "of unknown nationality, where "+v.ID+" wants one", in(subject+"nationalities", nil))
				}
				if v.OriginatorConsent && carries(l, v.ID) {
					s.denyConsent(b, w, v.ID)
				}
			}
		}
	}
}

func (s *scope) denyConsent(b *book, w witness, tag string) {
	owner := *w.in.Resource.Properties.Tenant
	path := []string{"tenants", owner, "agreements", "consents"}
	b.deny("I-27", w, "release.originator", "without the consent that "+tag+" wants", fact([]any{}, path...))
	consents, _ := get(s.data, path...).([]any)
	for what, change := range map[string]patch{
		"after the consent ended":          in("until", s.now),
		"with a consent for other rows":    in("rows", []string{"guardrail-elsewhere/"}),
		"with a consent for others":        in("recipient", nowhere),
		"with a consent of another's":      in("originator", nowhere),
		"with a consent that ends nowhere": in("until", nil),
	} {
		var changed []any
		for _, c := range consents {
			changed = append(changed, set(c, change.path[1:], plain(change.value)))
		}
		b.deny("I-27", w, "release.originator", what, fact(changed, path...))
	}
}
