package compliance.label_test

import data.compliance.fixture
import data.compliance.label

test_allow_every_kind_of_tag if fixture.decide([], []) == fixture.allow

test_deny_no_label_as_missing if {
	every value in [[], null] {
		fixture.decide([fixture.resource(["labels"], value)], []).reasons == {"label.missing"}
	}
	fixture.decide([fixture.remove(["resource", "properties", "labels"])], []).reasons == {"label.missing"}
}

test_deny_an_unknown_scheme if {
	fixture.decide([fixture.resource(["labels", 0, "scheme"], "ZZZ")], []).reasons & {"label.missing", "scheme.unknown", "label.unknown"} == {"scheme.unknown"}
	fixture.decide([], [fixture.remove(["schemes", "AAA"])]).reasons & {"label.missing", "scheme.unknown"} == {"scheme.unknown"}
}

test_deny_a_value_that_the_scheme_lacks if {
	every patch in [
		fixture.resource(["labels", 0, "level"], "mid"),
		fixture.resource(["labels", 0, "level"], null),
		fixture.resource(["labels", 0, "categories", "comp"], ["Z"]),
		fixture.resource(["labels", 0, "categories", "zone"], ["X"]),
		fixture.resource(["labels", 0, "categories", "care"], ["CARE"]), # a handling tag is no category
		fixture.resource(["labels", 0, "categories"], null),
		fixture.resource(["labels", 0, "nation"], ["CARE"]),
		fixture.resource(["labels", 0, "nation"], null),
		fixture.resource(["labels", 0, "handling"], ["AAAONLY"]),
		fixture.resource(["labels", 0, "handling"], null),
		fixture.resource(["labels", 0, "created"], null),
		fixture.remove(["resource", "properties", "labels", 0, "level"]),
		fixture.remove(["resource", "properties", "labels", 0, "handling"]),
		fixture.remove(["resource", "properties", "labels", 0, "created"]),
	] {
		"label.unknown" in fixture.decide([patch], []).reasons
	}
}

test_deny_a_forbidden_combination if {
	every patch in [
		fixture.resource(["labels", 0, "release"], ["BBB"]), # not to its owner
		fixture.resource(["labels", 0, "release"], []),
		fixture.resource(["labels", 0, "nation"], ["AAAONLY"]), # beside a release list
		fixture.resource(["labels", 0, "categories", "team"], []), # permissive and empty
		fixture.remove(["resource", "properties", "labels", 0, "release"]),
		fixture.resource(["labels", 0, "level"], "LOW"), # the scheme excludes comp there
		fixture.resource(["owner"], null),
		fixture.resource(["owner", "nation"], "ZZZ"),
		fixture.resource(["owner", "originator"], null),
	] {
		"label.invalid" in fixture.decide([patch], []).reasons
	}
}

test_deny_a_release_list_where_the_scheme_has_none if {
	fixture.decide([], [fixture.set_to(["schemes", "AAA", "release", "allowed"], false)]) == fixture.deny({"label.invalid"}, set())
	fixture.decide([], [fixture.remove(["schemes", "AAA", "release"])]) == fixture.deny({"label.invalid"}, set())
}

test_a_level_may_want_a_tag if {
	top := json.patch(fixture.label, [{"op": "replace", "path": ["level"], "value": "TOP"}])
	label.valid(top) with data.schemes as fixture.world.schemes
	not label.valid(object.union(top, {"handling": []})) with data.schemes as fixture.world.schemes
	not label.valid(json.patch(top, [{"op": "remove", "path": ["categories", "comp"]}])) with data.schemes as fixture.world.schemes
}

test_allow_a_display_list_where_the_scheme_has_them if {
	fixture.decide([fixture.resource(["labels", 0, "display"], ["CCC"])], []) == fixture.allow
	fixture.decide([fixture.resource(["labels", 0, "display"], ["CCC"]), fixture.resource(["labels", 0, "release"], null)], []) == fixture.allow
}

