package identity_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	jws3 "github.com/lestrrat-go/jwx/v3/jws"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/identity"
)

// algorithms are those that an issuer may list.
var algorithms = []string{"ES256", "ES384", "PS256", "PS384", "EdDSA", "RS256"}

// FuzzFrontEnd holds that what the form check accepts has one spelling: encoding its parts again gives the same token, and a naive
// reader of the header sees the same three members.
func FuzzFrontEnd(f *testing.F) {
	claims := b64(`{"iss":"https://a.test","sub":"sam"}`)
	for _, header := range []string{goodHeader, `{"alg":"none","typ":"at+jwt"}`, `{"alg":"ES256","alg":"none","kid":"k","typ":"t"}`, `{"alg":"ES256","kid":"k","typ":"t","crit":["b64"]}`, `{"Alg":"ES256","kid":"k","typ":"t"}`} {
		f.Add(b64(header) + "." + claims + ".AAAA")
	}
	for _, token := range []string{"", "..", "a.b.c", b64(goodHeader) + "." + claims + ".AAA=", b64(goodHeader) + ".\n" + claims + ".AAAA", b64(goodHeader) + "." + claims + ".AAB", `{"payload":"","signatures":[]}`} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		payload, header, err := identity.FrontEnd(token)
		if err != nil {
			return
		}
		parts := strings.Split(token, ".")
		if len(token) > 8<<10 || len(parts) != 3 || base64.RawURLEncoding.EncodeToString(payload) != parts[1] {
			t.Fatalf("accepted, and encodes to something else: %q", token)
		}
		raw, err := base64.RawURLEncoding.DecodeString(parts[0])
		if err != nil || b64(string(raw)) != parts[0] {
			t.Fatalf("header %q: %v", parts[0], err)
		}
		naive := map[string]string{}
		if err := json.Unmarshal(raw, &naive); err != nil || len(naive) != 3 || [3]string{naive["alg"], naive["typ"], naive["kid"]} != header {
			t.Fatalf("header %s read as %q: %v", raw, header, err)
		}
		if slices.Contains(algorithms, header[0]) { // of others jwx/v3 reads no header
			m, err := jws3.Parse([]byte(token), jws3.WithCompact())
			if err != nil || !bytes.Equal(m.Payload(), payload) || len(m.Signatures()) != 1 {
				t.Fatalf("%q: jwx/v3 reads it otherwise: %v", token, err)
			}
			h := m.Signatures()[0].ProtectedHeaders()
			alg, _ := h.Algorithm()
			typ, _ := h.Type()
			kid, _ := h.KeyID()
			if d := cmp.Diff(header, [3]string{alg.String(), typ, kid}); d != "" {
				t.Fatalf("%q: jwx/v3 reads another header (-we +jwx):\n%s", token, d)
			}
		}
		var claims map[string]any
		if err := json.Unmarshal(payload, &claims); err != nil || claims["iss"] == "" {
			t.Fatalf("payload %q: %v", payload, err)
		}
	})
}

// FuzzJWKS holds that no key set, however hostile, gives a key of an algorithm that is not asked for.
func FuzzJWKS(f *testing.F) {
	f.Add([]byte(text(map[string]any{"keys": []any{newECKey("k").jwk()}})))
	f.Add([]byte(`{"keys":[{"kty":"oct","kid":"k","alg":"HS256","k":"AAAA"},{"kty":"RSA","kid":"r","n":"AQ","e":"AQAB"},{"kty":"OKP","crv":"Ed25519","kid":"o","x":"AA"}]}`))
	f.Add([]byte(`{"keys":[null,1,"",[],{}]}`))
	f.Fuzz(func(t *testing.T, set []byte) {
		usable, _, err := identity.ParseJWKS(set, "ES256", "EdDSA", "PS256")
		if err != nil && len(usable) > 0 {
			t.Fatalf("keys from a set that is none: %v", usable)
		}
		for kid, alg := range usable {
			if kid == "" || alg != "ES256" && alg != "EdDSA" && alg != "PS256" {
				t.Fatalf("kid %q of %s", kid, alg)
			}
		}
	})
}

