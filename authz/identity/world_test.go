package identity_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"go.uber.org/goleak"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is when the tests that need no clock of their own take place.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

const schemesDoc = `{
  "USA": {"nation": "USA", "levels": [{"id": "SECRET", "hierarchy": 3}, {"id": "UNCLASSIFIED", "hierarchy": 1}, {"id": "CONFIDENTIAL", "hierarchy": 2}, {"id": "TOP SECRET", "hierarchy": 4}],
    "tag_sets": {"sci": {"type": "restrictive", "values": ["TK", "SI"]}},
    "native_clearances": {"CODEWORD": {"opens": {"USA": ["TOP SECRET"]}}}},
  "GBR": {"nation": "GBR", "levels": [{"id": "OFFICIAL", "hierarchy": 1}, {"id": "SECRET", "hierarchy": 2}]},
  "FRA": {"nation": "FRA", "levels": [{"id": "SECRET", "hierarchy": 1}, {"id": "TRES SECRET", "hierarchy": 2}],
    "tag_sets": {"special": {"type": "restrictive", "values": [{"id": "FRANCE", "nationalities": ["FRA"], "operator_law": ["FRA"]}]}}},
  "NZL": {"nation": "NZL", "levels": [{"id": "RESTRICTED", "hierarchy": 1}, {"id": "CONFIDENTIAL", "hierarchy": 2}],
    "tag_sets": {"compartment": {"type": "restrictive", "values": ["KIWI"]}},
    "native_clearances": {"PERSONNEL-CHECK": {"opens": {"NZL": ["RESTRICTED"], "NZL-POLICY": ["IN-CONFIDENCE", "SENSITIVE"]}}}},
  "NZL-POLICY": {"nation": "NZL", "levels": [{"id": "IN-CONFIDENCE", "hierarchy": 1}, {"id": "SENSITIVE", "hierarchy": 2}]},
  "CAN": {"nation": "CAN", "levels": [{"id": "CONFIDENTIAL", "hierarchy": 1}],
    "native_clearances": {"RELIABILITY": {"opens": {"CAN-PROTECTED": ["PROTECTED A", "PROTECTED B"]}}}},
  "CAN-PROTECTED": {"nation": "CAN", "levels": [{"id": "PROTECTED A", "hierarchy": 1}, {"id": "PROTECTED B", "hierarchy": 2}, {"id": "PROTECTED C", "hierarchy": 3}]}
}`

const issuersDoc = `{
  "provider": {"issuer": "BASE/provider", "jwks_uri": "BASE/provider/jwks", "algorithms": ["ES256"], "types": ["at+jwt"], "max_lifetime_seconds": 3600,
    "grant": {"nations": [], "tenants": [], "types": ["person"], "affiliations": [{"kind": "provider", "organizations": ["provider"], "countries": ["USA"]}],
      "nationalities": ["USA"], "clearances": [{"scheme": "USA", "level": "SECRET"}], "relay": {"USA": "usa"}}}
}`

