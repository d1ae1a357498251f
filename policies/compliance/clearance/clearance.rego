# METADATA
# title: Clearances
# description: |
#   One clearance carries a label whole: it is of the label's scheme or reaches it by an equivalence, reaches the level, and holds the
#   categories. Each check narrows the same carriers (package carrier), so that the level can't come from one clearance and a
#   category from another. Whoever stands in between (via) must carry every label too.
package compliance.clearance

import data.compliance.access
import data.compliance.carrier

# METADATA
# title: The issuer lost no clearance that the labels are about
# custom: {id: clearance.issuer, controls: [AC-3(3), AC-3(13)]}
satisfied contains "clearance.issuer" if {
	cut := [c | some c in input.subject.properties.cut; c.claim == "clearance"]
	is_array(input.subject.properties.cut)
	_something_left(cut)
	every l in access.labels {
		every v in access.variants(l) {
			_untouched(v, cut)
		}
	}
}

# METADATA
# title: There is a clearance in the label's scheme or of the subject's nation
# custom: {id: clearance.missing, controls: [AC-3(3), AC-3(13)]}
satisfied contains "clearance.missing" if carrier.all_carried(carrier.held)

# METADATA
# title: Such a clearance is in force
# custom: {id: clearance.expired, controls: [AC-3(3), AC-3(13)]}
satisfied contains "clearance.expired" if carrier.all_carried(carrier.current)

# METADATA
# title: The agreement behind an equivalence is in force
# description: Or no equivalence is needed, or there is none whose agreement could be.
# custom: {id: agreement.absent, controls: [AC-16(7), AC-21, CA-3]}
satisfied contains "agreement.absent" if carrier.agreed

# METADATA
# title: A clearance is of the label's scheme or reaches it by an equivalence
# custom: {id: equivalence.absent, controls: [AC-16(7), AC-21, CA-3]}
satisfied contains "equivalence.absent" if carrier.all_carried(carrier.k0)

# METADATA
# title: It reaches the level
# custom: {id: clearance.level, controls: [AC-3(3), AC-3(13)]}
satisfied contains "clearance.level" if carrier.all_carried(carrier.k1)

# METADATA
# title: It holds every restrictive category
# custom: {id: category.restrictive, controls: [AC-3(3), AC-3(13)]}
satisfied contains "category.restrictive" if carrier.all_carried(carrier.k2)

# METADATA
# title: It holds a value of each permissive set
# custom: {id: category.permissive, controls: [AC-3(3), AC-3(13)]}
satisfied contains "category.permissive" if carrier.all_carried(carrier.k3)

_something_left([])

_something_left(_) if {
	is_array(input.subject.properties.clearances)
	count(input.subject.properties.clearances) > 0
}

_untouched(l, cut) if {
	every c in cut {
		not_in_schemes(l.scheme, c.value)
	}
}

# METADATA
# title: A cut clearance is not about a scheme
# description: A native clearance is about every scheme that it opens.
not_in_schemes(scheme, value) if {
	is_string(value)
	split(value, " ")[0] != scheme
}

not_in_schemes(scheme, value) if {
	is_string(value.scheme)
	opened := object.keys(object.get(data.schemes, [value.scheme, "native_clearances", object.get(value, "native", ""), "opens"], {}))
	not scheme in (opened | {value.scheme})
}
