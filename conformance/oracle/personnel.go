package oracle

import (
	"slices"

	"github.com/sallyport-dev/sallyport/authz"
)

// operates says that the personnel rules are about the subject: he is an operator of the provider, or nobody knows whose he is.
func (j *judge) operates() bool { return j.kind() != "tenant" && j.kind() != "partner" }

// operatorEligible says that an operator has a citizenship and is in a place that the tenant accepts.
func (j *judge) operatorEligible() bool {
	if !j.operates() {
		return true
	}
	if j.kind() != "provider" {
		return false
	}
	t, ok := j.owner()
	country := j.source()
	return ok && country != nil && meet(t.Personnel.Citizenships, j.Subject.Properties.Nationalities) &&
		slices.Contains(t.Personnel.Locations, *country)
}

// approvals are the tenant's leaves for this operator, on exactly this row, in its place, for this verb, now.
func (j *judge) approvals() []authz.Approval {
	var found []authz.Approval
	p := j.Resource.Properties
	places, ok := j.touched()
	for _, a := range j.Context.Approvals {
		if ok && j.kind() == "provider" && a.Operator == j.Subject.ID && p.Row != nil && a.Row == *p.Row && subset(places, []string{a.Enclave}) &&
			slices.Contains(a.Actions, j.Action.Name) && during(j.Context.Time, a.NotBefore, a.NotAfter) {
			found = append(found, a)
		}
	}
	return found
}

func (j *judge) operatorApproved() bool {
	return !j.operates() || len(j.approvals()) > 0 || j.breaksGlass()
}

// justified are the approvals whose code the tenant accepts.
func (j *judge) justified() []authz.Approval {
	t, _ := j.owner()
	return slices.DeleteFunc(j.approvals(), func(a authz.Approval) bool { return !slices.Contains(t.Personnel.Justifications, a.Justification) })
}

func (j *judge) approvalJustified() bool {
	return !j.operates() || len(j.justified()) > 0 || j.breaksGlass()
}

// approvalByEnough wants as many different approvers as the tenant asks for, none of them the operator.
func (j *judge) approvalByEnough() bool {
	if !j.operates() || j.breaksGlass() {
		return true
	}
	t, _ := j.owner()
	return slices.ContainsFunc(j.justified(), func(a authz.Approval) bool {
		different := map[string]bool{}
		for _, by := range a.Approvers {
			different[by] = true
		}
		delete(different, a.Operator)
		return len(different) >= t.Personnel.Approvers
	})
}

// breaksGlass says that an operator whom the tenant trusts with that calls out an emergency that the tenant has foreseen, for one of
// its verbs, and logged in a short time ago. It stands in for the approval only.
func (j *judge) breaksGlass() bool {
	t, _ := j.owner()
	g := t.Personnel.BreakGlass
	age := j.Subject.Properties.Assurance.AgeSeconds
	return j.kind() == "provider" && g != nil && j.Context.Purpose != nil && age != nil && *age <= g.WindowSeconds &&
		slices.ContainsFunc(g.Codes, func(code string) bool { return *j.Context.Purpose == "break_glass:"+code }) &&
		slices.Contains(g.Operators, j.Subject.ID) && slices.Contains(g.Actions, j.Action.Name)
}

// obligations are what must be done with the access if it is allowed.
func (j *judge) obligations() []authz.Obligation {
	all := []authz.Obligation{}
	if j.breaksGlass() {
		all = append(all, authz.Obligation{ID: "break_glass"})
	}
	if j.displayOnly() {
		all = append(all, authz.Obligation{ID: "display_only"})
	}
	return all
}
