package guardrail

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// denyFields takes away each field of the input, makes it null, and gives it a value of another type: each must deny, but for those
// that decide nothing in this access (exceptions.go says which, and why).
func (s *scope) denyFields(b *book, w witness) {
	walk(w.input, nil, func(path []string, value any) {
		name := strings.Join(path, ".")
		if excepted(w, name) {
			return
		}
		b.deny("I-6", w, "", "without "+name, in(name, absent{}))
		if value != nil && !slices.Contains(nullable, path[len(path)-1]) {
			b.deny("I-6", w, "", "with null as "+name, in(name, nil))
		}
		b.deny("I-6", w, "", "with a value of the wrong type as "+name, in(name, wrong(value)))
	})
}

// walk calls f for every member of v and of the objects in its lists. Names that a label chooses itself are no members.
func walk(v any, path []string, f func([]string, any)) {
	path = slices.Clip(path)
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if at := append(path, name); path == nil || path[len(path)-1] != "categories" {
				f(at, v[name])
				walk(v[name], at, f)
			}
		}
	case []any:
		for i, e := range v {
			walk(e, append(path, strconv.Itoa(i)), f)
		}
	}
}

// wrong returns a value of another type than v.
func wrong(v any) any {
	if _, ok := v.(float64); ok {
		return "7"
	}
	return 7.0
}

// needed are the facts without which an access must be denied, by the kind of its subject: OWNER, ROW, SCHEME and PLACE stand for those of
// the access.
var needed = map[string][]string{
	"": {
		"bundle", "bundle.root", "bundle.root.not_before", "bundle.root.expires", "bundle.tenants.OWNER", "bundle.tenants.OWNER.not_before",
		"bundle.tenants.OWNER.expires", "revocations", "revocations.subjects", "schemes", "schemes.SCHEME", "schemes.SCHEME.nation",
		"schemes.SCHEME.levels", "schemes.SCHEME.levels.1.id", "schemes.SCHEME.tag_sets", "schemes.SCHEME.tag_sets.comp",
		"schemes.SCHEME.tag_sets.comp.type", "schemes.SCHEME.tag_sets.comp.values", "schemes.SCHEME.tag_sets.team", "schemes.SCHEME.tag_sets.team.type",
		"schemes.SCHEME.tag_sets.team.values", "schemes.SCHEME.tag_sets.care", "schemes.SCHEME.tag_sets.care.type", "schemes.SCHEME.tag_sets.care.values",
		"schemes.SCHEME.release", "schemes.SCHEME.release.allowed", "enclaves", "enclaves.PLACE", "enclaves.PLACE.country", "enclaves.PLACE.operator",
		"enclaves.PLACE.operator.reach", "enclaves.PLACE.ceiling", "enclaves.PLACE.ceiling.0.scheme", "enclaves.PLACE.ceiling.0.level",
		"enclaves.PLACE.ceiling.0.tags", "tenants", "tenants.OWNER", "tenants.OWNER.tenant", "tenants.OWNER.tenant.services",
		"tenants.OWNER.tenant.services.s3", "tenants.OWNER.tenant.services.s3.SCHEME", "tenants.OWNER.catalogue", "tenants.OWNER.catalogue.rows",
		"tenants.OWNER.catalogue.rows.ROW", "tenants.OWNER.catalogue.rows.ROW.communities", "tenants.OWNER.catalogue.rows.ROW.labels_on_objects",
		"tenants.OWNER.agreements", "tenants.OWNER.agreements.consents", "tenants.OWNER.agreements.equivalences",
	},
	"tenant": {"tenants.OWNER.tenant.members", "tenants.OWNER.tenant.members.actions", "tenants.OWNER.issuers"},
	"partner": {
		"tenants.OWNER.issuers", "tenants.OWNER.partners", "tenants.OWNER.partners.partners", "tenants.OWNER.partners.partners.0.organization",
		"tenants.OWNER.partners.partners.0.country", "tenants.OWNER.partners.partners.0.issuers", "tenants.OWNER.partners.partners.0.rows",
		"tenants.OWNER.partners.partners.0.actions", "tenants.OWNER.partners.partners.0.not_before", "tenants.OWNER.partners.partners.0.not_after",
		"tenants.OWNER.agreements.agreements", "tenants.OWNER.agreements.agreements.ab", "tenants.OWNER.agreements.agreements.ab.parties",
		"tenants.OWNER.agreements.agreements.ab.not_before", "tenants.OWNER.agreements.agreements.ab.not_after",
		"tenants.OWNER.agreements.equivalences.0.use", "tenants.OWNER.agreements.equivalences.0.agreement", "tenants.OWNER.agreements.equivalences.0.label",
		"tenants.OWNER.agreements.equivalences.0.clearance", "tenants.OWNER.agreements.equivalences.0.categories",
		"tenants.OWNER.agreements.equivalences.0.labels_from",
	},
	"provider": {
		"tenants.OWNER.personnel", "tenants.OWNER.personnel.citizenships", "tenants.OWNER.personnel.locations", "tenants.OWNER.personnel.approvers",
		"tenants.OWNER.personnel.justifications",
	},
}

// denyFacts takes away each fact that w needs, makes it null, and gives it a value of another type.
func (s *scope) denyFacts(b *book, w witness) {
	kind := w.in.Subject.Properties.Affiliation.Kind
	names := map[string]string{
		"OWNER": *w.in.Resource.Properties.Tenant, "ROW": *w.in.Resource.Properties.Row,
		"SCHEME": w.in.Resource.Properties.Labels[0].Scheme, "PLACE": w.in.Resource.Properties.Place.Enclave,
	}
	for _, name := range slices.Concat(needed[""], needed[kind]) {
		path := strings.Split(name, ".")
		for i, part := range path {
			if own, ok := names[part]; ok {
				path[i] = own
			}
		}
		b.deny("I-6", w, "", "without the fact "+name, fact(absent{}, path...))
		if name != "tenants.OWNER.personnel.approvers" { // every number is more than null; the schema wants one
			b.deny("I-6", w, "", "with null as the fact "+name, fact(nil, path...))
		}
		b.deny("I-6", w, "", "with a value of the wrong type as the fact "+name, fact(wrong(get(s.data, path...)), path...))
	}
}

// denyPairs makes two changes at a time to the input, each of which denies alone, one for each check: no two holes make an allow.
func denyPairs(b *book, w witness, trials []trial) {
	var alone []trial
	for _, t := range trials {
		if !slices.ContainsFunc(alone, func(other trial) bool { return other.check == t.check }) {
			alone = append(alone, t)
		}
	}
	for i, first := range alone {
		for _, second := range alone[i+1:] {
			if p, ok := both(w, first, second); ok {
				b.trials = append(b.trials, trial{
					id: "M5", what: first.what + "; and also " + strings.TrimPrefix(second.what, w.name+", "), want: denies, check: first.check, point: p,
				})
			}
		}
	}
}

// both returns w with both trials' changes, where these are one each, to the input and to different parts of it.
func both(w witness, a, b trial) (point, bool) {
	if len(a.patches) != 1 || len(b.patches) != 1 || a.patches[0].path[0] != "input" || b.patches[0].path[0] != "input" {
		return point{}, false
	}
	x, y := strings.Join(a.patches[0].path, ".")+".", strings.Join(b.patches[0].path, ".")+"."
	if strings.HasPrefix(x, y) || strings.HasPrefix(y, x) {
		return point{}, false
	}
	return w.with(a.patches[0], b.patches[0]), true
}
