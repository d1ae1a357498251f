package identity

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
)

const spiffeScheme = "spiffe://"

// trustDomain is an issuer that names workloads in certificates (X.509-SVID) instead of signing tokens. A certificate says only who
// it is, so what a workload may is in the bundle too, by its path.
type trustDomain struct {
	authorities *x509.CertPool
	workloads   map[string]claims
}

// workload is what was proven of one certificate once. Nothing in it depends on the time or on the request, and it is never changed.
type workload struct {
	verified
	notBefore, notAfter time.Time
}

// checkTrustDomain holds the form of an entry whose issuer is a trust domain. What a workload may and what the issuer may say of it
// stand in one part, so a workload beyond the grant is a mistake and not something to cut.
func (i *issuer) checkTrustDomain(schemes map[string]*scheme) error {
	e := i.entry
	if e.JWKSURI != "" || e.JWKS != nil || e.JWKSAuthorities != nil || e.Algorithms != nil || e.Types != nil || e.Audiences != nil || e.MaxLifetime != 0 ||
		e.DPoPNonce || e.Claims != nil || e.BeyondGrant != "" || e.Grant.Approves {
		return errors.New("authorities: a trust domain has issuer, authorities, workloads and a grant that does not approve, and no member for tokens")
	}
	if domain, ok := strings.CutPrefix(e.Issuer, spiffeScheme); !ok || !isTrustDomain(domain) {
		return fmt.Errorf("issuer: %s: want a SPIFFE trust domain, such as spiffe://example.org", quote(e.Issuer))
	}
	pool, err := authorities(e.Authorities)
	if err != nil {
		return fmt.Errorf("authorities%w", err)
	}
	d := &trustDomain{authorities: pool, workloads: map[string]claims{}}
	if len(e.Workloads) == 0 {
		return errors.New("workloads: want at least one")
	}
	for _, path := range slices.Sorted(maps.Keys(e.Workloads)) {
		if !isWorkloadPath(strings.TrimSuffix(path, "/")) {
			return fmt.Errorf("workloads: %s: want a path, or one that ends with / and stands for all below it", quote(path))
		}
		c, err := i.workloadClaims(e.Workloads[path], schemes)
		if err != nil {
			return fmt.Errorf("workloads: %s: %w", quote(path), err)
		}
		d.workloads[path] = c
	}
	i.domain = d
	return nil
}

func (i *issuer) workloadClaims(doc json.RawMessage, schemes map[string]*scheme) (claims, error) {
	o, err := parseObject(doc)
	if err != nil {
		return claims{}, err
	}
	var r reader
	r.closed(o, "the workload", mappedClaims...)
	if r.err != nil {
		return claims{}, r.err
	}
	c, err := readClaims(o, schemes)
	if err != nil {
		return claims{}, err
	}
	if c.SubjectType == "person" {
		return claims{}, errors.New("subject_type: want service or device")
	}
	cut := &cutter{issuer: i, schemes: schemes}
	cut.subjectType(c.SubjectType)
	cut.properties(c, authz.Time{}, authz.Time{})
	if len(cut.cuts) > 0 {
		return claims{}, fmt.Errorf("%s: %s", cut.cuts[0].Claim, cut.cuts[0].Why)
	}
	return c, nil
}

// workload returns whom the client's certificate names, nil where it names no workload. Envoy has verified the certificate, but by
// all authorities that it has for all domains, and only when the connection began: whether this one may speak for this domain, and
// still does, is proven here.
func (v *Verifier) workload(p authz.Peer, now time.Time) (*workload, *authz.Refusal) {
	if !strings.HasPrefix(p.Principal, spiffeScheme) {
		return nil, nil
	}
	w, ok := v.workloads.get(p)
	if !ok {
		var refusal *authz.Refusal
		if w, refusal = v.proveWorkload(p, now); refusal != nil {
			return nil, refusal
		}
		v.workloads.put(p, w)
	}
	switch {
	case now.Before(w.notBefore):
		return nil, w.issuer.invalid(w.kid, errors.New("the certificate is of the future"))
	case !now.Before(w.notAfter):
		return nil, authz.Refuse(authz.IdentityExpired, w.issuer.names(w.kid)+"the certificate ended "+authz.At(w.notAfter).String())
	}
	return w, v.standing(&w.verified)
}

func (v *Verifier) proveWorkload(p authz.Peer, now time.Time) (*workload, *authz.Refusal) {
	invalid := func(why string) (*workload, *authz.Refusal) {
		return nil, authz.Refuse(authz.IdentityInvalid, "client certificate of "+quote(p.Principal)+": "+why)
	}
	domain, path, ok := parseSPIFFE(p.Principal)
	if !ok {
		return invalid("no SPIFFE ID")
	}
	i, ok := v.issuers[spiffeScheme+domain]
	if !ok || i.domain == nil {
		return nil, authz.Refuse(authz.IdentityIssuer, "no trust domain "+quote(domain)+" in the bundle")
	}
	c, err := readCertificate(p.Certificate)
	if err != nil {
		return invalid("Envoy does not pass it whole: set include_peer_certificate")
	}
	if why := notSVID(c, p.Principal); why != "" {
		return invalid(why)
	}
	until, ok := i.domain.vouches(c, now)
	if !ok {
		return invalid("not by an authority of its trust domain")
	}
	said, ok := i.domain.find(path)
	if !ok {
		return nil, authz.Refuse(authz.IdentityIssuer, i.id+" knows no workload of the path "+quote(path))
	}
	return v.newWorkload(i, c, until, said), nil
}

