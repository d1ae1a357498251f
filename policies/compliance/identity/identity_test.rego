package compliance.identity_test

import data.compliance.fixture

_denied := fixture.deny({"identity.issuer"}, set())

test_deny_an_issuer_that_no_part_lists if {
	"identity.issuer" in fixture.decide([fixture.subject(["issuer"], "nobody")], []).reasons
	"identity.issuer" in fixture.decide([fixture.subject(["issuer"], null)], []).reasons
	"identity.issuer" in fixture.decide([fixture.remove(["subject", "properties", "issuer"])], []).reasons
}

test_an_issuer_of_any_part_is_known if {
	every issuer in ["provider", "aaa", "ooo"] {
		not "identity.issuer" in fixture.decide([fixture.subject(["issuer"], issuer)], []).unproven
	}
}

test_deny_where_who_the_subject_is_was_cut if {
	every claim in ["tenant", "affiliation", "nationality", "type", "something-new"] {
		fixture.decide([fixture.subject(["cut"], [{"claim": claim, "value": "v", "why": "w"}])], []) == _denied
	}
}

test_allow_where_only_what_the_subject_may_was_cut if {
	every claim in ["community", "role", "export_status"] {
		fixture.decide([fixture.subject(["cut"], [{"claim": claim, "value": "v", "why": "w"}])], []) == fixture.allow
	}
}

test_deny_a_subject_of_unknown_type if {
	fixture.decide([fixture.set_to(["subject", "type"], "")], []) == _denied
	fixture.decide([fixture.remove(["subject", "type"])], []) == _denied
}

test_deny_a_revoked_subject if {
	denied := fixture.deny({"identity.revoked"}, set())
	fixture.decide([fixture.set_to(["subject", "id"], "aaa|gone")], []) == denied
	fixture.decide([fixture.set_to(["subject", "id"], null)], []) == denied
	fixture.decide([], [fixture.remove(["revocations", "subjects"])]) == denied
	fixture.decide([], [fixture.set_to(["revocations", "subjects"], null)]) == denied
}

test_deny_an_unknown_binding if {
	denied := fixture.deny({"identity.binding"}, set())
	fixture.decide([fixture.subject(["assurance", "binding"], "maybe")], []) == denied
	fixture.decide([fixture.remove(["subject", "properties", "assurance"])], []) == denied
}

test_deny_a_token_that_anybody_can_send_where_the_owner_wants_it_bound if {
	denied := fixture.deny({"identity.binding"}, set())
	every levels in [["MID"], ["LOW", "MID"]] {
		wants := [fixture.set_to(["tenants", "acme", "tenant", "binding"], {"AAA": levels})]
		fixture.decide([], wants) == denied
		every binding in ["mtls", "dpop"] {
			fixture.decide([fixture.subject(["assurance", "binding"], binding)], wants) == fixture.allow
		}
		fixture.decide([fixture.subject(["assurance", "binding"], null)], wants) == denied
	}
}

test_deny_it_also_where_an_alternative_of_the_label_says_so if {
	wants := [fixture.set_to(["tenants", "acme", "tenant", "binding"], {"BBB": ["MID"]})]
	label := object.union(fixture.label, {"alternatives": [object.union(fixture.label, {"scheme": "BBB"})]})
	"identity.binding" in fixture.decide([fixture.resource(["labels"], [label])], wants).reasons
}

test_allow_a_token_that_anybody_can_send_below_the_levels_that_want_it_bound if {
	every binding in [{}, {"AAA": []}, {"AAA": ["LOW"]}, {"BBB": ["MID"]}] {
		fixture.decide([], [fixture.set_to(["tenants", "acme", "tenant", "binding"], binding)]) == fixture.allow
	}
}

test_identity_stands_before_tenant_and_personnel if {
	decision := fixture.decide(
		[
			fixture.subject(["cut"], [{"claim": "tenant", "value": "acme", "why": "w"}]),
			fixture.subject(["tenant"], null),
		],
		[],
	)
	decision == fixture.deny({"identity.issuer"}, {"tenant.mismatch", "action.not_granted"})
}

test_services_and_devices_are_subjects_too if {
	every type in ["person", "service", "device"] {
		not "identity.issuer" in fixture.decide([fixture.set_to(["subject", "type"], type)], []).unproven
	}
}