const tenantsDoc = `{
  "us-defense": {
    "tenant": {"title": "US defense", "sessions": {"tracked": true}},
    "personnel": {"approvers": 2, "approvals": [{"id": "a-1", "operator": "provider|olga", "row": "us-defense-plans/", "actions": ["read", "list"], "enclave": "iad-1",
      "justification": "CUSTOMER_INITIATED_SUPPORT", "approvers": ["usa|sam", "usa|uma"], "not_before": "2026-11-24T08:00:00.000000000Z", "not_after": "2026-11-24T16:00:00.000000000Z"}]},
    "issuers": {
      "usa": {"issuer": "BASE/usa", "jwks_uri": "BASE/usa/jwks", "algorithms": ["ES256", "ES384", "PS256", "PS384", "EdDSA", "RS256"], "types": ["at+jwt"], "max_lifetime_seconds": 3600,
        "source": "the synthetic treaty", "approved_by": "usa|root", "review_by": "2027-01-01",
        "grant": {"nations": ["USA"], "tenants": ["us-defense"], "types": ["person"], "affiliations": [{"kind": "tenant", "organizations": ["us-defense"], "countries": ["USA"]}],
          "nationalities": ["USA"], "export_status": ["us_person"], "communities": ["logistics"], "roles": ["planner"],
          "clearances": [{"scheme": "USA", "level": "SECRET", "categories": {"sci": ["TK"]}}]}},
      "gbr": {"issuer": "BASE/gbr", "jwks_uri": "BASE/gbr/jwks", "algorithms": ["ES256"], "types": ["at+jwt"], "max_lifetime_seconds": 3600,
        "grant": {"nations": ["GBR"], "tenants": [], "types": ["person"], "affiliations": [{"kind": "partner", "organizations": ["uk-mod"], "countries": ["GBR"]}],
          "nationalities": ["GBR"], "clearances": [{"scheme": "GBR", "level": "SECRET"}]}}}},
  "fr-space": {
    "tenant": {"sessions": {"tracked": false}},
    "issuers": {
      "fra": {"issuer": "BASE/fra", "jwks_uri": "BASE/fra/jwks", "algorithms": ["ES256"], "types": ["at+jwt"], "max_lifetime_seconds": 3600,
        "grant": {"nations": ["FRA"], "tenants": ["fr-space"], "types": ["person"], "affiliations": [{"kind": "tenant", "organizations": ["fr-space"], "countries": ["FRA"]}],
          "nationalities": ["FRA"], "clearances": [{"scheme": "FRA", "level": "SECRET", "categories": {"special": ["FRANCE"]}}, {"scheme": "USA", "level": "SECRET"}]}}}},
  "nz-fire": {
    "tenant": {"sessions": {"tracked": false}},
    "issuers": {
      "nzl": {"issuer": "BASE/nzl", "jwks_uri": "BASE/nzl/jwks", "algorithms": ["ES256"], "types": ["at+jwt"], "max_lifetime_seconds": 3600,
        "grant": {"nations": ["NZL"], "tenants": ["nz-fire"], "types": ["person"], "affiliations": [{"kind": "tenant", "organizations": ["nz-fire"], "countries": ["NZL"]}],
          "nationalities": ["NZL"], "clearances": [{"scheme": "NZL", "level": "RESTRICTED"}, {"scheme": "NZL-POLICY", "level": "SENSITIVE"}]}}}},
  "ca-housing": {
    "tenant": {"sessions": {"tracked": false}},
    "issuers": {
      "can": {"issuer": "BASE/can", "jwks_uri": "BASE/can/jwks", "algorithms": ["ES256"], "types": ["at+jwt"], "max_lifetime_seconds": 3600,
        "grant": {"nations": ["CAN"], "tenants": ["ca-housing"], "types": ["person"], "affiliations": [{"kind": "tenant", "organizations": ["ca-housing"], "countries": ["CAN"]}],
          "nationalities": ["CAN"], "clearances": [{"scheme": "CAN-PROTECTED", "level": "PROTECTED B"}]}}}}
}`

