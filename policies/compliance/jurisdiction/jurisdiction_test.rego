package compliance.jurisdiction_test

import data.compliance.fixture

_residency := fixture.deny({"jurisdiction.residency"}, set())

test_deny_data_that_rests_elsewhere if {
	fixture.decide([fixture.resource(["place", "replicas"], ["abroad"])], []) == _residency
	fixture.decide([fixture.resource(["place", "backups"], ["abroad"])], []) == _residency
	fixture.decide([fixture.resource(["place", "replicas"], ["nowhere"])], []) == _residency
	"jurisdiction.residency" in fixture.decide([fixture.resource(["place", "enclave"], "abroad")], []).reasons
	"jurisdiction.residency" in fixture.decide([fixture.resource(["place", "enclave"], "unheard-of")], []).reasons
	fixture.decide([fixture.resource(["constraints", "residency"], null)], []) == _residency
	fixture.decide([fixture.resource(["constraints", "residency"], [])], []) == _residency
	fixture.decide([fixture.remove(["resource", "properties", "constraints", "residency"])], []) == _residency
}

test_allow_data_that_may_rest_anywhere if {
	fixture.decide([fixture.resource(["place", "replicas"], ["abroad"]), fixture.resource(["constraints", "residency"], "any")], []) == fixture.allow
}

test_deny_places_that_are_unknown if {
	every path in [["place"], ["place", "replicas"], ["place", "backups"]] {
		reasons := fixture.decide([fixture.resource(path, null)], []).reasons
		{"jurisdiction.residency", "jurisdiction.legal_control"} & reasons == {"jurisdiction.residency", "jurisdiction.legal_control"}
	}
}

test_deny_a_copy_to_where_the_source_may_not_rest if {
	fixture.decide(array.concat(fixture.as_copy, [fixture.from(["constraints", "residency"], ["BBB"])]), []) == _residency
	fixture.decide(array.concat(fixture.as_copy, [fixture.from(["constraints", "residency"], null)]), []) == _residency
	wider := [fixture.resource(["constraints", "residency"], ["AAA", "BBB"])] # rests in AAA, but its rule would let it move
	fixture.decide(array.concat(fixture.as_copy, wider), []) == _residency
}

_job(enclave) := [fixture.set_to(["action", "properties", "to"], {"kind": "enclave", "row": null, "enclave": enclave}), fixture.set_to(["context", "gateway", "enclaves", "-"], enclave)]

test_deny_processing_elsewhere if {
	denied := fixture.deny({"jurisdiction.processing"}, set())
	fixture.decide(_job("abroad"), []) == denied
	fixture.decide(_job("nowhere"), []) == denied
	fixture.decide(array.concat(fixture.as_job_input, [fixture.resource(["constraints", "processing"], null)]), []) == denied
}

test_allow_processing_anywhere if {
	fixture.decide(array.concat(_job("abroad"), [fixture.resource(["constraints", "processing"], "any")]), []) == fixture.allow
}

_legal := fixture.deny({"jurisdiction.legal_control"}, set())

test_deny_a_place_whose_operator_foreign_law_reaches if {
	fixture.decide([fixture.resource(["place", "backups"], ["foreign"])], []) == _legal
	fixture.decide(_job("foreign"), []) == _legal
	fixture.decide([fixture.resource(["constraints", "reach"], null)], []) == _legal
	fixture.decide([], [fixture.remove(["enclaves", "e2", "operator", "reach"])]) == _legal
}

test_allow_any_law_where_there_is_no_rule if {
	fixture.decide([fixture.resource(["place", "backups"], ["foreign"]), fixture.resource(["constraints", "reach"], "any")], []) == fixture.allow
}

_home := [
	fixture.resource(["labels", 0, "categories", "comp"], ["HOME"]),
	fixture.subject(["clearances", 0, "categories", "comp"], ["HOME"]),
	fixture.resource(["constraints", "reach"], "any"),
]

_holds_home := [fixture.set_to(["enclaves", e, "ceiling", 0, "tags", "-"], "HOME") | some e in ["e1", "e2", "foreign"]]

test_deny_an_operator_of_other_law_than_a_tag_wants if {
	fixture.decide(_home, _holds_home) == fixture.allow
	fixture.decide(array.concat(_home, _job("foreign")), _holds_home) == _legal
	fixture.decide(_home, array.concat(_holds_home, [fixture.remove(["enclaves", "e1", "operator", "law"])])) == _legal
}

test_deny_a_copy_to_an_operator_whom_the_source_does_not_allow if {
	"jurisdiction.legal_control" in fixture.decide(array.concat(fixture.as_copy, [fixture.from(["constraints", "reach"], [])]), []).reasons
}

_egress := fixture.deny({"jurisdiction.egress"}, set())

test_deny_to_leave_elsewhere if {
	fixture.decide([fixture.set_to(["context", "source", "country"], "CCC")], []) == _egress
	fixture.decide([fixture.set_to(["context", "source", "country"], null)], []) == _egress
	fixture.decide([fixture.set_to(["context", "source", "basis"], "unknown")], []) == _egress
	fixture.decide([fixture.remove(["context", "source"])], []) == _egress
	fixture.decide([fixture.resource(["constraints", "egress"], null)], []) == _egress
}

test_allow_to_leave_anywhere_without_rule if {
	fixture.decide([fixture.set_to(["context", "source", "country"], null), fixture.resource(["constraints", "egress"], "any")], []) == fixture.allow
}

test_allow_to_process_and_write_from_elsewhere if {
	elsewhere := [fixture.set_to(["context", "source", "country"], "CCC")]
	fixture.decide(array.concat(fixture.as_job_input, elsewhere), []) == fixture.allow
	fixture.decide(array.concat(fixture.as_copy, elsewhere), []) == fixture.allow
	fixture.decide(array.concat(elsewhere, [fixture.set_to(["action", "name"], "update")]), []) == fixture.allow
}

test_deny_a_destination_of_unknown_kind if {
	fixture.decide([fixture.set_to(["action", "properties", "to", "kind"], "moon")], []).reasons == {
		"enclave.mismatch", "jurisdiction.egress", "jurisdiction.legal_control", "jurisdiction.processing",
	}
}

test_only_an_enclave_processes if {
	to := fixture.set_to(["action", "properties", "to"], {"kind": "moon", "row": null, "enclave": "e1"})
	"jurisdiction.processing" in fixture.decide([to], []).unproven
}
