package compliance.freshness_test

import data.compliance.fixture

test_deny_a_bundle_that_is_not_in_force if {
	denied := fixture.deny({"freshness.bundle"}, set())
	every part in [["root"], ["tenants", "acme"]] {
		path := array.concat(["bundle"], part)
		every change in [{"expires": fixture.time}, {"expires": null}, {"not_before": fixture.after}, {"not_before": null}] {
			window := object.union(fixture.world.bundle.root, change)
			fixture.decide([], [fixture.set_to(path, window)]) == denied
		}
		fixture.decide([], [fixture.remove(path)]) == denied
	}
}

test_deny_at_an_unknown_time if {
	every time in [null, "2026-06-01", 1] {
		"freshness.bundle" in fixture.decide([fixture.set_to(["context", "time"], time)], []).reasons
	}
}

test_a_resource_of_no_tenant_needs_only_the_root if {
	not "freshness.bundle" in fixture.decide([fixture.resource(["tenant"], null)], []).unproven
	"freshness.bundle" in fixture.decide([fixture.resource(["tenant"], null)], [fixture.remove(["bundle", "root"])]).unproven
	"freshness.bundle" in fixture.decide([fixture.remove(["resource", "properties", "tenant"])], []).unproven
	"freshness.bundle" in fixture.decide([fixture.resource(["tenant"], "nobody")], []).unproven
}

test_deny_revocations_that_are_too_old if {
	denied := fixture.deny({"freshness.revocation"}, set())
	every age in [61, -1, null, "1"] {
		fixture.decide([fixture.set_to(["context", "freshness", "revocation_age"], age)], []) == denied
	}
	fixture.decide([], [fixture.remove(["revocations", "max_age_seconds"])]) == denied
	fixture.decide([], [fixture.set_to(["revocations", "max_age_seconds"], "60")]) == denied
}

test_allow_revocations_of_any_age_where_the_list_says_so if {
	fixture.decide([fixture.set_to(["context", "freshness", "revocation_age"], null)], [fixture.set_to(["revocations", "max_age_seconds"], null)]) == fixture.allow
}

test_deny_an_untrusted_clock if {
	denied := fixture.deny({"freshness.clock"}, set())
	fixture.decide([fixture.set_to(["context", "freshness", "clock"], "unknown")], []) == denied
	fixture.decide([fixture.remove(["context", "freshness", "clock"])], []) == denied
	fixture.decide([fixture.set_to(["context", "freshness", "clock"], "floor")], []) == fixture.allow
}

test_allow_revocations_of_this_moment if {
	fixture.decide([fixture.set_to(["context", "freshness", "revocation_age"], 0)], []) == fixture.allow
}
