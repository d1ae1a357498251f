package oracle

import (
	"slices"

	"github.com/sallyport-dev/sallyport/authz"
)

// labels are all that bind the access: those of the row and the object, and on writes that of the request. ok is false where they
// are not known or there are none.
func (j *judge) labels() (all []authz.Label, ok bool) {
	p := j.Resource.Properties
	if p.Row == nil || len(p.Labels) == 0 {
		return nil, false
	}
	switch {
	case j.writes() || j.Action.Name == "relabel":
		return slices.Concat(p.Labels, j.Action.Properties.RequestLabels), j.Action.Properties.RequestLabels != nil
	case j.writesNothing():
		return p.Labels, true
	}
	return nil, false
}

func (j *judge) labelPresent() bool {
	_, ok := j.labels()
	return ok
}

// variants are a label and its alternatives, of which one must pass; ok is false where nobody knows whether there are any.
func variants(l authz.Label) (all []authz.Label, ok bool) {
	return append([]authz.Label{l}, l.Alternatives...), l.Alternatives != nil
}

// everyLabel is a check of each label by itself; no label proves nothing.
func everyLabel(holds func(*judge, authz.Label) bool) func(*judge) bool {
	return func(j *judge) bool {
		labels, ok := j.labels()
		return ok && !slices.ContainsFunc(labels, func(l authz.Label) bool { return !holds(j, l) })
	}
}

// everyDataLabel is a check of each label to which a queue is not put.
func everyDataLabel(holds func(*judge, authz.Label) bool) func(*judge) bool {
	return unlessOnQueue(everyLabel(holds))
}

// everyVariant is a check of a label and all its alternatives.
func everyVariant(holds func(*judge, authz.Label) bool) func(*judge, authz.Label) bool {
	return func(j *judge, l authz.Label) bool {
		all, ok := variants(l)
		return ok && !slices.ContainsFunc(all, func(v authz.Label) bool { return !holds(j, v) })
	}
}

// someVariant is a check of which one of a label and its alternatives must pass.
func someVariant(l authz.Label, holds func(authz.Label) bool) bool {
	all, ok := variants(l)
	return ok && slices.ContainsFunc(all, holds)
}

func (j *judge) schemeKnown(l authz.Label) bool {
	_, ok := j.schemes[l.Scheme]
	return ok
}

// level returns the place of a level in the order of its scheme.
func (s scheme) level(id string) (hierarchy int, ok bool) {
	for _, l := range s.Levels {
		if l.ID == id {
			return l.Hierarchy, true
		}
	}
	return 0, false
}

// has says that all values are of tag sets of a type.
func (s scheme) has(kind string, values []string) bool {
	for _, v := range values {
		found := false
		for _, set := range s.TagSets {
			found = found || set.Type == kind && set.knows(v)
		}
		if !found {
			return false
		}
	}
	return values != nil
}

func (s tagSet) knows(id string) bool {
	return slices.ContainsFunc(s.Values, func(t tag) bool { return t.ID == id })
}

// categorizes says that categories may hold values of the tag set; others have a place of their own on a label.
func (s tagSet) categorizes() bool {
	return s.Type == "restrictive" || s.Type == "permissive" || s.Type == "informative"
}

// valuesKnown says that everything on the label is of its scheme, and that nothing is left open.
func (j *judge) valuesKnown(l authz.Label) bool {
	s := j.schemes[l.Scheme]
	if _, ok := s.level(l.Level); !ok || l.Categories == nil || l.Created.IsZero() {
		return false
	}
	for name, values := range l.Categories {
		if set := s.TagSets[name]; values == nil || !set.categorizes() || slices.ContainsFunc(values, func(v string) bool { return !set.knows(v) }) {
			return false
		}
	}
	return s.has("nation", l.Nation) && s.has("handling", l.Handling)
}

// labelsValid wants an owner of a nation that has a scheme, and values that may stand together.
func (j *judge) labelsValid() bool {
	o := j.Resource.Properties.Owner
	for _, s := range j.schemes {
		if o != nil && s.Nation == o.Nation {
			return everyLabel((*judge).labelValid)(j)
		}
	}
	return false
}

// labelValid says that a label and its alternatives are well formed; an alternative has none itself.
func (j *judge) labelValid(l authz.Label) bool {
	return everyVariant((*judge).combinationAllowed)(j, l) &&
		!slices.ContainsFunc(l.Alternatives, func(v authz.Label) bool { return v.Alternatives == nil || len(v.Alternatives) > 0 })
}

