package compliance.explain

import data.compliance.access

_seeing := {e | some e in access.seeing}

_resting := {e | some e in access.resting}

_touched := {e | some e in access.touched}

_operators := ["places that hold or process it", places(_seeing)]

_destination := sprintf("%v %v", [of_input(["action", "properties", "to", "kind"]), _where(of_action("to"))])

_where(to) := place(to.enclave) if {
	is_string(to.enclave)
} else := source_country if {
	to.kind == "client"
} else := ""

facts["jurisdiction.residency"] := [
	["may rest in", rule(constraint("residency"))],
	["rests, with replicas and backups, in", places(_resting)],
	["the sources may rest in", [sprintf("%v: %v", [s.row, rule(object.get(s, ["constraints", "residency"], null))]) | some s in listed(of_action("from"))]],
]

facts["jurisdiction.processing"] := [
	["may be processed in", rule(constraint("processing"))],
	["goes to", _destination],
]

facts["jurisdiction.legal_control"] := [
	["law that may reach the operators", rule(constraint("reach"))],
	_operators,
	["tags that want operators of certain law", [sprintf("%s: %s", [tag.id, rule(tag.operator_law)]) |
		some l in _variants
		some tag in data.compliance.scheme.facts(l)
		tag.operator_law
	]],
	["law that the sources allow", [sprintf("%v: %v", [s.row, rule(object.get(s, ["constraints", "reach"], null))]) | some s in listed(of_action("from"))]],
]

facts["jurisdiction.egress"] := [
	["may leave to", rule(constraint("egress"))],
	["goes to", _destination],
	["the client is in", source_country],
]

facts["export.foreign_person"] := [
	["regime of export control", of_input(["resource", "properties", "constraints", "export", "mode"])],
	["subject's export status", of_subject("export_status")],
	["subject's nationalities", of_subject("nationalities")],
]

facts["export.destination"] := [
	["regime of export control", of_input(["resource", "properties", "constraints", "export", "mode"])],
	["licensed destinations", of_input(["resource", "properties", "constraints", "export", "destinations"])],
	["goes to", _destination],
]

facts["enclave.mismatch"] := [
	["enclaves of the access", sort([e | some e in _touched])],
	["enclaves of this gateway", of_input(["context", "gateway", "enclaves"])],
]

facts["enclave.ceiling"] := [
	["labels", labels(_all)],
	["labels of the sources", [label(l) | some s in listed(of_action("from")); some l in listed(s.labels)]],
	["ceilings", sort([sprintf("%s: %s %s (%s)", [e, c.scheme, c.level, concat(" ", c.tags)]) | some e in _seeing; some c in data.enclaves[e].ceiling])],
]

facts["resource.held"] := [
	["verb", of_input(["action", "name"])],
	["under a hold", of_resource("hold")],
]
