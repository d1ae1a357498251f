package compliance.enclave_test

import data.compliance.fixture

test_deny_an_enclave_of_another_gateway if {
	denied := fixture.deny({"enclave.mismatch"}, set())
	fixture.decide([fixture.set_to(["context", "gateway", "enclaves"], ["e2"])], []) == denied
	fixture.decide([fixture.set_to(["context", "gateway", "enclaves"], [])], []) == denied
	fixture.decide([fixture.set_to(["context", "gateway", "enclaves"], null)], []) == denied
	fixture.decide([fixture.remove(["context", "gateway"])], []) == denied
	fixture.decide(array.concat(fixture.as_job_input, [fixture.set_to(["context", "gateway", "enclaves"], ["e1"])]), []) == denied
}

_ceiling := fixture.deny({"enclave.ceiling"}, set())

test_deny_a_label_above_a_place if {
	fixture.decide([fixture.resource(["place", "replicas"], ["small"])], []) == _ceiling
	fixture.decide([fixture.resource(["place", "backups"], ["small"])], []) == _ceiling
	fixture.decide([], [fixture.set_to(["enclaves", "e1", "ceiling"], [])]) == _ceiling
	fixture.decide([], [fixture.remove(["enclaves", "e1", "ceiling"])]) == _ceiling
	fixture.decide([], [fixture.set_to(["enclaves", "e1", "ceiling", 0, "level"], "WRONG")]) == _ceiling
}

test_deny_a_tag_that_a_place_may_not_hold if {
	fixture.decide([], [fixture.set_to(["enclaves", "e1", "ceiling", 0, "tags"], ["X"])]) == _ceiling
	fixture.decide([], [fixture.set_to(["enclaves", "e1", "ceiling", 0, "tags"], ["CARE"])]) == _ceiling
	fixture.decide([], [fixture.remove(["enclaves", "e1", "ceiling", 0, "tags"])]) == _ceiling
}

test_deny_a_job_in_a_place_below_its_input if {
	fixture.decide(
		[
			fixture.set_to(["action", "properties", "to"], {"kind": "enclave", "row": null, "enclave": "small"}),
			fixture.set_to(["context", "gateway", "enclaves", "-"], "small"),
		],
		[],
	) == _ceiling
}

test_deny_a_copy_of_what_the_place_may_not_hold if {
	top := fixture.from(["labels", 0, "level"], "TOP")
	fixture.decide(array.concat(fixture.as_copy, [top]), []) == fixture.deny({"enclave.ceiling", "flow.write_down"}, set())
}

_foreign := {"scheme": "BBB", "level": "TWO", "tags": ["X", "CARE"]}

_equivalence(use) := fixture.set_to(["tenants", "acme", "agreements", "equivalences", "-"], {
	"id": "place",
	"use": use,
	"agreement": "ab",
	"label": ["AAA", "MID"],
	"clearance": ["BBB", "ONE"],
	"categories": {"comp": ["X"], "team": ["RED", "BLUE"]},
	"labels_from": fixture.label.created,
	"labels_to": null,
})

_untagged := fixture.resource(["labels", 0, "handling"], [])

test_a_ceiling_of_another_scheme_holds_only_by_an_equivalence_for_ceilings if {
	foreign := fixture.set_to(["enclaves", "e1", "ceiling"], [_foreign])
	fixture.decide([_untagged], [foreign]) == _ceiling
	fixture.decide([_untagged], [foreign, _equivalence("clearance")]) == _ceiling
	fixture.decide([_untagged], [foreign, _equivalence("ceiling")]) == fixture.allow
}

test_a_tag_of_another_scheme_is_not_the_one_of_the_same_name if {
	foreign := fixture.set_to(["enclaves", "e1", "ceiling"], [_foreign])
	unlisted := fixture.remove(["tenants", "acme", "agreements", "equivalences", 1, "categories"])
	fixture.decide([_untagged], [foreign, _equivalence("ceiling"), unlisted]) == _ceiling
	fixture.decide([], [foreign, _equivalence("ceiling")]) == _ceiling # CARE
}
