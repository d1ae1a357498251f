package compliance.queue_test

import data.compliance
import data.compliance.fixture
import data.compliance.queue

_queue(patches) := array.concat(fixture.as_queue, patches)

_state(patches) := array.concat(fixture.as_state, patches)

test_allow_a_member_to_start_a_job if fixture.decide(fixture.as_queue, []) == fixture.allow

test_allow_a_member_to_ask_for_its_state if fixture.decide(fixture.as_state, []) == fixture.allow

test_a_queue_is_not_tested_for_what_its_label_protects if {
	every patch in [
		fixture.subject(["clearances"], []),
		fixture.subject(["communities"], []),
		fixture.resource(["constraints", "processing"], []),
		fixture.resource(["constraints", "export"], {"mode": "ITAR", "destinations": []}),
		fixture.resource(["place"], null),
	] {
		fixture.decide(_queue([patch]), []) == fixture.allow
	}
}

test_a_state_is_not_tested_for_what_the_label_protects if {
	every patch in [
		fixture.subject(["clearances"], []),
		fixture.subject(["communities"], []),
		fixture.resource(["constraints", "egress"], []),
		fixture.resource(["constraints", "export"], {"mode": "ITAR", "destinations": []}),
		fixture.resource(["place", "backups"], null),
	] {
		fixture.decide(_state([patch]), []) == fixture.allow
	}
}

test_deny_a_queue_of_another_tenant if {
	every patches in [fixture.as_queue, fixture.as_state] {
		fixture.decide(array.concat(patches, [fixture.subject(["tenant"], "other")]), []) == fixture.deny({"tenant.mismatch"}, {"action.not_granted"})
	}
}

test_deny_a_partner_of_any_row_only_for_the_verb if {
	fixture.decide(array.concat(fixture.as_partner, fixture.as_queue), []) == fixture.deny({"action.not_granted"}, set())
}

_actions := ["tenants", "acme", "partners", "partners", 0, "actions"]

test_allow_a_partner_who_may_start_jobs if {
	may := [fixture.set_to(_actions, ["read", "execute"])]
	fixture.decide(array.concat(fixture.as_partner, fixture.as_queue), may) == fixture.allow
	fixture.decide(array.concat(fixture.as_partner, fixture.as_state), may) == fixture.allow
}

test_deny_a_state_to_a_partner_who_may_not_start_jobs_or_not_read if {
	denied := fixture.deny({"action.not_granted"}, set())
	every actions in [["read", "list"], ["execute"], []] {
		fixture.decide(array.concat(fixture.as_partner, fixture.as_state), [fixture.set_to(_actions, actions)]) == denied
	}
}

test_deny_a_partner_of_no_row if {
	fixture.decide(array.concat(fixture.as_partner, fixture.as_queue), [fixture.set_to(["tenants", "acme", "partners", "partners", 0, "rows"], [])]) == fixture.deny(
		{"tenant.mismatch"},
		{"action.not_granted"},
	)
}

test_deny_an_operator_without_approval_of_the_queue if {
	fixture.decide(array.concat(fixture.as_operator, fixture.as_queue), []).reasons == {"personnel.unapproved"}
	fixture.decide(array.concat(fixture.as_operator, fixture.as_state), []).reasons == {"personnel.unapproved"}
}

test_deny_a_job_in_an_enclave_of_another_gateway if {
	fixture.decide(_queue([fixture.set_to(["context", "gateway", "enclaves"], ["e1"])]), []) == fixture.deny({"enclave.mismatch"}, set())
}

test_deny_a_state_of_a_queue_behind_another_gateway if {
	fixture.decide(_state([fixture.set_to(["context", "gateway", "enclaves"], ["e2"])]), []) == fixture.deny({"enclave.mismatch"}, set())
	fixture.decide(_state([fixture.resource(["place"], null)]), []) == fixture.deny({"enclave.mismatch"}, set())
}

test_deny_jobs_outside_the_package if {
	every patches in [fixture.as_queue, fixture.as_state] {
		fixture.decide(patches, [fixture.remove(["tenants", "acme", "tenant", "services", "jobs"])]) == fixture.deny({"service.not_contracted"}, set())
	}
}

test_deny_a_queue_without_row if "label.missing" in fixture.decide(_queue([fixture.resource(["row"], null)]), []).reasons

test_only_starting_a_job_in_an_enclave_or_reading_its_state_is_an_access_to_a_queue if {
	no_clearance := fixture.subject(["clearances"], [])
	every patch in [
		fixture.set_to(["action", "name"], "read"),
		fixture.set_to(["resource", "type"], "object"),
		fixture.set_to(["action", "properties", "to", "kind"], "client"),
	] {
		"clearance.missing" in fixture.decide(_queue([no_clearance, patch]), []).reasons
	}
	every patch in [
		fixture.set_to(["action", "name"], "execute"),
		fixture.set_to(["action", "name"], "list"),
		fixture.set_to(["resource", "type"], "object"),
		fixture.set_to(["action", "properties", "to", "kind"], "enclave"),
	] {
		"clearance.missing" in fixture.decide(_state([no_clearance, patch]), []).reasons
	}
}

test_a_partner_has_no_other_verb_on_a_queue if {
	may := [fixture.set_to(_actions, ["read", "list", "delete", "execute"])]
	every verb in ["list", "delete", "update"] {
		decision := fixture.decide(array.concat(fixture.as_partner, _state([fixture.set_to(["action", "name"], verb)])), may)
		"tenant.mismatch" in decision.reasons
		"action.not_granted" in decision.unproven
	}
}

test_what_protects_content_is_required if queue.protective - compliance.required == set()

# Spelled out once more: nothing falls out of the list unseen.
test_what_a_queue_is_not_tested_for if {
	proven := queue.satisfied with input as json.patch(fixture.valid, fixture.as_queue)
	proven == {
		"agreement.absent",
		"category.permissive",
		"category.restrictive",
		"clearance.expired",
		"clearance.issuer",
		"clearance.level",
		"clearance.missing",
		"community.missing",
		"enclave.ceiling",
		"equivalence.absent",
		"export.destination",
		"export.foreign_person",
		"flow.relabel",
		"flow.write_down",
		"jurisdiction.egress",
		"jurisdiction.legal_control",
		"jurisdiction.processing",
		"jurisdiction.residency",
		"label.unbound",
		"release.nation",
		"release.originator",
	}
}
