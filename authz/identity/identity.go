// Package identity turns the one token of a request into a subject that holds no more than the token's issuer may say.
//
// A token is taken through four gates in this order: its form (one spelling only, before any library sees it), its issuer and key
// (from the bundle and from the issuer's JWKS), its signature, its claims. What passes is cut to the issuer's grant: every member
// of the subject is by default empty, and whatever was claimed beyond the grant is listed in Cut for policy to judge. The rules are
// DESIGN §3.4; why there is a form check of our own stands in README.md.
//
// Invariants: no request waits for the network. Nothing but iss and kid is read from a token whose signature has not been proven.
// A kid means something only within its issuer. Errors never hold a token or the value of a claim, other than kid and iss.
//
// Non-goals: nothing is decided here (a cut is reported, policy denies), no token is issued or remembered, and a token that is
// bound to its sender (DPoP, mTLS) is treated as the bearer token that it then is: Binding says "none".
package identity

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/sallyport-dev/sallyport/authz"
)

// maxSkew is how far an issuer's clock may be ahead. There is none for exp: a token that has ended has ended.
const maxSkew = 30 * time.Second

// Config holds the documents of one generation that identity owns, and what outlives it.
type Config struct {
	Tenants json.RawMessage // data.tenants: of each its issuers, personnel.approvals and tenant.sessions
	Issuers json.RawMessage // data.issuers: those that speak for no tenant
	Schemes json.RawMessage // data.schemes

	Audiences []string // the gateway's id and its enclaves': a token's aud must name one
	Keys      *Keys    // nil checks documents only: no token verifies
	Now       func() time.Time
}

// Verifier verifies tokens by the documents of one generation. It is immutable.
type Verifier struct {
	issuers   map[string]*issuer // by iss
	schemes   map[string]*scheme
	tracked   map[string]bool             // tenant → are its sessions tracked
	approvals map[string][]authz.Approval // operator → every tenant's approvals of it
	audiences []string
	now       func() time.Time
}

// New reads the documents and starts to fetch the keys of issuers that c.Keys does not know yet. Its error names the part, the
// issuer and the member.
func New(c Config) (*Verifier, error) {
	v := &Verifier{
		issuers: map[string]*issuer{}, tracked: map[string]bool{}, approvals: map[string][]authz.Approval{},
		audiences: slices.Clone(c.Audiences), now: c.Now,
	}
	if v.now == nil {
		v.now = time.Now
	}
	var err error
	if v.schemes, err = parseSchemes(c.Schemes); err != nil {
		return nil, err
	}
	if err := parseIssuers(v.issuers, "", c.Issuers, v.schemes); err != nil {
		return nil, fmt.Errorf("issuers: %w", err)
	}
	if err := v.readTenants(c.Tenants); err != nil {
		return nil, err
	}
	if c.Keys != nil {
		for _, i := range v.issuers {
			i.keys = c.Keys.set(i)
		}
	}
	return v, nil
}

func (v *Verifier) readTenants(doc json.RawMessage) error {
	if len(doc) == 0 {
		return nil
	}
	var tenants map[string]struct {
		Issuers   json.RawMessage
		Personnel struct{ Approvals []authz.Approval }
		Tenant    struct{ Sessions struct{ Tracked *bool } }
	}
	if err := json.Unmarshal(doc, &tenants); err != nil {
		return fmt.Errorf("tenants: %w", err)
	}
	for _, id := range slices.Sorted(maps.Keys(tenants)) {
		t := tenants[id]
		if t.Tenant.Sessions.Tracked == nil {
			return fmt.Errorf("tenants.%s.tenant.sessions.tracked: missing, want true or false", id)
		}
		v.tracked[id] = *t.Tenant.Sessions.Tracked
		if err := parseIssuers(v.issuers, id, t.Issuers, v.schemes); err != nil {
			return fmt.Errorf("tenants.%s.issuers: %w", id, err)
		}
		for _, a := range t.Personnel.Approvals {
			v.approvals[a.Operator] = append(v.approvals[a.Operator], a)
		}
	}
	return nil
}

