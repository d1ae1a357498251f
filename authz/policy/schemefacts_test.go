package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz/policy"
)

// published is a row of USA's that agreements may follow.
const published = `title: a scheme
sources: {table: {title: a table, date: "2020", basis: primary}, memory: {title: from memory, date: "2020", basis: unverified}}
equivalences:
  - {id: low-gbr, use: clearance, level: LOW, clearance: [GBR, UPPER], labels_from: "2020-01-01", labels_to: "2030-01-01", source: table}
  - {id: high-gbr, use: clearance, level: HIGH, clearance: [GBR, UPPER], labels_from: "2020-01-01", labels_to: null, source: memory}`

func publish(also ...change) change {
	return func(t testing.TB, f map[string]string) {
		swap(usa, "title: a scheme", published)(t, f)
		for _, c := range also {
			c(t, f)
		}
	}
}

// low makes the equivalence for LOW another, which follows the published row.
func low(text string) change {
	return swap(agreements, `{id: low, use: clearance, agreement: usa-gbr, label: [USA, LOW], clearance: [GBR, UPPER], labels_from: "2020-01-01", labels_to: null}`,
		`{id: low, published: low-gbr, agreement: usa-gbr, `+text+`}`)
}

func TestLoadRefusesAnEquivalenceThatSaysMoreThanThePublishedRow(t *testing.T) {
	t.Parallel()
	const at = "tenants/acme/agreements/data.yaml:4: equivalences.0.published: "
	const more = at + `low-gbr of USA says clearance of LOW for GBR UPPER, of labels from 2020-01-01T00:00:00.000000000Z to 2030-01-01T00:00:00.000000000Z and of no category; say that or less, or leave published out`
	closed := swap(agreements, `label: [USA, HIGH], clearance: [GBR, UPPER], labels_from: "2020-01-01", labels_to: null`,
		`label: [USA, HIGH], clearance: [GBR, UPPER], labels_from: "2024-01-01", labels_to: "2025-01-01"`)
	refuse(t, []refusal{
		{"the same row", publish(closed, low(`use: clearance, label: [USA, LOW], clearance: [GBR, UPPER], labels_from: "2020-01-01", labels_to: "2030-01-01"`)), ""},
		{"fewer labels", publish(closed, low(`use: clearance, label: [USA, LOW], clearance: [GBR, UPPER], labels_from: "2021-01-01", labels_to: "2026-01-01"`)), ""},
		{"a lower clearance", publish(closed, low(`use: clearance, label: [USA, LOW], clearance: [GBR, LOWER], labels_from: "2020-01-01", labels_to: "2030-01-01"`)), more},
		{"another level", publish(closed, low(`use: clearance, label: [USA, HIGH], clearance: [GBR, UPPER], labels_from: "2020-01-01", labels_to: "2030-01-01"`)), more},
		{"another use", publish(closed, low(`use: marking, label: [USA, LOW], clearance: [GBR, UPPER], labels_from: "2020-01-01", labels_to: "2030-01-01"`)), more},
		{"older labels", publish(closed, low(`use: clearance, label: [USA, LOW], clearance: [GBR, UPPER], labels_from: "2019-12-31", labels_to: "2030-01-01"`)), more},
		{"later labels", publish(closed, low(`use: clearance, label: [USA, LOW], clearance: [GBR, UPPER], labels_from: "2020-01-01", labels_to: "2030-01-02"`)), more},
		{"without end", publish(closed, low(`use: clearance, label: [USA, LOW], clearance: [GBR, UPPER], labels_from: "2020-01-01", labels_to: null`)), more},
		{"with a category", publish(closed, low(`use: clearance, label: [USA, LOW], clearance: [GBR, UPPER], categories: {sci: [SI]}, labels_from: "2020-01-01", labels_to: "2030-01-01"`)), more},
		{"a row that is not published", publish(swap(agreements, "{id: low,", "{id: low, published: lo-gbr,")),
			at + `unknown published row of USA "lo-gbr"; did you mean "low-gbr"?`},
		{"a row that nobody has checked", publish(swap(agreements, "{id: high,", "{id: high, published: high-gbr,")),
			"tenants/acme/agreements/data.yaml:5: equivalences.1.published: high-gbr of USA is unverified; check it, and say approved_by whom"},
		{"a row that somebody answers for", publish(swap(agreements, "{id: high,", "{id: high, published: high-gbr, approved_by: ann,")), ""},
	})
}

