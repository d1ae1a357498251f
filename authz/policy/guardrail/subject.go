package guardrail

import (
	"fmt"
	"slices"

	"github.com/sallyport-dev/sallyport/authz"
)

// nowhere is a country, scheme, tenant, … that no bundle knows.
const nowhere = "XZZ"

const (
	subject = "subject.properties."
	res     = "resource.properties."
)

// denyIdentity: who the subject is, and who says so.
func (s *scope) denyIdentity(b *book, w witness) {
	b.deny("I-14", w, "identity.issuer", "from an issuer that the bundle does not know", in(subject+"issuer", "nobody"))
	for _, claim := range []string{"tenant", "affiliation", "nationality", "type"} {
		b.deny("I-14", w, "identity.issuer", "after the issuer lost the claim "+claim,
			in(subject+"cut", []authz.Cut{{Claim: claim, Value: "x", Why: "not granted"}}))
	}
	b.deny("I-7", w, "identity.issuer", "of an unknown type of subject", in("subject.type", "robot"))
	b.deny("M5", w, "identity.revoked", "revoked", fact([]string{w.in.Subject.ID}, "revocations", "subjects"))
	b.deny("I-7", w, "identity.binding", "whose token is bound in an unknown way", in(subject+"assurance.binding", "unheard"))
	b.deny("I-24", w, "freshness.clock", "by a clock that nobody trusts", in("context.freshness.clock", "unknown"))
	b.deny("I-23", w, "freshness.revocation", "by revocations older than allowed",
		fact(60, "revocations", "max_age_seconds"), in("context.freshness.revocation_age", 61))
	b.deny("I-23", w, "freshness.revocation", "by revocations of unknown age", fact(60, "revocations", "max_age_seconds"), in("context.freshness.revocation_age", nil))
	b.deny("I-23", w, "freshness.revocation", "by revocations from the future", fact(60, "revocations", "max_age_seconds"), in("context.freshness.revocation_age", -1))
	tenant := *w.in.Resource.Properties.Tenant
	for _, part := range [][]string{{"bundle", "root"}, {"bundle", "tenants", tenant}} {
		name := "the root"
		if len(part) == 3 {
			name = "the owner's part"
		}
		b.deny("I-22", w, "freshness.bundle", "after "+name+" expired", fact(s.now, append(slices.Clone(part), "expires")...))
		b.deny("I-22", w, "freshness.bundle", "before "+name+" began", fact(s.later(), append(slices.Clone(part), "not_before")...))
	}
	for _, l := range w.in.Resource.Properties.Labels {
		if w.in.Subject.Properties.Assurance.Binding == "mtls" {
			b.deny("I-23", w, "identity.binding", "with a token that is not bound, where the owner asks for that at the level",
				fact(map[string][]string{l.Scheme: {l.Level}}, "tenants", tenant, "tenant", "binding"), in(subject+"assurance.binding", "none"))
		}
	}
}

// denyTenant: whose person the subject is, and what the owner lets it do.
func (s *scope) denyTenant(b *book, w witness) {
	p, owner := w.in.Subject.Properties, *w.in.Resource.Properties.Tenant
	kind := p.Affiliation.Kind
	onQueue := w.in.Resource.Type == "job"
	mismatch := authz.Reason("tenant.mismatch")
	b.deny("I-7", w, mismatch, "of an unknown kind of affiliation", in(subject+"affiliation.kind", "friend"))
	b.deny("I-6", w, mismatch, "of no affiliation", in(subject+"affiliation", nil))
	switch kind {
	case "tenant":
		b.deny("I-29", w, mismatch, "of another tenant", in(subject+"tenant", "guardrail-other"))
		b.deny("I-14", w, mismatch, "whose tenant an issuer names that is not the owner's", in(subject+"issuer", "guardrail-xoo"), laid(s, "issuers", "guardrail-xoo"))
		for _, verb := range verbs {
			if !slices.Contains(w.tenant.Tenant.Members.Actions, verb) || verb == "relabel" || verb == "administer" {
				b.deny("I-12", w, "action.not_granted", "doing what membership does not give, "+verb, in("action.name", verb), in(subject+"roles", []string{}))
			}
		}
	case "partner":
		b.deny("M1", w, mismatch, "of another organization", in(subject+"affiliation.organization", nowhere))
		b.deny("M1", w, mismatch, "of another country", in(subject+"affiliation.country", nowhere))
		b.deny("M1", w, mismatch, "from an issuer that its grant does not name", in(subject+"issuer", w.tenant.issuerOf(owner)))
		b.deny("M1", w, mismatch, "after its grant was taken back", fact([]any{}, "tenants", owner, "partners", "partners"))
		for i, g := range w.tenant.Partners.Partners {
			if g.Organization != p.Affiliation.Organization {
				continue
			}
			for _, verb := range verbs {
				if !slices.Contains(g.Actions, verb) {
					b.deny("M1", w, "action.not_granted", "doing what its grant does not give, "+verb, in("action.name", verb))
				}
			}
			if count(w.tenant.Partners.Partners, g.Organization) > 1 {
				continue // another grant may still hold
			}
			ended := plain(get(s.data, "tenants", owner, "partners", "partners", fmt.Sprint(i)))
			for what, change := range map[string]patch{
				"after its grant ended":                   in("not_after", s.now),
				"before its grant begins":                 in("not_before", s.later()),
				"whose grant is for no row":               in("rows", []string{}),
				"whose grant is for another row":          in("rows", []string{"guardrail-elsewhere/"}),
				"whose grant names no verb":               in("actions", []string{}),
				"whose grant is for rows that begin like": in("rows", []string{owner[:1]}),
			} {
				if onQueue && change.path[1] == "rows" {
					continue // a partner of any row may be seen on a queue
				}
				check := mismatch
				if change.path[1] == "actions" {
					check = "action.not_granted"
				}
				grant := set(ended, change.path[1:], plain(change.value))
				b.deny("M1", w, check, what, fact([]any{grant}, "tenants", owner, "partners", "partners"))
			}
		}
	}
	if len(w.row.Communities) > 0 && !onQueue {
		b.deny("I-3", w, "community.missing", "outside the row's communities", in(subject+"communities", []string{}))
		b.deny("I-7", w, "community.missing", "whose communities are unknown", in(subject+"communities", nil))
	}
	verb, mine := authz.Reason("action.not_granted"), mismatch
	if kind == "provider" { // its verbs come from approvals, and it is of no tenant
		verb, mine = "personnel.unapproved", "service.not_contracted"
	}
	for _, check := range []authz.Reason{verb, "label.missing"} {
		b.deny("I-7", w, check, "doing what no verb says", in("action.name", "burn"))
	}
	if !onQueue {
		for _, check := range []authz.Reason{"flow.write_down", "flow.relabel", "resource.held"} {
			b.deny("I-7", w, check, "doing what no verb says", in("action.name", "burn"))
		}
	}
	b.deny("I-29", w, mine, "to a row of a tenant that the bundle does not know", in(res+"tenant", nowhere))
	b.deny("I-6", w, "service.not_contracted", "by a service that is not in the owner's package", in(res+"service", "telnet"))
	b.deny("I-17", w, "service.not_contracted", "after the service left the owner's package", fact(map[string]any{}, "tenants", owner, "tenant", "services"))
}

