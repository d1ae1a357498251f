package compliance.tenant_test

import data.compliance.fixture

_open := fixture.row(["communities"], [])

_stranger := fixture.deny({"tenant.mismatch"}, {"action.not_granted"})

test_deny_who_is_not_of_the_tenant if {
	every patch in [
		fixture.subject(["tenant"], "other"),
		fixture.subject(["tenant"], null),
		fixture.remove(["subject", "properties", "tenant"]),
		fixture.subject(["affiliation", "kind"], "partner"), # of no partner grant
	] {
		"tenant.mismatch" in fixture.decide([patch], []).reasons
	}
	fixture.decide([fixture.subject(["tenant"], "other")], []) == _stranger
}

test_deny_a_member_whose_issuer_the_tenant_does_not_list if {
	fixture.decide([fixture.subject(["issuer"], "ooo")], []) == _stranger
	fixture.decide([], [fixture.remove(["tenants", "acme", "issuers"]), fixture.set_to(["issuers", "aaa"], {})]) == _stranger
}

_grant(field, value) := fixture.set_to(["tenants", "acme", "partners", "partners", 0, field], value)

test_deny_a_partner_whom_no_grant_covers if {
	every patch in [
		_grant("organization", "gamma"),
		_grant("country", "CCC"),
		_grant("issuers", ["aaa"]),
		_grant("rows", ["acme-docs/sub/"]),
		_grant("rows", ["acme-"]), # no row: it could be the start of another bucket
		_grant("rows", []),
		_grant("not_before", fixture.after),
		_grant("not_after", fixture.time),
		_grant("not_after", null),
		fixture.remove(["tenants", "acme", "partners"]),
	] {
		fixture.decide(fixture.as_partner, [_open, patch]) == _stranger
	}
}

test_a_partner_grant_is_for_partners_only if {
	fixture.decide(array.concat(fixture.as_partner, [fixture.subject(["affiliation", "kind"], "tenant")]), [_open]) == _stranger
}

test_deny_a_partner_whose_issuer_the_tenant_does_not_list if {
	fixture.decide(fixture.as_partner, [_open, fixture.remove(["tenants", "acme", "issuers", "bbb"]), fixture.set_to(["tenants", "other", "issuers", "bbb"], {})]) == _stranger
}

_not_granted := fixture.deny({"action.not_granted"}, set())

test_deny_a_verb_that_the_partner_grant_lacks if {
	fixture.decide(fixture.as_partner, [_open, _grant("actions", ["list"])]) == _not_granted
}

test_deny_a_verb_that_members_lack if {
	actions := ["tenants", "acme", "tenant", "members", "actions"]
	fixture.decide([], [fixture.set_to(actions, ["list"])]) == _not_granted
	fixture.decide([], [fixture.remove(actions)]) == _not_granted
}

_relabel := [fixture.set_to(["action", "name"], "relabel")]

test_deny_to_relabel_by_membership_alone if {
	fixture.decide(_relabel, [fixture.set_to(["tenants", "acme", "tenant", "members", "actions", "-"], "relabel")]) == _not_granted
}

test_allow_to_relabel_by_a_role if {
	fixture.decide(array.concat(_relabel, [fixture.subject(["roles"], ["labeller"])]), []) == fixture.allow
}

test_deny_a_role_to_who_is_not_of_the_tenant if {
	fixture.decide(array.concat(_relabel, [fixture.subject(["roles"], ["labeller"]), fixture.subject(["tenant"], "other")]), []) == _stranger
}

test_deny_to_relabel_by_a_role_that_the_tenant_does_not_name if {
	fixture.decide(array.concat(_relabel, [fixture.subject(["roles"], ["boss"])]), []) == _not_granted
	fixture.decide(array.concat(_relabel, [fixture.subject(["roles"], null)]), []) == _not_granted
}

test_deny_without_a_community_of_the_row if {
	denied := fixture.deny({"community.missing"}, set())
	fixture.decide([fixture.subject(["communities"], [])], []) == denied
	fixture.decide([fixture.subject(["communities"], null)], []) == denied
	fixture.decide([], [fixture.row(["communities"], ["need", "more"])]) == denied
	fixture.decide([], [fixture.remove(["tenants", "acme", "catalogue", "rows", "acme-docs/", "communities"])]) == denied
}

test_deny_a_service_outside_the_package if {
	denied := fixture.deny({"service.not_contracted"}, set())
	fixture.decide([fixture.resource(["service"], "http")], []) == denied
	fixture.decide([fixture.resource(["service"], null)], []) == denied
	fixture.decide([], [fixture.set_to(["tenants", "acme", "tenant", "services", "s3", "AAA"], ["LOW"])]) == denied
	fixture.decide([], [fixture.remove(["tenants", "acme", "tenant", "services"])]) == denied
}

test_a_partner_does_nothing_to_what_is_neither_data_nor_a_queue if {
	may := fixture.set_to(["tenants", "acme", "partners", "partners", 0, "actions"], ["read", "execute"])
	thing := array.concat(fixture.as_partner, [fixture.set_to(["resource", "type"], "thing")])
	"action.not_granted" in fixture.decide(thing, [may]).unproven
}
