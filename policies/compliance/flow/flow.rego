# METADATA
# title: Flow
# description: |
#   What is written is protected at least as what flows into it, and as what the session has seen (Bell-LaPadula's *-property). A copy is
#   judged on whole sources, not on their labels only: two hops would else launder a rule away.
package compliance.flow

import data.compliance.access
import data.compliance.country
import data.compliance.dominance
import data.compliance.label
import data.compliance.release
import data.compliance.scheme

# METADATA
# title: Nothing is written
# custom: {id: flow.write_down, controls: [AC-4, AC-4(1)]}
satisfied contains "flow.write_down" if access.writes_nothing

# METADATA
# title: The target protects what flows into it and what the session has seen
# custom: {id: flow.write_down, controls: [AC-4, AC-4(1)]}
satisfied contains "flow.write_down" if {
	_session_below(input.subject.properties)
	every source in access.sources {
		flows(source)
	}
}

# METADATA
# title: No label changes
# custom: {id: flow.relabel, controls: [AC-16(2), AC-16(9), AC-3(2)]}
satisfied contains "flow.relabel" if {
	input.action.name in ["read", "list", "create", "delete", "execute", "administer"]
}

# METADATA
# title: The new labels are at least as strict as the old
# description: Whoever may relabel may tighten.
# custom: {id: flow.relabel, controls: [AC-16(2), AC-16(9), AC-3(2)]}
satisfied contains "flow.relabel" if {
	input.action.name in ["update", "relabel"]
	dominance.covers(input.resource.properties.tenant, access.new_labels, input.resource.properties.labels)
}

# METADATA
# title: The owner nation lowers the labels
# description: By a downgrade that two of its authority's holders besides the requester have approved, of exactly these labels to those.
# custom: {id: flow.relabel, controls: [AC-16(2), AC-16(9), AC-3(2)]}
satisfied contains "flow.relabel" if {
	input.action.name == "relabel"
	some downgrade in access.owner.agreements.downgrades
	downgrade.row == input.resource.properties.row
	access.within(downgrade.not_before, downgrade.not_after)
	authority := access.owner.agreements.authorities[downgrade.authority]
	_speaks_for_owner(authority)
	{d | some d in downgrade.from} == {digest(l) | some l in input.resource.properties.labels}
	{d | some d in downgrade.to} == {digest(l) | some l in access.new_labels}
	approvers := {a | some a in downgrade.approvers; a in authority.holders} - {input.subject.id}
	count(approvers) >= 2
}

# METADATA
# title: Digest of a label
# description: SHA-256, in hex, of its JSON without spaces and with sorted members, as the policy input has it.
digest(l) := crypto.sha256(json.marshal(l))

_speaks_for_owner(authority) if {
	access.within(authority.not_before, authority.not_after)
	authority.nation == input.resource.properties.owner.nation
	input.resource.properties.labels != []
	every l in input.resource.properties.labels {
		every v in access.variants(l) {
			data.schemes[v.scheme].nation == authority.nation
		}
	}
}

# METADATA
# title: A source may flow into the resource
flows(source) if {
	every l in source.labels {
		scheme.known(l)
		label.valid(l)
	}
	dominance.covers(source.tenant, access.labels, source.labels)
	_same_owner(source, input.resource.properties)
	_keeps_rules(input.resource.properties.constraints, source.constraints)
}

# Residency and the law of operators have reasons of their own (jurisdiction).
_keeps_rules(target, source) if {
	country.narrows(target.processing, source.processing)
	country.narrows(target.reach, source.reach)
	country.narrows(target.egress, source.egress)
	_keeps_export(target.export, source.export)
}

_keeps_export(_, source) if source.mode == "none"

_keeps_export(target, source) if {
	target.mode == source.mode
	country.narrows(target.destinations, source.destinations)
}

_same_owner(source, target) if {
	is_string(source.owner.originator)
	source.owner == target.owner
}

_same_owner(source, target) if {
	release.consent(source.tenant, source.owner.originator, target.owner.originator, source.row)
}

# Sessions are tracked or not by the subject's tenant; a subject without one is another's guest.
_session_below(subject) if {
	is_string(subject.tenant)
	subject.session.tracked == false
}

_session_below(subject) if {
	is_string(subject.tenant)
	subject.session.tracked == true
	dominance.covers_any(input.resource.properties.tenant, access.labels, subject.session.high_water)
}

_session_below(subject) if {
	subject.tenant == null
	subject.affiliation.kind in ["partner", "provider"]
}
