package oracle

import (
	"slices"

	"github.com/sallyport-dev/sallyport/authz"
)

// judge is one input, and the facts to judge it by.
type judge struct {
	*Bundle
	authz.Input
}

// check is one thing that must be proven, and the checks that must be proven before its failure is a root cause.
type check struct {
	id     authz.Reason
	after  []authz.Reason
	proven func(*judge) bool
}

var (
	identified = []authz.Reason{"identity.issuer", "identity.revoked", "identity.binding"}
	unread     = []authz.Reason{"label.missing"} // what reads the row: a path without one is label.missing and tenant.mismatch alone
	labelled   = []authz.Reason{"label.invalid"} // the last of its chain
	cleared    = []authz.Reason{"label.invalid", "tenant.mismatch", "personnel.unapproved", "clearance.issuer"}
)

// checks are all that policy requires of any access.
var checks = []check{
	{"label.missing", nil, (*judge).labelPresent},
	{"scheme.unknown", []authz.Reason{"label.missing"}, everyLabel(everyVariant((*judge).schemeKnown))},
	{"label.unknown", []authz.Reason{"scheme.unknown"}, everyLabel(everyVariant((*judge).valuesKnown))},
	{"label.invalid", []authz.Reason{"label.unknown"}, (*judge).labelsValid},
	{"label.unbound", labelled, unlessOnQueue((*judge).labelBound)},

	{"identity.issuer", nil, (*judge).issuerMaySay},
	{"identity.revoked", nil, (*judge).notRevoked},
	{"identity.binding", nil, (*judge).bound},
	{"tenant.mismatch", identified, (*judge).tenantProven},
	{"action.not_granted", []authz.Reason{"tenant.mismatch"}, (*judge).verbGranted},
	{"personnel.eligibility", append([]authz.Reason{"label.missing"}, identified...), (*judge).operatorEligible},
	{"personnel.unapproved", identified, (*judge).operatorApproved},
	{"personnel.justification", []authz.Reason{"personnel.unapproved"}, (*judge).approvalJustified},
	{"personnel.dual_control", []authz.Reason{"personnel.justification"}, (*judge).approvalByEnough},

	{"clearance.issuer", labelled, unlessOnQueue((*judge).clearancesUncut)},
	{"clearance.missing", cleared, everyCarrier(func(c carriers) bool { return c.held })},
	{"clearance.expired", []authz.Reason{"clearance.missing"}, everyCarrier(func(c carriers) bool { return c.inForce })},
	{"agreement.absent", []authz.Reason{"clearance.expired"}, everyCarrier(func(c carriers) bool { return c.agreed })},
	{"equivalence.absent", []authz.Reason{"agreement.absent"}, everyCarrier(func(c carriers) bool { return len(c.k0) > 0 })},
	{"clearance.level", []authz.Reason{"equivalence.absent"}, everyCarrier(func(c carriers) bool { return len(c.k1) > 0 })},
	{"category.restrictive", []authz.Reason{"clearance.level"}, everyCarrier(func(c carriers) bool { return len(c.k2) > 0 })},
	{"category.permissive", []authz.Reason{"category.restrictive"}, everyCarrier(func(c carriers) bool { return len(c.k3) > 0 })},
	{"release.nation", cleared, everyDataLabel((*judge).releasedWhole)},
	{"release.originator", cleared, everyDataLabel(everyVariant((*judge).originatorConsents))},
	{"community.missing", cleared, unlessOnQueue((*judge).inCommunities)},
	{"export.foreign_person", cleared, unlessOnQueue((*judge).exportPerson)},
	{"export.destination", []authz.Reason{"export.foreign_person"}, unlessOnQueue((*judge).exportDestination)},
	{"jurisdiction.egress", cleared, unlessOnQueue((*judge).egress)},

	{"enclave.mismatch", labelled, (*judge).enclaveOurs},
	{"enclave.ceiling", []authz.Reason{"enclave.mismatch"}, unlessOnQueue((*judge).withinCeilings)},
	{"flow.write_down", labelled, unlessOnQueue((*judge).flowsUp)},
	{"flow.relabel", labelled, unlessOnQueue((*judge).relabelsUp)},

	{"jurisdiction.residency", unread, unlessOnQueue((*judge).residency)},
	{"jurisdiction.processing", unread, unlessOnQueue((*judge).processing)},
	{"jurisdiction.legal_control", unread, unlessOnQueue((*judge).legalControl)},
	{"service.not_contracted", unread, (*judge).contracted},
	{"freshness.bundle", nil, (*judge).bundleInForce},
	{"freshness.revocation", nil, (*judge).revocationsFresh},
	{"freshness.clock", nil, (*judge).clockTrusted},
	{"resource.held", unread, (*judge).notHeld},
}

// Decide judges one access: what is unproven, and the root causes of it. It allows if nothing is unproven.
func (b *Bundle) Decide(in authz.Input) authz.Decision {
	j := &judge{b, in}
	d := authz.Decision{Unproven: []authz.Reason{}, Reasons: []authz.Reason{}}
	for _, c := range checks {
		if !c.proven(j) {
			d.Unproven = append(d.Unproven, c.id)
		}
	}
	for _, id := range d.Unproven {
		if !slices.ContainsFunc(Prerequisites(id), func(p authz.Reason) bool { return slices.Contains(d.Unproven, p) }) {
			d.Reasons = append(d.Reasons, id)
		}
	}
	slices.Sort(d.Unproven)
	slices.Sort(d.Reasons)
	d.Allow = len(d.Unproven) == 0
	d.Obligations = j.obligations()
	return d
}

// Checks returns the ids of all that is required.
func Checks() []authz.Reason {
	var ids []authz.Reason
	for _, c := range checks {
		ids = append(ids, c.id)
	}
	return ids
}

// Prerequisites returns every check that stands before id, directly or through others.
func Prerequisites(id authz.Reason) []authz.Reason {
	var all []authz.Reason
	for _, c := range checks {
		if c.id == id {
			for _, p := range c.after {
				all = append(append(all, p), Prerequisites(p)...)
			}
		}
	}
	return all
}

// onQueue says that the access starts a job or reads the state of one: that tests tenant, verb and personnel, not the label.
func (j *judge) onQueue() bool {
	to := j.Action.Properties.To.Kind
	return j.Resource.Type == "job" && (j.Action.Name == "execute" && to == "enclave" || j.Action.Name == "read" && to == "client")
}

// unlessOnQueue is a check of content, to which a queue is not put.
func unlessOnQueue(proven func(*judge) bool) func(*judge) bool {
	return func(j *judge) bool { return j.onQueue() || proven(j) }
}

func (j *judge) writes() bool { return j.Action.Name == "create" || j.Action.Name == "update" }

// writesNothing is no negation of writes: of an unknown verb neither is true.
func (j *judge) writesNothing() bool {
	return slices.Contains([]string{"read", "list", "delete", "relabel", "execute", "administer"}, j.Action.Name)
}

// during includes the first instant and excludes the last. A time that is not known proves nothing.
func during(at, from, until authz.Time) bool {
	return !at.IsZero() && !from.IsZero() && !until.IsZero() && !at.Before(from.Time) && at.Before(until.Time)
}

// subset says that all of a are in b.
func subset(a, b []string) bool {
	for _, v := range a {
		if !slices.Contains(b, v) {
			return false
		}
	}
	return true
}

// meet says that a and b have something in common.
func meet(a, b []string) bool {
	return slices.ContainsFunc(a, func(v string) bool { return slices.Contains(b, v) })
}
