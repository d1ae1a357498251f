package oracle

import (
	"slices"

	"github.com/sallyport-dev/sallyport/authz"
)

// releasedWhole says that l is released to the subject. Of alternatives that one counts which the subject's clearance carries, else
// the clearance could come from one and the release from another.
func (j *judge) releasedWhole(l authz.Label) bool {
	if l.Alternatives != nil && len(l.Alternatives) == 0 {
		return j.released(l)
	}
	return j.Subject.Properties.Via != nil && slices.ContainsFunc(j.carriers(l, j.Subject.Properties.Clearances).k3, func(c carrier) bool { return j.released(c.label) })
}

// released says that the subject is in the audience of l, and has what its tags ask for.
func (j *judge) released(l authz.Label) bool {
	s, a := j.schemes[l.Scheme], j.Subject.Properties.Affiliation
	if a == nil || l.Nation == nil || !slices.Contains(j.audience(l), a.Country) {
		return false
	}
	tested := []string{}
	for _, t := range s.tags(l) {
		if t.Affiliations != nil && !slices.Contains(t.Affiliations, a.Country) ||
			t.Nationalities != nil && !meet(t.Nationalities, j.Subject.Properties.Nationalities) {
			return false
		}
		if t.Affiliations != nil || t.Nationalities != nil {
			tested = append(tested, t.ID)
		}
	}
	return subset(l.Nation, tested) // a nation tag that tests nothing releases to nobody
}

// audience is the release list, or the owner's nation alone.
func (j *judge) audience(l authz.Label) []string {
	if l.Release != nil {
		return l.Release
	}
	return []string{j.schemes[l.Scheme].Nation}
}

// originatorConsents says that no tag of l asks for the originator's consent, or that it is on file.
func (j *judge) originatorConsents(l authz.Label) bool {
	p, a := j.Resource.Properties, j.Subject.Properties.Affiliation
	return !slices.ContainsFunc(j.schemes[l.Scheme].tags(l), func(t tag) bool {
		return t.OriginatorConsent && (p.Owner == nil || a == nil || !j.consented(p.Tenant, p.Row, p.Owner.Originator, a.Organization))
	})
}

// consented says that an originator lets what is in a row pass to a recipient, and has not ended that.
func (j *judge) consented(tenant, row *string, originator, recipient string) bool {
	if tenant == nil || row == nil {
		return false
	}
	return slices.ContainsFunc(j.tenants[*tenant].Agreements.Consents, func(c consent) bool {
		return c.Originator == originator && c.Recipient == recipient && slices.Contains(c.Rows, *row) &&
			!j.Context.Time.IsZero() && j.Context.Time.Before(c.Until.Time)
	})
}
