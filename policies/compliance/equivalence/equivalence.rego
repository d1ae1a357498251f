# METADATA
# title: Equivalences
# description: |
#   An equivalence is a row of the tenant that owns the data: "what is so labelled may be treated as that", for one use only
#   (clearance, marking or ceiling). It is directed, never inverted and never composed. Two clocks run: the row's, at the date of the
#   label, and its agreement's, at the time of the decision. It is no release.
package compliance.equivalence

import data.compliance.access

# METADATA
# title: Rows of a tenant that are about a label on its date
dated(tenant, use, l) := [row |
	some row in data.tenants[tenant].agreements.equivalences
	row.use == use
	row.label == [l.scheme, l.level]
	is_string(row.labels_from)
	row.labels_from <= l.created
	_open_or_after(row.labels_to, l.created)
]

# METADATA
# title: A row is also about labels of a later date
lasts(row, created) if _open_or_after(row.labels_to, created)

# METADATA
# title: Those of rows whose own agreement is in force
# description: The agreement must be one between the two nations; a live one proves nothing for another's row.
in_force(tenant, rows) := [row |
	some row in rows
	agreement := data.tenants[tenant].agreements.agreements[row.agreement]
	data.schemes[row.label[0]].nation in agreement.parties
	data.schemes[row.clearance[0]].nation in agreement.parties
	access.within(agreement.not_before, agreement.not_after)
]

# METADATA
# title: As which levels a scheme knows a label
# description: |
#   Its own labels as themselves, others by the tenant's rows for the use. A value on the label is there only what the row lists,
#   never what happens to have the same name; a row can list no nation and handling tags.
known_as(_, _, l, scheme) := [l.level] if l.scheme == scheme

known_as(tenant, use, l, scheme) := [row.clearance[1] |
	some row in in_force(tenant, dated(tenant, use, l))
	row.clearance[0] == scheme
	_lists(object.get(row, "categories", {}), l)
] if {
	l.scheme != scheme
	l.nation == []
	l.handling == []
}

_lists(listed, l) if {
	every name, values in l.categories {
		_listed_or_informative(data.schemes[l.scheme].tag_sets[name].type, values, object.get(listed, name, []))
	}
}

_listed_or_informative("informative", _, _)

_listed_or_informative(type, values, listed) if {
	type in {"restrictive", "permissive"}
	every value in values {
		value in listed
	}
}

_open_or_after(null, _)

_open_or_after(end, created) if {
	is_string(end)
	created < end
}
