# METADATA
# title: Identity
# description: The issuer is known and may say who the subject is, and the subject is not revoked.
package compliance.identity

import data.compliance.access

# METADATA
# title: The issuer is known and nothing of who the subject is was cut
# custom: {id: identity.issuer, controls: [IA-2, IA-8, IA-9]}
satisfied contains "identity.issuer" if {
	known_issuer
	input.subject.type in ["person", "service", "device"]
	every cut in input.subject.properties.cut {
		cut.claim in ["clearance", "community", "role", "export_status"]
	}
}

# METADATA
# title: The subject is not on the list of revocations
# custom: {id: identity.revoked, controls: [AC-3(8), PS-4]}
satisfied contains "identity.revoked" if {
	is_string(input.subject.id)
	is_array(data.revocations.subjects)
	not input.subject.id in data.revocations.subjects
}

# METADATA
# title: The sender has proven that the token is his
# custom: {id: identity.binding, controls: [IA-2, IA-8, IA-9]}
satisfied contains "identity.binding" if input.subject.properties.assurance.binding in ["mtls", "dpop"]

# METADATA
# title: The token is not bound to its sender, and the owner asks for that at none of the levels
# custom: {id: identity.binding, controls: [IA-2, IA-8, IA-9]}
satisfied contains "identity.binding" if {
	input.subject.properties.assurance.binding == "none"
	count(_bound_only) == 0
}

_bound_only contains label if {
	some label in access.labels
	label.level in access.owner.tenant.binding[label.scheme]
}

_bound_only contains alternative if {
	some label in access.labels
	some alternative in label.alternatives
	alternative.level in access.owner.tenant.binding[alternative.scheme]
}

# METADATA
# title: Some part of the bundle lists the issuer
# description: The likely parts come first; only a stranger to the owner makes the last rule look further.
known_issuer if {
	is_object(data.issuers[input.subject.properties.issuer])
} else if {
	is_object(data.tenants[input.resource.properties.tenant].issuers[input.subject.properties.issuer])
} else if {
	is_object(data.tenants[input.subject.properties.tenant].issuers[input.subject.properties.issuer])
} else if {
	some part in data.tenants
	part.issuers[input.subject.properties.issuer]
}
