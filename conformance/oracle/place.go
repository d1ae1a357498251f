package oracle

import (
	"slices"

	"github.com/sallyport-dev/sallyport/authz"
)

// within says that a country is one that the rule allows. A rule that is unknown, and a country that is, prove nothing.
func within(country *string, c authz.Countries) bool {
	return c.Any || country != nil && slices.Contains(c.List, *country)
}

// narrower says that everything that a allows is allowed by b.
func narrower(a, b authz.Countries) bool {
	return b.Any || !a.Any && a.List != nil && b.List != nil && subset(a.List, b.List)
}

// places are the enclaves in which the resource rests; ok is false where they are not known.
func (j *judge) places() (ids []string, ok bool) {
	p := j.Resource.Properties.Place
	if p == nil || p.Replicas == nil || p.Backups == nil {
		return nil, false
	}
	return append(append([]string{p.Enclave}, p.Replicas...), p.Backups...), true
}

// touched are the enclaves that the gateway must stand in front of: where the resource is, and where it is computed on; of a job
// that is started only the latter.
func (j *judge) touched() (ids []string, ok bool) {
	p, to := j.Resource.Properties.Place, j.Action.Properties.To
	switch to.Kind {
	case "client", "object":
		if p != nil {
			return []string{p.Enclave}, true
		}
	case "enclave":
		if j.onQueue() && to.Enclave != nil {
			return []string{*to.Enclave}, true
		}
		if p != nil && to.Enclave != nil {
			return []string{p.Enclave, *to.Enclave}, true
		}
	}
	return nil, false
}

// source is the country of the client, nil where nothing says on what basis it is known.
func (j *judge) source() *string {
	if !slices.Contains([]string{"network", "device", "claim"}, j.Context.Source.Basis) {
		return nil
	}
	return j.Context.Source.Country
}

// onData says that the resource holds data, and is no queue.
func (j *judge) onData() bool { return j.Resource.Type == "object" || j.Resource.Type == "bucket" }

// seeing are the enclaves in which the data rests, and that in which it is computed on.
func (j *judge) seeing() (ids []string, ok bool) {
	resting, ok := j.places()
	to := j.Action.Properties.To
	switch to.Kind {
	case "client", "object":
		return resting, ok
	case "enclave":
		if to.Enclave != nil {
			return append(resting, *to.Enclave), ok
		}
	}
	return nil, false
}

// every says that holds is true of each enclave of a list that is known.
func (j *judge) every(ids []string, ok bool, holds func(enclave) bool) bool {
	return ok && !slices.ContainsFunc(ids, func(id string) bool {
		e, known := j.enclaves[id]
		return !known || !holds(e)
	})
}

// residency says that the places of the resource, and the row's rule, are in the residency of the row and of all that flows in.
func (j *judge) residency() bool {
	c := j.Resource.Properties.Constraints
	places, known := j.places()
	rests := func(rule authz.Countries) bool {
		return j.every(places, known, func(e enclave) bool { return within(e.Country, rule) })
	}
	from, ok := j.sources()
	return c != nil && rests(c.Residency) && ok && !slices.ContainsFunc(from, func(f authz.Origin) bool {
		return f.Constraints == nil || !rests(f.Constraints.Residency) || !narrower(c.Residency, f.Constraints.Residency)
	})
}

// processing says that what is computed on is computed where the row allows it.
func (j *judge) processing() bool {
	c, to := j.Resource.Properties.Constraints, j.Action.Properties.To
	switch to.Kind {
	case "client", "object":
		return true
	case "enclave":
		if to.Enclave != nil && c != nil {
			e, known := j.enclaves[*to.Enclave]
			return known && within(e.Country, c.Processing)
		}
	}
	return false
}

// legalControl says that nobody's law reaches the operators of the places but whose may, and that tags that ask for a law have it.
func (j *judge) legalControl() bool {
	seeing, known := j.seeing()
	resting, settled := j.places()
	labels, labelled := j.labels()
	from, ok := j.sources()
	c := j.Resource.Properties.Constraints
	if c == nil || !labelled || !ok || !j.every(seeing, known, func(e enclave) bool { return reached(e, c.Reach) }) {
		return false
	}
	for _, f := range from {
		if f.Constraints == nil || !j.every(resting, settled, func(e enclave) bool { return reached(e, f.Constraints.Reach) }) {
			return false
		}
	}
	return !slices.ContainsFunc(labels, func(l authz.Label) bool {
		return !everyVariant(func(j *judge, v authz.Label) bool {
			return !slices.ContainsFunc(j.schemes[v.Scheme].tags(v), func(t tag) bool {
				return t.OperatorLaw != nil && !j.every(seeing, known, func(e enclave) bool { return slices.Contains(t.OperatorLaw, e.Operator.Law) })
			})
		})(j, l)
	})
}

// reached says that whose law reaches the operator of e is within the rule.
func reached(e enclave, rule authz.Countries) bool {
	return rule.Any || rule.List != nil && e.Operator.Reach != nil && subset(e.Operator.Reach, rule.List)
}

