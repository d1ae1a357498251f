package guardrail

import (
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
)

// maxOwn bounds the bundle's own accesses that are probed; in larger bundles the first of each tenant stand for the rest.
const maxOwn = 120

func ptr[T any](v T) *T { return &v }

// invent adds one witness of each kind of access in the invented world.
func (s *scope) invent() {
	add := func(name string, change func(*authz.Input), facts ...patch) {
		in := s.member("guardrail", dataRow)
		change(&in)
		s.invented = append(s.invented, s.witness(name, in, s.world.with(facts...)))
	}
	partner := s.facts.Tenants["guardrail"].Partners.Partners[0]
	add("a member reads", func(*authz.Input) {})
	add("a partner reads", func(in *authz.Input) { *in = s.asPartner(*in, partner) })
	add("an approved operator reads", func(in *authz.Input) { *in = s.asOperator(*in, "guardrail-provider", "provider") })
	add("a member creates a copy", func(in *authz.Input) {
		writes(in, "create")
		in.Action.Properties.From = []authz.Origin{originOf(in.Resource.Properties)}
	})
	add("a member updates", func(in *authz.Input) { writes(in, "update") })
	add("a member deletes", func(in *authz.Input) { in.Action.Name = "delete" })
	add("a member lists", func(in *authz.Input) { in.Action.Name = "list" })
	add("a member of a role relabels", func(in *authz.Input) {
		in.Action.Name, in.Subject.Properties.Roles = "relabel", []string{"labeller"}
		in.Action.Properties.RequestLabels = in.Resource.Properties.Labels
	})
	add("a member reads into a job", func(in *authz.Input) { in.Action.Properties.To = authz.To{Kind: "enclave", Enclave: ptr(home)} })
	add("a member reads for a copy", func(in *authz.Input) {
		in.Action.Properties.To = authz.To{Kind: "object", Row: ptr(dataRow), Enclave: ptr(home)}
	})
	add("a member reads what only nationals may", func(in *authz.Input) {
		l := &in.Resource.Properties.Labels[0]
		l.Categories, l.Release, l.Nation = map[string][]string{"comp": {"HOME"}}, nil, []string{"AONLY", "ABORN"}
		in.Subject.Properties.Clearances[0].Categories = l.Categories
	})
	add("a member reads through a device", func(in *authz.Input) {
		in.Subject.Properties.Via = []authz.Via{{Type: "device", ID: "d", Clearances: in.Subject.Properties.Clearances}}
	})
	add("a member reads an object with a label of its own", func(in *authz.Input) {
		l := &in.Resource.Properties.Labels
		*l = append(*l, (*l)[0])
	}, fact(true, "tenants", "guardrail", "catalogue", "rows", dataRow, "labels_on_objects"))
	add("a member starts a job", s.onQueue("execute", authz.To{Kind: "enclave", Enclave: ptr(home)}))
	add("a member asks for the state of a job", s.onQueue("read", authz.To{Kind: "client"}))
}

func (s *scope) onQueue(verb string, to authz.To) func(*authz.Input) {
	return func(in *authz.Input) {
		in.Resource.Properties = s.resource("guardrail", queue)
		in.Action.Name, in.Action.Properties.To = verb, to
		in.Resource.Type, in.Resource.Properties.Service = "job", ptr("jobs")
	}
}

func writes(in *authz.Input, verb string) {
	in.Action.Name = verb
	in.Action.Properties.To = authz.To{Kind: "object", Row: in.Resource.Properties.Row, Enclave: &in.Resource.Properties.Place.Enclave}
}

func originOf(p authz.ResourceProperties) authz.Origin {
	return authz.Origin{Row: p.Row, Tenant: p.Tenant, Owner: p.Owner, Labels: p.Labels, Constraints: p.Constraints}
}

// addOwn adds, of each row of the bundle, the read and the create of a member, and the reads of its partners and operators. Those that
// policy does not allow are no witnesses.
func (s *scope) addOwn(own facts) {
	provider, organization := own.provider()
	for _, id := range slices.Sorted(maps.Keys(own.Tenants)) {
		t := own.Tenants[id]
		for _, row := range slices.Sorted(maps.Keys(t.Catalogue.Rows)) {
			if len(s.own) >= maxOwn {
				s.leftOut++
				continue
			}
			in := s.member(id, row)
			if in.Resource.Properties.Place == nil || len(in.Resource.Properties.Labels) == 0 {
				continue
			}
			if strings.HasPrefix(row, "job:") {
				in.Action.Name, in.Resource.Type = "execute", "job"
				in.Action.Properties.To = authz.To{Kind: "enclave", Enclave: &in.Resource.Properties.Place.Enclave}
				s.own = append(s.own, s.witness("a member starts a job on "+row, in, point{}))
				continue
			}
			s.own = append(s.own, s.witness("a member reads "+row, in, point{}))
			write := in
			writes(&write, "create")
			write.Action.Properties.From = []authz.Origin{originOf(in.Resource.Properties)}
			s.own = append(s.own, s.witness("a member creates a copy in "+row, write, point{}))
			for _, p := range t.Partners.Partners {
				s.own = append(s.own, s.witness("a partner, "+p.Organization+", reads "+row, s.asPartner(s.member(id, row), p), point{}))
			}
			if provider != "" {
				s.own = append(s.own, s.witness("an approved operator reads "+row, s.asOperator(s.member(id, row), provider, organization), point{}))
			}
		}
	}
}

// provider returns an issuer that may say who is of the provider, and for which organization.
func (f facts) provider() (id, organization string) {
	for _, id := range slices.Sorted(maps.Keys(f.Issuers)) {
		for _, a := range f.Issuers[id].Grant.Affiliations {
			if a.Kind == "provider" && len(a.Organizations) > 0 {
				return id, a.Organizations[0]
			}
		}
	}
	return "", ""
}