// combinationAllowed says that known values stand together as the scheme has it. Of a value that is not known nothing is proven.
func (j *judge) combinationAllowed(l authz.Label) bool {
	s, ok := j.schemes[l.Scheme]
	if !ok || l.Categories == nil {
		return false
	}
	for name, values := range l.Categories {
		set := s.TagSets[name]
		if !set.categorizes() || set.Type == "permissive" && len(values) == 0 { // an empty permissive set satisfies nobody
			return false
		}
	}
	if l.Release != nil && !(s.Release.Allowed && slices.Contains(l.Release, s.Nation) && s.besideLists(l)) { // no implicit originator
		return false
	}
	if l.Display != nil && !(s.Release.Display && len(l.Display) > 0 && s.besideLists(l)) {
		return false
	}
	if !s.ofItsDate(l) {
		return false
	}
	for _, r := range s.Rules.Required {
		if s.about(r, l) && (slices.ContainsFunc(r.TagSets, func(set string) bool { return !s.carries(l, set) }) || s.count(l, r.Values, false) > 0) {
			return false
		}
	}
	for _, r := range s.Rules.Excluded {
		if s.about(r, l) && (slices.ContainsFunc(r.TagSets, func(set string) bool { return s.carries(l, set) }) || s.count(l, r.Values, true) > 0) {
			return false
		}
	}
	return true
}

// besideLists says that each nation tag on l may stand beside a release or display list.
func (s scheme) besideLists(l authz.Label) bool {
	return l.Nation != nil && !slices.ContainsFunc(l.Nation, func(n string) bool {
		return !slices.ContainsFunc(s.tags(l), func(t tag) bool { return t.ID == n && t.WithRelease })
	})
}

// ofItsDate says that level and values were in use when l was given.
func (s scheme) ofItsDate(l authz.Label) bool {
	i := slices.IndexFunc(s.Levels, func(v level) bool { return v.ID == l.Level })
	return i >= 0 && s.Levels[i].holds(l.Created) &&
		!slices.ContainsFunc(s.tags(l), func(t tag) bool { return !t.holds(l.Created) })
}

// about says that a rule is about l: its level and date, and something that it stands beside.
func (s scheme) about(r combination, l authz.Label) bool {
	return slices.Contains(r.Levels, l.Level) && r.holds(l.Created) && (r.Beside == nil || s.count(l, r.Beside, true) > 0)
}

// count is how many of these values l carries, or does not.
func (s scheme) count(l authz.Label, values map[string][]string, carried bool) (n int) {
	for name, ids := range values {
		var on []string
		switch set := s.TagSets[name]; set.Type {
		case "nation":
			on = l.Nation
		case "handling":
			on = l.Handling
		case "restrictive", "permissive", "informative":
			on = l.Categories[name]
		}
		for _, id := range ids {
			if slices.Contains(on, id) == carried {
				n++
			}
		}
	}
	return n
}

// carries says that l has a value of the tag set.
func (s scheme) carries(l authz.Label, set string) bool { return len(s.TagSets[set].on(l, set)) > 0 }

// on returns the values of a tag set that stand on l.
func (s tagSet) on(l authz.Label, name string) []tag {
	var found []tag
	for _, t := range s.Values {
		if slices.Contains(l.Categories[name], t.ID) ||
			s.Type == "nation" && slices.Contains(l.Nation, t.ID) || s.Type == "handling" && slices.Contains(l.Handling, t.ID) {
			found = append(found, t)
		}
	}
	return found
}

// tags are all values on l, with what each tests.
func (s scheme) tags(l authz.Label) []tag {
	var found []tag
	for name, set := range s.TagSets {
		found = append(found, set.on(l, name)...)
	}
	return found
}

// labelBound says that the row wants no labels on its objects, that this object has one beside the row's, or that there is no object.
func (j *judge) labelBound() bool {
	if j.Action.Name == "list" {
		return true // judged on the labels of the rows that it reveals
	}
	r, ok := j.row()
	labels, known := j.labels()
	return ok && r.LabelsOnObjects != nil && (!*r.LabelsOnObjects || known && len(labels) > len(r.Labels))
}

// row returns the facts of the catalogue row that the input has no copy of.
func (j *judge) row() (row, bool) {
	p := j.Resource.Properties
	if p.Row == nil || p.Tenant == nil {
		return row{}, false
	}
	r, ok := j.tenants[*p.Tenant].Catalogue.Rows[*p.Row]
	return r, ok
}
