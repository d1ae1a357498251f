# METADATA
# title: Dominance
# description: |
#   A label t dominates l if t protects at least as much: nobody who may read what carries t could not read what carries l. Inside one
#   scheme that is the order of levels and tags; across schemes it is false unless an equivalence for marking translates l first.
package compliance.dominance

import data.compliance.access
import data.compliance.equivalence
import data.compliance.release
import data.compliance.scheme

# METADATA
# title: Each label is dominated by one of others
# description: No label at all is not dominated. tenant is whose equivalences for marking count.
covers(tenant, others, labels) if {
	count(labels) > 0
	covers_any(tenant, others, labels)
}

# METADATA
# title: As covers, where no label is known to be none
covers_any(tenant, others, labels) if {
	is_array(labels)
	every l in labels {
		some t in others
		dominates(tenant, t, l)
	}
}

# METADATA
# title: A label dominates another
# description: Every alternative of t must, since each lets readers in.
dominates(tenant, t, l) if {
	t == l
} else if {
	every v in access.variants(t) {
		_above(tenant, v, l)
		_tags_above(v, l)
		is_string(v.created) # null is less than any text
		v.created <= l.created
		_no_row_ends_between(v, l)
	}
}

_above(tenant, t, l) if {
	some level in equivalence.known_as(tenant, "marking", l, t.scheme)
	scheme.at_most(t.scheme, level, t.level)
}

# Else whom an equivalence lets read labels of t's date, and no longer of l's, would gain by a copy. That one begins between is harmless.
_no_row_ends_between(t, l) if {
	every row in equivalence.dated(input.resource.properties.tenant, "clearance", t) {
		equivalence.lasts(row, l.created)
	}
}

_tags_above(t, l) if {
	_contains(t.handling, l.handling)
	_contains(t.nation, l.nation)
	_contains(release.audience(l), release.audience(t))
	_shows_no_more(t, l)
	every name, values in l.categories {
		is_object(t.categories)
		_category_above(_type(l, name), object.get(t.categories, name, null), values)
	}
}

# Whom t is displayed to, l is displayed or released to. Its audience is l's already.
_shows_no_more(t, _) if t.display == null

_shows_no_more(t, l) if {
	is_array(t.display)
	_contains(release.viewers(l), t.display)
}

# More restrictive values protect more; fewer permissive ones do, but none at all protects less.
_category_above("restrictive", have, values) if _contains(have, values)

_category_above("restrictive", null, [])

_category_above("permissive", have, values) if {
	_contains(values, have)
	count(have) > 0
}

_category_above("informative", _, _)

_type(l, name) := data.schemes[l.scheme].tag_sets[name].type

_contains(all, some_of) if {
	_collection(all)
	_collection(some_of)
	every v in some_of {
		v in all
	}
}

_collection(x) if is_array(x)

_collection(x) if is_set(x)
