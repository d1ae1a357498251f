package compliance.objection_test

import data.compliance.fixture

test_allow_where_the_overlay_does_not_object if {
	fixture.decide([], [fixture.set_to(["overlay", "acme"], {"object": set()})]) == fixture.allow
}

test_deny_where_the_owners_overlay_objects if {
	fixture.decide([], [fixture.set_to(["overlay", "acme"], {"object": {"not on Sundays"}})]) == fixture.deny({"overlay.objected"}, set())
}

test_allow_where_anothers_overlay_objects if {
	fixture.decide([], [fixture.set_to(["overlay", "other"], {"object": {"not on Sundays"}})]) == fixture.allow
}

test_no_objection_hides_another_reason if {
	fixture.decide([fixture.subject(["communities"], [])], [fixture.set_to(["overlay", "acme"], {"object": {"no"}})]) == fixture.deny(
		{"community.missing", "overlay.objected"},
		set(),
	)
}
