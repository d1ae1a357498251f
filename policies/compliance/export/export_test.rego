package compliance.export_test

import data.compliance.fixture

_controlled(mode) := [
	fixture.resource(["constraints", "export"], {"mode": mode, "destinations": ["AAA"]}),
	fixture.subject(["export_status"], ["us_person"]),
]

test_allow_a_person_of_the_regimes_status_at_a_licensed_destination if {
	fixture.decide(_controlled("ITAR"), []) == fixture.allow
	fixture.decide(_controlled("EAR"), []) == fixture.allow
}

test_deny_a_foreign_person if {
	fixture.decide(array.concat(_controlled("ITAR"), [fixture.subject(["export_status"], [])]), []) == fixture.deny({"export.foreign_person"}, set())
	fixture.decide(array.concat(_controlled("EAR"), [fixture.subject(["export_status"], null)]), []) == fixture.deny({"export.foreign_person"}, set())
}

test_deny_an_unknown_regime if {
	fixture.decide(_controlled("MOON"), []) == fixture.deny({"export.foreign_person"}, set())
	denied := fixture.deny({"export.foreign_person"}, {"export.destination"})
	fixture.decide([fixture.resource(["constraints", "export"], null)], []) == denied
	fixture.decide([fixture.remove(["resource", "properties", "constraints", "export"])], []) == denied
	fixture.decide([fixture.resource(["constraints", "export", "mode"], null)], []) == denied
}

_denied := fixture.deny({"export.destination"}, set())

test_deny_a_destination_without_licence if {
	fixture.decide(array.concat(_controlled("ITAR"), [fixture.set_to(["context", "source", "country"], "BBB")]), []) == _denied
	fixture.decide(array.concat(_controlled("ITAR"), [fixture.resource(["constraints", "export", "destinations"], [])]), []) == _denied
	fixture.decide(array.concat(_controlled("ITAR"), [fixture.resource(["constraints", "export", "destinations"], null)]), []) == _denied
}

test_deny_an_unknown_destination if {
	anywhere := [fixture.resource(["constraints", "egress"], "any")]
	every patch in [fixture.set_to(["context", "source", "country"], null), fixture.set_to(["context", "source", "basis"], "unknown")] {
		fixture.decide(array.concat(_controlled("ITAR"), array.concat(anywhere, [patch])), []) == _denied
	}
}

_copied_to(enclave) := [fixture.set_to(["action", "properties", "to"], {"kind": "object", "row": "acme-docs/", "enclave": enclave})]

test_the_destination_of_a_copy_is_the_country_of_its_enclave if {
	fixture.decide(array.concat(_controlled("ITAR"), _copied_to("e2")), []) == fixture.allow
	fixture.decide(array.concat(_controlled("ITAR"), _copied_to("abroad")), []) == _denied
	fixture.decide(array.concat(_controlled("ITAR"), _copied_to("nowhere")), []) == _denied
	fixture.decide(array.concat(_controlled("ITAR"), _copied_to(null)), []) == _denied
	unheard_of := [fixture.set_to(["action", "properties", "to", "kind"], "moon")]
	"export.destination" in fixture.decide(array.concat(_controlled("ITAR"), array.concat(_copied_to("e2"), unheard_of)), []).reasons
}

test_allow_to_write_from_a_destination_without_licence if {
	patches := [fixture.set_to(["action", "name"], "update"), fixture.set_to(["context", "source", "country"], "BBB")]
	fixture.decide(array.concat(_controlled("ITAR"), patches), []) == fixture.allow
}

_licence := {
	"id": "l1", "regime": "ITAR", "rows": ["acme-docs/"], "recipients": ["acme"], "citizenships": ["AAA", "DDD"],
	"not_before": fixture.time, "not_after": fixture.after,
}

_foreign := array.concat(_controlled("ITAR"), [fixture.subject(["export_status"], []), fixture.subject(["held_nationalities"], ["DDD"])])

_licensed(patches, change) := fixture.decide(
	array.concat(_foreign, patches),
	[fixture.set_to(["tenants", "acme", "agreements", "licences"], [object.union(_licence, change)])],
)

test_allow_a_foreign_person_whom_a_licence_covers if {
	_licensed([], {}) == fixture.allow
	_licensed([fixture.subject(["held_nationalities"], ["DDD", "AAA"])], {}) == fixture.allow
}

test_deny_a_foreign_person_whom_the_licence_does_not_cover if {
	every change in [
		{"regime": "EAR"}, {"rows": ["acme-other/"]}, {"recipients": ["beta"]}, {"citizenships": ["AAA"]}, {"citizenships": null},
		{"not_before": fixture.after}, {"not_after": fixture.time}, {"not_after": null},
	] {
		_licensed([], change) == fixture.deny({"export.foreign_person"}, set())
	}
}

test_deny_who_holds_a_citizenship_beside_those_of_the_licence if {
	every held in [["DDD", "CCC"], ["CCC"], [], null] {
		_licensed([fixture.subject(["held_nationalities"], held)], {}) == fixture.deny({"export.foreign_person"}, set())
	}
	_licensed([fixture.remove(["subject", "properties", "held_nationalities"])], {}) == fixture.deny({"export.foreign_person"}, set())
}

test_a_licence_opens_no_other_destination if {
	_licensed([fixture.set_to(["context", "source", "country"], "BBB")], {}) == _denied
}

test_a_licence_proves_nothing_where_the_regime_is_unknown if {
	"export.foreign_person" in _licensed([fixture.resource(["constraints", "export", "mode"], null)], {}).unproven
}

_into(enclave) := fixture.set_to(["action", "properties", "to"], {"kind": "enclave", "row": null, "enclave": enclave})

test_a_job_is_a_destination_too if {
	not "export.destination" in fixture.decide(array.concat(_controlled("ITAR"), [_into("e2")]), []).unproven
	"export.destination" in fixture.decide(array.concat(_controlled("ITAR"), [_into("abroad")]), []).unproven
}