// Verify returns who asks. Its error is an *authz.Refusal: identity.missing, identity.invalid, identity.issuer, identity.expired or
// request.ambiguous. An issuer without current keys is identity.invalid: nothing says that the token is its.
func (v *Verifier) Verify(ctx context.Context, req authz.Request) (authz.Subject, error) {
	if req.Problem != nil {
		return authz.Subject{}, req.Problem
	}
	if ctx.Err() != nil {
		return authz.Subject{}, authz.Refuse(authz.SystemTimeout, "no time left to verify the token")
	}
	compact, refusal := credential(req.Headers)
	if refusal != nil {
		return authz.Subject{}, refusal
	}
	t, err := parseToken(compact)
	if err != nil {
		return authz.Subject{}, authz.Refuse(authz.IdentityInvalid, "token: "+err.Error())
	}
	i, ok := v.issuers[t.iss]
	if !ok {
		return authz.Subject{}, authz.Refuse(authz.IdentityIssuer, "no issuer "+quote(t.iss)+" in the bundle")
	}
	invalid := func(err error) (authz.Subject, error) {
		return authz.Subject{}, authz.Refuse(authz.IdentityInvalid, fmt.Sprintf("token of %s, kid %s: %v", i.id, quote(t.kid), err))
	}
	if err := i.verify(t); err != nil {
		return invalid(err)
	}
	reg, err := readRegistered(t.claims)
	if err != nil {
		return invalid(err)
	}
	now := v.now()
	if err := v.inForce(i, reg, now); err != nil {
		return invalid(err)
	}
	if now.Unix() >= reg.exp {
		return authz.Subject{}, authz.Refuse(authz.IdentityExpired, fmt.Sprintf("token of %s, kid %s: ended %s", i.id, quote(t.kid), date(reg.exp)))
	}
	c, err := readClaims(t.claims, v.schemes)
	if err != nil {
		return invalid(err)
	}
	if c.AuthTime > now.Add(maxSkew).Unix() {
		return invalid(errors.New("auth_time: in the future"))
	}
	return v.subject(i, t, reg, c, now), nil
}

// verify proves that t is the issuer's: type and algorithm are ones that it uses, and the one key that kid names has signed it.
func (i *issuer) verify(t token) error {
	if !slices.Contains(i.entry.Types, t.typ) {
		return errors.New("typ is none of the issuer's")
	}
	if !slices.Contains(i.entry.Algorithms, t.alg) {
		return errors.New("alg is none of the issuer's")
	}
	if i.keys == nil {
		return errors.New("no keys are fetched")
	}
	k, err := i.keys.key(t.kid)
	if err != nil {
		return err
	}
	if k.alg != t.alg {
		return errors.New("alg is not the key's")
	}
	payload, err := jws.Verify([]byte(t.compact), jws.WithKey(jwa.SignatureAlgorithm(k.alg), k.public), jws.WithCompact())
	if err != nil {
		return errors.New("signature does not hold")
	}
	if !bytes.Equal(payload, t.payload) {
		return errors.New("signature is over something else")
	}
	return nil
}

// inForce holds audience, lifetime and the past.
func (v *Verifier) inForce(i *issuer, r registered, now time.Time) error {
	latest := now.Add(maxSkew).Unix()
	switch {
	case !slices.ContainsFunc(r.aud, func(a string) bool { return slices.Contains(v.audiences, a) }):
		return errors.New("aud: names neither this gateway nor an enclave of it")
	case r.iat > latest:
		return errors.New("iat: in the future")
	case r.nbf > latest:
		return errors.New("nbf: in the future")
	case r.exp <= r.iat:
		return errors.New("exp: not after iat")
	case r.exp-r.iat > i.entry.MaxLifetime:
		return fmt.Errorf("exp: more than %d s after iat", i.entry.MaxLifetime)
	}
	return nil
}

// subject cuts the claims to the issuer's grant.
func (v *Verifier) subject(i *issuer, t token, r registered, c claims, now time.Time) authz.Subject {
	g := i.entry.Grant
	cut := &cutter{issuer: i, schemes: v.schemes, cuts: []authz.Cut{}}
	s := authz.Subject{
		Type: cut.subjectType(c.SubjectType),
		ID:   i.id + "|" + r.sub,
		Properties: authz.SubjectProperties{
			Issuer:            i.id,
			Tenant:            cut.tenant(c.Tenant),
			Affiliation:       cut.affiliation(c.Affiliation),
			Nationalities:     cut.texts("nationality", c.Nationalities, g.Nationalities),
			HeldNationalities: orNone(c.Nationalities),
			ExportStatus:      cut.texts("export_status", c.ExportStatus, g.ExportStatus),
			Communities:       cut.texts("community", c.Communities, g.Communities),
			Roles:             cut.texts("role", c.Roles, g.Roles),
			Clearances:        cut.clearances(c.Clearances, date(r.iat), date(r.exp)),
			Session:           authz.Session{HighWater: c.HighWater},
			Via:               []authz.Via{},
			Assurance:         assurance(r, c, now),
		},
		Evidence: authz.Evidence{
			Issuer: t.iss, KeyID: t.kid, TokenDigest: digest(t, r),
			IssuedAt: date(r.iat), Expires: date(r.exp), Claims: c.evidence(),
		},
		Location: c.Location,
	}
	if s.Properties.Tenant != nil {
		s.Properties.Session.Tracked = v.tracked[*s.Properties.Tenant]
	}
	s.Properties.Cut = cut.cuts
	s.Approvals = append([]authz.Approval{}, v.approvals[s.ID]...)
	return s
}

func assurance(r registered, c claims, now time.Time) authz.Assurance {
	since := r.iat
	if c.AuthTime != 0 {
		since = c.AuthTime
	}
	age := max(now.Unix()-since, 0)
	return authz.Assurance{ACR: c.ACR, AMR: c.AMR, Binding: "none", AgeSeconds: &age}
}

func digest(t token, r registered) string {
	name := r.jti
	if name == "" {
		name = t.signed()
	}
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

func date(unix int64) authz.Time { return authz.At(time.Unix(unix, 0)) }
