package identity

import (
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
)

const sigV4 = "AWS4-HMAC-SHA256"

// presented is what a request brings to say who sent it.
type presented struct {
	token string
	proof string // the dpop header
	dpop  bool   // the token came as DPoP
}

// credential finds the one token of a request; no token where there is no credential at all. It rides in Authorization as a Bearer token, or in x-amz-security-token beside an
// AWS4-HMAC-SHA256 Authorization, where ordinary S3 clients put a session token. Which of two credentials counts is a question
// that each part on the way answers by itself, so two are never judged.
//
// A token that is bound to a key comes in Authorization as DPoP, with a proof in the header dpop (RFC 9449 §7.1).
//
// A session token without an AWS4 Authorization is identity.missing: no client sends that, and a token that counts wherever it
// stands would be a third place for one.
func credential(h authz.Headers) (presented, *authz.Refusal) {
	authorization, n := h.Get("authorization")
	session, m := h.Get("x-amz-security-token")
	proof, p := h.Get("dpop")
	switch {
	case p > 1:
		return presented{}, authz.Refuse(authz.RequestAmbiguous, "several DPoP proofs")
	case n > 1:
		return presented{}, authz.Refuse(authz.RequestAmbiguous, "several Authorization headers")
	case m > 1 || strings.Contains(session, ","):
		return presented{}, authz.Refuse(authz.RequestAmbiguous, "several x-amz-security-token values")
	case n == 0 && m == 0 && p == 0:
		return presented{}, nil
	case n == 0 && m == 0:
		return presented{}, authz.Refuse(authz.IdentityMissing, "a DPoP proof without a token")
	case n == 0:
		return presented{}, authz.Refuse(authz.IdentityMissing, "x-amz-security-token without an "+sigV4+" Authorization")
	}
	scheme, value, _ := strings.Cut(authorization, " ")
	if p > 0 && !strings.EqualFold(scheme, "DPoP") {
		return presented{}, authz.Refuse(authz.RequestAmbiguous, "a DPoP proof beside another credential")
	}
	if scheme == sigV4 {
		if !oneSigV4(value) {
			return presented{}, authz.Refuse(authz.RequestAmbiguous, "Authorization: more than one Credential, SignedHeaders and Signature")
		}
		if session == "" {
			return presented{}, authz.Refuse(authz.IdentityMissing, "an "+sigV4+" Authorization without x-amz-security-token: set the token as session token")
		}
		return presented{token: session}, nil
	}
	if m > 0 {
		return presented{}, authz.Refuse(authz.RequestAmbiguous, "x-amz-security-token beside another credential")
	}
	if strings.Contains(value, ",") {
		return presented{}, authz.Refuse(authz.RequestAmbiguous, "several credentials in one Authorization header")
	}
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		if value == "" {
			return presented{}, authz.Refuse(authz.IdentityMissing, "an empty Bearer credential")
		}
		return presented{token: value}, nil
	case strings.EqualFold(scheme, "DPoP"):
		if value == "" {
			return presented{}, authz.Refuse(authz.IdentityMissing, "an empty DPoP credential")
		}
		return presented{token: value, proof: proof, dpop: true}, nil
	default:
		return presented{}, authz.Refuse(authz.IdentityInvalid, "Authorization is none of Bearer, DPoP and "+sigV4)
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
