// Package identity turns the one token of a request, and the certificate of the workload that sent it, into a subject that holds no
// more than their issuers may say.
//
// A token is taken through four gates in this order: its form (one spelling only, before any library sees it), its issuer and key
// (from the bundle and from the issuer's JWKS), its signature, its claims. What passes is cut to the issuer's grant: every member
// of the subject is by default empty, and whatever was claimed beyond the grant is listed in Cut for policy to judge. Whoever stands
// between the subject and the request, an actor of the token or a workload, is listed in Via. The rules are
// DESIGN §3.4; why there is a form check of our own stands in README.md.
//
// Invariants: no request waits for the network. Nothing but iss and kid is read from a token whose signature has not been proven.
// A kid means something only within its issuer. Errors never hold a token or the value of a claim, other than kid and iss.
// What is remembered of a token is what does not depend on the time or on the request; the rest is asked anew each time.
//
// Non-goals: nothing is decided here (a cut is reported, policy denies), and no token is issued.
package identity

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/label"
)

// Config holds the documents of one generation that identity owns, and what outlives it.
type Config struct {
	Tenants json.RawMessage // data.tenants: of each its issuers, personnel.approvals and tenant.sessions
	Issuers json.RawMessage // data.issuers: those that speak for no tenant
	Schemes json.RawMessage // data.schemes
	Revoked json.RawMessage // data.revocations

	Audiences []string // the gateway's id and its enclaves': a token's aud must name one
	Keys      *Keys    // nil checks documents only: no token verifies
	Denials   *Denials // nil revokes nothing beyond the bundle
	Now       func() time.Time
}

// Verifier verifies tokens by the documents of one generation. It is immutable but for what it remembers of tokens, which ends
// with it.
type Verifier struct {
	issuers   map[string]*issuer // by iss
	schemes   map[string]*scheme
	forms     *label.Schemes              // of clearances in XML
	tracked   map[string]bool             // tenant → are its sessions tracked
	approvals map[string][]authz.Approval // operator → every tenant's approvals of it
	audiences []string
	now       func() time.Time
	revoked   revocations
	denials   *Denials
	memory    *memory
	workloads workloads
	stats     *stats
}

// New reads the documents and starts to fetch the keys of issuers that c.Keys does not know yet. Its error names the part, the
// issuer and the member.
func New(c Config) (*Verifier, error) {
	v := &Verifier{
		issuers: map[string]*issuer{}, tracked: map[string]bool{}, approvals: map[string][]authz.Approval{},
		audiences: slices.Clone(c.Audiences), now: c.Now, denials: c.Denials, memory: newMemory(maxMemory), stats: &stats{},
	}
	if v.now == nil {
		v.now = time.Now
	}
	var err error
	if v.schemes, err = parseSchemes(c.Schemes); err != nil {
		return nil, err
	}
	if v.forms, err = label.New(orEmpty(c.Schemes)); err != nil {
		return nil, err
	}
	if v.revoked, err = parseRevocations(c.Revoked); err != nil {
		return nil, fmt.Errorf("revocations: %w", err)
	}
	if err := parseIssuers(v.issuers, "", c.Issuers, v.schemes); err != nil {
		return nil, fmt.Errorf("issuers: %w", err)
	}
	if err := v.readTenants(c.Tenants); err != nil {
		return nil, err
	}
	if c.Keys != nil {
		v.stats = &c.Keys.stats
		for _, i := range v.issuers {
			if i.domain == nil {
				i.keys = c.Keys.set(i)
			}
		}
	}
	return v, nil
}

func orEmpty(doc json.RawMessage) json.RawMessage {
	if len(doc) == 0 {
		return json.RawMessage("{}")
	}
	return doc
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
