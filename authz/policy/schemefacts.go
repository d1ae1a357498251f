package policy

import (
	"maps"
	"slices"
	"strings"

	labels "github.com/sallyport-dev/sallyport/authz/label"
)

// schemeCheck is one scheme's document, held against itself and against the others.
type schemeCheck struct {
	*facts
	id string
	scheme
	doc document
}

// checkSchemes wants each scheme to be whole in itself, and native clearances to open levels of its own nation only.
func (f *facts) checkSchemes() {
	for _, id := range slices.Sorted(maps.Keys(f.schemes)) {
		c := schemeCheck{f, id, f.schemes[id], f.root.docs["schemes/"+id]}
		c.checkLevels()
		c.checkTagSets()
		c.checkNative()
		for _, r := range []struct {
			name  string
			rules []schemeRule
		}{{"required", c.Rules.Required}, {"excluded", c.Rules.Excluded}} {
			for i, rule := range r.rules {
				c.checkRule(rule, "rules", r.name, index(i))
			}
		}
		for i, m := range c.Members {
			c.checkSource(m.Source, "members", index(i), "source")
			if m.To != nil {
				c.checkSpan(c.doc, m.From, *m.To, "members", index(i), "not_after")
			}
		}
		c.checkPublished()
		c.checkWords()
	}
}

// checkWords wants what the scheme writes to be read as nothing else, once the scheme is whole.
func (c schemeCheck) checkWords() {
	if len(c.problems) > 0 {
		return
	}
	if err := decode[labels.Scheme](c.doc).Check(c.id); err != nil {
		c.add(c.doc.file, c.doc.line("markings"), "markings: %s; change marking, also or name", err)
	}
}

// checkSource wants what a row rests on to be among the scheme's sources.
func (c schemeCheck) checkSource(id string, path ...string) {
	if id != "" {
		known(c.facts, c.doc, c.Sources, "source", id, path...)
	}
}

// checkLabelSpan wants an open or a real span of labels' dates.
func (c schemeCheck) checkLabelSpan(from, to string, path ...string) {
	if from != "" && to != "" {
		c.checkSpan(c.doc, from, to, append(path, "labels_to")...)
	}
}

func (c schemeCheck) checkLevels() {
	ids, places := map[string]bool{}, map[int]string{}
	for i, l := range c.Levels {
		line := c.doc.line("levels", index(i))
		if ids[l.ID] {
			c.add(c.doc.file, line, "levels: %q stands here twice; keep one", l.ID)
		}
		if other, taken := places[l.Hierarchy]; taken {
			c.add(c.doc.file, line, "levels: %q has the hierarchy of %q, %d; give each its own", l.ID, other, l.Hierarchy)
		}
		ids[l.ID], places[l.Hierarchy] = true, l.ID
		c.checkSource(l.Source, "levels", index(i), "source")
		c.checkLabelSpan(l.From, l.To, "levels", index(i))
	}
}

func (c schemeCheck) checkTagSets() {
	for _, name := range slices.Sorted(maps.Keys(c.TagSets)) {
		set, seen := c.TagSets[name], map[string]bool{}
		c.checkSource(set.Source, "tag_sets", name, "source")
		for i, v := range set.Values {
			at := []string{"tag_sets", name, "values", index(i)}
			if _, level := c.hierarchy(v.ID); level && (set.Type == "handling" || set.Type == "informative") {
				c.add(c.doc.file, c.doc.line(at...), "%s: %q is a level too; a mention is none: leave it out of levels, or out of the set", strings.Join(at, "."), v.ID)
			}
			if seen[v.ID] {
				c.add(c.doc.file, c.doc.line(at[:3]...), "tag_sets.%s.values: %q stands here twice; keep one", name, v.ID)
			}
			seen[v.ID] = true
			c.checkSource(v.Source, append(at, "source")...)
			c.checkLabelSpan(v.From, v.To, at...)
			for _, level := range v.ClearanceLevels {
				c.checkLevel(c.doc, c.id, level, append(at, "clearance_levels")...)
			}
			if len(v.ClearanceLevels) > 0 && set.Type != "restrictive" && set.Type != "permissive" {
				c.add(c.doc.file, c.doc.line(at...), "%s.clearance_levels: no clearance holds a %s value; leave them out, or make the set restrictive", strings.Join(at, "."), set.Type)
			}
		}
	}
}

