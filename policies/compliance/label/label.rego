# METADATA
# title: Labels
# description: The access is labelled, and what its labels say has a meaning in their schemes (ADatP-4774, X.841).
package compliance.label

import data.compliance.access

# METADATA
# title: The resource is labelled
# custom: {id: label.missing, controls: [AC-16, AC-16(3), AC-4(1)]}
satisfied contains "label.missing" if count(access.labels) > 0

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
			known(v)
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
# title: Every value of a label is one of its scheme
known(l) if {
	is_string(l.created)
	some level in data.schemes[l.scheme].levels
	level.id == l.level
	every name, values in l.categories {
		_has(l.scheme, name, {"permissive", "restrictive", "informative"}, values)
	}
	_tagged(l.scheme, "nation", l.nation)
	_tagged(l.scheme, "handling", l.handling)
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
# title: A level of a scheme is not above another
at_most(scheme, level, other) if _rank(scheme, level) <= _rank(scheme, other)

_rank(scheme, id) := level.hierarchy if {
	some level in data.schemes[scheme].levels
	level.id == id
}

# METADATA
# title: The owner's nation has a scheme and the originator a name
known_owner(owner) if {
	is_string(owner.originator)
	owner.nation in _nations
}

_nations := {s.nation | some s in data.schemes}

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

_optional_or_filled(type, _) if type in {"restrictive", "informative"}

_optional_or_filled("permissive", values) if count(values) > 0

_obeys(l, rules) if {
	carried := tag_sets(l)
	every rule in object.get(rules, "excluded", []) {
		is_array(rule.tag_sets)
		_not_for(l.level, rule, {s | some s in rule.tag_sets; s in carried})
	}
	every rule in object.get(rules, "required", []) {
		is_array(rule.tag_sets)
		_not_for(l.level, rule, {s | some s in rule.tag_sets; not s in carried})
	}
}

# The rule is about other levels, or about this one and nothing breaks it.
_not_for(level, rule, _) if {
	every l in rule.levels {
		l != level
	}
}

_not_for(level, rule, broken) if {
	level in rule.levels
	count(broken) == 0
}

# METADATA
# title: Tag sets of which a label carries a value
tag_sets(l) := {name |
	some name, set in data.schemes[l.scheme].tag_sets
	some value in set.values
	_carries(l, name, set.type, _id(value))
}

_carries(l, name, _, id) if id in l.categories[name]

_carries(l, _, "nation", id) if id in l.nation

_carries(l, _, "handling", id) if id in l.handling

_has(scheme, name, types, values) if {
	set := data.schemes[scheme].tag_sets[name]
	set.type in types
	known_values := {_id(v) | some v in set.values}
	every value in values {
		value in known_values
	}
}

_tagged(scheme, type, values) if {
	known_values := {_id(v) |
		some set in data.schemes[scheme].tag_sets
		set.type == type
		some v in set.values
	}
	every value in values {
		value in known_values
	}
}

# METADATA
# title: The facts that a scheme gives of the tags that a label carries
# description: A value that is written as a text carries no facts.
facts(l) := [value |
	some name, set in data.schemes[l.scheme].tag_sets
	some value in set.values
	is_object(value)
	_carries(l, name, set.type, value.id)
]

_id(value) := value if is_string(value)

_id(value) := value.id if is_object(value)
