package identity

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
)

// algorithms are those that an issuer may list: asymmetric ones only, so that no public key can ever be taken for a secret.
var algorithms = []string{"ES256", "ES384", "PS256", "PS384", "EdDSA", "RS256"}

// maxLifetime is a day: a token can't be called back, only outlived.
const maxLifetime = 86400

var (
	subjectTypes     = []string{"person", "service", "device"}
	affiliationKinds = []string{"tenant", "provider", "partner"}
)

// issuer is one entry of an issuers document: whose tokens, under which keys, and how far its word goes.
type issuer struct {
	id     string
	entry  entry
	pinned map[string]key // of an entry with jwks
	roots  *x509.CertPool // of an entry with jwks_authorities
	domain *trustDomain   // of an entry with authorities
	keys   *keySet        // of an entry for tokens
}

// entry is the document's own form. A misspelt member is an error and not an empty rule.
//
// An issuer either signs tokens, and has all from jwks_uri to beyond_grant, or is a SPIFFE trust domain whose authorities sign the
// certificates of workloads, and has authorities and workloads.
type entry struct {
	Issuer  string          `json:"issuer"`
	JWKSURI string          `json:"jwks_uri"`
	JWKS    json.RawMessage `json:"jwks"` // pinned in the bundle, instead of jwks_uri
	// JWKSAuthorities sign the certificate of the server at jwks_uri, in PEM; without any, those that this machine trusts do.
	JWKSAuthorities []string `json:"jwks_authorities"`
	Algorithms      []string `json:"algorithms"`
	Types           []string `json:"types"`
	Audiences       []string `json:"audiences"` // a token names one; without any, it names this gateway or an enclave of it
	MaxLifetime     int64    `json:"max_lifetime_seconds"`
	DPoPNonce       bool     `json:"dpop_nonce"`   // a proof must hold a nonce of this gateway
	Claims          *mapping `json:"claims"`       // nil where the issuer uses our names
	BeyondGrant     string   `json:"beyond_grant"` // cut, the default, or refuse

	Authorities []string                   `json:"authorities"` // PEM
	Workloads   map[string]json.RawMessage `json:"workloads"`   // path → claims

	Grant grant `json:"grant"`

	// What an auditor asks of each fact first; nothing is decided by it.
	Source     string `json:"source"`
	ApprovedBy string `json:"approved_by"`
	ReviewBy   string `json:"review_by"`
}

// grant is what an issuer may say. What is not in it is cut from the subject, so the empty grant leaves nothing.
type grant struct {
	Nations       []string           `json:"nations"` // whose schemes it vouches in by itself
	Tenants       []string           `json:"tenants"`
	Types         []string           `json:"types"`
	Affiliations  []grantAffiliation `json:"affiliations"`
	Nationalities []string           `json:"nationalities"`
	ExportStatus  []string           `json:"export_status"`
	Communities   []string           `json:"communities"`
	Roles         []string           `json:"roles"`
	Clearances    []grantClearance   `json:"clearances"`
	Approves      bool               `json:"approves"` // provider personnel, for the tenants that it speaks for
	Relay         map[string]string  `json:"relay"`    // nation → issuer on whose behalf it speaks there
}

type grantAffiliation struct {
	Kind          string   `json:"kind"`
	Organizations []string `json:"organizations"`
	Countries     []string `json:"countries"`
}

type grantClearance struct {
	Scheme     string              `json:"scheme"`
	Level      string              `json:"level"`
	Categories map[string][]string `json:"categories"`
}

// sponsor returns on whose authority the issuer vouches in schemes of nation, "" if it may not.
func (i *issuer) sponsor(nation string) string {
	if s, ok := i.entry.Grant.Relay[nation]; ok {
		return s
	}
	if slices.Contains(i.entry.Grant.Nations, nation) {
		return i.id
	}
	return ""
}

// clearance returns the granted clearance in a scheme.
func (g grant) clearance(scheme string) (grantClearance, bool) {
	n := slices.IndexFunc(g.Clearances, func(c grantClearance) bool { return c.Scheme == scheme })
	if n < 0 {
		return grantClearance{}, false
	}
	return g.Clearances[n], true
}