test_deny_a_display_list_that_says_nothing_or_may_not_be if {
	shown := fixture.resource(["labels", 0, "display"], ["CCC"])
	"label.invalid" in fixture.decide([fixture.resource(["labels", 0, "display"], [])], []).reasons
	"label.invalid" in fixture.decide([fixture.remove(["resource", "properties", "labels", 0, "display"])], []).reasons
	"label.invalid" in fixture.decide([shown, fixture.resource(["labels", 0, "release"], null), fixture.resource(["labels", 0, "nation"], ["AAAONLY"])], []).reasons
	every patch in [
		fixture.set_to(["schemes", "AAA", "release", "display"], false),
		fixture.remove(["schemes", "AAA", "release", "display"]),
	] {
		fixture.decide([shown], [patch]) == fixture.deny({"label.invalid"}, set())
	}
}

_group := [
	fixture.resource(["labels", 0, "nation"], ["BOTH"]),
	fixture.resource(["labels", 0, "release"], ["AAA", "BBB"]),
]

_holds_group := [fixture.set_to(["enclaves", e, "ceiling", 0, "tags", "-"], "BOTH") | some e in ["e1", "e2"]]

test_allow_a_release_list_beside_a_nation_tag_that_goes_with_one if fixture.decide(_group, _holds_group) == fixture.allow

test_deny_a_release_list_beside_a_nation_tag_that_does_not if {
	fixture.decide(_group, array.concat(_holds_group, [fixture.remove(["schemes", "AAA", "tag_sets", "only", "values", 2, "with_release"])])) == fixture.deny({"label.invalid"}, set())
	fixture.decide(array.concat(_group, [fixture.resource(["labels", 0, "nation"], ["BOTH", "AAAONLY"])]), _holds_group).reasons == {"label.invalid"}
}

_level(field, value) := fixture.set_to(["schemes", "AAA", "levels", 1, field], value)

test_a_level_is_of_labels_between_its_dates if {
	created := fixture.label.created
	after := "2024-01-01T00:00:00.000000001Z"
	before := "2023-12-31T23:59:59.999999999Z"
	every patch in [_level("labels_from", created), _level("labels_from", before), _level("labels_to", after)] {
		fixture.decide([], [patch]) == fixture.allow
	}
	every patch in [_level("labels_from", after), _level("labels_to", created), _level("labels_to", before), _level("labels_from", null), _level("labels_to", 1)] {
		fixture.decide([], [patch]) == fixture.deny({"label.invalid"}, set())
	}
}

test_a_value_is_of_labels_between_its_dates if {
	gone := fixture.changed({"categories": {"comp": ["GONE"]}, "created": "2019-12-31T23:59:59.999999999Z"})
	_valid(gone)
	_valid(object.union(gone, {"created": "2010-01-01T00:00:00.000000000Z"}))
	not _valid(object.union(gone, {"created": "2020-01-01T00:00:00.000000000Z"}))
	not _valid(object.union(gone, {"created": "2009-12-31T23:59:59.999999999Z"}))
	not _valid(object.union(gone, {"created": null}))
}

_valid(l) if label.valid(l) with data.schemes as fixture.world.schemes with input as fixture.valid

_valid_under(kind, rule, l) if {
	label.valid(l) with data.schemes as json.patch(fixture.world.schemes, [fixture.set_to(["AAA", "rules"], {kind: [rule]})])
		with input as fixture.valid
}

_bare := fixture.changed({"categories": {}, "handling": []})

test_a_rule_may_be_about_values_and_what_they_stand_beside if {
	excluded := {"levels": ["MID"], "beside": {"note": ["N"]}, "tag_sets": [], "values": {"care": ["CARE"]}}
	not _valid_under("excluded", excluded, fixture.label)
	_valid_under("excluded", excluded, fixture.changed({"level": "TOP"}))
	_valid_under("excluded", excluded, fixture.changed({"handling": []}))
	_valid_under("excluded", excluded, fixture.changed({"categories": {"comp": ["X"]}}))
	_valid_under("excluded", excluded, _bare)
	required := {"levels": ["MID"], "beside": {"comp": ["X"]}, "tag_sets": [], "values": {"care": ["CARE"]}}
	_valid_under("required", required, fixture.label)
	_valid_under("required", required, _bare)
	not _valid_under("required", required, fixture.changed({"handling": []}))
	not _valid_under("required", object.remove(required, ["beside"]), _bare)
}

