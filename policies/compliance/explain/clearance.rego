package compliance.explain

import data.compliance.access
import data.compliance.carrier
import data.compliance.equivalence

_labels := ["labels", labels(_all)]

_via := ["in between", [sprintf("%v %v: %v", [m.type, m.id, concat("; ", clearances(m.clearances))]) | some m in listed(of_subject("via"))]]

_cleared(null) := null

_cleared(list) := clearances(list) if is_array(list)

_held := [clearance(c) | some line in carrier.held; some cell in line; some c in cell]

_current := [clearance(c) | some line in carrier.current; some cell in line; some c in cell]

facts["clearance.issuer"] := [
	["clearances left", _cleared(of_subject("clearances"))],
	["clearances cut", [sprintf("%v: %v", [c.value, c.why]) | some c in listed(of_subject("cut")); c.claim == "clearance"]],
	_labels,
]

facts["clearance.missing"] := [
	_labels,
	["subject's affiliation", affiliation],
	["subject's clearances", _cleared(of_subject("clearances"))],
	_via,
	["of the label's scheme or the subject's nation", _held],
]

facts["clearance.expired"] := [
	["time", of_input(["context", "time"])],
	["clearances of the label's scheme or the subject's nation", _held],
	["in force", _current],
]

facts["agreement.absent"] := [
	["time", of_input(["context", "time"])],
	_labels,
	["clearances in force", _current],
	["equivalences that would do", _equivalences(_useful)],
	["agreements of the owner", _agreements],
]

facts["equivalence.absent"] := [
	_labels,
	["clearances in force", _current],
	["equivalences in force for the label", _equivalences(_reaching)],
	["agreements of the owner", _agreements],
	["clearances that can carry the label", _carriers(carrier.k0)],
]

facts["clearance.level"] := [
	_labels,
	["clearances in force", _current],
	["equivalences in force for the label", _equivalences(_reaching)],
	["clearances that can carry the label", _carriers(carrier.k0)],
	["of those reach the level", _carriers(carrier.k1)],
]

facts["category.restrictive"] := [
	["categories of the labels", _wanted("restrictive")],
	["clearances that reach the level", _carriers(carrier.k1)],
	["of those hold every category", _carriers(carrier.k2)],
]

facts["category.permissive"] := [
	["sets of which the labels want one value", _wanted("permissive")],
	["clearances that hold every category", _carriers(carrier.k2)],
	["of those hold a value of each set", _carriers(carrier.k3)],
]

_dated := [row | some v in _variants; some row in equivalence.dated(of_resource("tenant"), "clearance", v)]

_useful := [row | some row in _dated; some line in carrier.current; some cell in line; some c in cell; c.scheme == row.clearance[0]]

_reaching := equivalence.in_force(of_resource("tenant"), _dated)

_equivalences(rows) := sort([text | some text in {sprintf("%s: %s for clearance %s, agreement %s", [r.id, concat(" ", r.label), concat(" ", r.clearance), r.agreement]) | some r in rows}])

_agreements := sort([sprintf("%s: %s, %s", [id, concat(" ", a.parties), span(a)]) | some id, a in members(of_owner(["agreements", "agreements"]))])

_carriers(table) := [_carrier(k) | some line in table; some cell in line; some k in cell]

_carrier(k) := concat(", ", [part |
	some part in [sprintf("for %s %s", [k.label.scheme, k.label.level]), _reaches(k.reaches), _holds(k.categories)]
	part != ""
])

_reaches(true) := "reaches the level"

_reaches(false) := "does not reach the level"

_holds(c) := sprintf("holds %s", [categories(c)]) if {
	count(members(c)) > 0
} else := "holds no category"

_wanted(type) := sort([text |
	some text in {sprintf("%s %s", [name, concat(" ", listed(values))]) |
		some l in access.labels
		some v in access.variants(l)
		some name, values in v.categories
		data.schemes[v.scheme].tag_sets[name].type == type
	}
])
