package compliance.scheme_test

import data.compliance.fixture
import data.compliance.scheme

test_at_most_compares_inside_the_scheme if {
	scheme.at_most("AAA", "LOW", "MID") with data.schemes as fixture.world.schemes
	scheme.at_most("AAA", "MID", "MID") with data.schemes as fixture.world.schemes
	not scheme.at_most("AAA", "TOP", "MID") with data.schemes as fixture.world.schemes
	not scheme.at_most("AAA", "LOW", "TWO") with data.schemes as fixture.world.schemes
}