// people are the claims of the demo world's people, without those that every token has.
var people = map[string]string{
	"sam": `{"iss": "BASE/usa", "subject_type": "person", "tenant": "us-defense", "affiliation": {"kind": "tenant", "organization": "us-defense", "country": "USA"}, "nationalities": ["USA"],
		"export_status": ["us_person"], "communities": ["logistics"], "roles": ["planner"], "clearances": [{"scheme": "USA", "level": "SECRET", "categories": {"sci": ["TK"]}}], "location": "USA",
		"high_water": [], "acr": "2", "amr": ["hwk", "pin"], "auth_time": 1795519800, "jti": "token-1"}`,
	"gina": `{"iss": "BASE/gbr", "subject_type": "person", "affiliation": {"kind": "partner", "organization": "uk-mod", "country": "GBR"}, "nationalities": ["GBR"],
		"clearances": [{"scheme": "GBR", "level": "SECRET"}], "location": "GBR"}`,
	"moana": `{"iss": "BASE/nzl", "subject_type": "person", "tenant": "nz-fire", "affiliation": {"kind": "tenant", "organization": "nz-fire", "country": "NZL"}, "nationalities": ["NZL"],
		"clearances": [{"scheme": "NZL", "native": "PERSONNEL-CHECK"}], "location": "NZL"}`,
	"noah": `{"iss": "BASE/can", "subject_type": "person", "tenant": "ca-housing", "affiliation": {"kind": "tenant", "organization": "ca-housing", "country": "CAN"}, "nationalities": ["CAN"],
		"clearances": [{"scheme": "CAN", "native": "RELIABILITY", "not_after": "2026-12-31T00:00:00Z"}], "location": "CAN"}`,
	"olga": `{"iss": "BASE/provider", "subject_type": "person", "affiliation": {"kind": "provider", "organization": "provider", "country": "USA"}, "nationalities": ["USA"],
		"clearances": [{"scheme": "USA", "level": "SECRET"}], "location": "USA"}`,
	"eve": `{"iss": "BASE/fra", "subject_type": "service", "tenant": "us-defense", "affiliation": {"kind": "tenant", "organization": "us-defense", "country": "USA"}, "nationalities": ["USA", "FRA"],
		"export_status": ["us_person"], "communities": ["logistics"], "roles": ["planner"],
		"clearances": [{"scheme": "USA", "level": "SECRET", "categories": {"sci": ["TK"]}}, {"scheme": "FRA", "level": "TRES SECRET", "categories": {"special": ["FRANCE"]}}, {"scheme": "NZL", "native": "PERSONNEL-CHECK"}],
		"location": "USA", "high_water": [{"scheme": "USA", "level": "SECRET"}]}`,
}

// signingKey is a private key of an issuer.
type signingKey struct {
	kid, alg string
	private  any
}

// jwk returns the public half as an issuer publishes it.
func (k signingKey) jwk() map[string]any {
	private, err := jwk.FromRaw(k.private)
	must(err)
	public, err := private.PublicKey()
	must(err)
	b, err := json.Marshal(public)
	must(err)
	m := map[string]any{}
	must(json.Unmarshal(b, &m))
	m["kid"], m["alg"], m["use"] = k.kid, k.alg, "sig"
	return m
}

// sign returns a compact JWS over exactly these bytes, however wrong they are.
func (k signingKey) sign(header, payload string) string {
	input := b64(header) + "." + b64(payload)
	signer, err := jws.NewSigner(jwa.SignatureAlgorithm(k.alg))
	must(err)
	signature, err := signer.Sign([]byte(input), k.private)
	must(err)
	return input + "." + b64(string(signature))
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func newECKey(kid string) signingKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	return signingKey{kid, "ES256", k}
}

// usaKeys are one key of each algorithm; RSA keys take long to make.
var usaKeys = sync.OnceValue(func() map[string]signingKey {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	return map[string]signingKey{
		"ES256": newECKey("k1"), "ES384": {"es384", "ES384", p384}, "EdDSA": {"eddsa", "EdDSA", ed},
		"PS256": {"ps256", "PS256", rsaKey}, "PS384": {"ps384", "PS384", rsaKey}, "RS256": {"rs256", "RS256", rsaKey},
	}
})

// world is the synthetic world with issuers on loopback. Every issuer signs with kid k1 and a key of its own.
type world struct {
	base     string
	keys     map[string]signingKey // by issuer
	verifier *identity.Verifier
	now      time.Time

	issuerKeys *identity.Keys
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{keys: map[string]signingKey{"usa": usaKeys()["ES256"]}, now: noon}
	published := map[string][]any{}
	for _, k := range usaKeys() {
		published["usa"] = append(published["usa"], k.jwk())
	}
	for _, id := range []string{"gbr", "fra", "nzl", "can", "provider"} {
		w.keys[id] = newECKey("k1")
		published[id] = []any{w.keys[id].jwk()}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{id}/jwks", func(rw http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(rw).Encode(map[string]any{"keys": published[r.PathValue("id")]})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.base = server.URL

	clock := func() time.Time { return w.now }
	keys := identity.NewKeys(identity.KeysConfig{Now: clock})
	t.Cleanup(keys.Close)
	w.issuerKeys = keys
	w.verifier = newVerifier(t, w.base, keys, clock)
	keys.Use(w.verifier)
	for deadline := time.Now().Add(10 * time.Second); keys.Ready() != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(keys.Ready())
		}
	}
	return w
}

