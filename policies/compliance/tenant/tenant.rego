# METADATA
# title: Tenants and partners
# description: |
#   Whose person the subject is, seen from the owner of the data. The owner vouches for its partners, never their issuer: a partner
#   is known by organization, country and issuer in the owner's part, which says for which rows, verbs and until when.
package compliance.tenant

import data.compliance.access

# METADATA
# title: The subject is of the owner's tenant
# custom: {id: tenant.mismatch, controls: [AC-3, SC-7(21)]}
satisfied contains "tenant.mismatch" if member

# METADATA
# title: The subject is a partner on the row
# custom: {id: tenant.mismatch, controls: [AC-3, SC-7(21)]}
satisfied contains "tenant.mismatch" if count(grants) > 0

# METADATA
# title: The subject is the provider's
# description: Personnel rules decide about it.
# custom: {id: tenant.mismatch, controls: [AC-3, SC-7(21)]}
satisfied contains "tenant.mismatch" if input.subject.properties.affiliation.kind == "provider"

# METADATA
# title: Membership gives the verb
# custom: {id: action.not_granted, controls: [AC-3, AC-6, SC-7(21)]}
satisfied contains "action.not_granted" if {
	member
	not_for_roles_only
	input.action.name in access.owner.tenant.members.actions
}

# METADATA
# title: A role of the tenant gives the verb
# custom: {id: action.not_granted, controls: [AC-3, AC-6, SC-7(21)]}
satisfied contains "action.not_granted" if {
	member
	some role in input.subject.properties.roles
	input.action.name in access.owner.tenant.roles[role]
}

# METADATA
# title: The partner grant gives the verb
# custom: {id: action.not_granted, controls: [AC-3, AC-6, SC-7(21)]}
satisfied contains "action.not_granted" if {
	access.on_data
	some grant in grants
	input.action.name in grant.actions
}

# METADATA
# title: The partner grant gives the verb, and lets its partner start jobs
# description: Who may only read the tenant's data has no business with the states of its jobs.
# custom: {id: action.not_granted, controls: [AC-3, AC-6, SC-7(21)]}
satisfied contains "action.not_granted" if {
	access.on_queue
	some grant in grants
	{input.action.name, "execute"} - {action | some action in grant.actions} == set()
}

# METADATA
# title: The provider's verbs come from approvals
# custom: {id: action.not_granted, controls: [AC-3, AC-6, SC-7(21)]}
satisfied contains "action.not_granted" if input.subject.properties.affiliation.kind == "provider"

# METADATA
# title: The subject is in each community of the row
# custom: {id: community.missing, controls: [AC-3(13), PS-6]}
satisfied contains "community.missing" if {
	every community in access.row.communities {
		community in input.subject.properties.communities
	}
}

# METADATA
# title: The service is in the tenant's package at each label's level
# custom: {id: service.not_contracted, controls: [AC-3, SC-7(21)]}
satisfied contains "service.not_contracted" if {
	contracted := access.owner.tenant.services[input.resource.properties.service]
	every l in access.labels {
		some v in access.variants(l)
		v.level in contracted[v.scheme]
	}
}

# METADATA
# title: The subject is a member of the owner's tenant
# description: The tenant's own part must list the issuer that says so.
default member := false

member if {
	input.subject.properties.affiliation.kind == "tenant"
	input.subject.properties.tenant == input.resource.properties.tenant
	is_object(access.owner.issuers[input.subject.properties.issuer])
}

# METADATA
# title: Partner grants that hold for the subject, the row and now
grants := [grant |
	input.subject.properties.affiliation.kind == "partner"
	is_object(access.owner.issuers[input.subject.properties.issuer])
	some grant in access.owner.partners.partners
	grant.organization == input.subject.properties.affiliation.organization
	grant.country == input.subject.properties.affiliation.country
	input.subject.properties.issuer in grant.issuers
	access.within(grant.not_before, grant.not_after)
	_covers(grant)
]

# METADATA
# title: The verb may come from membership alone
# description: Relabelling and administration need a role.
not_for_roles_only if input.action.name in ["read", "list", "create", "update", "delete", "execute"]

_covers(grant) if {
	is_string(input.resource.properties.row)
	some row in grant.rows
	endswith(row, "/")
	startswith(input.resource.properties.row, row)
}

# A partner of any row may be seen on a queue; its verbs still decide.
_covers(grant) if {
	access.on_queue
	count(grant.rows) > 0
}
