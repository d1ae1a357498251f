package compliance.equivalence_test

import data.compliance.equivalence
import data.compliance.fixture

_row(path, value) := fixture.set_to(array.concat(["tenants", "acme", "agreements", "equivalences", 0], path), value)

test_allow_a_partner_by_an_equivalence if fixture.decide(fixture.as_partner, [_open]) == fixture.allow

# The partner is in no community of the row, so the row has none.
_open := fixture.row(["communities"], [])

_deny_equivalence := fixture.deny({"equivalence.absent"}, fixture.behind_equivalence)

test_deny_where_no_row_is_about_the_label if {
	every patch in [
		_row(["label"], ["AAA", "LOW"]),
		_row(["label"], ["BBB", "TWO"]), # the inverse
		_row(["clearance"], ["AAA2", "ONE"]),
		_row(["use"], "marking"),
		_row(["use"], "ceiling"),
		_row(["labels_from"], "2024-01-01T00:00:00.000000001Z"),
		_row(["labels_from"], null),
		_row(["labels_to"], fixture.label.created),
		fixture.remove(["tenants", "acme", "agreements", "equivalences", 0, "labels_to"]),
		fixture.set_to(["tenants", "acme", "agreements", "equivalences"], []),
	] {
		fixture.decide(fixture.as_partner, [_open, patch]) == _deny_equivalence
	}
}

test_allow_a_label_on_the_last_day_of_its_row if {
	fixture.decide(fixture.as_partner, [_open, _row(["labels_to"], "2024-01-01T00:00:00.000000001Z")]) == fixture.allow
}

_deny_agreement := fixture.deny({"agreement.absent"}, {"equivalence.absent"} | fixture.behind_equivalence)

_agreement(field, value) := fixture.set_to(["tenants", "acme", "agreements", "agreements", "ab", field], value)

test_deny_where_the_agreement_is_not_in_force if {
	every patch in [
		_agreement("not_after", fixture.time),
		_agreement("not_before", fixture.after),
		_agreement("not_before", null),
		_agreement("parties", ["AAA", "CCC"]),
		_agreement("parties", ["BBB", "CCC"]),
		fixture.remove(["tenants", "acme", "agreements", "agreements", "ab"]),
	] {
		fixture.decide(fixture.as_partner, [_open, patch]) == _deny_agreement
	}
}

test_a_live_agreement_proves_nothing_for_the_row_of_an_ended_one if {
	fixture.decide(fixture.as_partner, [_open, _row(["agreement"], "old")]) == _deny_agreement
}

test_deny_where_the_owner_says_nothing_of_agreements if {
	fixture.decide(fixture.as_partner, [_open, fixture.remove(["tenants", "acme", "agreements"])]) == _deny_agreement
}

test_deny_a_translated_clearance_below_the_row if {
	fixture.decide(array.concat(fixture.as_partner, [fixture.subject(["clearances", 0, "levels"], ["ONE"])]), [_open]) == fixture.deny(
		{"clearance.level"},
		fixture.behind_level,
	)
}

test_a_translated_carrier_holds_no_category if {
	clearance := fixture.subject(["clearances", 0, "categories"], {"comp": ["X"]})
	restrictive := fixture.resource(["labels", 0, "categories"], {"comp": ["X"]})
	fixture.decide(array.concat(fixture.as_partner, [clearance, restrictive]), [_open]) == fixture.deny({"category.restrictive"}, fixture.behind_restrictive)
	permissive := fixture.resource(["labels", 0, "categories"], {"team": ["RED"]})
	fixture.decide(array.concat(fixture.as_partner, [permissive]), [_open]) == fixture.deny({"category.permissive"}, set())
}

test_a_translated_carrier_holds_the_categories_that_the_row_lists if {
	restrictive := fixture.resource(["labels", 0, "categories"], {"comp": ["X"]})
	fixture.decide(array.concat(fixture.as_partner, [restrictive]), [_open, _row(["categories"], {"comp": ["X"]})]) == fixture.allow
}

test_only_clearances_of_the_own_nation_are_translated if {
	affiliation := fixture.subject(["affiliation", "country"], "AAA")
	fixture.decide(array.concat(fixture.as_partner, [affiliation]), [
		_open,
		fixture.set_to(["tenants", "acme", "partners", "partners", 0, "country"], "AAA"),
	]).reasons == {"clearance.missing"}
}

# A label of the partner's, and what a row for marking makes of it.
_foreign(members) := fixture.changed(object.union({"scheme": "BBB", "level": "TWO", "categories": {}, "release": null, "handling": []}, members))

_known_as(label, scheme, row) := levels if {
	w := json.patch(fixture.world, [fixture.set_to(["tenants", "acme", "agreements", "equivalences"], [row])])
	levels := equivalence.known_as("acme", "marking", label, scheme) with input as fixture.valid with data.tenants as w.tenants with data.schemes as w.schemes
}

_marking := {
	"id": "m", "use": "marking", "agreement": "ab", "label": ["BBB", "TWO"], "clearance": ["AAA2", "ONE"],
	"labels_from": fixture.label.created, "labels_to": null,
}

test_a_row_says_nothing_of_another_scheme if {
	_known_as(_foreign({}), "AAA2", _marking) == ["ONE"]
	_known_as(_foreign({}), "AAA", _marking) == []
}

test_a_row_carries_no_nation_or_handling_tags if {
	not _known_as(_foreign({"nation": ["BBBONLY"]}), "AAA2", _marking)
	not _known_as(_foreign({"handling": ["CARE"]}), "AAA2", _marking)
}

test_a_row_lists_categories_alone if {
	row := object.union(_marking, {"label": ["AAA", "MID"], "clearance": ["BBB", "TWO"], "categories": {"comp": ["X"], "care": ["CARE"]}})
	label := fixture.changed({"categories": {"comp": ["X"]}, "handling": []})
	_known_as(label, "BBB", row) == ["TWO"]
	_known_as(object.union(label, {"categories": {"care": ["CARE"]}}), "BBB", row) == []
}

test_deny_where_the_end_of_a_row_is_no_time if {
	every end in [{}, []] {
		fixture.decide(fixture.as_partner, [_open, _row(["labels_to"], end)]) == _deny_equivalence
	}
}
