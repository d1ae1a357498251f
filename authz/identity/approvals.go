package identity

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
)

const (
	approvalHeader = "x-sallyport-approval"
	approvalType   = "approval+jwt" // no issuer may list it for its access tokens, so neither passes for the other
	maxApprovals   = 4              // in one request
)

// approvalActions are those that a tenant can approve.
var approvalActions = []string{"read", "list", "create", "update", "delete", "relabel", "execute", "administer"}

// carriedApprovals returns the approvals that a request of an operator brings along: JWTs of issuers that may approve for a tenant, each
// by one approver, with commas between them. One that can't be proven refuses the request, rather than let somebody work without knowing why he may not.
func (v *Verifier) carriedApprovals(ctx context.Context, h authz.Headers, operator string, now time.Time) ([]authz.Approval, *authz.Refusal) {
	field, n := h.Get(approvalHeader)
	if n == 0 {
		return nil, nil
	}
	if n > 1 || strings.Count(field, ",") >= maxApprovals {
		return nil, authz.Refuse(authz.RequestAmbiguous, fmt.Sprintf("want one field with at most %d approvals", maxApprovals))
	}
	var carried []authz.Approval
	for compact := range strings.SplitSeq(field, ",") {
		a, refusal := v.approval(ctx, strings.TrimSpace(compact), operator, now)
		if refusal != nil {
			return nil, refusal
		}
		carried = append(carried, a)
	}
	return together(carried), nil
}

func (v *Verifier) approval(ctx context.Context, compact, operator string, now time.Time) (authz.Approval, *authz.Refusal) {
	t, err := parseToken(compact)
	if err != nil {
		return authz.Approval{}, authz.Refuse(authz.IdentityInvalid, "approval: "+err.Error())
	}
	i, ok := v.issuers[t.iss]
	if !ok || !i.entry.Grant.Approves {
		return authz.Approval{}, authz.Refuse(authz.IdentityIssuer, "approval: "+quote(t.iss)+" may not approve")
	}
	invalid := func(err error) (authz.Approval, *authz.Refusal) {
		return authz.Approval{}, authz.Refuse(authz.IdentityInvalid, "approval: "+i.names(t.kid)+err.Error())
	}
	if t.typ != approvalType {
		return invalid(errors.New("typ is not " + approvalType))
	}
	k, _, err := i.algorithmKey(t)
	if err != nil {
		return invalid(err)
	}
	if !i.keys.slots.take(ctx) {
		return authz.Approval{}, authz.Refuse(authz.SystemOverloaded, i.names(t.kid)+"too many tokens of this issuer are being verified")
	}
	err = t.signedBy(k)
	i.keys.slots.give()
	if err != nil {
		return invalid(err)
	}
	reg, a, err := v.readApproval(i, t.claims)
	if err != nil {
		return invalid(err)
	}
	proven := &verified{issuer: i, kid: t.kid, reg: reg, subject: authz.Subject{
		ID: a.Approvers[0], Evidence: authz.Evidence{TokenDigest: digest(t, reg), IssuedAt: date(reg.iat)},
	}}
	if refusal := proven.inForce(now); refusal != nil {
		return authz.Approval{}, refusal
	}
	if refusal := v.standing(proven); refusal != nil {
		return authz.Approval{}, refusal
	}
	if a.Operator != operator {
		return invalid(errors.New("operator: is not who sends it"))
	}
	return a, nil
}

// readApproval reads the claims of an approval: all of them are required, and there are no others.
func (v *Verifier) readApproval(i *issuer, o map[string]any) (registered, authz.Approval, error) {
	reg, err := readRegistered(o)
	if err != nil {
		return reg, authz.Approval{}, err
	}
	if err := v.sane(i, reg, maxLifetime); err != nil {
		return reg, authz.Approval{}, err
	}
	var r reader
	r.closed(o, "payload", "iss", "sub", "aud", "iat", "exp", "nbf", "jti", "operator", "row", "actions", "enclave", "justification")
	a := authz.Approval{
		ID:            r.text(o["jti"], "jti"),
		Operator:      r.text(o["operator"], "operator"),
		Row:           r.text(o["row"], "row"),
		Actions:       list(&r, o, "actions", "", r.text),
		Enclave:       r.text(o["enclave"], "enclave"),
		Justification: r.text(o["justification"], "justification"),
		Approvers:     []string{i.id + "|" + reg.sub},
		NotBefore:     sinceIssued(max(reg.iat, reg.nbf)),
		NotAfter:      date(reg.exp),
	}
	if len(a.Actions) == 0 || slices.ContainsFunc(a.Actions, func(s string) bool { return !slices.Contains(approvalActions, s) }) {
		r.fail("actions", "some of "+strings.Join(approvalActions, ", "))
	}
	if r.err == nil && !slices.Contains(i.entry.Grant.Tenants, v.owner(a.Row)) {
		r.fail("row", "one of a tenant that the issuer speaks for")
	}
	slices.Sort(a.Actions)
	return reg, a, r.err
}

// owner returns the tenant of a row, by its bucket's or queue's name: the longest id that is the name or its beginning before "-".
func (v *Verifier) owner(row string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(row, "job:"), "/")
	owner := ""
	for t := range v.tracked {
		if (name == t || strings.HasPrefix(name, t+"-")) && len(t) > len(owner) {
			owner = t
		}
	}
	return owner
}

// together joins approvals of one thing by several approvers into one that all of them gave, in force while each of theirs is: policy
// counts the approvers of one approval.
func together(carried []authz.Approval) []authz.Approval {
	joined := map[string]authz.Approval{}
	for _, a := range carried {
		what := strings.Join(append([]string{a.Row, a.Enclave, a.Justification}, a.Actions...), "\x00")
		b, ok := joined[what]
		if !ok {
			joined[what] = a
			continue
		}
		b.ID += "+" + a.ID
		b.Approvers = append(b.Approvers, a.Approvers...)
		if a.NotBefore.After(b.NotBefore.Time) {
			b.NotBefore = a.NotBefore
		}
		if a.NotAfter.Before(b.NotAfter.Time) {
			b.NotAfter = a.NotAfter
		}
		joined[what] = b
	}
	out := make([]authz.Approval, 0, len(joined))
	for _, what := range slices.Sorted(maps.Keys(joined)) {
		out = append(out, joined[what])
	}
	return out
}
