package identity_test

import (
	"context"
	"testing"

	"github.com/sallyport-dev/sallyport/authz"
)

const sigV4 = "AWS4-HMAC-SHA256 Credential=any/20261124/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=00ff"

func TestExactlyOneCredential(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sam, uma := w.token("sam"), w.token("sam", map[string]any{"sub": "uma"})
	auth := func(v string) authz.HeaderField { return authz.HeaderField{Name: "authorization", Value: v} }
	proof := func(v string) authz.HeaderField { return authz.HeaderField{Name: "dpop", Value: v} }
	session := func(v string) authz.HeaderField { return authz.HeaderField{Name: "x-amz-security-token", Value: v} }
	for _, c := range []struct {
		name    string
		headers authz.Headers
		want    authz.Reason
	}{
		{"a Bearer token", authz.Headers{auth("Bearer " + sam)}, ""},
		{"a Bearer token, the scheme in lower case", authz.Headers{auth("bearer " + sam)}, ""},
		{"a session token beside an AWS4 Authorization", authz.Headers{session(sam), auth(sigV4)}, ""},
		{"nothing", nil, authz.IdentityMissing},
		{"an AWS4 Authorization without session token", authz.Headers{auth(sigV4)}, authz.IdentityMissing},
		{"an AWS4 Authorization with an empty session token", authz.Headers{auth(sigV4), session("")}, authz.IdentityMissing},
		{"a session token alone", authz.Headers{session(sam)}, authz.IdentityMissing},
		{"Bearer and nothing", authz.Headers{auth("Bearer ")}, authz.IdentityMissing},
		{"H01 two Authorization headers, the good one first", authz.Headers{auth("Bearer " + sam), auth("Bearer " + uma)}, authz.RequestAmbiguous},
		{"the same Authorization twice", authz.Headers{auth("Bearer " + sam), auth("Bearer " + sam)}, authz.RequestAmbiguous},
		{"H03 two Bearer tokens joined by a comma", authz.Headers{auth("Bearer " + sam + ", Bearer " + uma)}, authz.RequestAmbiguous},
		{"a Bearer token and a session token", authz.Headers{auth("Bearer " + sam), session(uma)}, authz.RequestAmbiguous},
		{"a Bearer token and the same session token", authz.Headers{auth("Bearer " + sam), session(sam)}, authz.RequestAmbiguous},
		{"a Bearer token and an empty session token", authz.Headers{auth("Bearer " + sam), session("")}, authz.RequestAmbiguous},
		{"a DPoP token and a session token", authz.Headers{auth("DPoP " + sam), session(uma)}, authz.RequestAmbiguous},
		{"two session tokens", authz.Headers{auth(sigV4), session(sam), session(uma)}, authz.RequestAmbiguous},
		{"two session tokens joined by a comma", authz.Headers{auth(sigV4), session(sam + "," + uma)}, authz.RequestAmbiguous},
		{"a Bearer token joined to an AWS4 Authorization", authz.Headers{auth(sigV4 + ", Bearer " + uma), session(sam)}, authz.RequestAmbiguous},
		{"an AWS4 Authorization with two signatures", authz.Headers{auth(sigV4 + ", Signature=00"), session(sam)}, authz.RequestAmbiguous},
		{"an AWS4 Authorization without its members", authz.Headers{auth("AWS4-HMAC-SHA256"), session(sam)}, authz.RequestAmbiguous},
		{"a token that is bound to no key, as DPoP", authz.Headers{auth("DPoP " + sam)}, authz.IdentityBinding},
		{"DPoP and nothing", authz.Headers{auth("DPoP ")}, authz.IdentityMissing},
		{"a DPoP proof beside a Bearer token", authz.Headers{auth("Bearer " + sam), proof("x")}, authz.RequestAmbiguous},
		{"a DPoP proof beside a session token", authz.Headers{auth(sigV4), session(sam), proof("x")}, authz.RequestAmbiguous},
		{"two DPoP proofs", authz.Headers{auth("DPoP " + sam), proof("x"), proof("x")}, authz.RequestAmbiguous},
		{"a DPoP proof alone", authz.Headers{proof("x")}, authz.IdentityMissing},
		{"Basic", authz.Headers{auth("Basic c2FtOnNhbQ==")}, authz.IdentityInvalid},
		{"SigV2", authz.Headers{auth("AWS any:c2ln")}, authz.IdentityInvalid},
		{"SigV4A beside a session token", authz.Headers{auth("AWS4-ECDSA-P256-SHA256 Credential=any"), session(sam)}, authz.RequestAmbiguous},
		{"a token without scheme", authz.Headers{auth(sam)}, authz.IdentityInvalid},
		{"an empty Authorization", authz.Headers{auth("")}, authz.IdentityInvalid},
		{"two spaces after Bearer", authz.Headers{auth("Bearer  " + sam)}, authz.IdentityInvalid},
		{"something after the token", authz.Headers{auth("Bearer " + sam + " x")}, authz.IdentityInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, detail := refused(t, w.verifier, authz.Request{Headers: c.headers}); got != c.want {
				t.Errorf("refused for %q (%s), want %q", got, detail, c.want)
			}
		})
	}
}

func TestRequestsThatCanNotBeJudgedAreNotIdentified(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	req := bearer(w.token("sam"))
	req.Problem = authz.Refuse(authz.RequestUnsupported, "what Parse said")
	if got, _ := refused(t, w.verifier, req); got != authz.RequestUnsupported {
		t.Errorf("a request with a problem is refused for %q", got)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := w.verifier.Verify(ctx, bearer(w.token("sam"))); err == nil {
		t.Error("a request whose time is over is identified")
	}
}
