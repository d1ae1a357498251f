# METADATA
# title: Schemes
# description: |
#   What the schemes say of levels and tags. A tag value is a text, or an object whose id it is and which carries facts: which attribute
#   of the subject it tests, which law it wants of operators, whether the originator must consent.
package compliance.scheme

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
# title: A level of a scheme is not above another
at_most(scheme, level, other) if _rank(scheme, level) <= _rank(scheme, other)

_rank(scheme, id) := level.hierarchy if {
	some level in data.schemes[scheme].levels
	level.id == id
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
	_carries(l, name, set.type, value.id)
]

_id(value) := value if is_string(value)

_id(value) := value.id if is_object(value)
