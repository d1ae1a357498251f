package guardrail

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
)

// equalities: what decides nothing.
func (s *scope) equalities(b *book, w witness) {
	if w.in.Subject.Properties.Affiliation.Kind != "provider" { // approvals name their operator
		b.equal("I-16", w, "under another name", in("subject.id", w.in.Subject.Properties.Issuer+"|somebody-else"))
	}
	b.equal("I-15", w, "as another object of the row", in("resource.id", "s3://guardrail/another"))
	walk(w.input, nil, func(path []string, value any) {
		values, ok := value.([]any)
		name := strings.Join(path, ".")
		if !ok || len(values) == 0 || strings.HasSuffix(name, ".labels") || strings.HasSuffix(name, ".request_labels") {
			return // a new object's labels begin with those of its row
		}
		reversed := slices.Clone(values)
		slices.Reverse(reversed)
		b.equal("I-15", w, "with "+name+" in another order", in(name, reversed))
		b.equal("I-15", w, "with a value of "+name+" twice", in(name, append(slices.Clone(values), values[0])))
	})
	for i, l := range w.in.Resource.Properties.Labels {
		for _, set := range s.facts.Schemes[l.Scheme].sets("informative") {
			if w.in.Action.Name == "create" || w.in.Action.Name == "update" || w.in.Action.Name == "relabel" {
				continue // sources carry the same label; a label covers itself
			}
			at := fmt.Sprintf(res+"labels.%d.categories.%s", i, set)
			b.equal("I-15", w, "without the informative "+set, in(at, absent{}))
			b.equal("I-15", w, "with another informative "+set, in(at, []string{s.facts.Schemes[l.Scheme].TagSets[set].Values[1].ID}))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.facts.Tenants)) {
		if id == *w.in.Resource.Properties.Tenant || id == "guardrail" || len(w.facts) == 0 && strings.HasPrefix(id, "guardrail") {
			continue
		}
		b.equal("I-29", w, "while the bundle has no part of "+id, fact(absent{}, "tenants", id), fact(absent{}, "bundle", "tenants", id))
	}
}

