# METADATA
# title: Freshness
# description: What the decision rests on is in force, recent enough, and dated by a clock that can be trusted.
package compliance.freshness

import data.compliance.access

# METADATA
# title: The root and the owner's part are in force
# custom: {id: freshness.bundle, controls: [AC-3(8), CM-14]}
satisfied contains "freshness.bundle" if {
	_in_force(data.bundle.root)
	_in_force(data.bundle.tenants[input.resource.properties.tenant])
}

# METADATA
# title: The root is in force, and no tenant owns the resource
# custom: {id: freshness.bundle, controls: [AC-3(8), CM-14]}
satisfied contains "freshness.bundle" if {
	_in_force(data.bundle.root)
	input.resource.properties.tenant == null
}

# METADATA
# title: Revocations may be of any age
# custom: {id: freshness.revocation, controls: [AC-3(8), CM-14]}
satisfied contains "freshness.revocation" if data.revocations.max_age_seconds == null

# METADATA
# title: Revocations are recent enough
# custom: {id: freshness.revocation, controls: [AC-3(8), CM-14]}
satisfied contains "freshness.revocation" if {
	is_number(data.revocations.max_age_seconds)
	input.context.freshness.revocation_age >= 0
	input.context.freshness.revocation_age <= data.revocations.max_age_seconds
}

# METADATA
# title: The clock is trusted, or a time floor is known
# custom: {id: freshness.clock, controls: [AU-8, SC-45]}
satisfied contains "freshness.clock" if input.context.freshness.clock in ["trusted", "floor"]

_in_force(part) if access.within(part.not_before, part.expires)
