package compliance.explain

import data.compliance.personnel
import data.compliance.tenant

_verb := ["verb", of_input(["action", "name"])]

_whose := [
	["owner", of_resource("tenant")],
	["subject's tenant", of_subject("tenant")],
	["subject's affiliation", affiliation],
	["subject's issuer", of_subject("issuer")],
]

_grants := [_grant(g) | some g in tenant.grants]

_grant(g) := sprintf("%s %s, issuers %s: %s on %s, %s", [g.organization, g.country, concat(" ", g.issuers), concat(" ", g.actions), concat(" ", g.rows), span(g)])

_partners := [_grant(g) | some g in listed(of_owner(["partners", "partners"]))]

facts["tenant.mismatch"] := array.concat(_whose, [
	["issuers that the owner lists", sort([id | some id, _ in members(of_owner(["issuers"]))])],
	["row", of_resource("row")],
	["partners of the owner", _partners],
	["partner grants that hold here", _grants],
])

facts["action.not_granted"] := array.concat(_whose, [
	_verb,
	["verbs of members", of_owner(["tenant", "members", "actions"])],
	["subject's roles", of_subject("roles")],
	["partner grants that hold here", _grants],
])

facts["community.missing"] := [
	["communities of the row", of_owner(["catalogue", "rows", of_resource("row"), "communities"])],
	["subject's communities", of_subject("communities")],
]

facts["service.not_contracted"] := [
	["service", of_resource("service")],
	["contracted", sort([sprintf("%s %s", [s, concat(" ", levels)]) | some s, levels in members(of_owner(["tenant", "services", of_resource("service")]))])],
	["labels", labels(_all)],
]

_approval(a) := sprintf("%s: %s on %s in %s for %s, approved by %s, %s", [
	a.id,
	concat(" ", a.actions),
	a.row,
	a.enclave,
	a.justification,
	concat(" ", a.approvers),
	span(a),
])

_approvals(list) := [_approval(a) | some a in list]

_applying := ["approvals of this row, verb, place and time", _approvals(personnel.approved)]

facts["personnel.eligibility"] := [
	["subject's affiliation", affiliation],
	["subject's nationalities", of_subject("nationalities")],
	["citizenships that the owner accepts", of_owner(["personnel", "citizenships"])],
	["the client is in", source_country],
	["locations that the owner accepts", of_owner(["personnel", "locations"])],
]

facts["personnel.unapproved"] := [
	["subject's affiliation", affiliation],
	["operator", of_input(["subject", "id"])],
	_verb,
	["row", of_resource("row")],
	["time", of_input(["context", "time"])],
	["the operator's approvals", [_approval(a) | some a in listed(of_input(["context", "approvals"])); a.operator == input.subject.id]],
	_applying,
]

facts["personnel.justification"] := [
	["subject's affiliation", affiliation],
	_applying,
	["justifications that the owner accepts", of_owner(["personnel", "justifications"])],
]

facts["personnel.dual_control"] := [
	["subject's affiliation", affiliation],
	["approvals with an accepted justification", _approvals(personnel.justified)],
	["approvers besides the operator that the owner wants", of_owner(["personnel", "approvers"])],
]

facts["identity.issuer"] := [
	["issuer", of_subject("issuer")],
	["parts that list it", sort([t | some t, part in data.tenants; part.issuers[of_subject("issuer")]])],
	["the root lists it", _root_lists],
	["type", of_input(["subject", "type"])],
	["cut, since the issuer may not say it", [sprintf("%s %v: %s", [c.claim, c.value, c.why]) | some c in listed(of_subject("cut"))]],
]

default _root_lists := false

_root_lists if data.issuers[of_subject("issuer")]

facts["identity.revoked"] := [
	["subject", of_input(["subject", "id"])],
	["serial of the list of revocations", object.get(data.revocations, "serial", null)],
	["it names the subject", [s | some s in data.revocations.subjects; s == input.subject.id]],
]

facts["identity.binding"] := [
	["binding of the token", of_input(["subject", "properties", "assurance", "binding"])],
	["levels at which the owner wants one", sort([sprintf("%s %s", [s, concat(" ", levels)]) | some s, levels in members(of_owner(["tenant", "binding"]))])],
	["labels", labels(_all)],
]

facts["freshness.bundle"] := [
	["time", of_input(["context", "time"])],
	["the root is in force", _force(object.get(data.bundle, "root", {}))],
	["the owner's part is in force", _force(object.get(data.bundle, ["tenants", of_resource("tenant")], {}))],
]

_force(part) := sprintf("%s to %s", [day(object.get(part, "not_before", null)), day(object.get(part, "expires", null))])

facts["freshness.revocation"] := [
	["age of the list of revocations, in seconds", of_input(["context", "freshness", "revocation_age"])],
	["it may be so old, in seconds", _limit(object.get(data.revocations, "max_age_seconds", null))],
]

_limit(null) := "any"

_limit(n) := n if is_number(n)

facts["freshness.clock"] := [["clock", of_input(["context", "freshness", "clock"])]]