// denyEquivalence: between schemes only rows of the owner count, for their use, at the label's date, under an agreement in force.
func (s *scope) denyEquivalence(b *book, w witness) {
	if w.in.Subject.Properties.Affiliation.Kind != "partner" {
		return
	}
	owner := *w.in.Resource.Properties.Tenant
	at := []string{"tenants", owner, "agreements"}
	rows := slices.Concat(at, []string{"equivalences"})
	each := func(list []any, f func(any) any) []any {
		out := []any{}
		for _, e := range list {
			out = append(out, f(e))
		}
		return out
	}
	equivalences := asList(get(s.data, rows...))
	change := func(name string, value any) patch {
		return fact(each(equivalences, func(e any) any { return set(e, []string{name}, plain(value)) }), rows...)
	}
	l := w.in.Resource.Properties.Labels[0]
	none := authz.Reason("equivalence.absent")
	b.deny("I-8", w, none, "without an equivalence", fact([]any{}, rows...))
	b.deny("I-8", w, none, "by equivalences for another use", change("use", "marking"))
	b.deny("I-8", w, none, "by equivalences for labels of later dates", change("labels_from", s.now))
	b.deny("I-8", w, none, "by equivalences for labels of earlier dates", change("labels_to", l.Created))
	b.deny("I-8", w, none, "to a label of a date before its equivalence", in(res+"labels.0.created", authz.At(l.Created.AddDate(-100, 0, 0))))
	b.deny("I-8", w, none, "by equivalences of unknown dates", change("labels_from", nil))
	agreement := authz.Reason("agreement.absent")
	agreements, _ := get(s.data, append(slices.Clone(at), "agreements")...).(map[string]any)
	law := func(name string, value any) patch {
		out := map[string]any{}
		for id, a := range agreements {
			out[id] = set(a, []string{name}, plain(value))
		}
		return fact(out, append(slices.Clone(at), "agreements")...)
	}
	b.deny("M1", w, agreement, "after every agreement ended", law("not_after", s.now))
	b.deny("I-22", w, agreement, "before any agreement begins", law("not_before", s.later()))
	b.deny("I-8", w, agreement, "by agreements between others", law("parties", []string{nowhere, "XZY"}))
	b.deny("I-8", w, agreement, "by agreements that the owner's nation is no party to", law("parties", []string{nowhere, w.in.Subject.Properties.Affiliation.Country}))
	b.deny("I-8", w, agreement, "by agreements that the partner's nation is no party to", law("parties", []string{nowhere, s.facts.Schemes[l.Scheme].Nation}))
	b.deny("I-8", w, agreement, "by equivalences that name no agreement", change("agreement", nowhere))
	if len(s.facts.Schemes[l.Scheme].sets("restrictive")) > 0 && len(l.Categories["comp"]) > 0 {
		b.deny("I-8", w, "category.restrictive", "by equivalences that list no category", change("categories", map[string]any{}))
		b.deny("I-8", w, "category.permissive", "by equivalences that list no value of the label's",
			change("categories", map[string]any{"comp": l.Categories["comp"]}))
	}
	elsewhere := []string{"tenants", "guardrail-other", "agreements"}
	if len(w.facts) > 0 {
		b.deny("I-29", w, none, "by equivalences of another tenant", fact([]any{}, rows...), fact(equivalences, append(slices.Clone(elsewhere), "equivalences")...))
		b.deny("I-29", w, agreement, "by agreements of another tenant", fact(map[string]any{}, append(slices.Clone(at), "agreements")...),
			fact(agreements, append(slices.Clone(elsewhere), "agreements")...))
		b.deny("I-29", w, "tenant.mismatch", "by a grant of another tenant", fact([]any{}, "tenants", owner, "partners", "partners"),
			fact(get(s.data, "tenants", owner, "partners", "partners"), "tenants", "guardrail-other", "partners", "partners"))
	}
}

// asNational: a partner, cleared up to each level of its own, reads nothing that a national of the owner could not read who has just the
// clearance that the owner's equivalences make of that.
func (s *scope) asNational(b *book, w witness) {
	if w.in.Subject.Properties.Affiliation.Kind != "partner" {
		return
	}
	owner := *w.in.Resource.Properties.Tenant
	for i, c := range w.in.Subject.Properties.Clearances {
		for _, level := range s.facts.Schemes[c.Scheme].ladder() {
			levels := s.facts.Schemes[c.Scheme].upTo(level)
			translated := []authz.Clearance{}
			for _, e := range w.tenant.Agreements.Equivalences {
				if e.Use == "clearance" && e.Clearance[0] == c.Scheme && slices.Contains(levels, e.Clearance[1]) {
					translated = append(translated, authz.Clearance{
						Scheme: e.Label[0], Levels: []string{e.Label[1]}, Categories: plainCategories(e.Categories), Sponsor: c.Sponsor, NotBefore: s.now, NotAfter: s.later(),
					})
				}
			}
			national := s.member(owner, *w.in.Resource.Properties.Row)
			national.Subject.Properties.Clearances = translated
			only := c
			only.Levels = levels
			b.trials = append(b.trials, trial{
				id: "M1", what: fmt.Sprintf("%s, cleared to %s %s, beside a national with what that is worth", w.name, c.Scheme, level), want: notMore,
				point: w.with(in(fmt.Sprintf(subject+"clearances.%d", i), only)), base: w.of(national),
			})
		}
	}
}

func plainCategories(c map[string][]string) map[string][]string {
	if c == nil {
		return map[string][]string{}
	}
	return c
}

