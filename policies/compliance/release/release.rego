# METADATA
# title: Release
# description: |
#   Cleared is not released. A label's audience is its release list, or its owner's nation alone where there is none; "absent" is never
#   "everyone". An organization's labels are its members'. To whom a label may be displayed it is released for reads and lists to the
#   client only, with an obligation. A nation tag says in the scheme which attribute it tests. An equivalence is never a release.
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
# title: What may be shown and not given is shown only
obligations contains {"id": "display_only"} if {
	access.on_queue == false
	some i, l in access.labels
	_shown(i, l)
	not _given(i, l)
}

# METADATA
# title: Countries to which a label is released
audience(l) := owners(l.scheme) if l.release == null

audience(l) := _countries(l.scheme, {c | some c in l.release}) if is_array(l.release)

# METADATA
# title: Countries to which a label is released or may be displayed
viewers(l) := audience(l) if l.display == null

viewers(l) := audience(l) | {c | some c in l.display} if is_array(l.display)

# METADATA
# title: The nation of a scheme or, of an organization's, it and its members
owners(scheme_id) := {s.nation} if {
	s := data.schemes[scheme_id]
	object.get(s, "members", []) == []
} else := {s.nation} | {m.country | some m in s.members; _member(m)} if {
	s := data.schemes[scheme_id]
}

# METADATA
# title: A consent of the originator is on file
consent(tenant, originator, recipient, row) if {
	some c in data.tenants[tenant].agreements.consents
	c.originator == originator
	c.recipient == recipient
	row in c.rows
	access.within("", c.until)
}

_released(i, l) if {
	_given(i, l)
} else if {
	_shown(i, l)
}

_given(_, l) if {
	l.alternatives == []
	input.subject.properties.affiliation.country in audience(l)
	_tags_allow(l)
}

# Of equivalents the one counts that the subject's clearance carries, else clearance and release could come from different ones.
_given(i, l) if {
	l.alternatives != []
	some k in carrier.k3[i][0]
	input.subject.properties.affiliation.country in audience(k.label)
	_tags_allow(k.label)
}

_shown(_, l) if {
	_to_be_seen
	l.alternatives == []
	input.subject.properties.affiliation.country in l.display
	_tags_allow(l)
}

_shown(i, l) if {
	_to_be_seen
	l.alternatives != []
	some k in carrier.k3[i][0]
	input.subject.properties.affiliation.country in k.label.display
	_tags_allow(k.label)
}

# A copy, a job and a write would keep what may only be looked at.
_to_be_seen if {
	input.action.name in ["list", "read"]
	input.action.properties.to.kind == "client"
}

_tags_allow(l) if {
	every tag in scheme.facts(l) {
		_affiliated(object.get(tag, "affiliations", "any"))
		_national(object.get(tag, "nationalities", "any"))
	}
	every name in l.nation {
		_tests_somebody(l, name)
	}
}

# On a list the owner stands for its members.
_countries(scheme_id, list) := list if {
	object.get(data.schemes[scheme_id], "members", []) == []
} else := list | owners(scheme_id) if {
	data.schemes[scheme_id].nation in list
} else := list

_member(m) if {
	is_string(m.not_before)
	m.not_before <= access.time
	_not_left(m.not_after)
}

_not_left(null)

_not_left(day) if {
	is_string(day)
	access.time < day
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
