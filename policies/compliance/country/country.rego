# METADATA
# title: Countries
# description: |
#   Rules about places are "any" (no rule) or a list; an empty list allows nowhere. A country that is unknown is in no list.
package compliance.country

# METADATA
# title: Country of the source
# description: It counts only if it is known what it rests on.
of_source := input.context.source.country if {
	input.context.source.basis in ["network", "device", "claim"]
	is_string(input.context.source.country)
}

# METADATA
# title: A place rule allows a country
# description: The rule is "any" or a list. A country that is unknown is in no list.
permits("any", _)

permits(rule, country) if {
	is_array(rule)
	is_string(country)
	country in rule
}

# METADATA
# title: A place rule is at least as strict as another
narrows(_, "any")

narrows(rule, other) if {
	is_array(rule)
	is_array(other)
	every country in rule {
		country in other
	}
}
