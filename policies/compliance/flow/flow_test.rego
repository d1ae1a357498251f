package compliance.flow_test

import data.compliance.fixture

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
