package compliance_test

import data.compliance
import data.compliance.fixture

test_allow_what_proves_every_check if fixture.decide([], []) == fixture.allow

test_deny_without_input if {
	decision := compliance.decision with input as {} with data.revocations as fixture.world.revocations
	decision.allow == false
	decision.unproven == compliance.required
}

test_deny_without_data if {
	decision := fixture.decide([], [
		fixture.set_to(["bundle"], {}),
		fixture.set_to(["enclaves"], {}),
		fixture.set_to(["issuers"], {}),
		fixture.set_to(["revocations"], {}),
		fixture.set_to(["schemes"], {}),
		fixture.set_to(["tenants"], {}),
	])
	decision.allow == false
	decision.reasons == {
		"freshness.bundle", "freshness.revocation", "identity.issuer", "identity.revoked", "jurisdiction.legal_control",
		"jurisdiction.residency", "scheme.unknown", "service.not_contracted",
	}
}

test_deny_where_one_check_is_unproven if {
	every id in compliance.required {
		decision := compliance.decision with data.compliance.satisfied as compliance.required - {id}
		decision == fixture.deny({id}, set())
	}
}

test_reasons_are_those_that_no_other_stands_before if {
	catalogue := {"a": {"requires": []}, "b": {"requires": ["a"]}, "c": {"requires": ["b"]}, "d": {"requires": []}}
	compliance.root_causes({"a", "b", "c"}, catalogue) == {"a"}
	compliance.root_causes({"a", "c", "d"}, catalogue) == {"a", "d"} # c waits for a though b between them is proven
	compliance.root_causes({"c"}, catalogue) == {"c"}
	compliance.root_causes(set(), catalogue) == set()
}

test_a_reason_that_the_catalogue_lacks_is_its_own_cause if compliance.root_causes({"x"}, {}) == {"x"}

# A path that no row governs: the resolver found nothing, so every property is null.
_no_row := [
	fixture.resource(["row"], null),
	fixture.resource(["tenant"], null),
	fixture.resource(["service"], null),
	fixture.resource(["owner"], null),
	fixture.resource(["labels"], null),
	fixture.resource(["constraints"], null),
	fixture.resource(["place"], null),
	fixture.resource(["hold"], null),
]

test_deny_a_path_without_row_as_unlabelled_and_nobodys if {
	fixture.decide(_no_row, []).reasons == {"label.missing", "tenant.mismatch"}
}

test_deny_an_operator_on_a_path_without_row_as_unlabelled_and_unapproved if {
	fixture.decide(array.concat(fixture.as_operator, _no_row), []).reasons == {"label.missing", "personnel.unapproved"}
}

test_the_catalogue_and_the_required_checks_agree if {
	compliance.required == {id | some id, reason in data.reasons; reason.scope == "policy"}
}

test_every_prerequisite_is_a_required_check if {
	every reason in data.reasons {
		every id in reason.requires {
			id in compliance.required
		}
	}
}

test_no_reason_stands_before_itself if {
	prerequisites := {id: reason.requires | some id, reason in data.reasons}
	every id, before in prerequisites {
		not id in graph.reachable(prerequisites, before)
	}
}

test_only_the_caller_sees_access_denied if data.reasons["access.denied"].scope == "gateway"

_no_value(_, _) := {} if false

test_deny_where_there_is_no_answer if {
	decision := compliance.decision with compliance.root_causes as _no_value
	decision == {"allow": false, "unproven": {"system.policy_error"}, "reasons": {"system.policy_error"}, "obligations": set()}
}
