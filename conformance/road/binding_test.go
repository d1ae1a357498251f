package road_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/conformance/pki"
	"github.com/sallyport-dev/sallyport/gateway/demo"
)

const parts = "/us-defense-parts/welcome.txt"

// holder is a client with a key of its own, for DPoP.
type holder struct {
	key *ecdsa.PrivateKey
	jwk map[string]any
}

func newHolder(t *testing.T) holder {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	return holder{key, map[string]any{"kty": "EC", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:])}}
}

// thumbprint is that of RFC 7638.
func (h holder) thumbprint() string {
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, h.jwk["x"], h.jwk["y"]))
	return encode(sum[:])
}

// proof is a DPoP proof for a request with a token; "" is for a token that is yet to come. Edits change its claims.
func (h holder) proof(t *testing.T, method, url, token string, edits ...func(demo.Claims)) string {
	t.Helper()
	c := demo.Claims{"jti": unique(), "htm": method, "htu": url, "iat": time.Now().Unix()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		c["ath"] = encode(sum[:])
	}
	for _, edit := range edits {
		edit(c)
	}
	signed := encode(marshal(t, map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": h.jwk})) + "." + encode(marshal(t, c))
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, h.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + encode(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// presents is the header of a request with a token and a proof.
func presents(token, proof string) map[string]string {
	return map[string]string{"Authorization": "DPoP " + token, "DPoP": proof}
}

// boundTo makes a token one that counts only for who holds what cnf names.
func boundTo(member, thumbprint string) func(demo.Claims) {
	return func(c demo.Claims) { c["cnf"] = map[string]any{member: thumbprint} }
}

// newBoundWorld is a world in which us-defense wants bound tokens for SECRET.
// Edits change us-defense's issuers besides.
func newBoundWorld(t *testing.T, edits ...func(issuers string) string) *world {
	t.Helper()
	w := newWorld(t)
	path := filepath.Join(w.Bundle(), "tenants", usDefense, "tenant", "data.yaml")
	part, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(part, "binding: {USA: [SECRET]}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	w.edit(t, edits...)
	w.back(t, "sallyport", w.signal(t, "sallyport", syscall.SIGTERM))
	return w
}

// edit changes us-defense's issuers.
func (w *world) edit(t *testing.T, edits ...func(string) string) {
	t.Helper()
	path := filepath.Join(w.Bundle(), "tenants", usDefense, "issuers", "data.yaml")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	issuers := string(b)
	for _, edit := range edits {
		before := issuers
		if issuers = edit(issuers); issuers == before {
			t.Fatalf("nothing to edit in:\n%s", issuers)
		}
	}
	if err := os.WriteFile(path, []byte(issuers), 0o600); err != nil {
		t.Fatal(err)
	}
}

// stolen is the outcome of a bound token without its proof.
var stolen = refused("identity.binding")

// unbound is the outcome of a token that is bound to nobody, where the owner wants one that is.
var unbound = denied("identity.binding", usDefense)

func TestATokenBoundToAKeyCountsOnlyWithAProofForThisRequest(t *testing.T) {
	t.Parallel()
	w := newBoundWorld(t, func(issuers string) string {
		return strings.Replace(issuers, "\ngbr:\n", "\ngbr:\n  dpop_nonce: true\n", 1)
	})
	own, other := newHolder(t), newHolder(t)
	bound := w.token(t, "sam", boundTo("jkt", own.thumbprint()))
	again := w.token(t, "sam", boundTo("jkt", own.thumbprint()))
	base := w.url(w.ports.Storage)
	url := base + welcome
	set := func(name string, value any) func(demo.Claims) { return func(c demo.Claims) { c[name] = value } }
	at := func(d time.Duration) func(demo.Claims) { return set("iat", time.Now().Add(d).Unix()) }
	proof := func(edits ...func(demo.Claims)) string { return own.proof(t, "GET", url, bound, edits...) }
	for _, c := range []struct {
		what, path string
		header     map[string]string
		want       outcome
	}{
		{"a token bound to nobody, below the level", parts, map[string]string{"Authorization": "Bearer " + w.token(t, "sam")}, served},
		{"a token bound to nobody, at the level", welcome, map[string]string{"Authorization": "Bearer " + w.token(t, "sam")}, unbound},
		{"a proof for this request", welcome, presents(bound, proof()), served},
		{"the URL in capitals and with escapes that need not be", welcome, presents(bound, proof(set("htu", strings.Replace(strings.Replace(url, "http", "HTTP", 1), "welcome", "%77elcome", 1)))), served},
		{"the path of another spelling, which Envoy folds", "/us-defense-plans//welcome.txt", presents(bound, proof()), served},
		{"a query, which no proof names", welcome + "?x-id=GetObject", presents(bound, proof()), served},
		{"the token alone", welcome, map[string]string{"Authorization": "Bearer " + bound}, stolen},
		{"the token alone, below the level", parts, map[string]string{"Authorization": "Bearer " + bound}, stolen},
		{"the token as Bearer, with a proof", welcome, map[string]string{"Authorization": "Bearer " + bound, "DPoP": proof()}, confused("request.ambiguous")},
		{"a token bound to nobody, as DPoP", welcome, presents(w.token(t, "sam"), proof()), stolen},
		{"another's proof", welcome, presents(bound, other.proof(t, "GET", url, bound)), stolen},
		{"a proof for another method", welcome, presents(bound, own.proof(t, "PUT", url, bound)), stolen},
		{"a proof for another object", welcome, presents(bound, own.proof(t, "GET", base+parts, bound)), stolen},
		{"a proof for another host", welcome, presents(bound, own.proof(t, "GET", "http://storage.sallyport.test"+welcome, bound)), stolen},
		{"a proof for another port", welcome, presents(bound, own.proof(t, "GET", "http://127.0.0.1"+welcome, bound)), stolen},
		{"a proof for https", welcome, presents(bound, own.proof(t, "GET", strings.Replace(url, "http", "https", 1), bound)), stolen},
		{"a proof with a query", welcome, presents(bound, own.proof(t, "GET", url+"?a", bound)), stolen},
		{"a proof for another token", welcome, presents(bound, own.proof(t, "GET", url, again)), stolen},
		{"a proof for no token", welcome, presents(bound, own.proof(t, "GET", url, "")), stolen},
		{"a proof of two minutes ago", welcome, presents(bound, proof(at(-2*time.Minute))), stolen},
		{"a proof from the future", welcome, presents(bound, proof(at(2*time.Minute))), stolen},
		{"a proof without a name", welcome, presents(bound, proof(func(c demo.Claims) { delete(c, "jti") })), stolen},
		{"a proof that is changed", welcome, presents(bound, flipLast(proof())), stolen},
		{"two proofs in one field", welcome, presents(bound, proof()+", "+proof()), stolen},
		{"a word for a proof", welcome, presents(bound, "proof"), stolen},
	} {
		t.Run(c.what, func(t *testing.T) {
			w.check(t, w.ask(t, request{method: http.MethodGet, path: c.path, header: c.header}), c.want)
		})
	}

	t.Run("a proof is used once, however many try", func(t *testing.T) {
		header := presents(bound, proof())
		answers := make([]answer, 16)
		var asking sync.WaitGroup
		for i := range answers {
			asking.Go(func() { answers[i] = w.ask(t, request{method: http.MethodGet, path: welcome, header: header}) })
		}
		asking.Wait()
		served := 0
		for _, a := range answers {
			if a.status == http.StatusOK {
				served++
				continue
			}
			w.check(t, a, stolen)
		}
		if served != 1 {
			t.Errorf("served %d times", served)
		}
	})
	t.Run("an issuer's proofs must hold a nonce of the gateway", func(t *testing.T) {
		token := w.token(t, "gina", boundTo("jkt", own.thumbprint()))
		ask := func(edits ...func(demo.Claims)) answer {
			return w.ask(t, request{method: http.MethodGet, path: welcome, header: presents(token, own.proof(t, "GET", url, token, edits...))})
		}
		first := ask()
		w.check(t, first, stolen)
		nonce := first.header.Get("DPoP-Nonce")
		if nonce == "" || !strings.Contains(first.header.Get("WWW-Authenticate"), `error="use_dpop_nonce"`) {
			t.Fatalf("the refusal gives no nonce: %v", first.header)
		}
		w.check(t, ask(set("nonce", nonce)), served)
		w.check(t, ask(set("nonce", flip(nonce))), stolen)
	})
	if err := w.settle(); err != nil { // the store's log holds neither proof nor token
		t.Error(err)
	}
}

// flipLast changes the signature of a compact token.
func flipLast(token string) string {
	header, payload, signature := split(token)
	return header + "." + payload + "." + flip(signature)
}

func TestATokenBoundToACertificateCountsOnlyBesideIt(t *testing.T) {
	t.Parallel()
	authority, workloads, stranger := pki.New(t, "authority"), pki.New(t, "workloads"), pki.New(t, "stranger")
	w := newBoundWorld(t, func(issuers string) string {
		return issuers + fmt.Sprintf(`ground:
  issuer: spiffe://ground.example
  authorities: [%q]
  workloads:
    /archive: {subject_type: service, tenant: us-defense, affiliation: {kind: tenant, organization: us-defense, country: USA}, nationalities: [USA], clearances: [{scheme: USA, level: SECRET}]}
    /relay: {subject_type: service, tenant: us-defense, affiliation: {kind: tenant, organization: us-defense, country: USA}, nationalities: [USA], clearances: [{scheme: USA, level: CONFIDENTIAL}]}
  grant:
    nations: [USA]
    tenants: [us-defense]
    types: [service]
    affiliations: [{kind: tenant, organizations: [us-defense], countries: [USA]}]
    nationalities: [USA]
    clearances: [{scheme: USA, level: SECRET, categories: {}}]
`, workloads.PEM)
	})
	dir := sds(t)
	server := authority.Issue(t, "spiffe://example.org/front")
	pki.Put(t, dir+"/server.key", server.Key)
	pki.Put(t, dir+"/server.pem", server.Certificate)
	pki.Put(t, dir+"/client-trust.pem", slices.Concat(authority.PEM, workloads.PEM))
	open := w.envoyTLS(t, nil, &demo.ClientTLS{Dir: dir}).Storage
	closed := w.envoyTLS(t, nil, &demo.ClientTLS{Dir: dir, Require: true}).Storage

	anonymous := func(c *x509.Certificate) { c.URIs = nil } // of a person; one with a SPIFFE id is a workload's
	own, other := authority.Issue(t, "", anonymous), authority.Issue(t, "", anonymous)
	archive, relay := workloads.Issue(t, "spiffe://ground.example/archive"), workloads.Issue(t, "spiffe://ground.example/relay")
	unlisted, feigned := workloads.Issue(t, "spiffe://ground.example/other"), authority.Issue(t, "spiffe://ground.example/archive")
	sum := sha256.Sum256(own.TLS.Leaf.Raw)
	bound := "Bearer " + w.token(t, "sam", boundTo("x5t#S256", encode(sum[:])))
	free := "Bearer " + w.token(t, "sam")
	key := newHolder(t)
	held := w.token(t, "sam", boundTo("jkt", key.thumbprint()))
	get := func(port int, path string, header map[string]string, certificates ...tls.Certificate) (answer, error) {
		config := &tls.Config{RootCAs: authority.Pool()}
		if len(certificates) > 0 { // by Certificates, one of an authority that Envoy does not name would not be sent
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificates[0], nil }
		}
		transport := &http.Transport{TLSClientConfig: config}
		defer transport.CloseIdleConnections()
		req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d%s", port, path), nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range header {
			req.Header.Set(name, value)
		}
		return do(&http.Client{Transport: transport}, req)
	}
	as := func(authorization string) map[string]string { return map[string]string{"Authorization": authorization} }
	for _, port := range []int{open, closed} {
		url := fmt.Sprintf("https://127.0.0.1:%d%s", port, welcome)
		for _, c := range []struct {
			what, path  string
			header      map[string]string
			certificate *pki.Pair
			want        outcome
		}{
			{"its own certificate", welcome, as(bound), &own, served},
			{"another's certificate", welcome, as(bound), &other, stolen},
			{"another's certificate, below the level", parts, as(bound), &other, stolen},
			{"a token bound to nobody, with a certificate", welcome, as(free), &own, unbound},
			{"a token bound to nobody, below the level", parts, as(free), &own, served},
			{"a forged header about the certificate", welcome, map[string]string{"Authorization": bound, "X-Forwarded-Client-Cert": "Hash=" + encode(sum[:])}, &other, stolen},
			{"a token bound to a key, and its proof", welcome, presents(held, key.proof(t, "GET", url, held)), &own, served},
			{"a proof for http", welcome, presents(held, key.proof(t, "GET", strings.Replace(url, "https", "http", 1), held)), &own, stolen},
			{"a workload and no token", welcome, nil, &archive, served},
			{"a workload that is cleared for less", welcome, nil, &relay, belowPlans},
			{"a workload beside a bound token, who must both be cleared", welcome, presents(held, key.proof(t, "GET", url, held)), &archive, served},
			{"a workload that is cleared for less, beside a bound token", welcome, presents(held, key.proof(t, "GET", url, held)), &relay, belowPlans},
			{"a workload that the bundle does not know", welcome, nil, &unlisted, refused("identity.issuer")},
			{"a workload by another authority than its domain's", welcome, nil, &feigned, refused("identity.invalid")},
			{"a person's certificate and no token", welcome, nil, &own, refused("identity.missing")},
			{"no certificate", welcome, as(bound), nil, stolen},
			{"a token bound to nobody and no certificate, below the level", parts, as(free), nil, served},
			{"a token bound to a key, its proof and no certificate", welcome, presents(held, key.proof(t, "GET", url, held)), nil, served},
		} {
			t.Run(fmt.Sprintf("required %v, %s", port == closed, c.what), func(t *testing.T) {
				var certificates []tls.Certificate
				if c.certificate != nil {
					certificates = append(certificates, c.certificate.TLS)
				}
				a, err := get(port, c.path, c.header, certificates...)
				if port == closed && c.certificate == nil {
					if err == nil {
						t.Errorf("Envoy answers %d", a.status)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				w.check(t, a, c.want)
			})
		}
		for what, p := range map[string]pki.Pair{
			"of another authority": stranger.Issue(t, "", anonymous),
			"that has expired":     authority.Issue(t, "", anonymous, pki.Expired),
		} {
			if a, err := get(port, parts, as(free), p.TLS); err == nil {
				t.Errorf("with a certificate %s Envoy answers %d", what, a.status)
			}
		}
	}
	if err := w.settle(); err != nil {
		t.Error(err)
	}
}
