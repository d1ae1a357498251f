# METADATA
# title: Release
# description: |
#   Cleared is not released. A label's audience is its release list, or its owner's nation alone where there is none; "absent" is never
#   "everyone". A nation tag says in the scheme which attribute it tests. An equivalence is never a release.
package compliance.release

import data.compliance.access
import data.compliance.carrier
import data.compliance.country
import data.compliance.scheme

# METADATA
# title: Each label is released to the subject
# custom: {id: release.nation, controls: [AC-3(3), AC-21]}
satisfied contains "release.nation" if {
	every i, l in access.labels {
		_released(i, l)
	}
}

# METADATA
# title: The originator consents to the recipient, where a tag wants that
# custom: {id: release.originator, controls: [AC-3(3), AC-21]}
satisfied contains "release.originator" if {
	every l in access.labels {
		every v in access.variants(l) {
			_consented(scheme.facts(v))
		}
	}
}

# METADATA
# title: Countries to which a label is released
audience(l) := {data.schemes[l.scheme].nation} if l.release == null

audience(l) := {c | some c in l.release} if is_array(l.release)

# METADATA
# title: A consent of the originator is on file
consent(tenant, originator, recipient, row) if {
	some c in data.tenants[tenant].agreements.consents
	c.originator == originator
	c.recipient == recipient
	row in c.rows
	access.within("", c.until)
}

_released(_, l) if {
	l.alternatives == []
	_released_to_subject(l)
}

# Of equivalents the one counts that the subject's clearance carries, else clearance and release could come from different ones.
_released(i, _) if {
	some k in carrier.k3[i][0]
	_released_to_subject(k.label)
}

_released_to_subject(l) if {
	input.subject.properties.affiliation.country in audience(l)
	every tag in scheme.facts(l) {
		_affiliated(object.get(tag, "affiliations", "any"))
		_national(object.get(tag, "nationalities", "any"))
	}
	every name in l.nation {
		_tests_somebody(l, name)
	}
}

_affiliated(rule) if country.permits(rule, input.subject.properties.affiliation.country)

_national("any")

_national(rule) if {
	some n in input.subject.properties.nationalities
	country.permits(rule, n)
}

# A nation tag of which the scheme does not say what it tests releases to nobody.
_tests_somebody(l, name) if {
	some tag in scheme.facts(l)
	tag.id == name
	some attribute in ["affiliations", "nationalities"]
	is_array(tag[attribute])
}

_consented(facts) if {
	every tag in facts {
		_consent_for(object.get(tag, "originator_consent", false))
	}
}

_consent_for(false)

_consent_for(true) if {
	p := input.resource.properties
	consent(p.tenant, p.owner.originator, input.subject.properties.affiliation.organization, p.row)
}
