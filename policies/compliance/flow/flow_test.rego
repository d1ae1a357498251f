package compliance.flow_test

import data.compliance.fixture
import data.compliance.flow

_copy(patches) := array.concat(fixture.as_copy, patches)

_denied := fixture.deny({"flow.write_down"}, set())

test_allow_a_copy_inside_a_row if fixture.decide(fixture.as_copy, []) == fixture.allow

test_allow_a_plain_create if fixture.decide(_copy([fixture.set_to(["action", "properties", "from"], [])]), []) == fixture.allow

test_deny_a_copy_from_what_the_row_protects_less if {
	every patch in [
		fixture.from(["labels", 0, "release"], null),
		fixture.from(["labels", 0, "created"], "2023-01-01T00:00:00.000000000Z"),
		fixture.from(["labels"], []),
		fixture.from(["labels", 0, "level"], "WRONG"),
		fixture.from(["labels", 0, "release"], ["BBB"]), # invalid
		fixture.from(["labels", 0, "categories", "note"], ["GHOST"]), # unknown
		fixture.from(["labels", 0, "level"], "LOW"), # invalid with its categories
		fixture.from(["owner", "originator"], "another"),
		fixture.from(["owner"], null),
		fixture.from(["constraints", "processing"], []),
		fixture.from(["constraints", "processing"], null),
		fixture.from(["constraints", "egress"], ["AAA"]),
		fixture.from(["constraints", "export"], {"mode": "ITAR", "destinations": ["AAA"]}),
		fixture.from(["constraints", "export"], null),
	] {
		"flow.write_down" in fixture.decide(_copy([patch]), []).reasons
	}
	fixture.decide(_copy([fixture.from(["constraints", "egress"], ["AAA"])]), []) == _denied
}

test_two_unknown_owners_are_not_the_same if {
	unknown := {"nation": "AAA", "originator": null}
	"flow.write_down" in fixture.decide(_copy([fixture.from(["owner"], unknown), fixture.resource(["owner"], unknown)]), []).unproven
}

test_deny_a_copy_whose_reach_would_widen if {
	fixture.decide(_copy([fixture.resource(["constraints", "reach"], ["AAA", "BBB"])]), []) == _denied
}

test_deny_a_copy_of_one_good_and_one_bad_source if {
	bad := json.patch(fixture.source, [fixture.set_to(["constraints", "egress"], [])])
	fixture.decide(_copy([fixture.set_to(["action", "properties", "from", 1], bad)]), []) == _denied
}

test_deny_a_write_from_unknown_sources if {
	decision := fixture.decide(_copy([fixture.set_to(["action", "properties", "from"], null)]), [])
	decision.reasons == {"enclave.ceiling", "flow.write_down", "jurisdiction.legal_control", "jurisdiction.residency"}
}

_itar(destinations) := {"mode": "ITAR", "destinations": destinations}

_us := fixture.subject(["export_status"], ["us_person"])

test_a_copy_keeps_the_export_regime_and_no_more_destinations if {
	target := fixture.resource(["constraints", "export"], _itar(["AAA"]))
	fixture.decide(_copy([_us, target, fixture.from(["constraints", "export"], _itar(["AAA", "BBB"]))]), []) == fixture.allow
	fixture.decide(_copy([_us, target, fixture.from(["constraints", "export"], _itar([]))]), []) == _denied
	fixture.decide(_copy([_us, target, fixture.from(["constraints", "export"], {"mode": "EAR", "destinations": ["AAA"]})]), []) == _denied
}

_consent := {"originator": "another", "recipient": "acme", "rows": ["acme-docs/"], "until": fixture.after}

test_allow_a_copy_of_anothers_data_with_consent_on_file if {
	another := fixture.from(["owner", "originator"], "another")
	consents := ["tenants", "acme", "agreements", "consents"]
	fixture.decide(_copy([another]), [fixture.set_to(consents, [_consent])]) == fixture.allow
	fixture.decide(_copy([another]), [fixture.set_to(consents, [object.union(_consent, {"until": fixture.time})])]) == _denied
}

_session(tracked, high_water) := fixture.subject(["session"], {"tracked": tracked, "high_water": high_water})

test_allow_a_write_at_or_above_what_the_session_has_seen if {
	every high_water in [[], [fixture.label], [fixture.changed({"level": "LOW", "handling": []})]] {
		fixture.decide(_copy([_session(true, high_water)]), []) == fixture.allow
	}
}

test_deny_a_write_below_what_the_session_has_seen if {
	fixture.decide(_copy([_session(true, [fixture.changed({"level": "TOP"})])]), []) == _denied
	fixture.decide(_copy([_session(true, [fixture.label, fixture.changed({"release": null})])]), []) == _denied
}

