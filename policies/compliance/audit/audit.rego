# METADATA
# title: What the log must do with the record
# description: |
#   The tenant that owns the resource says what records about it hide, and at which levels an answer need not wait until its record
#   is on the disk. Both are obligations, of denials too: a record names the person in either case. Nothing here proves a check.
#
#   A label that is unknown hides: fields that are masked at some level are masked as well where nothing says which level it is.
#   It never lets an answer go early.
package compliance.audit

import data.compliance.access

# METADATA
# title: What records about the owner's data show only as commitments
obligations contains {"id": "audit.mask", "fields": fields} if {
	fields := {field |
		some rule in access.owner.tenant.audit.mask
		_hides(rule)
		some field in rule.fields
	}
	count(fields) > 0
}

# METADATA
# title: The answer need not wait for the disk
# description: Each label of what is touched, and of what flows into it, is of a level that the owner lists.
obligations contains {"id": "audit.buffered"} if {
	levels := access.owner.tenant.audit.buffered
	every l in access.labels {
		l.level in levels[l.scheme]
	}
	every source in access.sources {
		is_array(source.labels)
		count(source.labels) > 0
		every l in source.labels {
			l.level in levels[l.scheme]
		}
	}
}

_hides(rule) if object.get(rule, "levels", "any") == "any"

_hides(rule) if {
	some l in access.labels
	some variant in access.variants(l)
	variant.level in rule.levels[variant.scheme]
}

_hides(rule) if {
	is_object(rule.levels)
	not _known
}

_known if count(access.labels) > 0