func newVerifier(t testing.TB, base string, keys *identity.Keys, now func() time.Time) *identity.Verifier {
	t.Helper()
	v, err := identity.New(identity.Config{
		Tenants: doc(tenantsDoc, base), Issuers: doc(issuersDoc, base), Schemes: json.RawMessage(schemesDoc),
		Audiences: []string{"sallyport", "iad-1"}, Keys: keys, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func doc(s, base string) json.RawMessage { return json.RawMessage(strings.ReplaceAll(s, "BASE", base)) }

// claims returns a person's claims in a token of 15 minutes that is a minute old.
func (w *world) claims(name string, edits ...map[string]any) map[string]any {
	c := map[string]any{}
	must(json.Unmarshal(doc(people[name], w.base), &c))
	c["sub"], c["aud"], c["iat"], c["exp"] = name, "sallyport", w.now.Unix()-60, w.now.Unix()+840
	for _, e := range edits {
		for k, v := range e {
			if v == absent {
				delete(c, k)
			} else {
				c[k] = v
			}
		}
	}
	return c
}

// absent, as the value of an edit, takes the claim away.
var absent any = new(int)

// token returns a person's token, signed as it should be.
func (w *world) token(name string, edits ...map[string]any) string {
	c := w.claims(name, edits...)
	iss, _ := c["iss"].(string)
	key, ok := w.keys[strings.TrimPrefix(iss, w.base+"/")]
	if !ok {
		key = w.keys["usa"]
	}
	return key.sign(text(map[string]any{"alg": key.alg, "kid": key.kid, "typ": "at+jwt"}), text(c))
}

func text(v any) string {
	b, err := json.Marshal(v)
	must(err)
	return string(b)
}

func bearer(token string) authz.Request {
	return authz.Request{Headers: authz.Headers{{Name: "authorization", Value: "Bearer " + token}}}
}

// refused returns the reason and detail that a request was refused for, "" if it was not.
func refused(t testing.TB, v *identity.Verifier, req authz.Request) (authz.Reason, string) {
	t.Helper()
	s, err := v.Verify(context.Background(), req)
	if err == nil {
		return "", ""
	}
	var r *authz.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("error %v is no *authz.Refusal", err)
	}
	if s.ID != "" || s.Type != "" {
		t.Errorf("a refused token has a subject: %+v", s)
	}
	return r.Reason, r.Detail
}

// public returns the public half of k.
func public(k signingKey) any {
	p, err := jwk.PublicRawKeyOf(k.private)
	must(err)
	return p
}

// edit puts a verifier in w's place whose tenants' document has another text, which must be there, in the place of one.
func (w *world) edit(t testing.TB, was, is string) {
	t.Helper()
	if strings.Count(tenantsDoc, was) != 1 {
		t.Fatalf("the document has %s %d times", was, strings.Count(tenantsDoc, was))
	}
	w.put(t, strings.Replace(tenantsDoc, was, is, 1), `{}`)
}

// revoke puts a verifier with a list of revocations in w's place.
func (w *world) revoke(t testing.TB, list string) {
	t.Helper()
	w.put(t, strings.Replace(tenantsDoc, `"tenants": ["us-defense"], "types": ["person"]`, `"tenants": ["us-defense"], "types": ["person", "service", "device"]`, 1), list)
}

func (w *world) put(t testing.TB, tenants, revoked string) {
	t.Helper()
	v, err := identity.New(identity.Config{
		Tenants: doc(tenants, w.base), Issuers: doc(issuersDoc, w.base), Schemes: json.RawMessage(schemesDoc), Revoked: json.RawMessage(revoked),
		Audiences: []string{"sallyport", "iad-1"}, Keys: w.issuerKeys, Now: func() time.Time { return w.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.verifier = v
}
