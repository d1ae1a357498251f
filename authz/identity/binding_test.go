package identity_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/identity"
)

// certificate returns a client's certificate as Envoy passes it, and its thumbprint.
func certificate(k signingKey, serial int64) (encoded, thumbprint string) {
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "sam"}, NotAfter: noon.Add(time.Hour)}
	der, err := x509.CreateCertificate(nil, template, template, public(k), k.private)
	must(err)
	sum := sha256.Sum256(der)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return url.PathEscape(text), base64.RawURLEncoding.EncodeToString(sum[:])
}

func TestATokenBoundToACertificateCountsOnlyBesideIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own, sum := certificate(newECKey("c"), 1)
	other, _ := certificate(newECKey("c"), 2)
	bound := w.token("sam", map[string]any{"cnf": map[string]any{"x5t#S256": sum}})
	for _, c := range []struct {
		name, token, certificate string
		want                     authz.Reason
		binding                  string
	}{
		{"with its certificate", bound, own, "", "mtls"},
		{"a token that is not bound, with a certificate", w.token("sam"), own, "", "none"},
		{"without a certificate", bound, "", authz.IdentityBinding, ""},
		{"with another's certificate", bound, other, authz.IdentityBinding, ""},
		{"with a certificate that can't be read", bound, "-----BEGIN%20CERTIFICATE-----", authz.IdentityBinding, ""},
		{"with a broken escape", bound, "%zz", authz.IdentityBinding, ""},
		{"with a key in the certificate's place", bound, url.PathEscape("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), authz.IdentityBinding, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := bearer(c.token)
			req.Peer.Certificate = c.certificate
			for range 2 { // new, and remembered
				s, err := w.verifier.Verify(context.Background(), req)
				if got, detail := refused(t, w.verifier, req); got != c.want {
					t.Fatalf("refused for %q (%s), want %q", got, detail, c.want)
				}
				if err == nil && s.Properties.Assurance.Binding != c.binding {
					t.Errorf("binding is %q, want %q", s.Properties.Assurance.Binding, c.binding)
				}
			}
		})
	}
}

func TestABindingThatIsNotUnderstoodRefusesTheToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sum := base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	for name, claims := range map[string]map[string]any{
		"no object":                      {"cnf": "x"},
		"null":                           {"cnf": nil},
		"an empty object":                {"cnf": map[string]any{}},
		"an unknown member":              {"cnf": map[string]any{"kid": "k"}},
		"an unknown member beside jkt":   {"cnf": map[string]any{"jkt": sum, "x5t": sum}},
		"two bindings":                   {"cnf": map[string]any{"jkt": sum, "x5t#S256": sum}},
		"a key in full":                  {"cnf": map[string]any{"jwk": newECKey("k").jwk()}},
		"a thumbprint of 31 bytes":       {"cnf": map[string]any{"jkt": base64.RawURLEncoding.EncodeToString(make([]byte, 31))}},
		"a padded thumbprint":            {"cnf": map[string]any{"x5t#S256": sum + "="}},
		"a thumbprint in hex":            {"cnf": map[string]any{"x5t#S256": strings.Repeat("00", 32)}},
		"Keycloak's member of its own":   {"cnf": map[string]any{"kc-jkt-type": "DPoP"}},
		"Keycloak's member, not of DPoP": {"cnf": map[string]any{"jkt": sum, "kc-jkt-type": "mTLS"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got, detail := refused(t, w.verifier, bearer(w.token("sam", claims))); got != authz.IdentityInvalid {
				t.Errorf("refused for %q (%s), want %q", got, detail, authz.IdentityInvalid)
			}
		})
	}
}

// client is somebody who holds the key that his tokens are bound to.
type client struct {
	key   signingKey
	jwk   map[string]any
	token string
}

func newClient(w *world, k signingKey) client {
	c := client{key: k, jwk: k.jwk()}
	for _, member := range []string{"kid", "alg", "use"} {
		delete(c.jwk, member)
	}
	public, err := jwk.ParseKey([]byte(text(c.jwk)))
	must(err)
	sum, err := public.Thumbprint(crypto.SHA256)
	must(err)
	c.token = w.token("sam", map[string]any{"cnf": map[string]any{"jkt": base64.RawURLEncoding.EncodeToString(sum), "kc-jkt-type": "DPoP"}})
	return c
}

