package compliance.hold_test

import data.compliance.fixture

_delete := fixture.set_to(["action", "name"], "delete")

test_allow_to_delete_without_hold if fixture.decide([_delete], []) == fixture.allow

test_deny_to_delete_under_a_hold if {
	denied := fixture.deny({"resource.held"}, set())
	fixture.decide([_delete, fixture.resource(["hold"], true)], []) == denied
	fixture.decide([_delete, fixture.resource(["hold"], null)], []) == denied
	fixture.decide([_delete, fixture.remove(["resource", "properties", "hold"])], []) == denied
}

test_allow_to_read_under_a_hold if fixture.decide([fixture.resource(["hold"], true)], []) == fixture.allow

test_a_hold_forbids_nothing_else if {
	every verb in ["read", "list", "create", "update", "relabel", "execute", "administer"] {
		not "resource.held" in fixture.decide([fixture.set_to(["action", "name"], verb), fixture.resource(["hold"], true)], []).unproven
	}
}
