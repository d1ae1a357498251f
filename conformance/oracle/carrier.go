package oracle

import (
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
)

// carrier is a clearance as it stands in a label's scheme: its own, or as an equivalence translates one.
type carrier struct {
	label      authz.Label // the label or the alternative that it carries
	reaches    bool
	categories map[string][]string
}

// carriers is how far clearances go towards one label. One carrier must get through all: k3 ⊆ k2 ⊆ k1 ⊆ k0.
type carriers struct {
	held    bool // one of the label's scheme, or of the nation of affiliation
	inForce bool // and one of these in force
	agreed  bool // no agreement that is not in force is all that there is
	k0      []carrier
	k1      []carrier // with the level
	k2      []carrier // with all restrictive values
	k3      []carrier // with one of each permissive set
}

// everyCarrier is a check of each label against the subject's clearances, and against those of each member of the chain.
func everyCarrier(holds func(carriers) bool) func(*judge) bool {
	return everyDataLabel(func(j *judge, l authz.Label) bool {
		if j.Subject.Properties.Via == nil || !holds(j.carriers(l, j.Subject.Properties.Clearances)) {
			return false
		}
		return !slices.ContainsFunc(j.Subject.Properties.Via, func(v authz.Via) bool { return !holds(j.carriers(l, v.Clearances)) })
	})
}

func (j *judge) carriers(l authz.Label, clearances []authz.Clearance) (r carriers) {
	labels, ok := variants(l)
	if !ok {
		return carriers{}
	}
	ended := false
	for _, c := range clearances {
		for _, v := range labels {
			r.held = r.held || c.Scheme == v.Scheme || j.national(c)
			if !during(j.Context.Time, c.NotBefore, c.NotAfter) {
				continue
			}
			if c.Scheme == v.Scheme {
				r.inForce = true
				r.k0 = append(r.k0, carrier{v, j.reaches(c, v), c.Categories})
				continue
			}
			if !j.national(c) {
				continue
			}
			r.inForce = true
			for _, e := range j.equivalences(j.Resource.Properties.Tenant, "clearance", v) {
				switch {
				case e.Clearance[0] != c.Scheme:
				case j.agreementInForce(j.Resource.Properties.Tenant, e):
					// A translated carrier holds no value unless the row lists it.
					r.k0 = append(r.k0, carrier{v, slices.Contains(c.Levels, e.Clearance[1]), known(e.Categories)})
				default:
					ended = true
				}
			}
		}
	}
	_, owned := j.owner()
	r.agreed = owned && (len(r.k0) > 0 || !ended)
	for _, c := range r.k0 {
		if c.reaches {
			r.k1 = append(r.k1, c)
		}
	}
	for _, c := range r.k1 {
		if j.everySet(c, "restrictive", func(wanted, held []string) bool { return wanted != nil && subset(wanted, held) }) {
			r.k2 = append(r.k2, c)
		}
	}
	for _, c := range r.k2 {
		if j.everySet(c, "permissive", meet) {
			r.k3 = append(r.k3, c)
		}
	}
	return r
}

// reaches says that a clearance of l's scheme has l's level, and every level that a value on l wants beside.
func (j *judge) reaches(c authz.Clearance, l authz.Label) bool {
	return slices.Contains(c.Levels, l.Level) &&
		!slices.ContainsFunc(j.schemes[l.Scheme].tags(l), func(t tag) bool { return !subset(t.ClearanceLevels, c.Levels) })
}

// national says that a clearance is of the nation of the subject's affiliation.
func (j *judge) national(c authz.Clearance) bool {
	a, s := j.Subject.Properties.Affiliation, j.schemes[c.Scheme]
	return a != nil && s.Nation != "" && s.Nation == a.Country
}

// everySet says that holds is true of the values of each tag set of a type, those wanted and those held. Tag sets that are not known,
// and categories that are not, prove nothing.
func (j *judge) everySet(c carrier, kind string, holds func(wanted, held []string) bool) bool {
	for name, wanted := range c.label.Categories {
		set := j.schemes[c.label.Scheme].TagSets[name]
		if c.categories == nil || !set.categorizes() || set.Type == kind && !holds(wanted, c.categories[name]) {
			return false
		}
	}
	return c.label.Categories != nil
}

// known makes the absent categories of a row an empty set: the row lists none.
func known(categories map[string][]string) map[string][]string {
	if categories == nil {
		return map[string][]string{}
	}
	return categories
}

// equivalences are a tenant's rows of a use for labels marked as l was when l was given.
func (j *judge) equivalences(tenant *string, use string, l authz.Label) []equivalence {
	var found []equivalence
	if tenant == nil || l.Created.IsZero() {
		return nil
	}
	for _, e := range j.tenants[*tenant].Agreements.Equivalences {
		began := !e.LabelsFrom.IsZero() && !l.Created.Before(e.LabelsFrom.Time)
		ended := !e.LabelsTo.IsZero() && !l.Created.Before(e.LabelsTo.Time)
		if e.Use == use && e.Label == [2]string{l.Scheme, l.Level} && began && !ended {
			found = append(found, e)
		}
	}
	return found
}

// agreementInForce says that a row's own agreement is one between its two nations, and in force.
func (j *judge) agreementInForce(tenant *string, e equivalence) bool {
	if tenant == nil {
		return false
	}
	a, ok := j.tenants[*tenant].Agreements.Agreements[e.Agreement]
	return ok && during(j.Context.Time, a.NotBefore, a.NotAfter) &&
		subset([]string{j.schemes[e.Label[0]].Nation, j.schemes[e.Clearance[0]].Nation}, a.Parties)
}

// clearancesUncut says that no clearance was cut that could have been the one: of a label's scheme, or all there were.
func (j *judge) clearancesUncut() bool {
	labels, ok := j.labels()
	if j.Subject.Properties.Cut == nil || !ok {
		return false
	}
	for _, l := range labels {
		if l.Alternatives == nil {
			return false
		}
	}
	for _, c := range j.Subject.Properties.Cut {
		if c.Claim != "clearance" {
			continue
		}
		if len(j.Subject.Properties.Clearances) == 0 {
			return false
		}
		for _, l := range labels {
			if someVariant(l, func(v authz.Label) bool { return j.cutIs(c.Value, v.Scheme) }) {
				return false
			}
		}
	}
	return true
}

// cutIs says that a cut clearance is of the scheme, directly or because its native word opens levels there, or that nobody knows.
func (j *judge) cutIs(value any, id string) bool {
	switch v := value.(type) {
	case string:
		named, _, _ := strings.Cut(v, " ")
		return named == id
	case map[string]any:
		named, ok := v["scheme"].(string)
		native, _ := v["native"].(string)
		_, opens := j.schemes[named].Native[native].Opens[id]
		return !ok || named == id || opens
	}
	return true
}
