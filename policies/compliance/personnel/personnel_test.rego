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

# An operator without approval who says that there is a fire.
_emergency(patches) := array.concat(
	_operator([
		fixture.set_to(["context", "approvals"], []),
		fixture.set_to(["context", "purpose"], "break_glass:FIRE"),
		fixture.subject(["assurance", "age_seconds"], 900),
	]),
	patches,
)

_glass(path, value) := fixture.set_to(array.concat(["tenants", "acme", "personnel", "break_glass"], path), value)

_broken := object.union(fixture.allow, {"obligations": {{"id": "break_glass"}}})

test_allow_an_operator_who_breaks_the_glass_and_say_so if {
	fixture.decide(_emergency([]), []) == _broken
	fixture.decide(_emergency([fixture.set_to(["context", "purpose"], "break_glass:FLOOD")]), []) == _broken
	fixture.decide(_emergency([fixture.set_to(["action", "name"], "list")]), []) == _broken
}

test_say_so_also_where_an_approval_would_do if {
	fixture.decide(_emergency([fixture.set_to(["context", "approvals"], [fixture.approval])]), []) == _broken
}

test_deny_to_break_the_glass_other_than_the_tenant_has_foreseen if {
	every patch in [
		fixture.set_to(["context", "purpose"], "break_glass:CURIOSITY"),
		fixture.set_to(["context", "purpose"], "break_glass:"),
		fixture.set_to(["context", "purpose"], "break_glass:fire"),
		fixture.set_to(["context", "purpose"], "FIRE"),
		fixture.set_to(["context", "purpose"], null),
		fixture.remove(["context", "purpose"]),
		fixture.set_to(["subject", "id"], "provider|other"),
		fixture.set_to(["action", "name"], "delete"),
		fixture.subject(["assurance", "age_seconds"], 901),
		fixture.subject(["assurance", "age_seconds"], null),
	] {
		"personnel.unapproved" in fixture.decide(_emergency([patch]), []).reasons
	}
	every fact in [
		_glass(["codes"], []),
		_glass(["codes"], null),
		_glass(["operators"], []),
		_glass(["actions"], ["list"]),
		_glass(["window_seconds"], 899),
		_glass(["window_seconds"], null),
		_glass(["window_seconds"], "900"),
		fixture.remove(["tenants", "acme", "personnel", "break_glass"]),
	] {
		fixture.decide(_emergency([]), [fact]) == _unapproved
	}
}

test_breaking_the_glass_stands_in_for_the_approval_and_nothing_else if {
	fixture.decide(_emergency([fixture.subject(["nationalities"], ["BBB"])]), []).reasons == {"personnel.eligibility"}
	fixture.decide(_emergency([fixture.subject(["clearances"], [])]), []).reasons == {"clearance.missing"}
	fixture.decide(_emergency([fixture.subject(["clearances", 0, "levels"], ["LOW"])]), []).reasons == {"clearance.level"}
	fixture.decide(_emergency([fixture.subject(["cut"], [{"claim": "affiliation", "value": "v", "why": "w"}])]), []).reasons == {"identity.issuer"}
	fixture.decide(_emergency([fixture.resource(["labels"], [])]), []).reasons == {"label.missing"}
}

test_nobody_but_an_operator_breaks_the_glass if {
	fixture.decide([fixture.set_to(["context", "purpose"], "break_glass:FIRE")], []) == fixture.allow
	every affiliation in [null, {"kind": "friend", "organization": "provider", "country": "AAA"}] {
		"personnel.unapproved" in fixture.decide(_emergency([fixture.subject(["affiliation"], affiliation)]), []).unproven
	}
}
