# METADATA
# title: The provider's personnel
# description: |
#   An operator of the provider touches data only if the tenant accepts him and has approved this: row, verb, enclave and window. One
#   approval proves all three checks, each of which narrows the same set.
package compliance.personnel

import data.compliance.access
import data.compliance.country

# METADATA
# title: The subject is no operator
# description: Tenants and partners answer for their own people.
satisfied contains id if {
	input.subject.properties.affiliation.kind in ["tenant", "partner"]
	some id in ["personnel.eligibility", "personnel.unapproved", "personnel.justification", "personnel.dual_control"]
}

# METADATA
# title: The tenant accepts the operator's citizenship and location
# custom: {id: personnel.eligibility, controls: [PS-7, PS-3(4)]}
satisfied contains "personnel.eligibility" if {
	operator
	some nationality in input.subject.properties.nationalities
	nationality in access.owner.personnel.citizenships
	country.of_source in access.owner.personnel.locations
}

# METADATA
# title: The tenant has approved the access
# custom: {id: personnel.unapproved, controls: [PS-7]}
satisfied contains "personnel.unapproved" if {
	operator
	count(approved) > 0
}

# METADATA
# title: The tenant accepts the justification
# custom: {id: personnel.justification, controls: [PS-7]}
satisfied contains "personnel.justification" if {
	operator
	count(justified) > 0
}

# METADATA
# title: Enough distinct persons besides the operator have approved
# custom: {id: personnel.dual_control, controls: [PS-7, AC-3(2)]}
satisfied contains "personnel.dual_control" if {
	operator
	some approval in justified
	approvers := {a | some a in approval.approvers} - {input.subject.id}
	count(approvers) >= access.owner.personnel.approvers
}

# METADATA
# title: The subject is an operator of the provider
default operator := false

operator if input.subject.properties.affiliation.kind == "provider"

# METADATA
# title: Approvals of exactly this row, verb and enclave that are in force
approved := [approval |
	some approval in input.context.approvals
	approval.operator == input.subject.id
	approval.row == input.resource.properties.row
	input.action.name in approval.actions
	access.touched == {approval.enclave}
	access.within(approval.not_before, approval.not_after)
]

# METADATA
# title: Those whose justification the tenant accepts
justified := [approval |
	some approval in approved
	approval.justification in access.owner.personnel.justifications
]
