# METADATA
# title: The peer's way
# description: |
#   What a policy for OPA's Envoy plugin does for every request: it verifies the token, makes the subject of its claims, finds the
#   catalogue's row of the path, and asks the shipped policy. It is for the reads that the benchmark sends, and is spared the cut of
#   claims to what their issuer may say.
package peer

import data.compliance

answer := {"allowed": allowed, "dynamic_metadata": {"sallyport": data.mark}} if {
	allowed := compliance.decision.allow with input as {
		"subject": _subject,
		"action": _action,
		"resource": _resource,
		"context": _context,
	}
}

_http := input.attributes.request.http

_token := trim_prefix(_http.headers.authorization, "Bearer ")

_issuer := data.keys[unverified.iss] if {
	[_, unverified, _] := io.jwt.decode(_token)
}

_claims := claims if {
	[true, _, claims] = io.jwt.decode_verify(_token, {
		"cert": _issuer.jwks,
		"alg": _issuer.algorithm,
		"iss": _issuer.issuer,
		"aud": data.gateway.id,
	})
}

_subject := {
	"type": _claims.subject_type,
	"id": sprintf("%s|%s", [_issuer.id, _claims.sub]),
	"properties": {
		"issuer": _issuer.id,
		"tenant": object.get(_claims, "tenant", null),
		"affiliation": _claims.affiliation,
		"nationalities": _claims.nationalities,
		"held_nationalities": _claims.nationalities,
		"export_status": object.get(_claims, "export_status", []),
		"communities": object.get(_claims, "communities", []),
		"roles": object.get(_claims, "roles", []),
		"clearances": [clearance |
			some c in _claims.clearances
			some scheme, levels in _opens(c)
			clearance := {
				"scheme": scheme,
				"levels": levels,
				"native": object.get(c, "native", ""),
				"categories": object.get(c, "categories", {}),
				"sponsor": data.schemes[scheme].nation,
				"not_before": "0001-01-01T00:00:00.000000000Z",
				"not_after": "9999-12-31T00:00:00.000000000Z",
			}
		],
		"cut": [],
		"session": {
			"tracked": object.get(data.tenants, [object.get(_claims, "tenant", ""), "tenant", "sessions", "tracked"], false),
			"high_water": object.get(_claims, "high_water", null),
		},
		"via": [],
		"assurance": {"acr": null, "amr": [], "binding": "none", "age_seconds": 0},
	},
}

# By scheme, the levels that a clearance opens.
_opens(c) := {c.scheme: [level.id |
	levels := data.schemes[c.scheme].levels
	some highest in levels
	highest.id == c.level
	some level in levels
	level.hierarchy <= highest.hierarchy
]} if {
	is_string(c.level)
}

_opens(c) := data.schemes[c.scheme].native_clearances[c.native].opens

_action := {
	"name": {"GET": "read", "HEAD": "read"}[_http.method],
	"properties": {
		"protocol": "s3", "operation": "GetObject", "request_labels": [], "from": [],
		"to": {"kind": "client", "row": null, "enclave": null},
	},
}

_resource := {
	"type": "object",
	"id": sprintf("s3:/%s", [_http.path]),
	"properties": data.rows[_row],
}

# The longest prefix of the path that is a row.
_row := max([row |
	some i, _ in input.parsed_path
	i > 0
	row := sprintf("%s/", [concat("/", array.slice(input.parsed_path, 0, i))])
	data.rows[row]
])

_context := {
	"time": time.format([time.now_ns(), "UTC", "2006-01-02T15:04:05.000000000Z"]),
	"gateway": data.gateway,
	"source": {
		"address": input.attributes.source.address.socketAddress.address, "principal": null, "network": null,
		"country": _claims.location, "basis": "claim",
	},
	"freshness": {"bundle_age": 0, "revocation_serial": 1, "revocation_age": 0, "clock": "trusted"},
	"approvals": [approval |
		some tenant in data.tenants
		some approval in tenant.personnel.approvals
	],
	"purpose": null,
}
