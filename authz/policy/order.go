package policy

import (
	"maps"
	"slices"
	"strings"
)

// checkLooser wants a row that lies within another, and whose labels do not dominate the outer ones, to say so: else a key that is
// moved one folder down would lose protection unseen.
func (f *facts) checkLooser(t tenantFacts) {
	d := t.part.docs["catalogue"]
	for id, inner := range t.rows {
		outer := ""
		for other := range t.rows {
			if other != id && strings.HasPrefix(id, other) && len(other) > len(outer) {
				outer = other
			}
		}
		if outer == "" || inner.Looser {
			continue
		}
		for _, l := range t.rows[outer].Labels {
			if !slices.ContainsFunc(inner.Labels, func(t label) bool { return f.dominates(t, l) }) {
				f.add(d.file, d.line("rows", id), "rows.%s: its labels are looser than those of %q around it; tighten them, or write looser: true", id, outer)
				break
			}
		}
	}
}

// dominates reports whether t protects at least as well as l: model.md §3 flow rule 2, without the dates.
func (f *facts) dominates(t, l label) bool {
	if t.Scheme != l.Scheme {
		return false
	}
	s := f.schemes[t.Scheme]
	high, _ := s.hierarchy(t.Level)
	low, _ := s.hierarchy(l.Level)
	if high < low || !within(l.Handling, t.Handling) || !within(l.Nation, t.Nation) || !within(audience(s, t), audience(s, l)) {
		return false
	}
	for name, values := range l.Categories {
		have, ok := t.Categories[name]
		if s.TagSets[name].Type == "permissive" {
			if !ok || !within(have, values) {
				return false
			}
		} else if !within(values, have) {
			return false
		}
	}
	return !slices.ContainsFunc(t.Alternatives, func(a label) bool { return !f.dominates(a, l) })
}

// audience is whom a label releases to: its list, or else the owner alone.
func audience(s scheme, l label) []string {
	if l.Release == nil {
		return []string{s.Nation}
	}
	return l.Release
}

// within reports whether every a is among b.
func within(a, b []string) bool {
	return !slices.ContainsFunc(a, func(v string) bool { return !slices.Contains(b, v) })
}

// checkAgreements wants equivalences for labels of the tenant's own nation, under agreements to which it is a party.
func (f *facts) checkAgreements(t tenantFacts) {
	d := t.part.docs["agreements"]
	for _, id := range slices.Sorted(maps.Keys(t.agreements)) {
		a := t.agreements[id]
		f.checkSpan(d, a.From, a.To, "agreements", id, "not_after")
		if !slices.Contains(a.Parties, t.tenant.Nation) {
			f.add(d.file, d.line("agreements", id, "parties"), "agreements.%s.parties: %s is no party; a part may hold only agreements of its own nation", id, t.tenant.Nation)
		}
	}
	ids := map[string]bool{}
	for i, e := range t.equivalences {
		at := func(names ...string) []string { return append([]string{"equivalences", index(i)}, names...) }
		if ids[e.ID] {
			f.add(d.file, d.line(at("id")...), "equivalences.%d.id: %q stands here twice; give each its own", i, e.ID)
		}
		ids[e.ID] = true
		known(f, d, t.agreements, "agreement", e.Agreement, at("agreement")...)
		f.checkLevel(d, e.Label[0], e.Label[1], at("label")...)
		f.checkLevel(d, e.Clearance[0], e.Clearance[1], at("clearance")...)
		f.checkCategories(d, e.Label[0], e.Categories, at("categories")...)
		if s, ok := f.schemes[e.Label[0]]; ok && s.Nation != t.tenant.Nation {
			f.add(d.file, d.line(at("label")...), "equivalences.%d.label: %s is a scheme of %s; only its own nation says who may read its labels",
				i, e.Label[0], s.Nation)
		}
		if e.To != nil {
			f.checkSpan(d, e.From, *e.To, at("labels_to")...)
		}
		f.checkFollows(d, e, at()...)
	}
	for i, c := range t.consents {
		f.checkOwnRows(t, d, c.Rows, "consents", index(i), "rows")
	}
	for i, l := range t.licences {
		f.checkOwnRows(t, d, l.Rows, "licences", index(i), "rows")
		f.checkSpan(d, l.From, l.To, "licences", index(i), "not_after")
	}
}

// checkOwnRows wants rows of the tenant's own that exist.
func (f *facts) checkOwnRows(t tenantFacts, d document, rows []string, path ...string) {
	for i, id := range rows {
		if at := append(slices.Clone(path), index(i)); f.ownRow(t, d, id, at...) {
			known(f, d, t.rows, "row", id, at...)
		}
	}
}

// checkClosed wants the equivalences of one pair of schemes to be downward closed and monotone (model.md §3): whoever a row lets
// read a label may read every lower label of that scheme, at least as long and with the same categories. Else a copy upwards would win
// readers.
func (f *facts) checkClosed(t tenantFacts) {
	d := t.part.docs["agreements"]
	for i, high := range t.equivalences {
		s, c := f.schemes[high.Label[0]], f.schemes[high.Clearance[0]]
		place, _ := s.hierarchy(high.Label[1])
		needs, _ := c.hierarchy(high.Clearance[1])
		for _, l := range s.Levels {
			if l.Hierarchy >= place {
				continue
			}
			covered := slices.ContainsFunc(t.equivalences, func(low equivalence) bool {
				enough, _ := c.hierarchy(low.Clearance[1])
				return low.Use == high.Use && low.Agreement == high.Agreement && low.Label == [2]string{high.Label[0], l.ID} &&
					low.Clearance[0] == high.Clearance[0] && enough <= needs && low.From <= high.From &&
					(low.To == nil || high.To != nil && *low.To >= *high.To) && listsAll(low.Categories, high.Categories)
			})
			if !covered {
				f.add(d.file, d.line("equivalences", index(i)), "equivalences.%d: %s %s is open to %s %s, but the lower %s is not, or not as long, or with fewer categories; add a row for it",
					i, high.Label[0], high.Label[1], high.Clearance[0], high.Clearance[1], l.ID)
			}
		}
	}
}

// listsAll reports whether every category of some is in all.
func listsAll(all, some map[string][]string) bool {
	for name, values := range some {
		if !within(values, all[name]) {
			return false
		}
	}
	return true
}