test_deny_a_write_of_a_session_of_unknown_height if {
	fixture.decide(_copy([_session(true, null)]), []) == _denied
	fixture.decide(_copy([_session(null, [])]), []) == _denied
	fixture.decide(_copy([fixture.remove(["subject", "properties", "session"])]), []) == _denied
}

test_allow_a_write_where_the_tenant_does_not_track_sessions if fixture.decide(_copy([_session(false, null)]), []) == fixture.allow

test_a_guest_has_no_tracked_session if {
	partner := array.concat(fixture.as_partner, _copy([fixture.from(["labels", 0, "categories"], {})]))
	not "flow.write_down" in fixture.decide(partner, []).unproven
	every tracked in [true, false] {
		friend := [fixture.subject(["affiliation", "kind"], "friend"), _session(tracked, [])]
		"flow.write_down" in fixture.decide(array.concat(partner, friend), []).unproven
	}
	"flow.write_down" in fixture.decide(array.concat(partner, [fixture.remove(["subject", "properties", "tenant"])]), []).unproven
}

_update := [fixture.set_to(["action", "name"], "update")]

_top := fixture.changed({"level": "TOP"})

test_deny_an_update_that_would_drop_the_objects_own_label if {
	patches := array.concat(_update, [fixture.resource(["labels", 1], fixture.changed({"release": null}))])
	fixture.decide(patches, []) == fixture.deny({"flow.relabel"}, set())
}

test_allow_an_update_that_keeps_the_objects_own_label if {
	own := fixture.changed({"release": null})
	patches := array.concat(_update, [fixture.resource(["labels", 1], own), fixture.set_to(["action", "properties", "request_labels"], [own])])
	fixture.decide(patches, []) == fixture.allow
	fixture.decide(_update, []) == fixture.allow
}

test_deny_an_update_where_the_rows_labels_are_unknown if {
	fixture.decide(_update, [fixture.remove(["tenants", "acme", "catalogue", "rows", "acme-docs/", "labels"])]) == fixture.deny({"flow.relabel"}, set())
}

test_an_unknown_verb_proves_nothing if {
	unproven := fixture.decide([fixture.set_to(["action", "name"], "guess")], []).unproven
	{"flow.write_down", "flow.relabel", "resource.held", "label.missing"} - unproven == set()
}

test_deny_to_write_a_label_above_the_writers_clearance if {
	patches := _copy([fixture.set_to(["action", "properties", "request_labels"], [_top])])
	fixture.decide(patches, []).reasons == {"clearance.level", "enclave.ceiling", "service.not_contracted"}
}

# The object's own label is lowered from MID to LOW; the row's own is LOW.
_own := fixture.changed({"categories": {"comp": ["X"], "team": ["RED"]}})

_lower := fixture.changed({"level": "LOW", "categories": {"team": ["RED"]}})

_relabel := [
	fixture.set_to(["action", "name"], "relabel"),
	fixture.subject(["roles"], ["labeller"]),
	fixture.resource(["labels"], [_lower, _own]),
	fixture.set_to(["action", "properties", "request_labels"], [_lower]),
]

_authority := {"nation": "AAA", "holders": ["aaa|abe", "aaa|amy", "aaa|ann"], "not_before": fixture.time, "not_after": fixture.after}

_downgrade := {
	"id": "d1",
	"authority": "declass",
	"row": "acme-docs/",
	"from": [flow.digest(_lower), flow.digest(_own)],
	"to": [flow.digest(_lower)],
	"approvers": ["aaa|abe", "aaa|amy"],
	"not_before": fixture.time,
	"not_after": fixture.after,
}

_lowered(patches, downgrade, authority) := fixture.decide(array.concat(_relabel, patches), [
	fixture.set_to(["tenants", "acme", "agreements", "authorities"], {"declass": authority}),
	fixture.set_to(["tenants", "acme", "agreements", "downgrades"], [downgrade]),
])

test_allow_to_lower_a_label_by_the_owners_authority_and_two_approvers if {
	_lowered([], _downgrade, _authority) == fixture.allow
	three := object.union(_downgrade, {"approvers": ["aaa|abe", "aaa|amy", "aaa|ann"]})
	_lowered([], three, _authority) == fixture.allow
}

test_deny_to_lower_a_label_without_a_downgrade if {
	fixture.decide(_relabel, []) == fixture.deny({"flow.relabel"}, set())
}

