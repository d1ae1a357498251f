package guardrail

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
)

// worldText is an invented owner with a partner, another tenant and a provider: small, and with every kind of fact that Rego may
// read, whatever the bundle itself has.
//
//go:embed world.json
var worldText string

const (
	home    = "guardrail-home"
	dataRow = "guardrail-data/"
	queue   = "job:guardrail"
)

// witness is an access that is allowed. Each change to it that must deny shows that policy looks at what was changed.
type witness struct {
	name string
	point
	in     authz.Input // the point's, typed
	tenant tenant      // the owner
	row    struct{ Communities []string }
}

// scope is what is probed: witnesses in the invented world and in the bundle's own.
type scope struct {
	facts    facts // of the bundle and of the invented world
	now      authz.Time
	world    point // of the invented world, without an input
	data     any   // both
	invented []witness
	own      []witness
	leftOut  int // rows of the bundle beyond maxOwn
}

// newScope lays the invented world over data.
func newScope(data any) (*scope, error) {
	own, err := read[facts](data)
	if err != nil {
		return nil, err
	}
	s := &scope{now: own.now()}
	text := strings.NewReplacer("NOW", s.now.String(), "LATER", s.later().String(), "LABELLED", s.given().String()).Replace(worldText)
	var world map[string]map[string]any
	if err := json.Unmarshal([]byte(text), &world); err != nil {
		return nil, err
	}
	rows := map[string]map[string]any{
		"guardrail":       {dataRow: world["row"], "guardrail-data/sub/": world["row"], "guardrail-data-too/": world["row"], queue: world["row"]},
		"guardrail-other": {"guardrail-other/": world["row"]},
	}
	delete(world, "row")
	for _, document := range slices.Sorted(maps.Keys(world)) {
		for _, name := range slices.Sorted(maps.Keys(world[document])) {
			value := world[document][name]
			if document == "tenants" {
				value = set(value, []string{"catalogue", "rows"}, any(plain(rows[name])))
			}
			s.world = s.world.with(fact(value, document, name))
		}
	}
	window := map[string]any{"not_before": s.now, "expires": s.later()}
	s.world = s.world.with(fact(window, "bundle", "tenants", "guardrail"), fact(window, "bundle", "tenants", "guardrail-other"))
	if own.Bundle.Root == nil {
		s.world = s.world.with(fact(window, "bundle", "root"))
	}
	if get(data, "revocations") == nil {
		s.world = s.world.with(fact(map[string]any{"serial": 1, "issued": s.now, "max_age_seconds": nil, "subjects": []string{}}, "revocations"))
	}
	s.data = s.world.over(data)
	if s.facts, err = read[facts](s.data); err != nil {
		return nil, err
	}
	s.invent()
	s.addOwn(own)
	return s, nil
}

