package compliance.personnel_test

import data.compliance.fixture

_operator(patches) := array.concat(fixture.as_operator, patches)

_approval(field, value) := fixture.set_to(["context", "approvals", 0, field], value)

test_allow_an_approved_operator if fixture.decide(fixture.as_operator, []) == fixture.allow

_ineligible := fixture.deny({"personnel.eligibility"}, set())

test_deny_an_operator_whom_the_tenant_does_not_accept if {
	every patch in [
		fixture.subject(["nationalities"], ["BBB"]),
		fixture.subject(["nationalities"], []),
		fixture.subject(["nationalities"], null),
		fixture.set_to(["context", "source", "country"], "BBB"),
		fixture.set_to(["context", "source", "basis"], "unknown"),
	] {
		"personnel.eligibility" in fixture.decide(_operator([patch]), []).reasons
	}
	fixture.decide(_operator([fixture.subject(["nationalities"], ["BBB"])]), []) == _ineligible
	fixture.decide(fixture.as_operator, [fixture.remove(["tenants", "acme", "personnel", "citizenships"])]) == _ineligible
}

_unapproved := fixture.deny({"personnel.unapproved"}, {"personnel.justification", "personnel.dual_control"})

test_deny_an_operator_whom_no_approval_covers if {
	every patch in [
		_approval("operator", "provider|other"),
		_approval("row", "acme-docs"),
		_approval("row", "acme-"),
		_approval("actions", ["list"]),
		_approval("actions", null),
		_approval("enclave", "e2"),
		_approval("not_before", fixture.after),
		_approval("not_before", null),
		_approval("not_after", fixture.time),
		_approval("not_after", null),
		fixture.set_to(["context", "approvals"], []),
		fixture.set_to(["context", "approvals"], null),
		fixture.remove(["context", "approvals"]),
	] {
		fixture.decide(_operator([patch]), []) == _unapproved
	}
}

test_deny_to_carry_data_into_another_enclave_than_the_approved if {
	fixture.decide(_operator(fixture.as_job_input), []) == _unapproved
}

test_deny_a_justification_that_the_tenant_does_not_accept if {
	denied := fixture.deny({"personnel.justification"}, {"personnel.dual_control"})
	fixture.decide(_operator([_approval("justification", "CURIOSITY")]), []) == denied
	fixture.decide(_operator([_approval("justification", null)]), []) == denied
	fixture.decide(fixture.as_operator, [fixture.remove(["tenants", "acme", "personnel", "justifications"])]) == denied
}

test_deny_too_few_approvers if {
	denied := fixture.deny({"personnel.dual_control"}, set())
	every approvers in [["aaa|ann"], ["aaa|ann", "aaa|ann"], ["aaa|ann", "provider|oz"], [], null] {
		fixture.decide(_operator([_approval("approvers", approvers)]), []) == denied
	}
	fixture.decide(fixture.as_operator, [fixture.remove(["tenants", "acme", "personnel", "approvers"])]) == denied
}

test_deny_justification_and_approvers_from_two_approvals if {
	approvals := [
		object.union(fixture.approval, {"justification": "CURIOSITY"}),
		object.union(fixture.approval, {"approvers": ["aaa|ann"]}),
	]
	fixture.decide(_operator([fixture.set_to(["context", "approvals"], approvals)]), []) == fixture.deny({"personnel.dual_control"}, set())
}

test_deny_who_is_no_known_kind_of_person_though_approved if {
	ids := {"personnel.eligibility", "personnel.unapproved", "personnel.justification", "personnel.dual_control"}
	ids - fixture.decide(_operator([fixture.subject(["affiliation", "kind"], "friend")]), []).unproven == set()
	ids - fixture.decide(_operator([fixture.subject(["affiliation"], null)]), []).unproven == set()
}
