package compliance.clearance_test

import data.compliance.clearance
import data.compliance.fixture

_cut(claim, value) := fixture.subject(["cut"], [{"claim": claim, "value": value, "why": "not granted"}])

test_deny_where_a_clearance_of_the_scheme_was_cut if {
	every value in [{"scheme": "AAA", "level": "TOP", "categories": {}}, {"scheme": "AAA", "native": "CHECK"}, "AAA", "AAA TOP", 1, null, {}] {
		fixture.decide([_cut("clearance", value)], []) == fixture.deny({"clearance.issuer"}, set())
	}
}

test_allow_where_a_clearance_of_another_scheme_was_cut if {
	every value in [{"scheme": "BBB", "level": "TWO", "categories": {}}, "BBB TWO"] {
		fixture.decide([_cut("clearance", value)], []) == fixture.allow
	}
}

test_a_cut_native_clearance_is_about_what_it_opens if {
	not clearance.not_in_schemes("AAA2", {"scheme": "AAA", "native": "CHECK"}) with data.schemes as fixture.world.schemes
	clearance.not_in_schemes("BBB", {"scheme": "AAA", "native": "CHECK"}) with data.schemes as fixture.world.schemes
}

test_deny_where_clearances_were_cut_and_none_is_left if {
	decision := fixture.decide([_cut("clearance", {"scheme": "BBB", "level": "TWO"}), fixture.subject(["clearances"], [])], [])
	decision.reasons == {"clearance.issuer"}
}

test_deny_where_it_is_unknown_what_was_cut if {
	fixture.decide([fixture.subject(["cut"], null)], []) == fixture.deny({"clearance.issuer", "identity.issuer"}, set())
	fixture.decide([fixture.remove(["subject", "properties", "cut"])], []) == fixture.deny({"clearance.issuer", "identity.issuer"}, set())
}

test_deny_without_labels_before_all_about_clearances if {
	unproven := fixture.decide([fixture.resource(["labels"], [])], []).unproven
	ids := {"clearance.issuer", "clearance.missing", "clearance.expired", "agreement.absent", "equivalence.absent"} | fixture.behind_equivalence
	ids - unproven == set()
}

test_deny_no_clearance_as_missing if {
	every value in [[], null] {
		fixture.decide([fixture.subject(["clearances"], value)], []) == fixture.deny(
			{"clearance.missing"},
			{"clearance.expired", "equivalence.absent"} | fixture.behind_equivalence,
		)
	}
}

test_unknown_alternatives_need_an_unknown_agreement if {
	"agreement.absent" in fixture.decide([fixture.resource(["labels", 0, "alternatives"], null)], []).unproven
}

test_deny_a_clearance_of_a_third_nation_as_missing if {
	fixture.decide([fixture.subject(["clearances", 0, "scheme"], "BBB")], []).reasons == {"clearance.missing"}
}

test_deny_a_clearance_that_is_not_in_force if {
	expired := fixture.deny({"clearance.expired"}, {"equivalence.absent"} | fixture.behind_equivalence)
	every patch in [
		fixture.subject(["clearances", 0, "not_after"], fixture.time), # the last instant is past
		fixture.subject(["clearances", 0, "not_before"], fixture.after),
		fixture.remove(["subject", "properties", "clearances", 0, "not_after"]),
		fixture.remove(["subject", "properties", "clearances", 0, "not_before"]),
		fixture.subject(["clearances", 0, "not_after"], []),
		fixture.subject(["clearances", 0, "not_after"], null), # unknown is not "for ever"
		fixture.subject(["clearances", 0, "not_before"], null),
	] {
		fixture.decide([patch], []) == expired
	}
}

test_deny_a_level_above_the_clearance if {
	denied := fixture.deny({"clearance.level"}, fixture.behind_level)
	fixture.decide([fixture.subject(["clearances", 0, "levels"], ["LOW"])], []) == denied
	fixture.decide([fixture.subject(["clearances", 0, "levels"], [])], []) == denied
	fixture.decide([fixture.subject(["clearances", 0, "levels"], null)], []) == denied
}

test_deny_a_restrictive_category_that_is_not_held if {
	denied := fixture.deny({"category.restrictive"}, fixture.behind_restrictive)
	fixture.decide([fixture.resource(["labels", 0, "categories", "comp"], ["X", "Y"])], [fixture.set_to(["enclaves", "e1", "ceiling", 0, "tags", "-"], "Y"), fixture.set_to(["enclaves", "e2", "ceiling", 0, "tags", "-"], "Y")]) == denied
	fixture.decide([fixture.subject(["clearances", 0, "categories"], {"team": ["RED"]})], []) == denied
	fixture.decide([fixture.subject(["clearances", 0, "categories"], null)], []) == denied
}

test_deny_where_none_of_a_permissive_set_is_held if {
	denied := fixture.deny({"category.permissive"}, set())
	fixture.decide([fixture.subject(["clearances", 0, "categories", "team"], [])], []) == denied
	fixture.decide([fixture.subject(["clearances", 0, "categories"], {"comp": ["X"]})], []) == denied
}

test_deny_a_level_and_a_category_from_two_clearances if {
	clearances := [
		object.union(fixture.valid.subject.properties.clearances[0], {"categories": {"team": ["RED"], "comp": []}}),
		object.union(fixture.valid.subject.properties.clearances[0], {"levels": ["LOW"]}),
	]
	fixture.decide([fixture.subject(["clearances"], clearances)], []) == fixture.deny({"category.restrictive"}, fixture.behind_restrictive)
}

