# METADATA
# title: The peer's way
# description: |
#   Verifies the token inside Rego, for every request, as policies for OPA's Envoy plugin do, and then asks the shipped policy.
package peer

decision := data.compliance.decision if {
	[_, claims, _] := io.jwt.decode(input.token)
	issuer := data.keys[claims.iss]
	[true, _, _] = io.jwt.decode_verify(input.token, {
		"cert": issuer.jwks,
		"alg": issuer.algorithm,
		"iss": claims.iss,
		"aud": "sallyport",
	})
}
