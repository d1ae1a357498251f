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
	_releasable(l)
	_permissive_sets_hold_values(l)
	_obeys(l, object.get(data.schemes[l.scheme], "rules", {}))
}

# No list, or a list that names the owner (no implicit originator) and stands beside no nation tag.
_releasable(l) if l.release == null

_releasable(l) if {
	data.schemes[l.scheme].release.allowed == true
	data.schemes[l.scheme].nation in l.release
	l.nation == []
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

_obeys(l, rules) if {
	rules == {}
} else if {
	carried := scheme.tag_sets(l)
	every rule in object.get(rules, "excluded", []) {
		is_array(rule.tag_sets)
		_not_for(l.level, rule, {s | some s in rule.tag_sets; s in carried})
	}
	every rule in object.get(rules, "required", []) {
		is_array(rule.tag_sets)
		_not_for(l.level, rule, {s | some s in rule.tag_sets; not s in carried})
	}
}

# The rule is about other levels, or nothing breaks it.
_not_for(level, rule, _) if {
	every l in rule.levels {
		l != level
	}
}

_not_for(_, _, broken) if count(broken) == 0
