package compliance.explain

import data.compliance.access
import data.compliance.label as checks
import data.compliance.scheme

_labelled := [["row", of_resource("row")], ["labels", _known(of_resource("labels"))]]

_requested := [["labels that the request asks for", labels(of_action("request_labels"))]]

_all := array.concat(listed(of_resource("labels")), listed(of_action("request_labels")))

_variants := array.concat(_all, [a | some l in _all; some a in listed(object.get(l, "alternatives", []))])

facts["label.missing"] := array.concat(_labelled, _requested)

facts["scheme.unknown"] := [
	["labels", labels(_all)],
	["labels of schemes that the bundle lacks", [label(l) | some l in _variants; not data.schemes[l.scheme]]],
]

facts["label.unknown"] := [
	["labels", labels(_all)],
	["with a value that their scheme lacks", [label(l) | some l in _variants; not scheme.known(l)]],
]

facts["label.invalid"] := [
	["labels", labels(_all)],
	["of a forbidden combination", [label(l) | some l in _all; not checks.valid(l)]],
	["owner", [sprintf("nation %v, originator %v", [o.nation, o.originator]) | some o in [of_resource("owner")]]],
]

facts["label.unbound"] := [
	["the row wants labels on its objects", object.get(_row, "labels_on_objects", null)],
	["labels of the row", labels(object.get(_row, "labels", []))],
	["labels of row and object", labels(of_resource("labels"))],
	["verb", of_input(["action", "name"])],
]

_row := members(of_owner(["catalogue", "rows", of_resource("row")]))

facts["release.nation"] := [
	["labels", labels(_all)],
	["a label without a release list is released to", sort([n | some n in {n | some l in _variants; l.release == null; n := object.get(data.schemes, [l.scheme, "nation"], "unknown")}])],
	["subject's affiliation", affiliation],
	["subject's nationalities", of_subject("nationalities")],
	["tags that test more", [sprintf("%s: affiliation %v, nationality %v", [tag.id, rule(object.get(tag, "affiliations", "any")), rule(object.get(tag, "nationalities", "any"))]) |
		some l in _variants
		some tag in scheme.facts(l)
	]],
]

facts["release.originator"] := [
	["labels", labels(_all)],
	["tags that want the originator's consent", [tag.id | some l in _variants; some tag in scheme.facts(l); tag.originator_consent]],
	["originator", of_input(["resource", "properties", "owner", "originator"])],
	["recipient", of_input(["subject", "properties", "affiliation", "organization"])],
	["consents on file", [sprintf("%v to %v for %v until %v", [c.originator, c.recipient, concat(" ", c.rows), day(c.until)]) |
		some c in listed(of_owner(["agreements", "consents"]))
	]],
]

facts["flow.write_down"] := [
	["verb", of_input(["action", "name"])],
	["labels where it is written", labels(_all)],
	["sources", [sprintf("%v: %v", [s.row, concat("; ", labels(s.labels))]) | some s in listed(of_action("from"))]],
	["rules of the target", _rules(of_resource("constraints"))],
	["rules of the sources", [r | some s in listed(of_action("from")); some r in _rules(s.constraints)]],
	["the session's labels are tracked", of_input(["subject", "properties", "session", "tracked"])],
	["the session has seen", _known(of_input(["subject", "properties", "session", "high_water"]))],
]

_known(null) := null

_known(list) := labels(list) if is_array(list)

_rules(c) := [sprintf("residency %v, processing %v, reach %v, egress %v, export %v", [
	rule(c.residency),
	rule(c.processing),
	rule(c.reach),
	rule(c.egress),
	c.export.mode,
])] if {
	is_object(c)
} else := []

facts["flow.relabel"] := [
	["verb", of_input(["action", "name"])],
	["labels now", labels(of_resource("labels"))],
	["labels then", [label(l) | some l in access.new_labels]],
]
