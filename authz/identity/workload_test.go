package identity_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/identity"
)

// authority signs certificates of workloads.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         string
}

func newAuthority(edits ...func(*x509.Certificate)) authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	for _, edit := range edits {
		edit(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	must(err)
	c, err = x509.ParseCertificate(der)
	must(err)
	return authority{c, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

// peer is a client with a certificate for a SPIFFE ID, as Envoy passes it.
func (a authority) peer(id string, edits ...func(*x509.Certificate)) authz.Peer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	uri, err := url.Parse(id)
	must(err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: noon.Add(-time.Minute), NotAfter: noon.Add(time.Hour), URIs: []*url.URL{uri},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, edit := range edits {
		edit(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.certificate, key.Public(), a.key)
	must(err)
	return authz.Peer{Principal: id, Certificate: url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))}
}

const (
	tablet = "spiffe://edge.us-defense.test/device/tablet-7"
	job    = "spiffe://edge.us-defense.test/service/planner"
)

// withEdge puts a trust domain into the part of us-defense.
func (w *world) withEdge(t testing.TB, edits ...string) authority {
	t.Helper()
	a := newAuthority()
	if err := w.tryEdge(a.pem, "{}", edits...); err != nil {
		t.Fatal(err)
	}
	return a
}

func (w *world) tryEdge(authority, revoked string, edits ...string) error {
	entry := `"edge": {"issuer": "spiffe://edge.us-defense.test", "authorities": [` + text(authority) + `],
		"workloads": {
			"/device/": {"subject_type": "device", "clearances": [{"scheme": "USA", "level": "CONFIDENTIAL"}]},
			"/device/tablet-7": {"subject_type": "device", "clearances": [{"scheme": "USA", "level": "SECRET", "not_after": "2026-11-24T12:30:00Z"}]},
			"/service/planner": {"subject_type": "service", "tenant": "us-defense", "affiliation": {"kind": "tenant", "organization": "us-defense", "country": "USA"},
				"nationalities": ["USA"], "clearances": [{"scheme": "USA", "level": "SECRET"}], "location": "USA"}},
		"grant": {"nations": ["USA"], "tenants": ["us-defense"], "types": ["service", "device"], "affiliations": [{"kind": "tenant", "organizations": ["us-defense"], "countries": ["USA"]}],
			"nationalities": ["USA"], "clearances": [{"scheme": "USA", "level": "SECRET"}]}},`
	for n := 0; n < len(edits); n += 2 {
		if strings.Count(entry, edits[n]) == 0 {
			panic("nothing to change: " + edits[n])
		}
		entry = strings.Replace(entry, edits[n], edits[n+1], 1)
	}
	v, err := identity.New(identity.Config{
		Tenants: doc(strings.Replace(tenantsDoc, `"gbr": {"issuer"`, entry+`"gbr": {"issuer"`, 1), w.base), Issuers: doc(issuersDoc, w.base),
		Schemes: json.RawMessage(schemesDoc), Revoked: json.RawMessage(revoked),
		Audiences: []string{"sallyport"}, Keys: w.issuerKeys, Now: func() time.Time { return w.now },
	})
	if err == nil {
		w.verifier = v
	}
	return err
}

func TestAWorkloadWithoutATokenIsASubject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.withEdge(t)
	peer := a.peer(job)
	s, err := w.verifier.Verify(context.Background(), authz.Request{Peer: peer})
	if err != nil {
		t.Fatal(err)
	}
	us, age := "us-defense", int64(60)
	block, _ := pem.Decode([]byte(must1(url.PathUnescape(peer.Certificate))))
	want := authz.Subject{
		Type: "service", ID: "edge|" + job,
		Properties: authz.SubjectProperties{
			Issuer: "edge", Tenant: &us, Affiliation: &authz.Affiliation{Kind: "tenant", Organization: us, Country: "USA"},
			Nationalities: []string{"USA"}, HeldNationalities: []string{"USA"}, ExportStatus: []string{}, Communities: []string{}, Roles: []string{},
			Clearances: []authz.Clearance{{Scheme: "USA", Levels: []string{"UNCLASSIFIED", "CONFIDENTIAL", "SECRET"}, Categories: map[string][]string{},
				Sponsor: "edge", NotBefore: authz.At(noon.Add(-time.Minute)), NotAfter: authz.At(noon.Add(time.Hour))}},
			Cut: []authz.Cut{}, Session: authz.Session{Tracked: true}, Via: []authz.Via{},
			Assurance: authz.Assurance{Binding: "mtls", AgeSeconds: &age},
		},
		Evidence: s.Evidence, Location: "USA", Approvals: []authz.Approval{},
	}
	if d := cmp.Diff(want, s); d != "" {
		t.Errorf("(-want +have):\n%s", d)
	}
	if e := s.Evidence; e.TokenDigest != sha256Hex(block.Bytes) || e.Issuer != "spiffe://edge.us-defense.test" || e.Expires != authz.At(noon.Add(time.Hour)) {
		t.Errorf("evidence: %+v", e)
	}
	if age, known := w.verifier.KeysAge(s.Evidence.Issuer); known {
		t.Errorf("a trust domain fetches no keys, but they are %v old", age)
	}
	again, err := w.verifier.Verify(context.Background(), authz.Request{Peer: peer})
	if d := cmp.Diff(s, again); d != "" || err != nil {
		t.Errorf("the second time (-first +second): %v\n%s", err, d)
	}
}

// TestAPersonAtADeviceHasBothInTheChain: what both may is for policy to meet; here the device must be there, with its own clearances.
func TestAPersonAtADeviceHasBothInTheChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.withEdge(t, `"types": ["service", "device"]`, `"types": ["device", "service"]`)
	usa := func(levels []string, until time.Time) []authz.Clearance {
		return []authz.Clearance{{Scheme: "USA", Levels: levels, Categories: map[string][]string{}, Sponsor: "edge",
			NotBefore: authz.At(noon.Add(-time.Minute)), NotAfter: authz.At(until)}}
	}
	secret := []string{"UNCLASSIFIED", "CONFIDENTIAL", "SECRET"}
	for _, c := range []struct {
		id   string
		want []authz.Via
	}{
		{tablet, []authz.Via{{Type: "device", ID: "edge|" + tablet, Clearances: usa(secret, noon.Add(30*time.Minute))}}},
		{tablet + "0", []authz.Via{{Type: "device", ID: "edge|" + tablet + "0", Clearances: usa(secret[:2], noon.Add(time.Hour))}}},
		{tablet + "/cpu/1", []authz.Via{{Type: "device", ID: "edge|" + tablet + "/cpu/1", Clearances: usa(secret[:2], noon.Add(time.Hour))}}},
		{"https://not-a-workload.test/", []authz.Via{}},
	} {
		req := bearer(w.token("sam"))
		req.Peer = a.peer(c.id)
		s, err := w.verifier.Verify(context.Background(), req)
		if err != nil {
			t.Errorf("%s: %v", c.id, err)
			continue
		}
		if d := cmp.Diff(c.want, s.Properties.Via); d != "" {
			t.Errorf("%s: via (-want +have):\n%s", c.id, d)
		}
		if s.ID != "usa|sam" || s.Properties.Assurance.Binding != "none" {
			t.Errorf("%s: subject %s, binding %q", c.id, s.ID, s.Properties.Assurance.Binding)
		}
	}
	if via := subjectOf(t, w.verifier, w.token("sam")).Properties.Via; len(via) != 0 {
		t.Errorf("the device stays with the token when it is gone: %v", via)
	}
	req := bearer(w.token("sam", map[string]any{"exp": noon.Unix() + 840}))
	req.Peer = a.peer(tablet, func(c *x509.Certificate) { c.NotAfter = noon.Add(time.Minute) })
	if s, err := w.verifier.Verify(context.Background(), req); err != nil || s.Evidence.Expires != authz.At(noon.Add(time.Minute)) {
		t.Errorf("a token behind a certificate that ends earlier: %v, ends %v", err, s.Evidence.Expires)
	}
}

func TestACertificateThatProvesNoWorkloadIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.withEdge(t)
	other := newAuthority()
	principal := func(p authz.Peer, id string) authz.Peer { p.Principal = id; return p }
	pemOf := func(p authz.Peer, pem string) authz.Peer { p.Certificate = pem; return p }
	for _, c := range []struct {
		name   string
		peer   authz.Peer
		want   authz.Reason
		detail string
	}{
		{"as it should be", a.peer(tablet), "", ""},
		{"a trust domain that nobody knows", a.peer("spiffe://evil.test/device/tablet-7"), authz.IdentityIssuer, "no trust domain"},
		{"a trust domain that is an issuer of tokens", a.peer("spiffe://" + strings.TrimPrefix(w.base, "http://") + "/usa"), authz.IdentityInvalid, "no SPIFFE ID"},
		{"a path that nobody knows", a.peer("spiffe://edge.us-defense.test/service/other"), authz.IdentityIssuer, "no workload of the path"},
		{"a path above those that are known", a.peer("spiffe://edge.us-defense.test/device"), authz.IdentityIssuer, "no workload of the path"},
		{"the trust domain itself", a.peer("spiffe://edge.us-defense.test"), authz.IdentityInvalid, "no SPIFFE ID"},
		{"another authority, whom Envoy trusts too", other.peer(tablet), authz.IdentityInvalid, "not by an authority"},
		{"a trust domain in upper case", a.peer("spiffe://EDGE.us-defense.test/device/tablet-7"), authz.IdentityInvalid, "no SPIFFE ID"},
		{"a path that walks", a.peer("spiffe://edge.us-defense.test/service/../device/tablet-7"), authz.IdentityInvalid, "no SPIFFE ID"},
		{"a query", a.peer(tablet + "?x"), authz.IdentityInvalid, "no SPIFFE ID"},
		{"a principal that the certificate does not have", principal(a.peer("spiffe://edge.us-defense.test/device/x"), tablet), authz.IdentityInvalid, "its only URI"},
		{"a certificate of two names", a.peer(tablet, func(c *x509.Certificate) { c.URIs = append(c.URIs, &url.URL{Scheme: "https", Host: "x.test"}) }), authz.IdentityInvalid, "its only URI"},
		{"no certificate", pemOf(a.peer(tablet), ""), authz.IdentityInvalid, "include_peer_certificate"},
		{"a certificate that can't be read", pemOf(a.peer(tablet), "%zz"), authz.IdentityInvalid, "include_peer_certificate"},
		{"two certificates", pemOf(a.peer(tablet), a.peer(tablet).Certificate+a.peer(job).Certificate), authz.IdentityInvalid, "include_peer_certificate"},
		{"one that has ended", a.peer(tablet, func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Second) }), authz.IdentityExpired, "ended"},
		{"one that ends now", a.peer(tablet, func(c *x509.Certificate) { c.NotAfter = noon }), authz.IdentityExpired, "ended"},
		{"one of the future", a.peer(tablet, func(c *x509.Certificate) { c.NotBefore = noon.Add(time.Second) }), authz.IdentityInvalid, "future"},
		{"an authority's own", a.peer(tablet, func(c *x509.Certificate) { c.IsCA = true; c.KeyUsage |= x509.KeyUsageCertSign }), authz.IdentityInvalid, "of an authority"},
		{"one for servers only", a.peer(tablet, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), authz.IdentityInvalid, "not by an authority"},
		{"one that signs nothing", a.peer(tablet, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }), authz.IdentityInvalid, "not for digital signatures"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, req := range map[string]authz.Request{"alone": {}, "beside a token": bearer(w.token("sam"))} {
				req.Peer = c.peer
				reason, detail := refused(t, w.verifier, req)
				if reason != c.want || !strings.Contains(detail, c.detail) {
					t.Errorf("%s: refused for %q: %s; want %q: …%s…", name, reason, detail, c.want, c.detail)
				}
			}
		})
	}
}

