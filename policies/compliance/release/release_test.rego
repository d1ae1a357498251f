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
}