// parseIssuers adds the issuers of one part to all, which is by iss. tenant is whose part it is, "" for the root.
func parseIssuers(all map[string]*issuer, tenant string, doc json.RawMessage, schemes map[string]*scheme) error {
	if len(doc) == 0 {
		return nil
	}
	var docs map[string]json.RawMessage
	if err := json.Unmarshal(doc, &docs); err != nil {
		return errors.New("want an object of issuers by id")
	}
	for _, id := range slices.Sorted(maps.Keys(docs)) {
		i := &issuer{id: id}
		d := json.NewDecoder(bytes.NewReader(docs[id]))
		d.DisallowUnknownFields()
		if err := d.Decode(&i.entry); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		if err := i.check(tenant, schemes); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		if err := join(all, i); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	return nil
}

// join holds that one iss is one id is one entry, in whichever parts it stands: else the word of one part would be judged by the
// grant of another.
func join(all map[string]*issuer, i *issuer) error {
	for _, o := range all {
		switch {
		case o.id == i.id && !reflect.DeepEqual(o.entry, i.entry):
			return errors.New("another part has a different entry of this id")
		case o.id != i.id && o.entry.Issuer == i.entry.Issuer:
			return fmt.Errorf("issuer: %s is also that of %s", quote(i.entry.Issuer), o.id)
		}
	}
	all[i.entry.Issuer] = i
	return nil
}

var idForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

// check holds the entry's form, and that a part speaks only for its tenant.
func (i *issuer) check(tenant string, schemes map[string]*scheme) error {
	e := i.entry
	if !idForm.MatchString(i.id) {
		return errors.New("id: want lower-case letters, digits and hyphens, 1 to 63, a letter first")
	}
	if e.Issuer == "" || len(e.Issuer) > maxText || !printable(e.Issuer) {
		return errors.New("issuer: want the exact iss, a printable text of 1 to 256 bytes")
	}
	if err := e.Grant.check(tenant, schemes); err != nil {
		return fmt.Errorf("grant.%w", err)
	}
	if e.Authorities != nil || e.Workloads != nil {
		return i.checkTrustDomain(schemes)
	}
	return i.checkTokens(schemes)
}

// checkTokens holds the form of an entry whose issuer signs tokens.
func (i *issuer) checkTokens(schemes map[string]*scheme) error {
	e := i.entry
	if len(e.Algorithms) == 0 {
		return fmt.Errorf("algorithms: want at least one of %v", algorithms)
	}
	for _, a := range e.Algorithms {
		if !slices.Contains(algorithms, a) {
			return fmt.Errorf("algorithms: %s is none of %v", quote(a), algorithms)
		}
	}
	if len(e.Types) == 0 {
		return errors.New(`types: want at least one, such as "at+jwt"`)
	}
	if slices.Contains(e.Types, approvalType) {
		return errors.New("types: " + approvalType + " is of approvals, not of tokens")
	}
	if e.MaxLifetime < 1 || e.MaxLifetime > maxLifetime {
		return fmt.Errorf("max_lifetime_seconds: want 1 to %d, have %d", maxLifetime, e.MaxLifetime)
	}
	for n, a := range e.Audiences {
		if a == "" || len(a) > maxText || !printable(a) {
			return fmt.Errorf("audiences[%d]: want a printable text of 1 to %d bytes", n, maxText)
		}
	}
	if e.BeyondGrant != "" && e.BeyondGrant != "cut" && e.BeyondGrant != "refuse" {
		return fmt.Errorf("beyond_grant: want cut or refuse, have %s", quote(e.BeyondGrant))
	}
	if e.Claims != nil {
		if err := e.Claims.check(schemes); err != nil {
			return fmt.Errorf("claims.%w", err)
		}
	}
	return i.checkKeys()
}

// checkKeys holds that an entry says in one way where its keys come from. What a bundle pins was chosen by somebody, so a pinned key
// that can't be used is a mistake and not left out like one that is published.
func (i *issuer) checkKeys() error {
	e := i.entry
	if e.JWKS == nil {
		if err := checkURI(e.JWKSURI); err != nil {
			return fmt.Errorf("jwks_uri: %s: %w", quote(e.JWKSURI), err)
		}
		if e.JWKSAuthorities == nil {
			return nil
		}
		var err error
		if i.roots, err = authorities(e.JWKSAuthorities); err != nil {
			return fmt.Errorf("jwks_authorities%w", err)
		}
		return nil
	}
	if e.JWKSURI != "" || e.JWKSAuthorities != nil {
		return errors.New("jwks: want either jwks, or jwks_uri with its jwks_authorities")
	}
	keys, refused, err := parseJWKS(e.JWKS, e.Algorithms)
	switch {
	case err != nil:
		return fmt.Errorf("jwks: %w", err)
	case len(refused) > 0:
		return fmt.Errorf("jwks: %s", refused[0])
	case len(keys) == 0:
		return errors.New("jwks: want at least one key")
	}
	i.pinned = keys
	return nil
}

func (g grant) check(tenant string, schemes map[string]*scheme) error {
	for _, t := range g.Tenants {
		if tenant == "" {
			return fmt.Errorf("tenants: %s: an issuer of the root speaks for no tenant", quote(t))
		}
		if t != tenant {
			return fmt.Errorf("tenants: %s is not %s, whose part this is", quote(t), tenant)
		}
	}
	for _, t := range g.Types {
		if !slices.Contains(subjectTypes, t) {
			return fmt.Errorf("types: %s is none of %v", quote(t), subjectTypes)
		}
	}
	if g.Approves && len(g.Tenants) == 0 {
		return errors.New("approves: want a tenant that the issuer speaks for")
	}
	if g.Approves && !slices.Contains(g.Types, "person") {
		return errors.New("approves: want person among the types: no service approves")
	}
	for n, a := range g.Affiliations {
		if !slices.Contains(affiliationKinds, a.Kind) {
			return fmt.Errorf("affiliations[%d].kind: %s is none of %v", n, quote(a.Kind), affiliationKinds)
		}
		if a.Kind == "provider" && tenant != "" {
			return fmt.Errorf("affiliations[%d].kind: provider stands only in the root, not in the part of %s", n, tenant)
		}
		if c := notCountry(a.Countries); c != "" {
			return fmt.Errorf("affiliations[%d].countries: %s: want three upper-case letters", n, c)
		}
	}
	if c := notCountry(g.Nations); c != "" {
		return fmt.Errorf("nations: %s: want three upper-case letters", c)
	}
	if c := notCountry(g.Nationalities); c != "" {
		return fmt.Errorf("nationalities: %s: want three upper-case letters", c)
	}
	for _, nation := range slices.Sorted(maps.Keys(g.Relay)) {
		if !isCountry(nation) || !idForm.MatchString(g.Relay[nation]) {
			return fmt.Errorf("relay: want a nation and an issuer id, have %s: %s", quote(nation), quote(g.Relay[nation]))
		}
	}
	seen := map[string]bool{}
	for n, c := range g.Clearances {
		s, ok := schemes[c.Scheme]
		if !ok || seen[c.Scheme] {
			return fmt.Errorf("clearances[%d].scheme: %s is unknown or there twice", n, quote(c.Scheme))
		}
		seen[c.Scheme] = true
		if c.Level == "" {
			return fmt.Errorf("clearances[%d].level: missing", n)
		}
		if err := s.knows(c.Level, c.Categories); err != nil {
			return fmt.Errorf("clearances[%d]: %w", n, err)
		}
	}
	return nil
}

// notCountry returns the first of l that is no country code, quoted.
func notCountry(l []string) string {
	for _, c := range l {
		if !isCountry(c) {
			return quote(c)
		}
	}
	return ""
}

// checkURI holds that keys come over TLS. Only from this machine may they come without: the demo and sidecars do that.
func checkURI(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("want an absolute URL without user and fragment")
	}
	if u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()) {
		return nil
	}
	return errors.New("want https (http only to a loopback address)")
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