// now is a time in which every part of the bundle holds and, where that can be, everything in it has begun.
func (f facts) now() authz.Time {
	now := authz.At(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	if f.Bundle.Root == nil {
		return now
	}
	now, end := f.Bundle.Root.From, f.Bundle.Root.To
	for _, m := range f.Bundle.Tenants {
		now, end = latest(now, m.From), earliest(end, m.To)
	}
	for _, t := range f.Tenants {
		for _, p := range t.Partners.Partners {
			if p.From.Before(end.Time) {
				now = latest(now, p.From)
			}
		}
	}
	return now
}

func latest(a, b authz.Time) authz.Time {
	if b.After(a.Time) {
		return b
	}
	return a
}

func earliest(a, b authz.Time) authz.Time {
	if b.Before(a.Time) {
		return b
	}
	return a
}

// later is when what the invented world says ends, and given the date of its labels.
func (s *scope) later() authz.Time { return authz.At(s.now.Add(time.Second)) }
func (s *scope) given() authz.Time { return authz.At(s.now.AddDate(-1, 0, 0)) }

// resource is a row of the catalogue as the gateway copies it into the input.
func (s *scope) resource(tenant, row string) authz.ResourceProperties {
	p := authz.ResourceProperties{Row: &row, Tenant: &tenant}
	if err := json.Unmarshal(s.facts.Tenants[tenant].Catalogue.Rows[row], &p); err != nil {
		panic(err) // the schema of the catalogue holds
	}
	return p
}

// member is a read by a person of the owner's tenant who has exactly what the row's labels ask for.
func (s *scope) member(tenantID, row string) authz.Input {
	t := s.facts.Tenants[tenantID]
	p := s.resource(tenantID, row)
	country := t.Tenant.Nation
	in := authz.Input{
		Subject: authz.Subject{Type: "person", Properties: authz.SubjectProperties{
			Issuer: t.issuerOf(tenantID), Tenant: &tenantID,
			Affiliation:   &authz.Affiliation{Kind: "tenant", Organization: tenantID, Country: country},
			Nationalities: []string{country}, HeldNationalities: []string{country}, ExportStatus: []string{"us_person"}, Communities: []string{},
			Roles: []string{}, Clearances: []authz.Clearance{}, Cut: []authz.Cut{}, Via: []authz.Via{},
			Session: authz.Session{Tracked: t.Tenant.Sessions.Tracked}, Assurance: authz.Assurance{AMR: []string{}, Binding: "mtls"},
		}},
		Action: authz.Action{Name: "read", Properties: authz.ActionProperties{
			Protocol: "s3", Operation: "GetObject", RequestLabels: []authz.Label{}, From: []authz.Origin{}, To: authz.To{Kind: "client"},
		}},
		Resource: authz.Resource{Type: "object", ID: "s3://guardrail", Properties: p},
		Context: authz.Context{
			Time: s.now, Gateway: authz.Gateway{ID: "guardrail", Enclaves: []string{p.Place.Enclave}}, Source: authz.Source{Country: &country, Basis: "claim"},
			Freshness: authz.Freshness{RevocationAge: new(int64), Clock: "trusted"}, Approvals: []authz.Approval{},
		},
	}
	if t.Tenant.Sessions.Tracked {
		in.Subject.Properties.Session.HighWater = []authz.Label{}
	}
	in.Subject.ID = in.Subject.Properties.Issuer + "|guardrail"
	var r struct{ Communities []string }
	if json.Unmarshal(t.Catalogue.Rows[row], &r); r.Communities != nil {
		in.Subject.Properties.Communities = r.Communities
	}
	for _, l := range p.Labels {
		in.Subject.Properties.Clearances = append(in.Subject.Properties.Clearances, s.carrier(l, in.Subject.Properties.Issuer))
		for _, set := range s.facts.Schemes[l.Scheme].TagSets {
			for _, v := range set.Values {
				if len(v.Nationalities) > 0 && carries(l, v.ID) {
					in.Subject.Properties.Nationalities = []string{v.Nationalities[0]}
				}
			}
		}
	}
	if c := p.Constraints; c != nil && !c.Egress.Any && len(c.Egress.List) > 0 && !slices.Contains(c.Egress.List, country) {
		in.Context.Source.Country = &c.Egress.List[0]
	}
	return in
}

// carries reports whether l carries a value, in whichever tag set.
func carries(l authz.Label, value string) bool {
	for _, values := range l.Categories {
		if slices.Contains(values, value) {
			return true
		}
	}
	return slices.Contains(l.Nation, value) || slices.Contains(l.Handling, value)
}

// carrier is the least clearance that carries l: up to its level, with each of its restrictive values and one of each permissive set.
func (s *scope) carrier(l authz.Label, sponsor string) authz.Clearance {
	c := authz.Clearance{
		Scheme: l.Scheme, Levels: s.facts.Schemes[l.Scheme].upTo(l.Level), Categories: map[string][]string{}, Sponsor: sponsor,
		NotBefore: s.now, NotAfter: s.later(),
	}
	for name, values := range l.Categories {
		switch s.facts.Schemes[l.Scheme].TagSets[name].Type {
		case "restrictive":
			c.Categories[name] = values
		case "permissive":
			c.Categories[name] = values[:min(1, len(values))]
		}
	}
	return c
}

// issuerOf returns an issuer of the part that may say who is of its tenant.
func (t tenant) issuerOf(tenant string) string {
	ids := slices.Sorted(maps.Keys(t.Issuers))
	for _, id := range ids {
		if slices.Contains(t.Issuers[id].Grant.Tenants, tenant) {
			return id
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return ids[0]
}

// asPartner makes the subject of a member's access a person of the partner, with all clearances of its nation.
func (s *scope) asPartner(in authz.Input, p partner) authz.Input {
	q := &in.Subject.Properties
	q.Issuer, q.Tenant = p.Issuers[0], nil
	in.Subject.ID = q.Issuer + "|guardrail"
	q.Affiliation = &authz.Affiliation{Kind: "partner", Organization: p.Organization, Country: p.Country}
	q.Nationalities, q.HeldNationalities = []string{p.Country}, []string{p.Country}
	q.Session = authz.Session{}
	q.Clearances = []authz.Clearance{}
	for _, id := range slices.Sorted(maps.Keys(s.facts.Schemes)) {
		if sc := s.facts.Schemes[id]; sc.Nation == p.Country {
			q.Clearances = append(q.Clearances, authz.Clearance{
				Scheme: id, Levels: sc.ladder(), Categories: map[string][]string{}, Sponsor: q.Issuer, NotBefore: s.now, NotAfter: s.later(),
			})
		}
	}
	in.Context.Source.Country = &p.Country
	return in
}

// asOperator makes the subject of a member's access an operator of the provider, with an approval of exactly that access.
func (s *scope) asOperator(in authz.Input, id, organization string) authz.Input {
	t := s.facts.Tenants[*in.Resource.Properties.Tenant]
	q := &in.Subject.Properties
	q.Issuer, q.Tenant = id, nil
	in.Subject.ID = id + "|guardrail"
	q.Affiliation = &authz.Affiliation{Kind: "provider", Organization: organization, Country: q.Affiliation.Country}
	q.Session = authz.Session{}
	if c := t.Personnel.Citizenships; len(c) > 0 && !slices.Contains(c, q.Nationalities[0]) {
		q.Nationalities = []string{c[0]}
	}
	if l := t.Personnel.Locations; len(l) > 0 && !slices.Contains(l, *in.Context.Source.Country) {
		in.Context.Source.Country = &l[0]
	}
	a := authz.Approval{
		ID: "a1", Operator: in.Subject.ID, Row: *in.Resource.Properties.Row, Actions: []string{in.Action.Name}, Enclave: in.Resource.Properties.Place.Enclave,
		NotBefore: s.now, NotAfter: s.later(), Approvers: []string{},
	}
	if j := t.Personnel.Justifications; len(j) > 0 {
		a.Justification = j[0]
	}
	for i := range t.Personnel.Approvers {
		a.Approvers = append(a.Approvers, fmt.Sprintf("%s|approver%d", t.issuerOf(*in.Resource.Properties.Tenant), i))
	}
	in.Context.Approvals = []authz.Approval{a}
	return in
}

func (s *scope) witness(name string, in authz.Input, ground point) witness {
	w := witness{name: name, point: ground.of(in), in: in, tenant: s.facts.Tenants[*in.Resource.Properties.Tenant]}
	json.Unmarshal(w.tenant.Catalogue.Rows[*in.Resource.Properties.Row], &w.row) // the schema holds
	return w
}