// FuzzClaims holds that nothing of a subject is more than its issuer's grant, whatever a token claims, and that what was claimed beyond
// it is listed.
func FuzzClaims(f *testing.F) {
	const base = "https://issuers.test"
	v, err := identity.New(identity.Config{
		Tenants: doc(tenantsDoc, base), Issuers: doc(issuersDoc, base), Schemes: json.RawMessage(schemesDoc), Audiences: []string{"sallyport"},
		Now: func() time.Time { return noon },
	})
	must(err)
	w := &world{base: base, now: noon}
	for name := range people {
		f.Add([]byte(text(w.claims(name))))
	}
	type m = map[string]any
	f.Add([]byte(text(w.claims("sam", m{"act": m{"sub": "a", "clearances": []any{m{"scheme": "USA", "levels": []string{"TOP SECRET", "SECRET"}}}, "act": m{"sub": "b"}}}))))
	f.Add([]byte(text(w.claims("sam", m{"clearances": []any{m{"scheme": "USA", "native": "CODEWORD"}, m{"scheme": "GBR", "level": "SECRET"}}}))))
	granted := map[string]map[string][]string{ // by issuer and scheme: the levels of the documents' grants
		"usa": {"USA": {"UNCLASSIFIED", "CONFIDENTIAL", "SECRET"}}, "provider": {"USA": {"UNCLASSIFIED", "CONFIDENTIAL", "SECRET"}}, "gbr": {"GBR": {"OFFICIAL", "SECRET"}},
		"nzl": {"NZL": {"RESTRICTED"}, "NZL-POLICY": {"IN-CONFIDENCE", "SENSITIVE"}}, "can": {"CAN-PROTECTED": {"PROTECTED A", "PROTECTED B"}}, "fra": {"FRA": {"SECRET"}},
	}
	categories := map[string]string{"usa": "sci TK", "fra": "special FRANCE"}
	tenants := map[string]string{"usa": "us-defense", "fra": "fr-space", "nzl": "nz-fire", "can": "ca-housing"}
	f.Fuzz(func(t *testing.T, payload []byte) {
		s, ok := v.Claimed(payload)
		if !ok {
			return
		}
		p := s.Properties
		if !strings.HasPrefix(s.ID, p.Issuer+"|") || strings.Count(s.ID, "|") != 1 {
			t.Errorf("id %q of issuer %s", s.ID, p.Issuer)
		}
		if p.Tenant != nil && *p.Tenant != tenants[p.Issuer] || s.Type != "person" && s.Type != "" {
			t.Errorf("%s is %s of %v by %s", s.ID, s.Type, p.Tenant, p.Issuer)
		}
		holders := [][]authz.Clearance{p.Clearances}
		for _, via := range p.Via {
			holders = append(holders, via.Clearances)
		}
		for _, c := range slices.Concat(holders...) {
			if len(c.Levels) == 0 || c.Sponsor == "" {
				t.Errorf("a clearance of nothing or by nobody: %+v", c)
			}
			for _, l := range c.Levels {
				if !slices.Contains(granted[p.Issuer][c.Scheme], l) {
					t.Errorf("%s vouches for %s in %s", p.Issuer, l, c.Scheme)
				}
			}
			for set, values := range c.Categories {
				for _, value := range values {
					if categories[p.Issuer] != set+" "+value {
						t.Errorf("%s vouches for %s %s", p.Issuer, set, value)
					}
				}
			}
		}
		if lost := len(p.HeldNationalities) - len(p.Nationalities); lost != count(p.Cut, "nationality") {
			t.Errorf("of %v, %v are left, and %v is cut", p.HeldNationalities, p.Nationalities, p.Cut)
		}
	})
}

func count(cuts []authz.Cut, claim string) (n int) {
	for _, c := range cuts {
		if c.Claim == claim {
			n++
		}
	}
	return n
}

// FuzzRequest holds that nobody gets in without a token that an issuer has signed, whatever stands in the headers and the certificate.
func FuzzRequest(f *testing.F) {
	w := newWorld(f)
	good := w.token("sam")
	a := newAuthority()
	must(w.tryEdge(a.pem, "{}"))
	peer := a.peer(tablet)
	f.Add("Bearer "+good, "", "", "", "", "", "")
	f.Add("AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b, Signature=c", good, "", "", "", "", "")
	f.Add("DPoP "+good, "", "e30.e30.e30", "", "", "", "")
	f.Add("", "", "", "break_glass:A", "e30.e30.e30", peer.Principal, peer.Certificate)
	f.Fuzz(func(t *testing.T, authorization, session, proof, purpose, approval, principal, certificate string) {
		req := authz.Request{Method: "GET", Scheme: "https", Host: "a.test", Path: "/", Peer: authz.Peer{Principal: principal, Certificate: certificate}}
		for _, h := range []authz.HeaderField{{Name: "authorization", Value: authorization}, {Name: "x-amz-security-token", Value: session},
			{Name: "dpop", Value: proof}, {Name: "x-sallyport-purpose", Value: purpose}, {Name: "x-sallyport-approval", Value: approval}} {
			if h.Value != "" {
				req.Headers = append(req.Headers, h)
			}
		}
		s, err := w.verifier.Verify(t.Context(), req)
		if err != nil {
			return
		}
		token := strings.HasSuffix(authorization, " "+good) || strings.HasSuffix(authorization, " "+twin(good)) || session == good || session == twin(good)
		workload := len(req.Headers) == 0 || authorization+session+proof == ""
		switch {
		case token && s.ID == "usa|sam":
		case workload && strings.HasPrefix(s.ID, "edge|spiffe://edge.us-defense.test/") && s.Type != "person" && principal == peer.Principal:
		default:
			t.Errorf("%s gets in with %q, %q, %q at %q", s.ID, authorization, session, proof, principal)
		}
	})
}
