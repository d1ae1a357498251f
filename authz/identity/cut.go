package identity

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sallyport-dev/sallyport/authz"
)

// cutter takes from the claims what the issuer may not say, and keeps a list of it.
//
// Only granting attributes are cut. Adverse ones (all nationalities held, the session's high-water mark) stay as claimed:
// without "RUS", somebody of [FRA, RUS] would look like somebody of [FRA] alone.
type cutter struct {
	issuer  *issuer
	schemes map[string]*scheme
	cuts    []authz.Cut
}

func (c *cutter) cut(claim string, value any, why string) {
	c.cuts = append(c.cuts, authz.Cut{Claim: claim, Value: value, Why: why})
}

// properties are what is left of the claims. A clearance without dates holds from notBefore to notAfter.
func (c *cutter) properties(said claims, notBefore, notAfter authz.Time) authz.SubjectProperties {
	g := c.issuer.entry.Grant
	return authz.SubjectProperties{
		Issuer:            c.issuer.id,
		Tenant:            c.tenant(said.Tenant),
		Affiliation:       c.affiliation(said.Affiliation),
		Nationalities:     c.texts("nationality", said.Nationalities, g.Nationalities),
		HeldNationalities: orNone(said.Nationalities),
		ExportStatus:      c.texts("export_status", said.ExportStatus, g.ExportStatus),
		Communities:       c.texts("community", said.Communities, g.Communities),
		Roles:             c.texts("role", said.Roles, g.Roles),
		Clearances:        c.clearances(said.Clearances, notBefore, notAfter),
		Session:           authz.Session{HighWater: said.HighWater},
		Via:               c.actors(said.Act, notBefore, notAfter),
		Assurance:         authz.Assurance{ACR: said.ACR, AMR: said.AMR},
	}
}

// subjectType returns "" for a type that the issuer may not vouch for; no policy allows that.
func (c *cutter) subjectType(t string) string {
	if slices.Contains(c.issuer.entry.Grant.Types, t) {
		return t
	}
	c.cut("type", t, c.issuer.id+" does not vouch for subjects of this type")
	return ""
}

func (c *cutter) tenant(t *string) *string {
	if t == nil || slices.Contains(c.issuer.entry.Grant.Tenants, *t) {
		return t
	}
	c.cut("tenant", *t, c.issuer.id+" does not speak for this tenant")
	return nil
}

func (c *cutter) affiliation(a *authz.Affiliation) *authz.Affiliation {
	if a == nil {
		return nil
	}
	for _, g := range c.issuer.entry.Grant.Affiliations {
		if g.Kind == a.Kind && slices.Contains(g.Organizations, a.Organization) && slices.Contains(g.Countries, a.Country) {
			return a
		}
	}
	c.cut("affiliation", a.Kind+"/"+a.Organization+"/"+a.Country, c.issuer.id+" does not vouch for this affiliation")
	return nil
}

// texts cuts a list to those that are granted.
func (c *cutter) texts(claim string, claimed, granted []string) []string {
	kept := []string{}
	for _, v := range claimed {
		if slices.Contains(granted, v) {
			kept = append(kept, v)
		} else {
			c.cut(claim, v, c.issuer.id+" does not vouch for this "+claim)
		}
	}
	return kept
}

// actors makes those who act for the subject members of the chain that authority must pass. One of a type that the issuer may not
// vouch for stays in it, and is cut, which leaves identity.issuer unproven: without him the chain would be more than it is.
func (c *cutter) actors(claimed []claimedActor, notBefore, notAfter authz.Time) []authz.Via {
	chain := []authz.Via{}
	for _, a := range claimed {
		chain = append(chain, authz.Via{
			Type: c.subjectType(a.Type), ID: c.issuer.id + "|" + a.Sub, Clearances: c.clearances(a.Clearances, notBefore, notAfter),
		})
	}
	return chain
}

// clearances expands each claimed clearance into one a scheme that it opens, and cuts those.
func (c *cutter) clearances(claimed []claimedClearance, notBefore, notAfter authz.Time) []authz.Clearance {
	kept := []authz.Clearance{}
	for _, w := range claimed {
		var opens map[string][]string
		switch {
		case w.Native != "":
			opens = c.schemes[w.Scheme].native[w.Native]
		case w.Level != "":
			opens = map[string][]string{w.Scheme: c.schemes[w.Scheme].upTo(w.Level)}
		default:
			opens = map[string][]string{w.Scheme: w.Levels}
		}
		for _, id := range slices.Sorted(maps.Keys(opens)) {
			a := authz.Clearance{
				Scheme: id, Levels: opens[id], Native: w.Native, Categories: map[string][]string{},
				NotBefore: w.NotBefore, NotAfter: w.NotAfter,
			}
			if id == w.Scheme { // a tag set means something in its own scheme only
				a.Categories = w.Categories
			}
			// The token vouches for no longer than it lives itself.
			if a.NotBefore.IsZero() {
				a.NotBefore = notBefore
			}
			if a.NotAfter.IsZero() {
				a.NotAfter = notAfter
			}
			if a, ok := c.clearance(a, w.Level); ok {
				kept = append(kept, a)
			}
		}
	}
	return kept
}

// clearance cuts one to its scheme's grant, and reports whether a level is left of it.
func (c *cutter) clearance(a authz.Clearance, level string) (authz.Clearance, bool) {
	value := func(categories map[string][]string) map[string]any {
		switch {
		case a.Native != "":
			return map[string]any{"scheme": a.Scheme, "native": a.Native, "categories": categories}
		case level == "":
			return map[string]any{"scheme": a.Scheme, "levels": a.Levels, "categories": categories}
		}
		return map[string]any{"scheme": a.Scheme, "level": level, "categories": categories}
	}
	nation := c.schemes[a.Scheme].nation
	a.Sponsor = c.issuer.sponsor(nation)
	if a.Sponsor == "" {
		c.cut("clearance", value(a.Categories), fmt.Sprintf("%s is no sponsor of %s", c.issuer.id, nation))
		return a, false
	}
	granted, ok := c.issuer.entry.Grant.clearance(a.Scheme)
	if !ok {
		c.cut("clearance", value(a.Categories), fmt.Sprintf("%s does not vouch for clearances in %s", c.issuer.id, a.Scheme))
		return a, false
	}
	s := c.schemes[a.Scheme]
	levels := slices.DeleteFunc(slices.Clone(a.Levels), func(l string) bool { return s.rank[l] > s.rank[granted.Level] })
	if len(levels) < len(a.Levels) {
		c.cut("clearance", value(map[string][]string{}), fmt.Sprintf("%s vouches in %s up to %s", c.issuer.id, a.Scheme, granted.Level))
	}
	kept, lost := map[string][]string{}, map[string][]string{}
	for set, values := range a.Categories {
		for _, v := range values {
			to := lost
			if slices.Contains(granted.Categories[set], v) {
				to = kept
			}
			to[set] = append(to[set], v)
		}
	}
	if len(lost) > 0 {
		c.cut("clearance", value(lost), fmt.Sprintf("%s does not vouch for these categories of %s", c.issuer.id, a.Scheme))
	}
	a.Levels, a.Categories = levels, kept
	return a, len(levels) > 0
}
