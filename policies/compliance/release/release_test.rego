package compliance.release_test

import data.compliance.fixture
import data.compliance.release

_open := fixture.row(["communities"], [])

_no_list := fixture.resource(["labels", 0, "release"], null)

test_allow_the_owner_without_a_list if fixture.decide([_no_list], []) == fixture.allow

test_deny_another_nation_without_a_list if {
	fixture.decide(array.concat(fixture.as_partner, [_no_list]), [_open]) == fixture.deny({"release.nation"}, set())
}

test_deny_a_nation_that_the_list_lacks if {
	fixture.decide(array.concat(fixture.as_partner, [fixture.resource(["labels", 0, "release"], ["AAA"])]), [_open]) == fixture.deny({"release.nation"}, set())
}

_only(tag) := [_no_list, fixture.resource(["labels", 0, "nation"], [tag])]

_holds(tag) := [fixture.set_to(["enclaves", e, "ceiling", 0, "tags", "-"], tag) | some e in ["e1", "e2"]]

test_allow_the_nation_that_a_tag_names if fixture.decide(_only("AAAONLY"), _holds("AAAONLY")) == fixture.allow

test_deny_others_than_a_tag_names if {
	patches := array.concat(_only("AAAONLY"), [fixture.subject(["affiliation", "country"], "BBB")])
	fixture.decide(patches, _holds("AAAONLY")).reasons == {"release.nation"}
}

test_deny_the_owner_where_a_tag_names_others if {
	fixture.decide(_only("CCCONLY"), _holds("CCCONLY")) == fixture.deny({"release.nation"}, set())
}

test_deny_a_nation_tag_that_tests_nothing if {
	denied := fixture.deny({"release.nation"}, set())
	fixture.decide(_only("VAGUE"), _holds("VAGUE")) == denied
	fixture.decide(_only("DULL"), _holds("DULL")) == denied
	beside := [_no_list, fixture.resource(["labels", 0, "nation"], ["AAAONLY", "VAGUE"])]
	fixture.decide(beside, array.concat(_holds("AAAONLY"), _holds("VAGUE"))) == denied
}

_home := [
	fixture.resource(["labels", 0, "categories", "comp"], ["HOME"]),
	fixture.subject(["clearances", 0, "categories", "comp"], ["HOME"]),
]

test_allow_the_nationality_that_a_category_wants if fixture.decide(_home, _holds("HOME")) == fixture.allow

test_deny_without_the_nationality_that_a_category_wants if {
	every nationalities in [["BBB"], [], null] {
		fixture.decide(array.concat(_home, [fixture.subject(["nationalities"], nationalities)]), _holds("HOME")) == fixture.deny({"release.nation"}, set())
	}
}

test_deny_without_affiliation if {
	"identity.issuer" in fixture.decide(
		[
			fixture.subject(["affiliation"], null),
			fixture.subject(["cut"], [{"claim": "affiliation", "value": "x", "why": "y"}]),
		],
		[],
	).reasons
	not "release.nation" in fixture.decide([], []).unproven
	"release.nation" in fixture.decide([fixture.subject(["affiliation"], null)], []).unproven
}

_consent := {"originator": "acme", "recipient": "acme", "rows": ["acme-docs/"], "until": fixture.after}

_consented(consent) := array.concat(_holds("ORIG"), [fixture.set_to(["tenants", "acme", "agreements", "consents"], [consent])])

_controlled := [fixture.resource(["labels", 0, "handling"], ["ORIG"])]

test_allow_a_recipient_to_whom_the_originator_consents if fixture.decide(_controlled, _consented(_consent)) == fixture.allow

test_deny_without_the_originators_consent if {
	denied := fixture.deny({"release.originator"}, set())
	fixture.decide(_controlled, _holds("ORIG")) == denied
	every change in [{"originator": "x"}, {"recipient": "x"}, {"rows": ["other/"]}, {"until": fixture.time}, {"until": null}] {
		fixture.decide(_controlled, _consented(object.union(_consent, change))) == denied
	}
}

