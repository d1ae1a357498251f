# METADATA
# title: Labels
# description: The access is labelled, and what its labels say has a meaning in their schemes (ADatP-4774, X.841).
package compliance.label

import data.compliance.access
import data.compliance.scheme

# METADATA
# title: The resource is labelled
# custom: {id: label.missing, controls: [AC-16, AC-16(3), AC-4(1)]}
satisfied contains "label.missing" if is_array(access.labels)

# METADATA
# title: Each label's scheme is known
# custom: {id: scheme.unknown, controls: [AC-16, AC-16(3), AC-4(1)]}
satisfied contains "scheme.unknown" if {
	every l in access.labels {
		every v in access.variants(l) {
			is_string(data.schemes[v.scheme].nation)
		}
	}
}

# METADATA
# title: Each value is one of its scheme
# custom: {id: label.unknown, controls: [AC-16, AC-16(3), AC-4(1)]}
satisfied contains "label.unknown" if {
	every l in access.labels {
		every v in access.variants(l) {
			scheme.known(v)
		}
	}
}

# METADATA
# title: Each combination of values is allowed, and the owner is known
# custom: {id: label.invalid, controls: [AC-16, AC-16(3), AC-4(1)]}
satisfied contains "label.invalid" if {
	known_owner(input.resource.properties.owner)
	every l in access.labels {
		valid(l)
	}
}

# METADATA
# title: The row does not want labels on its objects
# custom: {id: label.unbound, controls: [AC-16, AC-16(3), AC-4(1)]}
satisfied contains "label.unbound" if access.row.labels_on_objects == false

# METADATA
# title: What is listed is no object
# description: A listing is judged on the labels of the rows that it reveals.
# custom: {id: label.unbound, controls: [AC-16, AC-16(3), AC-4(1)]}
satisfied contains "label.unbound" if input.action.name == "list"

# METADATA
# title: The object carries a label of its own
# custom: {id: label.unbound, controls: [AC-16, AC-16(3), AC-4(1)]}
satisfied contains "label.unbound" if {
	access.row.labels_on_objects == true
	count(access.labels) > count(access.row.labels)
}

# METADATA
# title: A label and its alternatives are of an allowed combination
valid(l) if {
	every v in access.variants(l) {
		_consistent(v)
	}
	every v in l.alternatives {
		v.alternatives == []
	}
}

# METADATA
# title: The owner's nation has a scheme and the originator a name
known_owner(owner) if {
	is_string(owner.originator)
	_nation(owner.nation)
}

# A label's own scheme is nearly always one of them.
_nation(nation) if {
	some l in access.labels
	data.schemes[l.scheme].nation == nation
} else if {
	some s in data.schemes
	s.nation == nation
}

_consistent(l) if {
	_listed(l, l.release, "allowed")
	_listed(l, l.display, "display")
	_permissive_sets_hold_values(l)
	_of_its_date(l)
	_obeys(l, object.get(data.schemes[l.scheme], "rules", {}))
}

# No list, or one that the scheme knows and that stands beside no nation tag. A release list names the owner (there is no implicit
# originator), a display list somebody.
_listed(_, null, _)

_listed(l, countries, kind) if {
	is_array(countries)
	data.schemes[l.scheme].release[kind] == true
	_names(kind, data.schemes[l.scheme].nation, countries)
	_beside_lists(l)
}

_names("allowed", owner, countries) if owner in countries

_names("display", _, countries) if count(countries) > 0

_beside_lists(l) if {
	l.nation == []
} else if {
	is_array(l.nation)
	every name in l.nation {
		some tag in scheme.facts(l)
		tag.id == name
		tag.with_release == true
	}
}

_permissive_sets_hold_values(l) if {
	every name, values in l.categories {
		_optional_or_filled(data.schemes[l.scheme].tag_sets[name].type, values)
	}
}

_optional_or_filled(type, _) if type in ["restrictive", "informative"]

_optional_or_filled("permissive", values) if {
	is_array(values)
	count(values) > 0
}

# The level, and each value that says of which date its labels are.
_of_its_date(l) if {
	some level in data.schemes[l.scheme].levels
	level.id == l.level
	scheme.spans(level, l.created)
	every tag in scheme.facts(l) {
		scheme.spans(tag, l.created)
	}
}

_obeys(l, rules) if {
	rules == {}
} else if {
	scheme.bare(l) # nothing on it could be excluded
	_has_required(l, object.get(rules, "required", []), set())
} else if {
	carried := scheme.tag_sets(l)
	every rule in object.get(rules, "excluded", []) {
		is_array(rule.tag_sets)
		_holds(l, rule, array.concat([s | some s in rule.tag_sets; s in carried], _on(l, rule, true)))
	}
	_has_required(l, object.get(rules, "required", []), carried)
}

_has_required(_, [], _)

_has_required(l, required, carried) if {
	required != []
	every rule in required {
		is_array(rule.tag_sets)
		_holds(l, rule, array.concat([s | some s in rule.tag_sets; not s in carried], _on(l, rule, false)))
	}
}

# Nothing breaks the rule, or it is about other labels: of other levels, without what it stands beside, of another date.
_holds(l, rule, broken) if {
	broken == []
} else if {
	is_array(rule.levels)
	not l.level in rule.levels
} else if {
	is_object(rule.beside)
	every name, values in rule.beside {
		every value in values {
			scheme.carries(l, name, value) == false
		}
	}
} else if {
	scheme.spans(rule, l.created) == false
}

# Values that a rule names and that the label carries, or does not.
_on(l, rule, carried) := [value |
	some name, values in object.get(rule, "values", {})
	some value in values
	scheme.carries(l, name, value) == carried
]
