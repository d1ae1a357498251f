package oracle

import (
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
)

// issuerMaySay says that the issuer is known and that nothing was cut of what identifies the subject.
func (j *judge) issuerMaySay() bool {
	p := j.Subject.Properties
	if !slices.Contains([]string{"person", "service", "device"}, j.Subject.Type) {
		return false
	}
	_, known := j.issuers[p.Issuer]
	for _, t := range j.tenants {
		if _, ok := t.Issuers[p.Issuer]; ok {
			known = true
		}
	}
	return known && p.Cut != nil && !slices.ContainsFunc(p.Cut, func(c authz.Cut) bool {
		return !slices.Contains([]string{"clearance", "community", "role", "export_status"}, c.Claim) // those have checks of their own
	})
}

func (j *judge) notRevoked() bool {
	return j.revocations.Subjects != nil && !slices.Contains(j.revocations.Subjects, j.Subject.ID)
}

// bound says how the token is bound to its sender; no fact of a bundle asks for a particular way yet.
func (j *judge) bound() bool {
	return slices.Contains([]string{"none", "mtls", "dpop"}, j.Subject.Properties.Assurance.Binding)
}

// kind returns whose person the subject is, "" if that is unknown.
func (j *judge) kind() string {
	if a := j.Subject.Properties.Affiliation; a != nil {
		return a.Kind
	}
	return ""
}

// owner returns the tenant that the resource belongs to.
func (j *judge) owner() (tenant, bool) {
	id := j.Resource.Properties.Tenant
	if id == nil {
		return tenant{}, false
	}
	t, ok := j.tenants[*id]
	return t, ok
}

// tenantProven says that the owner's tenant speaks for the subject: as its own, or as its partner; or that the provider employs him.
func (j *judge) tenantProven() bool {
	if j.kind() == "provider" {
		return true
	}
	t, ok := j.owner()
	if !ok {
		return false
	}
	if j.kind() == "partner" {
		return slices.ContainsFunc(t.Partners.Partners, func(g partner) bool { return j.partner(t, g) })
	}
	return j.member(t)
}

// member says that the subject is of the owner's tenant, by an issuer that the tenant lists.
func (j *judge) member(t tenant) bool {
	p := j.Subject.Properties
	_, listed := t.Issuers[p.Issuer]
	return j.kind() == "tenant" && p.Tenant != nil && *p.Tenant == *j.Resource.Properties.Tenant && listed
}

// partner says that a grant of t is for the subject and for the row, and in force. A partner of any row is known at the queues.
func (j *judge) partner(t tenant, g partner) bool {
	p := j.Subject.Properties
	_, listed := t.Issuers[p.Issuer]
	return j.kind() == "partner" && listed && (j.onQueue() || j.covers(g)) && g.Organization == p.Affiliation.Organization && g.Country == p.Affiliation.Country &&
		slices.Contains(g.Issuers, p.Issuer) && during(j.Context.Time, g.NotBefore, g.NotAfter)
}

// covers says that a grant holds for the resource's row: it names a prefix of it.
func (j *judge) covers(g partner) bool {
	id := j.Resource.Properties.Row
	return id != nil && slices.ContainsFunc(g.Rows, func(r string) bool { return strings.HasSuffix(r, "/") && strings.HasPrefix(*id, r) })
}

// verbGranted says that a role, the membership or a partner's grant has the verb. Relabel and administer are for roles only.
func (j *judge) verbGranted() bool {
	if j.kind() == "provider" {
		return true // what an operator may do is for his approval to say
	}
	t, ok := j.owner()
	if !ok {
		return false
	}
	verb := j.Action.Name
	if slices.ContainsFunc(t.Partners.Partners, func(g partner) bool {
		// Who may not execute has no business with a queue, whatever he may read.
		return j.partner(t, g) && slices.Contains(g.Actions, verb) && (j.onQueue() && slices.Contains(g.Actions, "execute") || j.onData())
	}) {
		return true
	}
	if !j.member(t) {
		return false
	}
	if verb != "relabel" && verb != "administer" && slices.Contains(t.Tenant.Members.Actions, verb) {
		return true
	}
	return slices.ContainsFunc(j.Subject.Properties.Roles, func(r string) bool { return slices.Contains(t.Tenant.Roles[r], verb) })
}

// inCommunities says that the subject is in each community of the row.
func (j *judge) inCommunities() bool {
	r, ok := j.row()
	return ok && r.Communities != nil && subset(r.Communities, j.Subject.Properties.Communities)
}

func (j *judge) bundleInForce() bool {
	now := j.Context.Time
	if !during(now, j.manifests.Root.NotBefore, j.manifests.Root.Expires) {
		return false
	}
	t := j.Resource.Properties.Tenant
	return t == nil || during(now, j.manifests.Tenants[*t].NotBefore, j.manifests.Tenants[*t].Expires)
}

func (j *judge) revocationsFresh() bool {
	limit, age := j.revocations.MaxAgeSeconds, j.Context.Freshness.RevocationAge
	return limit == nil || age != nil && *age >= 0 && *age <= *limit
}

func (j *judge) clockTrusted() bool {
	return j.Context.Freshness.Clock == "trusted" || j.Context.Freshness.Clock == "floor"
}

// notHeld says that nothing is deleted, or that no hold is on what is.
func (j *judge) notHeld() bool {
	hold := j.Resource.Properties.Hold
	if j.Action.Name == "delete" {
		return hold != nil && !*hold
	}
	return j.writes() || j.writesNothing()
}
