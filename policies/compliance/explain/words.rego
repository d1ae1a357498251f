# METADATA
# title: Explanation
# description: |
#   What each check compares, in words. Nothing here decides: `sallyport policy eval --explain` asks facts[id], which is a list of a name
#   and a value (a text, a list of texts, or null for what is unknown) in the order in which to read them; the gateway never does. A
#   fact that is not there is told as such, so nothing here may depend on one: object.get with null, and lists that may be empty.
#
#   Any package may have rules facts[id]. A check without them is explained by what its rules read.
package compliance.explain

# METADATA
# title: A member of the input, null if it is not there
of_input(path) := object.get(input, path, null)

of_subject(name) := of_input(["subject", "properties", name])

of_resource(name) := of_input(["resource", "properties", name])

constraint(name) := of_input(["resource", "properties", "constraints", name])

of_action(name) := of_input(["action", "properties", name])

# METADATA
# title: A document of the owner's part, null if it is not there
of_owner(path) := object.get(data.tenants, array.concat([of_resource("tenant")], path), null)

# METADATA
# title: A list, or none
listed(x) := x if {
	is_array(x)
} else := []

members(x) := x if {
	is_object(x)
} else := {}

# METADATA
# title: One line of a list of words or "any"
rule(x) := concat(" ", listed(x)) if {
	is_array(x)
	count(x) > 0
} else := "no country" if {
	x == []
} else := x

span(x) := sprintf("%s to %s", [day(object.get(x, "not_before", null)), day(object.get(x, "not_after", null))])

# METADATA
# title: A time without the part of it that is zero
day(t) := trim_suffix(t, "T00:00:00.000000000Z") if {
	is_string(t)
} else := "unknown"

# METADATA
# title: A label
label(l) := concat(", ", [part |
	some part in [_variant(l), _alternatives(l)]
	part != ""
])

_variant(l) := concat(", ", [part |
	some part in [
		sprintf("%v %v", [object.get(l, "scheme", "?"), object.get(l, "level", "?")]),
		categories(object.get(l, "categories", {})),
		_release(object.get(l, "release", null)),
		_tags(object.get(l, "nation", [])),
		_tags(object.get(l, "handling", [])),
		sprintf("of %s", [day(object.get(l, "created", null))]),
	]
	part != ""
])

_alternatives(l) := sprintf("or as %s", [concat(" or ", [_variant(a) | some a in l.alternatives])]) if {
	count(listed(object.get(l, "alternatives", []))) > 0
} else := ""

# METADATA
# title: Categories
categories(c) := concat(" ", sort([sprintf("%s %s", [name, concat("/", listed(values))]) | some name, values in members(c)]))

_release(list) := sprintf("released to %s", [concat(" ", list)]) if {
	count(listed(list)) > 0
} else := ""

_tags(list) := concat(" ", listed(list))

labels(list) := [label(l) | some l in listed(list)]

# METADATA
# title: A clearance
clearance(c) := concat(", ", [part |
	some part in [
		sprintf("%v %v", [object.get(c, "scheme", "?"), concat(" ", listed(object.get(c, "levels", [])))]),
		_native(object.get(c, "native", "")),
		categories(object.get(c, "categories", {})),
		sprintf("sponsor %v", [object.get(c, "sponsor", "unknown")]),
		span(c),
	]
	part != ""
])

_native(word) := sprintf("(%s)", [word]) if {
	is_string(word)
	word != ""
} else := ""

clearances(list) := [clearance(c) | some c in listed(list)]

# METADATA
# title: A place
place(id) := sprintf("%v in %v, operator %v, law %v, reach %v", [
	id,
	object.get(data.enclaves, [id, "country"], "unknown"),
	object.get(data.enclaves, [id, "operator", "name"], "unknown"),
	object.get(data.enclaves, [id, "operator", "law"], "unknown"),
	rule(object.get(data.enclaves, [id, "operator", "reach"], "unknown")),
])

places(ids) := [place(id) | some id in sort([e | some e in ids])]

# METADATA
# title: An affiliation
affiliation := sprintf("%v of %v, %v", [a.kind, a.organization, a.country]) if {
	a := of_subject("affiliation")
	is_object(a)
} else := null

source_country := sprintf("%v (known from %v)", [of_input(["context", "source", "country"]), of_input(["context", "source", "basis"])])