test_a_rule_may_be_about_labels_of_a_date if {
	rule := {"levels": ["MID"], "tag_sets": ["comp"], "labels_from": fixture.label.created, "labels_to": "2024-01-01T00:00:00.000000001Z"}
	not _valid_under("excluded", rule, fixture.label)
	_valid_under("excluded", rule, fixture.changed({"created": "2023-12-31T23:59:59.999999999Z"}))
	_valid_under("excluded", rule, fixture.changed({"created": "2024-01-01T00:00:00.000000001Z"}))
	_valid_under("required", rule, fixture.label)
	not _valid_under("required", rule, _bare)
	_valid_under("required", rule, object.union(_bare, {"created": "2024-01-01T00:00:00.000000001Z"}))
}

test_a_rule_about_a_set_that_is_none_excludes_nothing_and_requires_what_is_never_there if {
	rule := {"levels": ["MID"], "tag_sets": [], "values": {"ghost": ["X"]}}
	_valid_under("excluded", rule, fixture.label)
	not _valid_under("required", rule, fixture.label)
}

test_a_malformed_rule_of_a_scheme_lets_no_label_pass if {
	every patch in [fixture.remove(["schemes", "AAA", "rules", "excluded", 0, "levels"]), fixture.remove(["schemes", "AAA", "rules", "excluded", 0, "tag_sets"]), fixture.set_to(["schemes", "AAA", "rules", "required", 0], {"levels": ["MID"]})] {
		fixture.decide([], [patch]) == fixture.deny({"label.invalid"}, set())
	}
}

test_alternatives_are_labels_too if {
	other := json.patch(fixture.label, [{"op": "replace", "path": ["level"], "value": "ZZZ"}])
	"label.unknown" in fixture.decide([fixture.resource(["labels", 0, "alternatives"], [other])], []).reasons
	nested := fixture.changed({"alternatives": [fixture.label]})
	"label.invalid" in fixture.decide([fixture.resource(["labels", 0, "alternatives"], [nested])], []).reasons
	"scheme.unknown" in fixture.decide([fixture.resource(["labels", 0, "alternatives"], null)], []).reasons
}

test_deny_an_object_without_the_label_that_its_row_wants if {
	fixture.decide([], [fixture.row(["labels_on_objects"], true)]) == fixture.deny({"label.unbound"}, set())
	fixture.decide([], [fixture.remove(["tenants", "acme", "catalogue", "rows", "acme-docs/", "labels_on_objects"])]) == fixture.deny({"label.unbound"}, set())
}

test_deny_an_object_with_its_own_label_where_it_is_unknown_what_the_row_wants if {
	own := fixture.resource(["labels", 1], fixture.label)
	unknown := fixture.remove(["tenants", "acme", "catalogue", "rows", "acme-docs/", "labels_on_objects"])
	fixture.decide([own], [unknown]) == fixture.deny({"label.unbound"}, set())
}

test_allow_an_object_with_its_own_label if {
	fixture.decide([fixture.resource(["labels", 1], fixture.label)], [fixture.row(["labels_on_objects"], true)]) == fixture.allow
}

test_allow_a_list_of_a_row_that_wants_labels_on_objects if {
	fixture.decide([fixture.set_to(["action", "name"], "list")], [fixture.row(["labels_on_objects"], true)]) == fixture.allow
}

test_deny_where_a_rule_of_the_scheme_is_about_unknown_levels if {
	unknown := fixture.set_to(["schemes", "AAA", "rules", "excluded", 0, "levels"], null)
	"label.invalid" in fixture.decide([], [unknown]).unproven
}

test_an_empty_tag_set_is_not_carried if {
	low := [fixture.resource(["labels", 0, "level"], "LOW"), fixture.resource(["labels", 0, "categories"], {"comp": []})]
	not "label.invalid" in fixture.decide(low, []).unproven
	top := [fixture.resource(["labels", 0, "level"], "TOP"), fixture.resource(["labels", 0, "categories"], {"comp": []})]
	"label.invalid" in fixture.decide(top, []).unproven
	carried := fixture.resource(["labels", 0, "categories"], {"comp": ["X"]})
	not "label.invalid" in fixture.decide(array.concat(top, [carried]), []).unproven
}
