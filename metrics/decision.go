package metrics

import (
	"slices"

	"github.com/sallyport-dev/sallyport/authz"
)

// Decision counts one decision, from the whole record of it.
//
// A request can touch several tenants, so its labels are those of the access that decided: the first that denied, or the first of
// all. So the sum of decisions_total is the number of decisions. The record's reasons are counted with the tenant of each access
// that they denied, at most once for a reason and tenant; a reason of no access is one of the request.
func (m *Metrics) Decision(r authz.Record) {
	p := m.policy.Load()
	at := deciding(r)
	outcome := "deny"
	switch {
	case r.Allow && slices.ContainsFunc(r.Obligations, func(o authz.Obligation) bool { return o.ID == authz.BreakGlass }):
		outcome = "break_glass"
	case r.Allow:
		outcome = "allow"
	}
	protocol := none
	if r.Request != nil {
		protocol = within(r.Request.Protocol, protocols)
	}
	action := within(at.Action, actions)
	tenant := p.tenant(at.Tenant)
	m.decisions.WithLabelValues(outcome, tenant, protocol, action).Inc()

	if r.Allow {
		for _, c := range p.proven {
			c.Inc()
		}
		return
	}
	type cause struct{ reason, tenant string }
	causes := map[cause]bool{}
	denied := map[string]bool{}
	for _, id := range r.Reasons {
		ofRequest := true
		for _, a := range r.Accesses {
			if slices.Contains(a.Reasons, id) {
				ofRequest = false
				causes[cause{p.reason(id), p.tenant(a.Tenant)}] = true
			}
		}
		if ofRequest {
			causes[cause{p.reason(id), tenant}] = true
		}
		for _, c := range p.byReason[string(id)] {
			denied[c] = true
		}
	}
	for c := range causes {
		m.reasons.WithLabelValues(c.reason, c.tenant).Inc()
	}
	for c := range denied {
		m.controls.WithLabelValues(c, outcome).Inc()
	}
}

// deciding returns the access whose labels a decision is counted under; the zero access where a record has none.
func deciding(r authz.Record) authz.RecordAccess {
	if i := slices.IndexFunc(r.Accesses, func(a authz.RecordAccess) bool { return !a.Allow }); i >= 0 {
		return r.Accesses[i]
	}
	if len(r.Accesses) > 0 {
		return r.Accesses[0]
	}
	return authz.RecordAccess{}
}

func within(v string, set []string) string {
	switch {
	case v == "":
		return none
	case slices.Contains(set, v):
		return v
	}
	return other
}