test_deny_to_lower_a_label_by_a_downgrade_that_is_not_about_it if {
	denied := fixture.deny({"flow.relabel"}, set())
	every change in [
		{"row": "acme-docs/x/"},
		{"authority": "other"},
		{"from": [flow.digest(_own)]},
		{"from": [flow.digest(_lower), flow.digest(_own), flow.digest(_top)]},
		{"from": []},
		{"to": [flow.digest(_own)]},
		{"to": []},
		{"to": [flow.digest(_lower), flow.digest(_top)]},
		{"not_before": fixture.after},
		{"not_after": fixture.time},
		{"not_after": null},
		{"approvers": ["aaa|abe"]},
		{"approvers": ["aaa|abe", "aaa|abe"]},
		{"approvers": ["aaa|abe", "aaa|ann"]}, # the requester
		{"approvers": ["aaa|abe", "aaa|else"]}, # holds no authority
		{"approvers": null},
	] {
		_lowered([], object.union(_downgrade, change), _authority) == denied
	}
}

test_deny_to_lower_a_label_by_an_authority_that_is_not_the_owners_or_not_in_force if {
	denied := fixture.deny({"flow.relabel"}, set())
	every change in [
		{"nation": "BBB"},
		{"holders": ["aaa|abe"]},
		{"holders": null},
		{"not_before": fixture.after},
		{"not_after": fixture.time},
		{"not_before": null},
	] {
		_lowered([], _downgrade, object.union(_authority, change)) == denied
	}
	anothers := fixture.resource(["owner", "nation"], "BBB")
	_lowered([anothers], _downgrade, _authority) == denied
	foreign := fixture.changed({"scheme": "BBB", "level": "ONE", "categories": {}, "handling": [], "release": null})
	of_two := fixture.resource(["labels"], [_lower, object.union(_own, {"alternatives": [foreign]})])
	downgrade := object.union(_downgrade, {"from": [flow.digest(_lower), flow.digest(object.union(_own, {"alternatives": [foreign]}))]})
	"flow.relabel" in _lowered([of_two], downgrade, _authority).unproven
}

test_deny_to_lower_what_has_no_label if {
	every labels in [[], null] {
		none := fixture.resource(["labels"], labels)
		"flow.relabel" in _lowered([none], object.union(_downgrade, {"from": []}), _authority).unproven
	}
}

test_deny_to_lower_a_label_that_differs_from_the_approved_one if {
	other := fixture.set_to(["action", "properties", "request_labels", 0, "release"], ["AAA"])
	_lowered([other], _downgrade, _authority) == fixture.deny({"flow.relabel"}, set())
	"flow.relabel" in _lowered([fixture.resource(["labels", 1, "level"], "TOP")], _downgrade, _authority).unproven
}

test_deny_an_update_that_lowers_a_label_whatever_is_approved if {
	_lowered([fixture.set_to(["action", "name"], "update")], _downgrade, _authority) == fixture.deny({"flow.relabel"}, set())
}

test_deny_to_lower_a_label_without_the_role if {
	_lowered([fixture.subject(["roles"], [])], _downgrade, _authority) == fixture.deny({"action.not_granted"}, set())
}

test_deny_to_lower_a_label_that_the_requester_may_not_read if {
	blind := fixture.subject(["clearances", 0, "levels"], ["LOW"])
	_lowered([blind], _downgrade, _authority) == fixture.deny({"clearance.level"}, fixture.behind_level)
}

test_a_digest_is_of_the_labels_json_without_spaces_and_with_sorted_members if {
	flow.digest({"b": [1, "x"], "a": null}) == crypto.sha256(`{"a":null,"b":[1,"x"]}`)
}

test_only_an_update_or_a_relabelling_changes_labels if {
	every verb in ["read", "list", "create", "delete", "execute", "administer"] {
		not "flow.relabel" in fixture.decide([fixture.set_to(["action", "name"], verb)], []).unproven
	}
	"flow.relabel" in fixture.decide([fixture.set_to(["action", "name"], "relabel"), fixture.resource(["labels"], [])], []).unproven
}

test_a_copy_may_come_under_an_export_regime if {
	target := fixture.resource(["constraints", "export"], _itar(["AAA"]))
	free := fixture.from(["constraints", "export"], {"mode": "none", "destinations": ["CCC"]})
	fixture.decide(_copy([_us, target, free]), []) == fixture.allow
}

test_an_operator_has_no_tracked_session if {
	not "flow.write_down" in fixture.decide(array.concat(fixture.as_operator, fixture.as_copy), []).unproven
}

test_what_is_written_into_unknown_categories_is_not_covered if {
	"flow.write_down" in fixture.decide(_copy([fixture.resource(["labels", 0, "categories"], null)]), []).unproven
}
