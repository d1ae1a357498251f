package oracle

import (
	"slices"

	"github.com/sallyport-dev/sallyport/authz"
)

// releasedWhole says that l is released to the subject, or may be shown to him.
func (j *judge) releasedWhole(l authz.Label) bool { return j.given(l) || j.shown(l) }

// given says that the subject may have what is labelled l.
func (j *judge) given(l authz.Label) bool { return j.carriedAnd(l, j.audience) }

// shown says that the subject may look at what is labelled l: it goes to his client, and nothing is written.
func (j *judge) shown(l authz.Label) bool {
	look := (j.Action.Name == "read" || j.Action.Name == "list") && j.Action.Properties.To.Kind == "client"
	return look && j.carriedAnd(l, func(v authz.Label) []string { return v.Display })
}

// carriedAnd says that the subject is among the countries of l, and has what its tags ask for. Of alternatives that one counts which
// the subject's clearance carries, else the clearance could come from one and the release from another.
func (j *judge) carriedAnd(l authz.Label, countries func(authz.Label) []string) bool {
	if l.Alternatives != nil && len(l.Alternatives) == 0 {
		return j.among(l, countries(l))
	}
	return j.Subject.Properties.Via != nil && slices.ContainsFunc(j.carriers(l, j.Subject.Properties.Clearances).k3, func(c carrier) bool {
		return j.among(c.label, countries(c.label))
	})
}

// among says that the subject is of one of these countries, and has what the tags of l ask for.
func (j *judge) among(l authz.Label, countries []string) bool {
	s, a := j.schemes[l.Scheme], j.Subject.Properties.Affiliation
	if a == nil || l.Nation == nil || !slices.Contains(countries, a.Country) {
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

// audience is the release list, or the owner alone. On a list an organization stands for its members too.
func (j *judge) audience(l authz.Label) []string {
	owner := j.schemes[l.Scheme].Nation
	switch {
	case l.Release == nil:
		return j.owners(l.Scheme)
	case slices.Contains(l.Release, owner):
		return slices.Concat(l.Release, j.owners(l.Scheme))
	}
	return l.Release
}

// owners are the nation of a scheme, and those that are members of the organization now.
func (j *judge) owners(id string) []string {
	s, ok := j.schemes[id]
	if !ok {
		return nil
	}
	owners := []string{s.Nation}
	for _, m := range s.Members {
		if now := j.Context.Time; !now.IsZero() && !m.NotBefore.IsZero() && !now.Before(m.NotBefore.Time) && (m.NotAfter.IsZero() || now.Before(m.NotAfter.Time)) {
			owners = append(owners, m.Country)
		}
	}
	return owners
}

// displayOnly says that the subject may look at what he may not have.
func (j *judge) displayOnly() bool {
	labels, ok := j.labels()
	return ok && !j.onQueue() && slices.ContainsFunc(labels, func(l authz.Label) bool { return j.shown(l) && !j.given(l) })
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
