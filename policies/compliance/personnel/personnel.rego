# METADATA
# title: The provider's personnel
# description: |
#   An operator of the provider touches data only if the tenant accepts him and has approved this: row, verb, enclave and window. One
#   approval proves all three checks, each of which narrows the same set. In an emergency that the tenant has foreseen, breaking the
#   glass stands in for the approval, and for nothing else: who may not read the label still may not.
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
# title: An operator breaks the glass
# custom: {id: personnel.unapproved, controls: [PS-7]}
satisfied contains "personnel.unapproved" if breaks_glass

# METADATA
# title: An operator breaks the glass with a code that the tenant accepts
# custom: {id: personnel.justification, controls: [PS-7]}
satisfied contains "personnel.justification" if breaks_glass

# METADATA
# title: An operator breaks the glass, for which nobody else is asked
# custom: {id: personnel.dual_control, controls: [PS-7, AC-3(2)]}
satisfied contains "personnel.dual_control" if breaks_glass

# METADATA
# title: What must be done with an access of operators
# description: Breaking the glass is no ordinary allow; it is counted and recorded as what it is.
obligations contains {"id": "break_glass"} if breaks_glass

# METADATA
# title: An operator says that it is an emergency, and the tenant has foreseen that he may
# description: |
#   The tenant names the codes, the operators, the verbs, and for how long after a log-in it holds.
default breaks_glass := false

breaks_glass if {
	operator
	glass := access.owner.personnel.break_glass
	is_string(input.context.purpose)
	startswith(input.context.purpose, "break_glass:") # nearly nobody's does, and concat is slow
	some code in glass.codes
	input.context.purpose == concat("", ["break_glass:", code])
	input.subject.id in glass.operators
	input.action.name in glass.actions
	is_number(glass.window_seconds)
	age := input.subject.properties.assurance.age_seconds
	is_number(age)
	age <= glass.window_seconds
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
