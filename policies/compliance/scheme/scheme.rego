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
at_most(scheme, level, other) if {
	levels := data.schemes[scheme].levels
	some low in levels
	low.id == level
	some high in levels
	high.id == other
	low.hierarchy <= high.hierarchy
}

# METADATA
# title: A label carries nothing beside its level
default bare(_) := false

bare(l) if {
	l.categories == {}
	l.nation == []
	l.handling == []
}

# METADATA
# title: Tag sets of which a label carries a value
tag_sets(l) := {name |
	some name, ids in l.categories
	some value in data.schemes[l.scheme].tag_sets[name].values
	_id(value) in ids
} | {name |
	_marked(l)
	some name, set in data.schemes[l.scheme].tag_sets
	some value in set.values
	_id(value) in _axis(l, set.type)
}

# What most labels are spared: a walk over every value of the scheme.
_marked(l) if l.nation != []

_marked(l) if l.handling != []

_axis(l, "nation") := l.nation

_axis(l, "handling") := l.handling

# METADATA
# title: A label carries a value of a tag set
# description: False where the scheme has no such set.
default carries(_, _, _) := false

carries(l, name, value) if value in _values(l, name, data.schemes[l.scheme].tag_sets[name].type)

_values(l, name, type) := l.categories[name] if type in ["restrictive", "permissive", "informative"]

_values(l, _, type) := _axis(l, type) if type in ["nation", "handling"]

# METADATA
# title: A level, value or rule is about labels of a date
# description: From its first date on, and before the last; a bound that is not said is none.
default spans(_, _) := false

spans(row, created) if {
	is_string(created)
	_from(object.get(row, "labels_from", ""), created)
	_to(object.get(row, "labels_to", null), created)
}

_from(from, created) if {
	is_string(from)
	from <= created
}

_to(null, _)

_to(to, created) if {
	is_string(to)
	created < to
}

_has(scheme, name, types, values) if {
	set := data.schemes[scheme].tag_sets[name]
	set.type in types
	every value in values {
		some v in set.values
		_id(v) == value
	}
}

_tagged(scheme, type, values) if {
	values == []
} else if {
	every value in values {
		some set in data.schemes[scheme].tag_sets
		set.type == type
		some v in set.values
		_id(v) == value
	}
}

# METADATA
# title: The facts that a scheme gives of the tags that a label carries
# description: A value that is written as a text carries no facts.
facts(l) := [] if {
	bare(l)
} else := array.concat(
	[value |
		some name, ids in l.categories
		some value in data.schemes[l.scheme].tag_sets[name].values
		value.id in ids
	],
	[value |
		_marked(l)
		some set in data.schemes[l.scheme].tag_sets
		some value in set.values
		value.id in _axis(l, set.type)
	],
)

_id(value) := value if is_string(value)

_id(value) := value.id if is_object(value)