func TestACertificateIsNoSecondCredential(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.withEdge(t)
	for name, h := range map[string]authz.HeaderField{
		"an empty Bearer credential":    {Name: "authorization", Value: "Bearer "},
		"SigV4 without a session token": {Name: "authorization", Value: "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b, Signature=c"},
		"a session token alone":         {Name: "x-amz-security-token", Value: "x"},
		"a DPoP proof alone":            {Name: "dpop", Value: "x"},
	} {
		if reason, detail := refused(t, w.verifier, authz.Request{Peer: a.peer(job), Headers: authz.Headers{h}}); reason != authz.IdentityMissing {
			t.Errorf("%s beside a workload's certificate: refused for %q: %s", name, reason, detail)
		}
	}
}

func TestARememberedCertificateEndsWithItsTimeAndItsRevocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := newAuthority(func(c *x509.Certificate) { c.NotAfter = noon.Add(10 * time.Minute) })
	must(w.tryEdge(a.pem, "{}"))
	peer := a.peer(tablet)
	req := authz.Request{Peer: peer}
	for _, c := range []struct {
		after time.Duration
		want  authz.Reason
	}{{0, ""}, {10*time.Minute - time.Second, ""}, {10 * time.Minute, authz.IdentityExpired}, {-2 * time.Minute, authz.IdentityInvalid}, {0, ""}} {
		w.now = noon.Add(c.after)
		if reason, detail := refused(t, w.verifier, req); reason != c.want {
			t.Errorf("after %v, its authority having ended at 10 min: refused for %q: %s; want %q", c.after, reason, detail, c.want)
		}
	}
	s, err := w.verifier.Verify(context.Background(), req)
	must(err)
	for name, list := range map[string]string{
		"the workload":    `{"subjects": ["edge|` + tablet + `"]}`,
		"the certificate": `{"tokens": ["edge|` + s.Evidence.TokenDigest + `"]}`,
		"the authority":   `{"keys": ["edge|` + s.Evidence.KeyID + `"]}`,
		"what was issued": `{"reissued": [{"subject": "edge|` + tablet + `", "not_before": "2026-11-24T12:00:00Z"}]}`,
	} {
		must(w.tryEdge(a.pem, list))
		at := bearer(w.token("sam"))
		at.Peer = peer
		for _, req := range []authz.Request{req, at} {
			if reason, detail := refused(t, w.verifier, req); reason != authz.IdentityRevoked {
				t.Errorf("%s is revoked: refused for %q: %s", name, reason, detail)
			}
		}
	}
}

