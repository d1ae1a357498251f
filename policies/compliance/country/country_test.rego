package compliance.country_test

import data.compliance.country
import data.compliance.fixture

test_the_country_counts_only_with_a_basis if {
	"AAA" == country.of_source with input as fixture.valid
	not country.of_source with input as json.patch(fixture.valid, [fixture.set_to(["context", "source", "basis"], "unknown")])
	not country.of_source with input as json.patch(fixture.valid, [fixture.set_to(["context", "source", "country"], null)])
}

test_a_rule_permits_its_countries if {
	country.permits("any", null)
	country.permits(["AAA"], "AAA")
	not country.permits(["AAA"], "BBB")
	not country.permits(["AAA"], null)
	not country.permits([], "AAA")
	not country.permits(null, "AAA")
	not country.permits("AAA", "AAA")
	not country.permits([null], null)
}

test_a_rule_narrows_a_wider_one if {
	country.narrows("any", "any")
	country.narrows(["AAA"], "any")
	country.narrows([], ["AAA"])
	country.narrows(["AAA"], ["AAA", "BBB"])
	not country.narrows(["AAA", "BBB"], ["AAA"])
	not country.narrows("any", ["AAA"])
	not country.narrows(null, ["AAA"])
	not country.narrows(["AAA"], null)
}

test_a_rule_that_is_no_list_allows_nothing if {
	not country.permits({"one": "AAA"}, "AAA")
	not country.narrows({}, [])
	not country.narrows([], null)
	not country.narrows([], {})
}

test_a_country_counts_that_a_network_a_device_or_a_claim_names if {
	every basis in ["network", "device", "claim"] {
		country.of_source == "AAA" with input.context.source as {"country": "AAA", "basis": basis}
	}
	every basis in ["unknown", "", null] {
		not country.of_source with input.context.source as {"country": "AAA", "basis": basis}
	}
}