func (c schemeCheck) checkNative() {
	for word, native := range c.Native {
		c.checkSource(native.Source, "native_clearances", word, "source")
		for other, levels := range native.Opens {
			path := []string{"native_clearances", word, "opens", other}
			for _, level := range levels {
				c.checkLevel(c.doc, other, level, path...)
			}
			if o, ok := c.schemes[other]; ok && o.Nation != c.Nation {
				c.add(c.doc.file, c.doc.line(path...), "%s: %s is a scheme of %s, not of %s; a clearance opens its own nation's schemes only",
					strings.Join(path, "."), other, o.Nation, c.Nation)
			}
		}
	}
}

// checkRule wants a rule about levels, tag sets and values that exist.
func (c schemeCheck) checkRule(r schemeRule, path ...string) {
	for _, level := range r.Levels {
		c.checkLevel(c.doc, c.id, level, path...)
	}
	for _, set := range r.TagSets {
		known(c.facts, c.doc, c.TagSets, "tag set", set, path...)
	}
	for _, part := range []struct {
		name   string
		values map[string][]string
	}{{"beside", r.Beside}, {"values", r.Values}} {
		for set, values := range part.values {
			at := append(slices.Clone(path), part.name, set)
			if !known(c.facts, c.doc, c.TagSets, "tag set", set, at...) {
				continue
			}
			ids := c.TagSets[set].ids()
			for _, v := range values {
				if !slices.Contains(ids, v) {
					c.refer(c.doc, "value of "+set, v, ids, at...)
				}
			}
		}
	}
	c.checkSource(r.Source, append(slices.Clone(path), "source")...)
	c.checkLabelSpan(r.From, r.To, path...)
}

// checkPublished wants published rows between levels that exist. That they reach down without a gap is for whoever follows one: an
// agreement may leave a level out.
func (c schemeCheck) checkPublished() {
	ids := map[string]bool{}
	for i, row := range c.Published {
		at := func(name string) []string { return []string{"equivalences", index(i), name} }
		if ids[row.ID] {
			c.add(c.doc.file, c.doc.line(at("id")...), "equivalences.%d.id: %q stands here twice; give each its own", i, row.ID)
		}
		ids[row.ID] = true
		c.checkLevel(c.doc, c.id, row.Level, at("level")...)
		c.checkLevel(c.doc, row.Clearance[0], row.Clearance[1], at("clearance")...)
		c.checkSource(row.Source, at("source")...)
		if row.To != nil {
			c.checkSpan(c.doc, row.From, *row.To, at("labels_to")...)
		}
	}
}

// checkFollows wants an equivalence to say what the published row that it names says, of no other labels and of no wider a date. One that
// nobody has checked wants a name that answers for it.
func (f *facts) checkFollows(d document, e equivalence, path ...string) {
	s, ok := f.schemes[e.Label[0]]
	if e.Published == "" || !ok {
		return
	}
	ids := make([]string, len(s.Published))
	for i, row := range s.Published {
		ids[i] = row.ID
	}
	i := slices.Index(ids, e.Published)
	if i < 0 {
		f.refer(d, "published row of "+e.Label[0], e.Published, ids, append(path, "published")...)
		return
	}
	row, at := s.Published[i], append(path, "published")
	if e.Use != row.Use || e.Label[1] != row.Level || e.Clearance != row.Clearance || len(e.Categories) > 0 || e.From < row.From ||
		row.To != nil && (e.To == nil || *e.To > *row.To) {
		until := "no end"
		if row.To != nil {
			until = *row.To
		}
		f.add(d.file, d.line(at...), "%s: %s of %s says %s of %s for %s %s, of labels from %s to %s and of no category; say that or less, or leave published out",
			strings.Join(at, "."), row.ID, e.Label[0], row.Use, row.Level, row.Clearance[0], row.Clearance[1], row.From, until)
	}
	if basis := s.Sources[row.Source].Basis; basis == "unverified" && e.ApprovedBy == "" {
		f.add(d.file, d.line(at...), "%s: %s of %s is unverified; check it, and say approved_by whom", strings.Join(at, "."), row.ID, e.Label[0])
	}
}