# Two equivalents: the first is carried and released to AAA alone, the second is released to BBB and not carried.
_alternatives(first) := [fixture.resource(["labels", 0], fixture.changed({
	"release": first,
	"alternatives": [fixture.changed({"scheme": "BBB", "level": "TWO", "categories": {}, "handling": [], "release": null})],
}))]

test_allow_by_the_alternative_that_is_carried if fixture.decide(_alternatives(["AAA"]), []) == fixture.allow

test_deny_clearance_and_release_from_two_alternatives if {
	decision := fixture.decide(array.concat(_alternatives(["AAA"]), [fixture.subject(["affiliation", "country"], "BBB")]), [])
	"release.nation" in decision.unproven
}

test_deny_the_release_of_an_alternative_that_is_not_carried if {
	carried := fixture.changed({"release": ["AAA"]})
	released := fixture.changed({"level": "TOP", "alternatives": [carried]})
	decision := fixture.decide([fixture.resource(["labels", 0], released), fixture.subject(["affiliation", "country"], "BBB")], [])
	decision == fixture.deny({"release.nation"}, set())
}

test_the_audience_is_the_list_or_the_owner if {
	{"AAA", "BBB"} == release.audience(fixture.label) with data.schemes as fixture.world.schemes
	{"AAA"} == release.audience(fixture.changed({"release": null})) with data.schemes as fixture.world.schemes
	not release.audience({"scheme": "AAA"}) with data.schemes as fixture.world.schemes
	{"AAA", "BBB"} == release.viewers(fixture.label) with data.schemes as fixture.world.schemes
	{"AAA", "CCC"} == release.viewers(fixture.changed({"release": null, "display": ["CCC"]})) with data.schemes as fixture.world.schemes
	not release.viewers(object.remove(fixture.label, ["display"])) with data.schemes as fixture.world.schemes
}

_display := [
	fixture.resource(["labels", 0, "release"], ["AAA"]),
	fixture.resource(["labels", 0, "display"], ["BBB"]),
]

_shown := object.union(fixture.allow, {"obligations": {{"id": "display_only"}}})

_shown_to_partner(patches) := fixture.decide(array.concat(fixture.as_partner, array.concat(_display, patches)), [
	_open,
	fixture.set_to(["tenants", "acme", "partners", "partners", 0, "actions"], ["read", "list", "create", "update", "delete", "execute"]),
])

test_allow_to_show_with_an_obligation if {
	_shown_to_partner([]) == _shown
	_shown_to_partner([fixture.set_to(["action", "name"], "list")]) == _shown
	_shown_to_partner([fixture.resource(["labels", 0, "release"], null)]) == _shown
}

test_the_owner_owes_nothing_for_what_others_are_shown if fixture.decide(_display, []) == fixture.allow

test_a_release_supersedes_a_display if {
	_shown_to_partner([fixture.resource(["labels", 0, "release"], ["AAA", "BBB"])]) == fixture.allow
}

test_one_label_to_be_shown_among_several_obliges if {
	given := fixture.set_to(["resource", "properties", "labels", 1], fixture.changed({"categories": {}}))
	_shown_to_partner([given]) == _shown
}

test_deny_whom_it_is_not_shown_to if {
	every countries in [["CCC"], null] {
		_shown_to_partner([fixture.resource(["labels", 0, "display"], countries)]) == fixture.deny({"release.nation"}, set())
	}
}

test_deny_to_copy_what_may_only_be_shown if {
	into_object := fixture.set_to(["action", "properties", "to"], {"kind": "object", "row": "acme-docs/", "enclave": "e1"})
	_shown_to_partner([into_object]) == fixture.deny({"release.nation"}, set())
	_shown_to_partner(fixture.as_job_input) == fixture.deny({"release.nation"}, set())
}

test_deny_to_write_what_may_only_be_shown if {
	every verb in ["create", "update", "delete"] {
		_shown_to_partner([fixture.set_to(["action", "name"], verb)]) == fixture.deny({"release.nation"}, set())
	}
	"release.nation" in _shown_to_partner([fixture.set_to(["action", "name"], "relabel")]).unproven
}