func TestATrustDomainThatCouldSayTooMuchIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := newAuthority()
	for _, c := range []struct{ name, old, new, want string }{
		{"no authority", `"authorities": [` + text(a.pem) + `]`, `"authorities": []`, "edge: authorities: want at least one"},
		{"an authority that is none", `"authorities": [`, `"authorities": ["x", `, "edge: authorities[0]: want one certificate of an authority"},
		{"an authority that is a workload", `"authorities": [`, `"authorities": [` + text(must1(url.PathUnescape(a.peer(job).Certificate))) + `, `, "edge: authorities[0]"},
		{"no workload", `"/device/": {`, `"device": {`, `edge: workloads: "device": want a path`},
		{"every workload of the domain", `"/device/": {`, `"/": {`, `edge: workloads: "/": want a path`},
		{"a domain with a path", `"issuer": "spiffe://edge.us-defense.test"`, `"issuer": "spiffe://edge.us-defense.test/x"`, "edge: issuer: "},
		{"a domain that is a URL", `"issuer": "spiffe://edge.us-defense.test"`, `"issuer": "https://edge.us-defense.test"`, "edge: issuer: "},
		{"a person", `{"subject_type": "device", "clearances": [{"scheme": "USA", "level": "CONFIDENTIAL"}]}`, `{"subject_type": "person"}`, `subject_type: want service or device`},
		{"a type beyond the grant", `"types": ["service", "device"]`, `"types": ["service"]`, `"/device/": type: edge does not vouch`},
		{"a clearance beyond the grant", `"level": "CONFIDENTIAL"`, `"level": "TOP SECRET"`, `"/device/": clearance: edge vouches in USA up to SECRET`},
		{"a tenant beyond the grant", `"tenants": ["us-defense"]`, `"tenants": []`, `"/service/planner": tenant`},
		{"a clearance of no scheme", `"scheme": "USA", "level": "CONFIDENTIAL"`, `"scheme": "XYZ", "level": "CONFIDENTIAL"`, "clearances[0].scheme"},
		{"a member that nobody knows", `{"subject_type": "device", "clear`, `{"sub": "x", "subject_type": "device", "clear`, "only the members"},
		{"actors", `{"subject_type": "device", "clear`, `{"act": {"sub": "x"}, "subject_type": "device", "clear`, "only the members"},
		{"keys for tokens too", `"workloads": {`, `"jwks_uri": "https://x.test/jwks", "workloads": {`, "no member for tokens"},
		{"approvals", `"nations": ["USA"]`, `"approves": true, "nations": ["USA"]`, "no service approves"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := w.tryEdge(a.pem, "{}", c.old, c.new); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want …%s…", err, c.want)
			}
		})
	}
}

// FuzzSPIFFE holds that an ID has one spelling: the trust domain and the path of what is accepted make it up again, and net/url agrees.
func FuzzSPIFFE(f *testing.F) {
	for _, id := range []string{tablet, job, "spiffe://a/b/", "spiffe://a//b", "spiffe://a/./b", "spiffe://a:1/b", "spiffe://u@a/b", "spiffe://a/b%2f", "SPIFFE://a/b"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		domain, path, ok := identity.SPIFFE(id)
		if !ok {
			return
		}
		u, err := url.Parse(id)
		if err != nil || u.Scheme != "spiffe" || u.Host != domain || u.EscapedPath() != path || u.User != nil || u.RawQuery+u.Fragment != "" || "spiffe://"+domain+path != id {
			t.Errorf("%q read as %q and %q, and by net/url as %v: %v", id, domain, path, u, err)
		}
	})
}

func must1[T any](v T, err error) T {
	must(err)
	return v
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// server is a certificate for a server on this machine.
func (a authority) server(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(3), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.certificate, key.Public(), a.key)
	must(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