// denyComposition: no equivalence of an owner is inverted, and no two are composed.
func (s *scope) denyComposition(b *book, w witness) {
	kind := w.in.Subject.Properties.Affiliation.Kind
	if kind != "tenant" || w.in.Action.Name != "read" || onQueue(w) || len(w.in.Resource.Properties.Labels) != 1 || len(w.in.Subject.Properties.Via) > 0 {
		return
	}
	rows := w.tenant.Agreements.Equivalences
	direct := func(label, clearance [2]string) bool {
		return label[0] == clearance[0] || slices.ContainsFunc(rows, func(e equivalence) bool {
			return e.Use == "clearance" && e.Label == label && e.Clearance == clearance
		})
	}
	try := func(what string, label, clearance [2]string) {
		if direct(label, clearance) {
			return
		}
		nation := s.facts.Schemes[clearance[0]].Nation
		l := authz.Label{
			Scheme: label[0], Level: label[1], Categories: map[string][]string{}, Release: []string{s.facts.Schemes[label[0]].Nation, nation},
			Nation: []string{}, Handling: []string{}, Created: w.in.Resource.Properties.Labels[0].Created, Alternatives: []authz.Label{},
		}
		b.deny("M2", w, "equivalence.absent", fmt.Sprintf("%s: to %v with %v", what, label, clearance), in(res+"labels", []authz.Label{l}),
			in(subject+"affiliation.country", nation), in(subject+"clearances", []authz.Clearance{{
				Scheme: clearance[0], Levels: []string{clearance[1]}, Categories: map[string][]string{}, Sponsor: "x", NotBefore: s.now, NotAfter: s.later(),
			}}))
	}
	for _, e := range rows {
		try("by an equivalence inverted", e.Clearance, e.Label)
		for _, f := range rows {
			if e.Clearance == f.Label {
				try("by two equivalences composed", e.Label, f.Clearance)
			}
		}
	}
}

// underPrefix: a partner's grant holds for every row under its prefix, and for no other.
func (s *scope) underPrefix(b *book) {
	partner := s.facts.Tenants["guardrail"].Partners.Partners[0]
	inside := s.witness("a partner reads a row inside its grant's", s.asPartner(s.member("guardrail", "guardrail-data/sub/"), partner), s.world)
	b.trials = append(b.trials, trial{id: "M8", what: inside.name, want: allows, point: inside.point})
	beside := s.witness("a partner reads a row", s.asPartner(s.member("guardrail", "guardrail-data-too/"), partner), s.world)
	b.deny("M8", beside, "tenant.mismatch", "whose name only begins like its grant's")
}

// strangers see the same of what exists as of what does not.
func (s *scope) strangers(b *book, w witness) {
	other, no := "guardrail-other", patch{}
	for name, who := range map[string][]patch{
		"a stranger of another tenant": {in(subject+"tenant", other), in(subject+"affiliation.organization", other), in(subject+"issuer", "guardrail-xoo")},
		"a partner of nobody's":        {in(subject+"tenant", nil), in(subject+"affiliation.kind", "partner"), in(subject+"affiliation.organization", nowhere)},
		"nobody's person":              {in(subject+"tenant", nil), in(subject+"affiliation", nil)},
	} {
		stranger := w.with(who...)
		b.trials = append(b.trials, trial{
			id: "I-16", what: name + " under a longer name", want: same, point: stranger.with(in("subject.id", w.in.Subject.ID+"-and-somebody-else")), base: stranger,
		})
		nothing := plain(authz.ResourceProperties{})
		base := stranger.with(in("resource.properties", nothing))
		for what, change := range map[string]patch{
			"": no, " that has no label": in(res+"labels", []any{}), " that nobody can read": in(res+"labels.0.level", nowhere),
			" in an unknown place": in(res+"place", nil), " without rules": in(res+"constraints", nil), " of no service": in(res+"service", nil),
		} {
			p := stranger
			if change.path != nil {
				p = p.with(change)
			}
			b.trials = append(b.trials, trial{id: "M9", what: name + " asks for what exists" + what + ", and for what does not", want: seenSame, point: p, base: base})
		}
	}
}
