package oracle_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

// rows copies every row of a bundle's catalogues as a resource, as authz/resource does.
func rows(t testing.TB, b *policy.Bundle) map[string]authz.ResourceProperties {
	t.Helper()
	var tenants map[string]struct {
		Catalogue struct{ Rows map[string]json.RawMessage }
	}
	if err := json.Unmarshal(b.Document("tenants"), &tenants); err != nil {
		t.Fatal(err)
	}
	all := map[string]authz.ResourceProperties{}
	for tenant, part := range tenants {
		for id, text := range part.Catalogue.Rows {
			p := authz.ResourceProperties{Row: &id, Tenant: &tenant}
			if err := json.Unmarshal(text, &p); err != nil {
				t.Fatal(err)
			}
			all[id] = p
		}
	}
	return all
}

func ptr[T any](v T) *T { return &v }

func at(date string) authz.Time {
	d, err := time.Parse(time.DateOnly, date)
	if err != nil {
		panic(err)
	}
	return authz.At(d)
}

// row returns a row of the grid's world with lists of its own.
func (w *world) row(id string) authz.ResourceProperties {
	p := w.rows[id]
	p.Labels = append([]authz.Label{}, p.Labels...)
	p.Constraints, p.Owner, p.Place = ptr(*p.Constraints), ptr(*p.Owner), ptr(*p.Place)
	p.Constraints.Export = ptr(*p.Constraints.Export)
	return p
}

// read is an allowed read: a member of fjord with a HIGH clearance reads fjord-deep/.
func (w *world) read() authz.Input { return reads(w.row("fjord-deep/")) }

// reads is nils of fjord, who reads a resource.
func reads(resource authz.ResourceProperties) authz.Input {
	return authz.Input{
		Subject: authz.Subject{Type: "person", ID: "nor|nils", Properties: authz.SubjectProperties{
			Issuer: "nor", Tenant: ptr("fjord"), Affiliation: &authz.Affiliation{Kind: "tenant", Organization: "fjord", Country: "NOR"},
			Nationalities: []string{"NOR"}, HeldNationalities: []string{"NOR"}, ExportStatus: []string{}, Communities: []string{}, Roles: []string{},
			Clearances: []authz.Clearance{nor("LOW", "MIDDLE", "HIGH")},
			Cut:        []authz.Cut{}, Session: authz.Session{Tracked: true, HighWater: []authz.Label{}}, Via: []authz.Via{},
			Assurance: authz.Assurance{AMR: []string{}, Binding: "none"},
		}},
		Action: authz.Action{Name: "read", Properties: authz.ActionProperties{
			Protocol: "s3", RequestLabels: []authz.Label{}, From: []authz.Origin{}, To: authz.To{Kind: "client"},
		}},
		Resource: authz.Resource{Type: "object", ID: "s3://fjord-deep/x", Properties: resource},
		Context: authz.Context{
			Time: authz.At(now), Gateway: authz.Gateway{ID: "sallyport", Enclaves: []string{"home", "plain", "abroad", "adrift"}},
			Source:    authz.Source{Country: ptr("NOR"), Basis: "claim"},
			Freshness: authz.Freshness{BundleAge: ptr[int64](1), RevocationSerial: ptr[int64](7), RevocationAge: ptr[int64](1), Clock: "trusted"},
			Approvals: []authz.Approval{},
		},
	}
}

// create is an allowed create by the same.
func (w *world) create() authz.Input {
	in := w.read()
	in.Action.Name = "create"
	in.Action.Properties.To = authz.To{Kind: "object", Row: in.Resource.Properties.Row, Enclave: ptr("home")}
	return in
}

// operate is an allowed read by an operator of the provider.
func (w *world) operate() authz.Input {
	in := w.read()
	p := &in.Subject.Properties
	in.Subject.ID, p.Issuer, p.Tenant = "provider|olga", "provider", nil
	p.Affiliation = &authz.Affiliation{Kind: "provider", Organization: "provider", Country: "NOR"}
	in.Context.Approvals = []authz.Approval{approval()}
	return in
}

// partner is an allowed read by a partner's officer, whose clearance an equivalence translates.
func (w *world) partner() authz.Input {
	in := w.read()
	p := &in.Subject.Properties
	in.Subject.ID, p.Issuer, p.Tenant, p.Nationalities = "swe|sven", "swe", nil, []string{"SWE"}
	p.Affiliation = &authz.Affiliation{Kind: "partner", Organization: "swe-navy", Country: "SWE"}
	p.Clearances = []authz.Clearance{swe("ONE", "TWO")}
	p.Session = authz.Session{}
	in.Resource.Properties.Labels[0].Release = []string{"NOR", "SWE"}
	return in
}

// job is an allowed start of a job.
func (w *world) job() authz.Input {
	in := w.read()
	in.Action.Name, in.Action.Properties.To = "execute", authz.To{Kind: "enclave", Enclave: ptr("home")}
	in.Resource = authz.Resource{Type: "job", ID: "job:fjord", Properties: w.row("job:fjord")}
	return in
}

func approval() authz.Approval {
	return authz.Approval{
		ID: "a", Operator: "provider|olga", Row: "fjord-deep/", Actions: []string{"read", "list"}, Enclave: "home", Justification: "SUPPORT",
		Approvers: []string{"nor|a", "nor|b"}, NotBefore: at("2026-01-01"), NotAfter: at("2027-01-01"),
	}
}

func clearance(scheme string, levels ...string) authz.Clearance {
	return authz.Clearance{
		Scheme: scheme, Levels: levels, Categories: map[string][]string{}, Sponsor: "nor",
		NotBefore: at("2026-01-01"), NotAfter: at("2027-01-01"),
	}
}

func nor(levels ...string) authz.Clearance { return clearance("NOR", levels...) }
func swe(levels ...string) authz.Clearance { return clearance("SWE", levels...) }

func with(c authz.Clearance, set string, values ...string) authz.Clearance {
	m := map[string][]string{set: values}
	for k, v := range c.Categories {
		m[k] = v
	}
	c.Categories = m
	return c
}

func label(level string) authz.Label {
	return authz.Label{
		Scheme: "NOR", Level: level, Categories: map[string][]string{}, Nation: []string{}, Handling: []string{},
		Created: at("2024-01-01"), Alternatives: []authz.Label{},
	}
}