// request asks to read an object, with a proof whose header and claims are changed as told.
func (c client) request(jti string, edits ...map[string]any) authz.Request {
	sum := sha256.Sum256([]byte(c.token))
	header := map[string]any{"typ": "dpop+jwt", "alg": c.key.alg, "jwk": c.jwk}
	claims := map[string]any{
		"jti": jti, "htm": "GET", "htu": "https://storage.sallyport.test/us-defense-plans/a%20b", "iat": noon.Unix(),
		"ath": base64.RawURLEncoding.EncodeToString(sum[:]),
	}
	for n, to := range []map[string]any{claims, header} {
		if n < len(edits) {
			for name, v := range edits[n] {
				if to[name] = v; v == absent {
					delete(to, name)
				}
			}
		}
	}
	return c.asking(c.key.sign(text(header), text(claims)))
}

func (c client) asking(proof string) authz.Request {
	return authz.Request{
		Method: "GET", Scheme: "https", Host: "storage.sallyport.test", Path: "/us-defense-plans/a%20b",
		Headers: authz.Headers{{Name: "authorization", Value: "DPoP " + c.token}, {Name: "dpop", Value: proof}},
	}
}

func TestATokenBoundToAKeyCountsWithAProofOfIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, k := range map[string]signingKey{"ES256": newECKey("c"), "ES384": usaKeys()["ES384"], "EdDSA": usaKeys()["EdDSA"], "PS256": usaKeys()["PS256"]} {
		c := newClient(w, k)
		if name == "PS256" {
			c.jwk["alg"] = "PS256"
		}
		for n, edit := range []map[string]any{
			nil,
			{"htu": "HTTPS://Storage.Sallyport.test:443/us-defense-plans/%61%20b"},
			{"iat": noon.Unix() - 60},
			{"iat": noon.Unix() + 30},
			{"nonce": "of another server", "exp": 1},
		} {
			s, err := w.verifier.Verify(context.Background(), c.request(name+strconv.Itoa(n), edit))
			if err != nil || s.Properties.Assurance.Binding != "dpop" {
				t.Errorf("%s, %v: %v, binding %q", name, edit, err, s.Properties.Assurance.Binding)
			}
		}
	}
}

func TestAProofOfSomethingElseIsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, thief := newClient(w, newECKey("c")), newClient(w, newECKey("t"))
	good := c.request("once")
	if got, detail := refused(t, w.verifier, good); got != "" {
		t.Fatalf("refused for %q (%s)", got, detail)
	}
	proof, _ := good.Headers.Get("dpop")
	edited := func(f func(*authz.Request)) authz.Request {
		req := c.request("edited")
		f(&req)
		return req
	}
	for _, r := range []struct {
		name string
		req  authz.Request
		want string
	}{
		{"the same proof again", good, "was used before"},
		{"the twin of a proof that was used", c.asking(twin(proof)), "was used before"},
		{"a proof by a thief's key", func() authz.Request { r := thief.request("1"); r.Headers[0].Value = "DPoP " + c.token; return r }(), "by another key"},
		{"a proof under the right key by another", client{key: thief.key, jwk: c.jwk, token: c.token}.request("1"), "signature does not hold"},
		{"a signature that nobody made", c.asking(forged(proof)), "signature does not hold"},
		{"no proof", c.asking(""), "not a compact JWS"},
		{"as Bearer", bearer(c.token), "send it as DPoP"},
		{"another method", edited(func(r *authz.Request) { r.Method = "PUT" }), "htm"},
		{"another path", edited(func(r *authz.Request) { r.Path = "/us-defense-plans/noforn/a" }), "htu"},
		{"another host", edited(func(r *authz.Request) { r.Host = "other.test" }), "htu"},
		{"another port", edited(func(r *authz.Request) { r.Host += ":8443" }), "htu"},
		{"a request in the clear", edited(func(r *authz.Request) { r.Scheme = "http" }), "htu"},
		{"a request of unknown scheme", edited(func(r *authz.Request) { r.Scheme = "" }), "htu"},
		{"a slash that was escaped", c.request("1", map[string]any{"htu": "https://storage.sallyport.test/us-defense-plans%2Fa%20b"}), "htu"},
		{"a query in htu", c.request("1", map[string]any{"htu": "https://storage.sallyport.test/us-defense-plans/a%20b?x"}), "htu"},
		{"a fragment in htu", c.request("1", map[string]any{"htu": "https://storage.sallyport.test/us-defense-plans/a%20b#"}), "htu"},
		{"a user in htu", c.request("1", map[string]any{"htu": "https://u@storage.sallyport.test/us-defense-plans/a%20b"}), "htu"},
		{"a relative htu", c.request("1", map[string]any{"htu": "/us-defense-plans/a%20b"}), "htu"},
		{"no htu", c.request("1", map[string]any{"htu": absent}), "htu"},
		{"of another token", c.request("1", map[string]any{"ath": strings.Repeat("A", 43)}), "ath"},
		{"of no token", c.request("1", map[string]any{"ath": absent}), "ath"},
		{"too old", c.request("1", map[string]any{"iat": noon.Unix() - 61}), "too old"},
		{"of the future", c.request("1", map[string]any{"iat": noon.Unix() + 31}), "in the future"},
		{"a time as text", c.request("1", map[string]any{"iat": "1"}), "iat"},
		{"no jti", c.request("1", map[string]any{"jti": absent}), "jti"},
		{"another typ", c.request("1", nil, map[string]any{"typ": "JWT"}), "typ"},
		{"no key", c.request("1", nil, map[string]any{"jwk": absent}), "jwk"},
		{"an unknown header member", c.request("1", nil, map[string]any{"kid": "k"}), "only the members"},
		{"crit", c.request("1", nil, map[string]any{"crit": []string{"x"}}), "only the members"},
		{"alg none", c.request("1", nil, map[string]any{"alg": "none"}), "alg"},
		{"an alg that is not the key's", c.request("1", nil, map[string]any{"alg": "ES384"}), "alg"},
		{"a private key", c.request("1", nil, map[string]any{"jwk": merged(c.jwk, "d", "AAAA")}), "private"},
		{"a secret", c.request("1", nil, map[string]any{"jwk": map[string]any{"kty": "oct", "k": "AAAA"}}), "private"},
		{"a point off its curve", c.request("1", nil, map[string]any{"jwk": merged(c.jwk, "x", c.jwk["y"])}), "jwk"},
	} {
		t.Run(r.name, func(t *testing.T) {
			if got, detail := refused(t, w.verifier, r.req); got != authz.IdentityBinding || !strings.Contains(detail, r.want) {
				t.Errorf("refused for %q (%s), want %q, …%s…", got, detail, authz.IdentityBinding, r.want)
			}
		})
	}
}