test_a_nation_tag_tests_whom_it_is_shown_to_as_well if {
	shown := array.concat(_display, [fixture.resource(["labels", 0, "categories"], {"comp": ["HOME"]})])
	decision := fixture.decide(array.concat(fixture.as_partner, shown), [_open])
	"release.nation" in decision.unproven
	decision.obligations == set()
}

test_an_alternative_that_is_carried_may_be_shown if {
	other := fixture.changed({"level": "TOP", "categories": {}, "release": null})
	carried := fixture.changed({"categories": {}, "release": null, "display": ["BBB"]})
	decision := fixture.decide(
		array.concat(fixture.as_partner, [fixture.resource(["labels", 0], object.union(other, {"alternatives": [carried]}))]),
		[_open],
	)
	decision.obligations == {{"id": "display_only"}}
	not "release.nation" in decision.unproven
}

test_an_alternative_that_is_carried_must_have_what_its_tags_ask_for if {
	other := fixture.changed({"level": "TOP", "categories": {}})
	carried := fixture.changed({"categories": {"comp": ["HOME"]}})
	patches := [
		fixture.resource(["labels", 0], object.union(other, {"alternatives": [carried]})),
		fixture.subject(["clearances", 0, "categories"], {"comp": ["HOME"]}),
	]
	not "release.nation" in fixture.decide(patches, []).unproven
	"release.nation" in fixture.decide(array.concat(patches, [fixture.subject(["nationalities"], ["BBB"])]), []).unproven
}

test_no_obligation_on_a_queue if {
	decision := fixture.decide(array.concat(fixture.as_partner, array.concat(fixture.as_state, _display)), [_open])
	decision.obligations == set()
}

_organization(not_before, not_after) := array.concat(
	[fixture.set_to(["schemes", "AAA", "members"], [
		{"country": "CCC", "not_before": fixture.before, "not_after": null},
		{"country": "BBB", "not_before": not_before, "not_after": not_after},
	])],
	[_open],
)

test_allow_a_member_of_the_organization_that_owns_the_label if {
	every patches in [[_no_list], [fixture.resource(["labels", 0, "release"], ["AAA", "DDD"])]] {
		every from, until in {fixture.time: null, fixture.before: fixture.after} {
			fixture.decide(array.concat(fixture.as_partner, patches), _organization(from, until)) == fixture.allow
		}
	}
}

test_deny_who_is_no_member_now if {
	denied := fixture.deny({"release.nation"}, set())
	every window in [[fixture.after, null], [fixture.before, fixture.time], [null, null], [fixture.before, 1]] {
		fixture.decide(array.concat(fixture.as_partner, [_no_list]), _organization(window[0], window[1])) == denied
	}
}

test_the_organization_itself_is_an_owner if {
	fixture.decide([_no_list], _organization(fixture.before, null)) == fixture.allow
}

_values := ["schemes", "AAA", "tag_sets", "only", "values", "-"]

test_a_nation_tag_may_test_nationality if {
	tag := fixture.set_to(_values, {"id": "BORN", "nationalities": ["AAA"]})
	fixture.decide(_only("BORN"), array.concat(_holds("BORN"), [tag])) == fixture.allow
	foreign := fixture.subject(["nationalities"], ["BBB"])
	fixture.decide(array.concat(_only("BORN"), [foreign]), array.concat(_holds("BORN"), [tag])) == fixture.deny({"release.nation"}, set())
}

test_a_nation_tag_that_tests_the_operator_alone_releases_to_nobody if {
	tag := fixture.set_to(_values, {"id": "LAWFUL", "operator_law": ["AAA"]})
	fixture.decide(_only("LAWFUL"), array.concat(_holds("LAWFUL"), [tag])) == fixture.deny({"release.nation"}, set())
}

test_a_tag_that_tests_affiliation_asks_for_no_nationality if {
	nobody := fixture.subject(["nationalities"], [])
	fixture.decide(array.concat(_only("AAAONLY"), [nobody]), _holds("AAAONLY")) == fixture.allow
}
