package gateway

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

// unmarked is the marking of a record that names no labelled data.
const unmarked = "UNMARKED"

// decision is one request on its way through the steps: what each of them found out, for the record.
type decision struct {
	id         string
	req        authz.Request
	gateway    authz.Gateway
	generation *generation
	now        time.Time
	clock      string
	floor      *authz.ClockFloor

	subject    *authz.Subject
	resolution authz.Resolution
	outcomes   []policy.Outcome
}

func (s *Server) begin(req authz.Request) *decision {
	now, state := s.clock.now()
	return &decision{
		id: randomHex(), req: req, now: now, clock: state, floor: s.clock.known(),
		gateway: authz.Gateway{ID: s.c.ID, Enclaves: s.c.Enclaves}, generation: s.generation.Load(),
	}
}

// errDenied says that policy denied; the reasons are in the outcomes.
var errDenied = errors.New("denied by policy")

// denied returns nil if and only if policy allowed every access and asked for nothing that this gateway cannot do.
func (d *decision) denied() error {
	if len(d.outcomes) == 0 || len(d.outcomes) != len(d.resolution.Accesses) {
		return authz.Refuse(authz.SystemPolicyError, "not every access was decided")
	}
	for _, o := range d.outcomes {
		if !o.Decision.Allow {
			return errDenied
		}
	}
	for _, outcome := range d.outcomes {
		for _, o := range outcome.Decision.Obligations {
			if !met[o.ID] {
				return authz.Refuse(authz.ObligationUnsupported, "obligation "+o.ID)
			}
		}
	}
	return nil
}

// met are the obligations that this gateway can meet. The log meets those of audit; the answer to the client carries display_only;
// break_glass is met by the record and the count of it.
var met = map[string]bool{authz.AuditMask: true, authz.AuditBuffered: true, authz.DisplayOnly: true, authz.BreakGlass: true}

// finish writes the record. It allows if and only if err is nil, which judge returns only after a sealed grant.
func (d *decision) finish(err error) authz.Record {
	r := authz.Record{
		Type: "decision", DecisionID: d.id, Time: authz.At(d.now), Clock: d.clock, Marking: unmarked,
		Gateway:   d.gateway,
		RequestID: d.req.ID, RequestedBy: d.req.Peer.Address, Principal: d.req.Peer.Principal,
		Request: &authz.Summary{
			Protocol: d.req.Extensions["service"], Operation: d.resolution.Operation,
			Method: d.req.Method, Host: d.req.Host, Path: d.req.Path,
		},
		Latency: time.Since(d.req.Received),
		Allow:   err == nil,
		Reasons: []authz.Reason{}, Unproven: []authz.Reason{},
	}
	if d.generation != nil {
		r.Bundle = d.generation.bundle.Ref()
		r.Facts = d.facts()
	}
	if d.subject != nil {
		if p := d.subject.Purpose; p != nil {
			r.Request.Purpose = *p
		}
		r.Subject = &authz.RecordSubject{
			Type: d.subject.Type, ID: d.subject.ID, Tenant: d.subject.Properties.Tenant, Evidence: d.subject.Evidence,
		}
	}
	d.accesses(&r)
	var refusal *authz.Refusal
	switch {
	case err == nil, errors.Is(err, errDenied):
	case errors.As(err, &refusal):
		r.Reasons, r.Unproven = append(r.Reasons, refusal.Reason), append(r.Unproven, refusal.Reason)
		r.Detail = refusal.Detail
	default:
		r.Reasons, r.Unproven = append(r.Reasons, authz.SystemInternal), append(r.Unproven, authz.SystemInternal)
		r.Detail = err.Error()
	}
	slices.Sort(r.Reasons)
	slices.Sort(r.Unproven)
	r.Reasons, r.Unproven = slices.Compact(r.Reasons), slices.Compact(r.Unproven)
	if d.generation != nil {
		for _, id := range r.Reasons {
			r.Controls = append(r.Controls, d.generation.controls[string(id)]...)
		}
		slices.Sort(r.Controls)
		r.Controls = slices.Compact(r.Controls)
	}
	return r
}

// facts are what the decision rests on beside the bundle and the token.
func (d *decision) facts() *authz.Facts {
	ages := d.generation.bundle.Freshness(d.now)
	f := &authz.Facts{BundleAge: ages.BundleAge, RevocationSerial: ages.RevocationSerial, RevocationAge: ages.RevocationAge, ClockFloor: d.floor}
	if d.subject == nil {
		return f
	}
	if age, known := d.generation.identity.KeysAge(d.subject.Evidence.Issuer); known {
		seconds := int64(age / time.Second)
		f.KeysAge = &seconds
	}
	return f
}

// hides reports whether all of a record must be masked since nothing says what: the tenant hides something, and policy has not spoken.
func (d *decision) hides(i int, tenant *string) bool {
	if tenant == nil || d.generation == nil || !d.generation.masks[*tenant] {
		return false
	}
	return i >= len(d.outcomes) || slices.ContainsFunc(d.outcomes[i].Decision.Unproven, func(r authz.Reason) bool { return strings.HasPrefix(string(r), "system.") })
}

// oblige adds obligations to those of the whole request: each once, with the fields of all.
func oblige(all, more []authz.Obligation) []authz.Obligation {
	for _, o := range more {
		at := slices.IndexFunc(all, func(have authz.Obligation) bool { return have.ID == o.ID })
		if at < 0 {
			all = append(all, o)
			continue
		}
		fields := slices.Concat(all[at].Fields, o.Fields)
		slices.Sort(fields)
		all[at].Fields = slices.Compact(fields)
	}
	return all
}

// accesses adds the accesses, their outcomes and the marking that follows from their labels.
func (d *decision) accesses(r *authz.Record) {
	var levels []string
	for i, a := range d.resolution.Accesses {
		p := a.Resource.Properties
		ra := authz.RecordAccess{
			Action: a.Action.Name, Resource: a.Resource.ID, Row: p.Row, Tenant: p.Tenant,
			Reasons: []authz.Reason{}, Unproven: []authz.Reason{},
		}
		if i < len(d.outcomes) {
			o := d.outcomes[i]
			ra.Allow, ra.Reasons, ra.Unproven, ra.Input = o.Decision.Allow, o.Decision.Reasons, o.Decision.Unproven, o.Input
			ra.Obligations = o.Decision.Obligations
			r.Reasons = append(r.Reasons, o.Decision.Reasons...)
			r.Unproven = append(r.Unproven, o.Decision.Unproven...)
		}
		if d.hides(i, p.Tenant) {
			ra.Obligations = append(slices.Clone(ra.Obligations), authz.Obligation{ID: authz.AuditMask})
		}
		r.Obligations = oblige(r.Obligations, ra.Obligations)
		r.Accesses = append(r.Accesses, ra)
		for _, l := range p.Labels {
			levels = append(levels, l.Scheme+" "+l.Level)
		}
	}
	if len(levels) > 0 {
		slices.Sort(levels)
		r.Marking = strings.Join(slices.Compact(levels), "; ")
	}
}
