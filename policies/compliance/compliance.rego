# METADATA
# title: Decision
# description: |
#   Says of one access whether it is allowed, and of a denied one why. It proves or does not prove each required check; it never
#   looks for objections. Those of the owner's overlay are joined to its decision by the gateway (overlay.objected).
#
#   Invariants: the required set is constant. A check is satisfied only by a rule that proves it, and "does not apply" is proven
#   from a fact that is present; so a missing input, a missing fact and an unknown value deny. Reasons are the unproven checks
#   whose prerequisites (data.reasons) are all proven: the root causes.
package compliance

import data.compliance.audit
import data.compliance.clearance
import data.compliance.enclave
import data.compliance.export
import data.compliance.flow
import data.compliance.freshness
import data.compliance.hold
import data.compliance.identity
import data.compliance.jurisdiction
import data.compliance.label
import data.compliance.personnel
import data.compliance.queue
import data.compliance.release
import data.compliance.tenant

# METADATA
# title: Decision on one access
# description: The only document that the gateway asks for.
# entrypoint: true
default decision := {
	"allow": false,
	"unproven": {"system.policy_error"},
	"reasons": {"system.policy_error"},
	"obligations": set(),
}

decision := {
	"allow": count(unproven) == 0,
	"unproven": unproven,
	"reasons": root_causes(unproven, data.reasons),
	"obligations": obligations,
}

# METADATA
# title: What must be done with the access
# description: The topics' obligations together. A gateway that does not know one of an allowed access denies it.
obligations := (audit.obligations | personnel.obligations) | release.obligations

# METADATA
# title: Required checks
# description: Every access needs a proof of each; no input and no data can shorten this set.
required := {
	"action.not_granted",
	"agreement.absent",
	"category.permissive",
	"category.restrictive",
	"clearance.expired",
	"clearance.issuer",
	"clearance.level",
	"clearance.missing",
	"community.missing",
	"enclave.ceiling",
	"enclave.mismatch",
	"equivalence.absent",
	"export.destination",
	"export.foreign_person",
	"flow.relabel",
	"flow.write_down",
	"freshness.bundle",
	"freshness.clock",
	"freshness.revocation",
	"identity.binding",
	"identity.issuer",
	"identity.revoked",
	"jurisdiction.egress",
	"jurisdiction.legal_control",
	"jurisdiction.processing",
	"jurisdiction.residency",
	"label.invalid",
	"label.missing",
	"label.unbound",
	"label.unknown",
	"personnel.dual_control",
	"personnel.eligibility",
	"personnel.justification",
	"personnel.unapproved",
	"release.nation",
	"release.originator",
	"resource.held",
	"scheme.unknown",
	"service.not_contracted",
	"tenant.mismatch",
}

# METADATA
# title: Proven checks
satisfied := {id |
	some topic in [
		clearance.satisfied,
		enclave.satisfied,
		export.satisfied,
		flow.satisfied,
		freshness.satisfied,
		hold.satisfied,
		identity.satisfied,
		jurisdiction.satisfied,
		label.satisfied,
		personnel.satisfied,
		queue.satisfied,
		release.satisfied,
		tenant.satisfied,
	]
	some id in topic
}

# METADATA
# title: Unproven checks
unproven := required - satisfied

# METADATA
# title: Root causes
# description: |
#   Those of ids that no other of them stands before. Prerequisites form no cycle (a test holds that), so ids that are not empty
#   have a root cause; an id that the catalogue lacks is one by itself.
root_causes(ids, catalogue) := {id |
	count(ids) > 0
	prerequisites := {id: r.requires | some id, r in catalogue}
	some id in ids
	first := {r | some r in catalogue[id].requires}
	count(graph.reachable(prerequisites, first) & ids) == 0
}