func merged(m map[string]any, name string, v any) map[string]any {
	c := map[string]any{name: v}
	for n, v := range m {
		if _, ok := c[n]; !ok {
			c[n] = v
		}
	}
	return c
}

func TestOfManyRequestsWithOneProofOneGetsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	req := newClient(w, newECKey("c")).request("once")
	var in atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if _, err := w.verifier.Verify(context.Background(), req); err == nil {
				in.Add(1)
			}
		})
	}
	all.Wait()
	if in.Load() != 1 {
		t.Errorf("%d got in, want one", in.Load())
	}
}

func TestAProofThatWasUsedStaysUsedUnderAnotherBundle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	req := newClient(w, newECKey("c")).request("once")
	if got, detail := refused(t, w.verifier, req); got != "" {
		t.Fatalf("refused for %q (%s)", got, detail)
	}
	moved, err := w.entry(`"jwks_uri": "` + w.base + `/usa/jwks?2", `)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); w.issuerKeys.Ready() != nil && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if got, detail := refused(t, moved, req); got != authz.IdentityBinding || !strings.Contains(detail, "was used before") {
		t.Errorf("refused for %q (%s), want %q", got, detail, authz.IdentityBinding)
	}
}

func TestAProofIsRememberedWhileItCouldCount(t *testing.T) {
	t.Parallel()
	for _, later := range []time.Duration{0, 45 * time.Second, 89 * time.Second, 90 * time.Second} {
		for _, start := range []time.Duration{0, 30 * time.Second, 89 * time.Second, 91 * time.Second} {
			if identity.ForgetsProof(start, later) {
				t.Errorf("a proof that was used %v after the first is forgotten %v later", start, later)
			}
		}
	}
}

func TestMemoryOfProofsIsFullRatherThanForgetful(t *testing.T) {
	t.Parallel()
	if kept, refused := identity.FloodProofs(1<<18 + 10); kept != 1<<18 || refused != 10 {
		t.Errorf("%d kept, %d refused", kept, refused)
	}
}

// FuzzProof holds that what is accepted as a proof names a method, a URL and an id, and has a public key.
func FuzzProof(f *testing.F) {
	k := newECKey("c")
	header, err := json.Marshal(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": k.jwk()})
	must(err)
	f.Add(k.sign(string(header), `{"jti":"1","htm":"GET","htu":"https://a.test/","iat":1,"ath":"x"}`))
	f.Add(k.sign(`{"typ":"dpop+jwt","alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}`, `{"jti":"1","htm":"GET","htu":"https://a.test/","iat":1,"ath":"x"}`))
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, s string) {
		if jti, method, url, thumbprint, ok := identity.ReadProof(s); ok && (jti == "" || method == "" || url == "" || len(thumbprint) != 43) {
			t.Errorf("%q was read as %q %q %q %q", s, jti, method, url, thumbprint)
		}
	})
}