test_deny_where_one_of_two_labels_is_not_carried if {
	top := fixture.changed({"level": "LOW", "categories": {"team": ["BLUE"]}})
	fixture.decide([fixture.resource(["labels", 1], top)], []) == fixture.deny({"category.permissive"}, set())
}

_device(clearances) := fixture.subject(["via"], [{"type": "device", "id": "d", "clearances": clearances}])

test_allow_through_a_device_that_carries_the_label if {
	fixture.decide([_device(fixture.valid.subject.properties.clearances)], []) == fixture.allow
}

test_deny_through_a_device_that_does_not_carry_the_label if {
	fixture.decide([_device([object.union(fixture.valid.subject.properties.clearances[0], {"levels": ["LOW"]})])], []) == fixture.deny({"clearance.level"}, fixture.behind_level)
	fixture.decide([_device([])], []).reasons == {"clearance.missing"}
	fixture.decide([_device(null)], []).reasons == {"clearance.missing"}
	fixture.decide([fixture.subject(["via"], [{"type": "device", "id": "d"}])], []).reasons == {"clearance.missing"}
}

test_deny_where_it_is_unknown_who_stands_between if {
	fixture.decide([fixture.subject(["via"], null)], []) == fixture.deny(
		{"clearance.missing"},
		{"clearance.expired", "agreement.absent", "equivalence.absent"} | fixture.behind_equivalence,
	)
	fixture.decide([fixture.remove(["subject", "properties", "via"])], []).reasons == {"clearance.missing"}
}

_deep := [
	fixture.resource(["labels", 0, "categories"], {"comp": ["DEEP"]}),
	fixture.subject(["clearances", 0, "categories"], {"comp": ["DEEP"]}),
]

_holds_deep := [fixture.set_to(["enclaves", e, "ceiling", 0, "tags", "-"], "DEEP") | some e in ["e1", "e2"]]

test_allow_a_value_by_a_clearance_of_the_level_that_it_wants if {
	top := fixture.subject(["clearances", 0, "levels"], ["LOW", "MID", "TOP"])
	fixture.decide(array.concat(_deep, [top]), _holds_deep) == fixture.allow
}

test_deny_a_value_by_a_lower_clearance_whatever_the_labels_level if {
	denied := fixture.deny({"clearance.level"}, fixture.behind_level)
	fixture.decide(_deep, _holds_deep) == denied
	only_top := fixture.subject(["clearances", 0, "levels"], ["TOP"])
	fixture.decide(array.concat(_deep, [only_top]), _holds_deep) == denied
}

test_deny_a_value_and_its_level_from_two_clearances if {
	top := {
		"scheme": "AAA", "levels": ["LOW", "MID", "TOP"], "native": "", "categories": {}, "sponsor": "aaa",
		"not_before": fixture.time, "not_after": fixture.after,
	}
	fixture.decide(array.concat(_deep, [fixture.subject(["clearances", "-"], top)]), _holds_deep) == fixture.deny(
		{"category.restrictive"},
		fixture.behind_restrictive,
	)
}

test_deny_a_value_that_wants_what_is_no_list_of_levels if {
	malformed := fixture.set_to(["schemes", "AAA", "tag_sets", "comp", "values", 3, "clearance_levels"], null)
	fixture.decide(_deep, array.concat(_holds_deep, [malformed])) == fixture.deny({"clearance.level"}, fixture.behind_level)
}

test_a_translated_clearance_reaches_a_value_that_the_row_lists if {
	deep := fixture.resource(["labels", 0, "categories"], {"comp": ["DEEP"]})
	lists := fixture.set_to(["tenants", "acme", "agreements", "equivalences", 0, "categories"], {"comp": ["DEEP"]})
	open := fixture.row(["communities"], [])
	fixture.decide(array.concat(fixture.as_partner, [deep]), array.concat(_holds_deep, [open, lists])) == fixture.allow
	fixture.decide(array.concat(fixture.as_partner, [deep]), array.concat(_holds_deep, [open])) == fixture.deny(
		{"category.restrictive"},
		fixture.behind_restrictive,
	)
}

test_a_cut_of_something_else_is_no_cut_clearance if {
	every claim in ["tenant", "nationality", "community"] {
		not "clearance.issuer" in fixture.decide([_cut(claim, "AAA")], []).unproven
	}
}

test_deny_where_clearances_were_cut_and_those_left_are_unknown if {
	decision := fixture.decide([_cut("clearance", "BBB TWO"), fixture.subject(["clearances"], null)], [])
	decision.reasons == {"clearance.issuer"}
}

# The label's alternative is of the clearance's scheme, but nobody of that nation asks.
test_a_clearance_of_anothers_nation_is_translated_for_nobody if {
	alternative := fixture.changed({"scheme": "BBB", "level": "TWO", "categories": {}, "release": null, "handling": []})
	decision := fixture.decide(
		[
			fixture.resource(["labels", 0, "categories"], {}),
			fixture.resource(["labels", 0, "alternatives"], [alternative]),
			fixture.subject(["clearances", 0, "scheme"], "BBB"),
			fixture.subject(["clearances", 0, "levels"], ["ONE", "TWO"]),
		],
		[],
	)
	decision.reasons == {"release.nation"}
}