// vouches proves that an authority of the domain has signed c, and returns until when both hold. A time outside of c's own is for
// the caller to judge, on each request.
func (d *trustDomain) vouches(c *x509.Certificate, now time.Time) (until time.Time, ok bool) {
	if now.Before(c.NotBefore) {
		now = c.NotBefore
	}
	if now.After(c.NotAfter) {
		now = c.NotAfter
	}
	chains, err := c.Verify(x509.VerifyOptions{Roots: d.authorities, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return time.Time{}, false
	}
	for _, chain := range chains {
		ends := chain[0].NotAfter
		for _, c := range chain {
			if c.NotAfter.Before(ends) {
				ends = c.NotAfter
			}
		}
		if ends.After(until) {
			until = ends
		}
	}
	return until, true
}

// newWorkload is the subject that a certificate makes.
func (v *Verifier) newWorkload(i *issuer, c *x509.Certificate, ends time.Time, said claims) *workload {
	from, until := authz.At(c.NotBefore), authz.At(ends)
	cut := &cutter{issuer: i, schemes: v.schemes, cuts: []authz.Cut{}}
	sum := sha256.Sum256(c.Raw)
	s := authz.Subject{
		Type: said.SubjectType, ID: i.id + "|" + c.URIs[0].String(), Properties: cut.properties(said, from, until),
		Evidence: authz.Evidence{
			Issuer: i.entry.Issuer, KeyID: hex.EncodeToString(c.AuthorityKeyId), TokenDigest: hex.EncodeToString(sum[:]),
			IssuedAt: from, Expires: until, Claims: said.evidence(),
		},
		Location:  said.Location,
		Approvals: append([]authz.Approval{}, v.approvals[i.id+"|"+c.URIs[0].String()]...),
	}
	s.Properties.Cut = cut.cuts
	if s.Properties.Tenant != nil {
		s.Properties.Session.Tracked = v.tracked[*s.Properties.Tenant]
	}
	return &workload{
		verified:  verified{issuer: i, kid: s.Evidence.KeyID, reg: registered{iat: c.NotBefore.Unix()}, subject: s},
		notBefore: c.NotBefore, notAfter: ends,
	}
}

// via is w as a member of a chain.
func (w *workload) via() authz.Via {
	return authz.Via{Type: w.subject.Type, ID: w.subject.ID, Clearances: w.subject.Properties.Clearances}
}

// find returns what is said of a path: the entry of it, else the longest that it is below.
func (d *trustDomain) find(path string) (claims, bool) {
	if c, ok := d.workloads[path]; ok {
		return c, true
	}
	for n := strings.LastIndexByte(path, '/'); n >= 0; n = strings.LastIndexByte(path[:n], '/') {
		if c, ok := d.workloads[path[:n+1]]; ok {
			return c, true
		}
	}
	return claims{}, false
}

// notSVID says why c is no X.509-SVID of id (SPIFFE X509-SVID §2 to §4), "" if it is one.
func notSVID(c *x509.Certificate, id string) string {
	switch {
	case len(c.URIs) != 1 || c.URIs[0].String() != id:
		return "its only URI is not the SPIFFE ID that Envoy passes"
	case c.IsCA || c.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0:
		return "it is of an authority"
	case c.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return "not for digital signatures"
	}
	return ""
}

// parseSPIFFE takes a SPIFFE ID of a workload apart (SPIFFE-ID §2): the trust domain itself is none.
func parseSPIFFE(id string) (domain, path string, ok bool) {
	rest, ok := strings.CutPrefix(id, spiffeScheme)
	slash := strings.IndexByte(rest, '/')
	if !ok || slash < 0 || len(id) > maxText {
		return "", "", false
	}
	domain, path = rest[:slash], rest[slash:]
	return domain, path, isTrustDomain(domain) && isWorkloadPath(path)
}

func isTrustDomain(s string) bool {
	return s != "" && len(s) < 256 && strings.IndexFunc(s, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_'
	}) < 0
}

func isWorkloadPath(s string) bool {
	if s == "" || s[0] != '/' {
		return false
	}
	for segment := range strings.SplitSeq(s[1:], "/") {
		if segment == "" || segment == "." || segment == ".." || strings.IndexFunc(segment, func(c rune) bool {
			return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_'
		}) >= 0 {
			return false
		}
	}
	return true
}

// readCertificate reads the certificate that Envoy passes, as URL-encoded PEM.
func readCertificate(encoded string) (*x509.Certificate, error) {
	text, err := url.PathUnescape(encoded)
	if err != nil {
		return nil, err
	}
	return onlyCertificate([]byte(text))
}

// authorities reads certificates of authorities, at least one. Its error goes on where the name of the list ends.
func authorities(texts []string) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	for n, text := range texts {
		c, err := onlyCertificate([]byte(text))
		if err != nil || !c.IsCA {
			return nil, fmt.Errorf("[%d]: want one certificate of an authority in PEM", n)
		}
		pool.AddCert(c)
	}
	if len(texts) == 0 {
		return nil, errors.New(": want at least one")
	}
	return pool, nil
}

// onlyCertificate reads PEM of one certificate and nothing else.
func onlyCertificate(text []byte) (*x509.Certificate, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("want one certificate in PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

// maxWorkloads bounds how many certificates of one generation are remembered.
const maxWorkloads = 4096

// workloads remembers certificates that were proven: a verification costs as much as that of a token. When it is full it forgets all.
type workloads struct {
	mu    sync.Mutex // guards known
	known map[authz.Peer]*workload
}

func (s *workloads) get(p authz.Peer) (*workload, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.known[authz.Peer{Principal: p.Principal, Certificate: p.Certificate}]
	return w, ok
}

func (s *workloads) put(p authz.Peer, w *workload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil || len(s.known) >= maxWorkloads {
		s.known = map[authz.Peer]*workload{}
	}
	s.known[authz.Peer{Principal: strings.Clone(p.Principal), Certificate: strings.Clone(p.Certificate)}] = w
}