func TestLoadRefusesSchemesThatDoNotHoldTogether(t *testing.T) {
	t.Parallel()
	const at = "root/schemes/USA/data.yaml:"
	refuse(t, []refusal{
		{"a source that is none", publish(swap(usa, "{id: LOW, hierarchy: 1}", "{id: LOW, hierarchy: 1, source: tabel}")),
			at + `8: levels.0.source: unknown source "tabel"; did you mean "table"?`},
		{"a level that ends before it begins", swap(usa, "{id: LOW, hierarchy: 1}", `{id: LOW, hierarchy: 1, labels_from: "2021-01-01", labels_to: "2020-01-01"}`),
			at + `4: levels.0.labels_to: ends 2020-01-01T00:00:00.000000000Z, before or when it begins, 2021-01-01T00:00:00.000000000Z; correct one`},
		{"a value for a level of nobody", swap(usa, "[SI, TK]", "[{id: SI, clearance_levels: [TOP]}, TK]"),
			at + `7: tag_sets.sci.values.0.clearance_levels: unknown level of USA "TOP"; did you mean "LOW"?`},
		{"a level for a value that no clearance holds", swap(usa, "values: [CUI]", "values: [{id: CUI, clearance_levels: [LOW]}]"),
			at + `10: tag_sets.cui.values.0.clearance_levels: no clearance holds a handling value; leave them out, or make the set restrictive`},
		{"a mention that is a level too", swap(usa, "values: [CUI]", "values: [CUI, LOW]"),
			at + `10: tag_sets.cui.values.1: "LOW" is a level too; a mention is none: leave it out of levels, or out of the set`},
		{"a rule about a value that is none", swap(usa, "tag_sets: [sci]}", "tag_sets: [], values: {sci: [SJ]}}"),
			at + `16: rules.excluded.0.values.sci: unknown value of sci "SJ"; did you mean "SI"?`},
		{"a rule beside a set that is none", swap(usa, "tag_sets: [sci]}", "tag_sets: [sci], beside: {cuj: [CUI]}}"),
			at + `16: rules.excluded.0.beside.cuj: unknown tag set "cuj"; did you mean "cui"?`},
		{"a member that leaves before it joins", swap(usa, "title: a scheme", `title: a scheme
members: [{country: GBR, not_before: "2020-01-01", not_after: "2019-01-01"}]`),
			at + `3: members.0.not_after: ends 2019-01-01T00:00:00.000000000Z, before or when it begins, 2020-01-01T00:00:00.000000000Z; correct one`},
		{"a published row of a level that is none", publish(swap(usa, "level: LOW", "level: LO")),
			at + `5: equivalences.0.level: unknown level of USA "LO"; did you mean "LOW"?`},
		{"a published row for a scheme that is none", publish(swap(usa, "level: LOW, clearance: [GBR, UPPER]", "level: LOW, clearance: [GRB, UPPER]")),
			at + `5: equivalences.0.clearance: unknown scheme "GRB"; did you mean "GBR"?`},
		{"a published row twice", publish(swap(usa, "{id: high-gbr", "{id: low-gbr")),
			at + `6: equivalences.1.id: "low-gbr" stands here twice; give each its own`},
	})
}

func TestCheckRefusesToCompareLevelsByNameAcrossSchemes(t *testing.T) {
	t.Parallel()
	const compared = " are compared by name; levels mean something in their scheme only: compare the schemes too, or use an equivalence"
	for name, c := range map[string]struct{ body, want string }{
		"the level alone":       {"some l in input.resource.properties.labels\n\tsome h in input.subject.properties.session.high_water\n\th.level == l.level", "root/compliance/compliance.rego:10: h.level and l.level" + compared},
		"in place":              {"input.resource.properties.labels[0].level == input.action.properties.request_labels[0].level", "root/compliance/compliance.rego:8: input.resource.properties.labels[0].level and input.action.properties.request_labels[0].level" + compared},
		"that they differ":      {"some l in input.resource.properties.labels\n\tsome h in input.subject.properties.session.high_water\n\th.level != l.level", "root/compliance/compliance.rego:10: h.level and l.level" + compared},
		"the scheme of another": {"some l in input.resource.properties.labels\n\tsome h in input.subject.properties.session.high_water\n\th.scheme == \"USA\"\n\th.level == l.level", "root/compliance/compliance.rego:11: h.level and l.level" + compared},
		"the scheme too":        {"some l in input.resource.properties.labels\n\tsome h in input.subject.properties.session.high_water\n\th.scheme == l.scheme\n\th.level == l.level", ""},
		"both at once":          {"some l in input.resource.properties.labels\n\tsome h in input.subject.properties.session.high_water\n\t[h.scheme, h.level] == [l.scheme, l.level]", ""},
		"with a level's id":     {"some l in input.resource.properties.labels\n\tsome level in data.schemes[l.scheme].levels\n\tlevel.id == l.level", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, swap(rules, "decision := {\"allow\": true", "same if {\n\t"+c.body+"\n}\n\ndecision := {\"allow\": true"))
			if d := cmp.Diff(c.want, text(policy.Check(dir), dir)); d != "" {
				t.Errorf("error (-want +got):\n%s", d)
			}
		})
	}
}