// egress says that what goes to a client goes to a country that the row allows.
func (j *judge) egress() bool {
	c := j.Resource.Properties.Constraints
	switch kind := j.Action.Properties.To.Kind; {
	case j.writes(), kind == "object", kind == "enclave", c != nil && c.Egress.Any:
		return true
	case kind == "client":
		return c != nil && within(j.source(), c.Egress)
	}
	return false
}

// licensed says that a licence is for the row and the subject's organization, and names all citizenships that he holds.
func (j *judge) licensed(regime string) bool {
	t, ok := j.owner()
	row, a, held := j.Resource.Properties.Row, j.Subject.Properties.Affiliation, j.Subject.Properties.HeldNationalities
	return ok && row != nil && a != nil && len(held) > 0 && slices.ContainsFunc(t.Agreements.Licences, func(l licence) bool {
		return l.Regime == regime && slices.Contains(l.Rows, *row) && slices.Contains(l.Recipients, a.Organization) &&
			during(j.Context.Time, l.NotBefore, l.NotAfter) && subset(held, l.Citizenships)
	})
}

// exportPerson says that the data is under no export control, that the subject is no foreign person, or that a licence covers him.
func (j *judge) exportPerson() bool {
	c := j.Resource.Properties.Constraints
	if c == nil || c.Export == nil {
		return false
	}
	controlled := c.Export.Mode == "ITAR" || c.Export.Mode == "EAR"
	return c.Export.Mode == "none" || controlled && (slices.Contains(j.Subject.Properties.ExportStatus, "us_person") || j.licensed(c.Export.Mode))
}

// exportDestination says that controlled data goes to a licensed country.
func (j *judge) exportDestination() bool {
	if j.writes() {
		return true
	}
	c, to := j.Resource.Properties.Constraints, j.Action.Properties.To
	if c == nil || c.Export == nil {
		return false
	}
	var country *string
	switch {
	case to.Kind == "client":
		country = j.source()
	case to.Enclave != nil && (to.Kind == "object" || to.Kind == "enclave"):
		country = j.enclaves[*to.Enclave].Country
	}
	return c.Export.Mode == "none" || country != nil && slices.Contains(c.Export.Destinations, *country)
}

// enclaveOurs says that this gateway stands in front of the places of the access.
func (j *judge) enclaveOurs() bool {
	ids, ok := j.touched()
	return ok && subset(ids, j.Context.Gateway.Enclaves)
}

// withinCeilings says that each place may hold each label: those of the access where it rests and where it is computed on, those
// of what flows in where it will rest.
func (j *judge) withinCeilings() bool {
	held := func(tenant *string, labels []authz.Label) func(enclave) bool {
		return func(e enclave) bool {
			return labels != nil && !slices.ContainsFunc(labels, func(l authz.Label) bool {
				return !someVariant(l, func(v authz.Label) bool { return j.withinCeiling(tenant, v, e) })
			})
		}
	}
	labels, ok := j.labels()
	seeing, known := j.seeing()
	from, told := j.sources()
	resting, settled := j.places()
	return ok && told && j.every(seeing, known, held(j.Resource.Properties.Tenant, labels)) &&
		!slices.ContainsFunc(from, func(f authz.Origin) bool { return !j.every(resting, settled, held(f.Tenant, f.Labels)) })
}

// withinCeiling says that e may hold l: of l's scheme to its level, or of another as which a row for ceilings translates it.
func (j *judge) withinCeiling(tenant *string, l authz.Label, e enclave) bool {
	needed := slices.Concat(l.Nation, l.Handling)
	for name, values := range l.Categories {
		if j.schemes[l.Scheme].TagSets[name].Type == "restrictive" {
			needed = append(needed, values...)
		}
	}
	atMost := func(s scheme, level, top string) bool {
		low, ok := s.level(level)
		high, there := s.level(top)
		return ok && there && low <= high
	}
	for _, c := range e.Ceiling {
		if c.Scheme == l.Scheme && atMost(j.schemes[c.Scheme], l.Level, c.Level) && subset(needed, c.Tags) {
			return true
		}
		for _, q := range j.equivalences(tenant, "ceiling", l) {
			if c.Scheme != l.Scheme && q.Clearance[0] == c.Scheme && atMost(j.schemes[c.Scheme], q.Clearance[1], c.Level) &&
				j.agreementInForce(tenant, q) && j.translates(q, l) && subset(needed, c.Tags) {
				return true
			}
		}
	}
	return false
}

// contracted says that the service is in the tenant's package for every label of the access.
func (j *judge) contracted() bool {
	t, ok := j.owner()
	service := j.Resource.Properties.Service
	labels, known := j.labels()
	return ok && known && service != nil && !slices.ContainsFunc(labels, func(l authz.Label) bool {
		return !someVariant(l, func(v authz.Label) bool { return slices.Contains(t.Tenant.Services[*service][v.Scheme], v.Level) })
	})
}