var verbs = []string{"read", "list", "create", "update", "delete", "relabel", "execute", "administer"}

func count(partners []partner, organization string) (n int) {
	for _, p := range partners {
		if p.Organization == organization {
			n++
		}
	}
	return n
}

// laid is a fact that adds to the owner's issuers nothing: the issuer named is known to another part alone.
func laid(s *scope, document, id string) patch {
	return fact(map[string]any{id: map[string]any{}}, "tenants", "guardrail-other", document)
}

// denyPersonnel: operators of the provider.
func (s *scope) denyPersonnel(b *book, w witness) {
	if w.in.Subject.Properties.Affiliation.Kind != "provider" {
		return
	}
	owner, a := *w.in.Resource.Properties.Tenant, "context.approvals.0."
	row := *w.in.Resource.Properties.Row
	unapproved := authz.Reason("personnel.unapproved")
	for what, change := range map[string]patch{
		"without an approval":                          in("context.approvals", []any{}),
		"with the approval of another operator":        in(a+"operator", "guardrail-provider|another"),
		"with an approval of another verb":             in(a+"actions", []string{"nothing"}),
		"with an approval of no verb":                  in(a+"actions", []string{}),
		"with an approval of another place":            in(a+"enclave", "guardrail-elsewhere"),
		"after the approval ended":                     in(a+"not_after", s.now),
		"before the approval begins":                   in(a+"not_before", s.later()),
		"with an approval without an end":              in(a+"not_after", nil),
		"with an approval without a beginning":         in(a+"not_before", nil),
		"where nobody knows which approvals there are": in("context.approvals", nil),
	} {
		b.deny("I-20", w, unapproved, what, change)
	}
	for what, other := range map[string]string{"a row inside": row + "inside/", "the row around": row[:1], "another row": "guardrail-elsewhere/"} {
		b.deny("M8", w, unapproved, "with an approval of "+what, in(a+"row", other))
	}
	for _, verb := range verbs {
		if verb != w.in.Action.Name {
			b.deny("I-20", w, unapproved, "doing what the approval does not give, "+verb, in("action.name", verb))
		}
	}
	b.deny("I-20", w, "personnel.justification", "with a justification that the owner does not accept", in(a+"justification", "CURIOSITY"))
	b.deny("I-17", w, "personnel.justification", "after the owner accepts no justification", fact([]any{}, "tenants", owner, "personnel", "justifications"))
	if n := w.tenant.Personnel.Approvers; n > 0 {
		approvers := w.in.Context.Approvals[0].Approvers
		b.deny("I-20", w, "personnel.dual_control", "approved by too few", in(a+"approvers", approvers[1:]))
		b.deny("I-20", w, "personnel.dual_control", "approved by himself among too few", in(a+"approvers", append(slices.Clone(approvers[1:]), w.in.Subject.ID)))
		b.deny("I-20", w, "personnel.dual_control", "approved by nobody knows whom", in(a+"approvers", nil))
		if n > 1 {
			b.deny("I-20", w, "personnel.dual_control", "approved by one, twice", in(a+"approvers", append(slices.Clone(approvers[1:]), approvers[1])))
		}
		b.deny("I-20", w, "personnel.dual_control", "where the owner wants one approver more", fact(n+1, "tenants", owner, "personnel", "approvers"))
	}
	eligibility := authz.Reason("personnel.eligibility")
	b.deny("I-20", w, eligibility, "of a nationality that the owner does not accept", in(subject+"nationalities", []string{nowhere}))
	b.deny("I-20", w, eligibility, "of no nationality", in(subject+"nationalities", []string{}))
	b.deny("I-20", w, eligibility, "from a country that the owner does not accept", in("context.source.country", nowhere))
	b.deny("I-17", w, eligibility, "after the owner accepts no citizenship", fact([]any{}, "tenants", owner, "personnel", "citizenships"))
	b.deny("I-17", w, eligibility, "after the owner accepts no location", fact([]any{}, "tenants", owner, "personnel", "locations"))
}
