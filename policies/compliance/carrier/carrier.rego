# METADATA
# title: Carriers
# description: |
#   Which clearances carry which label. Every document is a table: one line a label, one cell a holder (the subject and each member
#   of the chain via), and in the cell the carriers that are left. A carrier says which of the label's variants it is about, whether
#   it reaches the level and which categories it holds. Where labels or holders are unknown a table is empty, and proves nothing.
package compliance.carrier

import data.compliance.access
import data.compliance.equivalence
import data.compliance.scheme

# METADATA
# title: Every label has a carrier with every holder
all_carried(table) if {
	count(table) > 0
	every line in table {
		count(line) > 0
		every cell in line {
			count(cell) > 0
		}
	}
}

# METADATA
# title: Clearances of the subject and of everyone in between
# description: A member without clearances holds null, which carries nothing.
holders := array.concat(
	[input.subject.properties.clearances],
	[object.get(member, "clearances", null) | some member in input.subject.properties.via],
) if {
	is_array(input.subject.properties.via)
}

# METADATA
# title: Clearances that could be about a label
# description: Lists, not sets here and below, since a set would hash each clearance whole; one that is there twice carries no more.
held := [[[c | some c in clearances; some v in access.variants(l); _related(c, v)] |
	some clearances in holders
] |
	some l in access.labels
]

# METADATA
# title: Those in force
current := [[[c | some c in cell; _in_force(c)] | some cell in line] | some line in held]

# METADATA
# title: Those of the label's scheme, and those that an equivalence reaches
k0 := [[_carriers(access.labels[i], cell) | some cell in line] | some i, line in current]

# METADATA
# title: Those that reach the level
k1 := [[[k | some k in cell; k.reaches] | some cell in line] | some line in k0]

# METADATA
# title: Those that also hold every restrictive value
k2 := [[[k | some k in cell; _holds_all(k)] | some cell in line] | some line in k1]

# METADATA
# title: Those that also hold a value of each permissive set
k3 := [[[k | some k in cell; _holds_one(k)] | some cell in line] | some line in k2]

# METADATA
# title: No label waits for an agreement
agreed if {
	count(current) > 0
	is_array(access.owner.agreements.equivalences)
	every i, line in current {
		count(line) > 0
		every cell in line {
			_agreed(access.labels[i], cell)
		}
	}
}

_agreed(l, cell) if count(_carriers(l, cell)) > 0

_agreed(l, cell) if {
	is_array(l.alternatives)
	rows := [row | some v in access.variants(l); some row in _rows(v); some c in cell; c.scheme == row.clearance[0]]
	count(rows) == 0
}

_related(c, l) if c.scheme == l.scheme

_related(c, _) if data.schemes[c.scheme].nation == input.subject.properties.affiliation.country

_in_force(c) if access.within(c.not_before, c.not_after)

_carriers(l, cell) := [k | some v in access.variants(l); some c in cell; some k in _carrier(v, c)]

# Of the label's own scheme: as it is.
_carrier(l, c) := [{"label": l, "reaches": _reaches(l, c.levels), "categories": c.categories}] if c.scheme == l.scheme

# A value may want more of the clearance than the label's own level (a compartment wants the highest). Of a translated clearance a row
# says so by listing the value.
default _reaches(_, _) := false

_reaches(l, levels) if {
	l.level in levels
	l.categories == {}
} else if {
	l.level in levels
	every tag in scheme.facts(l) {
		every level in object.get(tag, "clearance_levels", []) {
			level in levels
		}
	}
}

# Of another scheme: by a row, and with no category but those that the row lists.
_carrier(l, c) := [{"label": l, "reaches": row.clearance[1] in c.levels, "categories": object.get(row, "categories", {})} |
	data.schemes[c.scheme].nation == input.subject.properties.affiliation.country
	some row in equivalence.in_force(input.resource.properties.tenant, _rows(l))
	row.clearance[0] == c.scheme
] if {
	c.scheme != l.scheme
}

_rows(l) := equivalence.dated(input.resource.properties.tenant, "clearance", l)

_holds_all(k) if {
	every name, values in k.label.categories {
		is_object(k.categories)
		_all_or_other(data.schemes[k.label.scheme].tag_sets[name].type, values, object.get(k.categories, name, []))
	}
}

_all_or_other("restrictive", values, held_values) if {
	every value in values {
		value in held_values
	}
}

_all_or_other(type, _, _) if type in ["permissive", "informative"]

_holds_one(k) if {
	every name, values in k.label.categories {
		is_object(k.categories)
		_one_or_other(data.schemes[k.label.scheme].tag_sets[name].type, values, object.get(k.categories, name, []))
	}
}

_one_or_other("permissive", values, held_values) if {
	some value in values
	value in held_values
}

_one_or_other(type, _, _) if type in ["restrictive", "informative"]
