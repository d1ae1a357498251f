# METADATA
# title: Queues
# description: |
#   To start a job is an access of its own, beside those to the module, inputs and outputs; to ask for a job's state is one more. A
#   queue holds no data: it is tested for tenant, verb, personnel, service and the enclave of the job (of a state, of the queue),
#   not for what its label protects.
package compliance.queue

import data.compliance.access

# METADATA
# title: A queue gives no data away
satisfied contains id if {
	access.on_queue
	some id in protective
}

# METADATA
# title: Checks that protect the content of a labelled object
protective := {
	"agreement.absent",
	"category.permissive",
	"category.restrictive",
	"clearance.expired",
	"clearance.issuer",
	"clearance.level",
	"clearance.missing",
	"community.missing",
	"enclave.ceiling",
	"equivalence.absent",
	"export.destination",
	"export.foreign_person",
	"flow.relabel",
	"flow.write_down",
	"jurisdiction.egress",
	"jurisdiction.legal_control",
	"jurisdiction.processing",
	"jurisdiction.residency",
	"label.unbound",
	"release.nation",
	"release.originator",
}
