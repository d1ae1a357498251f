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
