# METADATA
# title: Access
# description: |
#   What several topics need to know of the access at hand, read once: its labels, its verb, its places, the time. A document here
#   is defined only if the facts behind it are present and not empty, so a check that ranges over one can't be proven by nothing
#   ("every x in []" is true). Those that are true or not have false as their default: what is undefined is looked for again each
#   time that somebody asks, what is false is remembered.
package compliance.access

# METADATA
# title: Time of the decision
# description: As text of nine digits and Z, so that text order is time order. A null would sort before every text.
time := input.context.time if {
	is_string(input.context.time)
	endswith(input.context.time, "Z")
	count(input.context.time) == 30
}

# METADATA
# title: The decision falls into a window
# description: From the first instant on, and before the last. A bound that is unknown proves nothing.
within(from, until) if {
	is_string(from)
	is_string(until)
	from <= time
	time < until
}

# METADATA
# title: The access writes data
default writes := false

writes if input.action.name in ["create", "update"]

# METADATA
# title: The access is a known verb that writes no data
default writes_nothing := false

writes_nothing if input.action.name in ["administer", "delete", "execute", "list", "read", "relabel"]

# METADATA
# title: Catalogue row, as the tenant's part of the bundle has it
row := data.tenants[input.resource.properties.tenant].catalogue.rows[input.resource.properties.row]

# METADATA
# title: Facts of the tenant that owns the resource
owner := data.tenants[input.resource.properties.tenant]

# METADATA
# title: Every label that binds the access
# description: Those of the row and the object and, on writes, those that the request asks for. All of them must pass.
labels := input.resource.properties.labels if {
	writes_nothing
	not _relabels
	_labelled
}

labels := array.concat(input.resource.properties.labels, input.action.properties.request_labels) if {
	_changes_labels
	_labelled
	is_array(input.action.properties.request_labels)
}

# METADATA
# title: Labels that the resource will have
# description: A write drops the object's own labels; those of the row and of the request stay.
new_labels := array.concat(
	array.slice(input.resource.properties.labels, 0, count(row.labels)),
	input.action.properties.request_labels,
) if {
	is_array(input.resource.properties.labels)
	is_array(input.action.properties.request_labels)
}

# METADATA
# title: A label and its alternatives
# description: Equivalents of one label, of which one must pass (ADatP-4774).
variants(l) := [l] if {
	l.alternatives == []
} else := array.concat([l], l.alternatives) if {
	is_array(l.alternatives)
}

# METADATA
# title: Enclaves where the resource rests
# description: Replicas and backups are places like any other.
resting := ({p.enclave} | {e | some e in p.replicas}) | {e | some e in p.backups} if {
	p := input.resource.properties.place
	is_string(p.enclave)
	is_array(p.replicas)
	is_array(p.backups)
}

# METADATA
# title: Enclaves that see the data
# description: Where it rests and, of a job, where it is processed.
seeing := resting if input.action.properties.to.kind in ["client", "object"]

seeing := resting | {input.action.properties.to.enclave} if input.action.properties.to.kind == "enclave"

# METADATA
# title: Enclaves of the access itself
# description: Replicas and backups are not touched by it.
touched := {input.resource.properties.place.enclave} if input.action.properties.to.kind in ["client", "object"]

touched := {input.resource.properties.place.enclave, input.action.properties.to.enclave} if {
	input.action.properties.to.kind == "enclave"
	not on_queue
}

touched := {input.action.properties.to.enclave} if {
	on_queue
	input.action.properties.to.kind == "enclave"
}

# METADATA
# title: The access starts a job on a queue, or asks how it went
# description: Neither moves what a label protects; a job's state holds nothing that its module has read.
default on_queue := false

on_queue if {
	input.resource.type == "job"
	input.action.name == "execute"
	input.action.properties.to.kind == "enclave"
}

on_queue if {
	input.resource.type == "job"
	input.action.name == "read"
	input.action.properties.to.kind == "client"
}

# METADATA
# title: The access is to something else than a queue
default on_data := false

on_data if input.resource.type in ["bucket", "object"]

# METADATA
# title: Sources of what is written
# description: What does not write has none. On a write, null is unknown, and only a list says what flows in.
sources := input.action.properties.from if {
	writes
	is_array(input.action.properties.from)
}

sources := [] if writes_nothing

default _relabels := false

_relabels if input.action.name == "relabel"

default _changes_labels := false

_changes_labels if writes

_changes_labels if _relabels

default _labelled := false

_labelled if {
	is_string(input.resource.properties.row)
	is_array(input.resource.properties.labels)
	count(input.resource.properties.labels) > 0
}
