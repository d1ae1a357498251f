package identity

import (
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
)

const sigV4 = "AWS4-HMAC-SHA256"

// credential finds the one token of a request. It rides in Authorization as a Bearer token, or in x-amz-security-token beside an
// AWS4-HMAC-SHA256 Authorization, where ordinary S3 clients put a session token. Which of two credentials counts is a question
// that each part on the way answers by itself, so two are never judged.
//
// A session token without an AWS4 Authorization is identity.missing: no client sends that, and a token that counts wherever it
// stands would be a third place for one.
func credential(h authz.Headers) (string, *authz.Refusal) {
	authorization, n := h.Get("authorization")
	session, m := h.Get("x-amz-security-token")
	switch {
	case n > 1:
		return "", authz.Refuse(authz.RequestAmbiguous, "several Authorization headers")
	case m > 1 || strings.Contains(session, ","):
		return "", authz.Refuse(authz.RequestAmbiguous, "several x-amz-security-token values")
	case n == 0 && m == 0:
		return "", authz.Refuse(authz.IdentityMissing, "no credential")
	case n == 0:
		return "", authz.Refuse(authz.IdentityMissing, "x-amz-security-token without an "+sigV4+" Authorization")
	}
	scheme, value, _ := strings.Cut(authorization, " ")
	if scheme == sigV4 {
		if !oneSigV4(value) {
			return "", authz.Refuse(authz.RequestAmbiguous, "Authorization: more than one Credential, SignedHeaders and Signature")
		}
		if session == "" {
			return "", authz.Refuse(authz.IdentityMissing, "an "+sigV4+" Authorization without x-amz-security-token: set the token as session token")
		}
		return session, nil
	}
	if m > 0 {
		return "", authz.Refuse(authz.RequestAmbiguous, "x-amz-security-token beside another credential")
	}
	if strings.Contains(value, ",") {
		return "", authz.Refuse(authz.RequestAmbiguous, "several credentials in one Authorization header")
	}
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		if value == "" {
			return "", authz.Refuse(authz.IdentityMissing, "an empty Bearer credential")
		}
		return value, nil
	case strings.EqualFold(scheme, "DPoP"):
		return "", authz.Refuse(authz.IdentityInvalid, "DPoP is not supported: send the token as Bearer")
	default:
		return "", authz.Refuse(authz.IdentityInvalid, "Authorization is neither Bearer nor "+sigV4)
	}
}

// oneSigV4 reports whether the rest of an AWS4 Authorization is its three members, each once. Commas join them, and a second
// credential joined to the first must not hide there.
func oneSigV4(s string) bool {
	seen := map[string]bool{}
	for member := range strings.SplitSeq(s, ",") {
		name, _, _ := strings.Cut(strings.TrimSpace(member), "=")
		if seen[name] || name != "Credential" && name != "SignedHeaders" && name != "Signature" {
			return false
		}
		seen[name] = true
	}
	return len(seen) == 3
}
