package spif

import (
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz/label"
	"github.com/sallyport-dev/sallyport/authz/label/strictxml"
)

// rules reads which classes and categories want or exclude each other. It runs when all tag sets are known.
func (i *importer) rules(root *strictxml.Element) {
	for _, c := range all(one(root, "securityClassifications"), "securityClassification") {
		for _, r := range all(c, "requiredCategory") {
			i.required(r, attr(c, "name"), label.Rule{Levels: []string{attr(c, "name")}})
		}
	}
	for _, name := range sortedKeys(i.sets) {
		for _, im := range i.sets[name] {
			for _, c := range all(im.listed, "tagCategory") {
				if im.lacv[attr(c, "lacv")] == attr(c, "name") {
					i.ofValue(c, im)
				}
			}
		}
	}
	if r := i.scheme.Rules; r != nil {
		for _, list := range [][]label.Rule{r.Required, r.Excluded} {
			slices.SortStableFunc(list, func(a, b label.Rule) int { return strings.Compare(ruleKey(a), ruleKey(b)) })
		}
	}
}

// ruleKey orders rules in the same way at each import.
func ruleKey(r label.Rule) string {
	key := strings.Join(r.Levels, "\x00")
	for _, m := range []map[string][]string{r.With, r.Values} {
		for _, set := range sortedKeys(m) {
			key += "\x01" + set + "\x00" + strings.Join(m[set], "\x00")
		}
	}
	return key + "\x01" + strings.Join(r.TagSets, "\x00")
}

// ofValue reads what one value wants and excludes.
func (i *importer) ofValue(c *strictxml.Element, im *imported) {
	name := attr(c, "name")
	var excluded []string
	for _, e := range all(c, "excludedClass") {
		class := strings.TrimSpace(e.Text)
		if i.classes[class] == "" {
			i.fail(e, "%s is no classification", strictxml.Quote(class))
		}
		excluded = append(excluded, class)
	}
	if class := attr(c, "requiredClass"); class != "" {
		if i.classes[class] == "" {
			i.fail(c, "requiredClass %s is no classification", strictxml.Quote(class))
		}
		for _, l := range i.allLevels() {
			if l != class && !slices.Contains(excluded, l) {
				excluded = append(excluded, l)
			}
		}
	}
	excluded = slices.DeleteFunc(i.allLevels(), func(l string) bool { return !slices.Contains(excluded, l) })
	if len(excluded) > 0 {
		i.exclude(label.Rule{Levels: excluded, TagSets: []string{}, Values: map[string][]string{im.key: {name}}})
	}
	with := map[string][]string{im.key: {name}}
	for _, r := range all(c, "requiredCategory") {
		i.required(r, name, label.Rule{Levels: i.allLevels(), With: with})
	}
	for _, e := range all(c, "excludedCategory") {
		sets, value, whole := i.categories(e)
		rule := label.Rule{Levels: i.allLevels(), With: with, TagSets: []string{}}
		for _, set := range sets {
			switch {
			case whole && set == im.key:
				i.note(e, "excludedCategory of "+name, "excludes its own tag set; a rule of a scheme would exclude %s itself", name)
				continue
			case whole:
				rule.TagSets = append(rule.TagSets, set)
			default:
				rule.Values = map[string][]string{set: {value}}
			}
		}
		if len(rule.TagSets) > 0 || len(rule.Values) > 0 {
			i.exclude(rule)
		}
	}
}

// required reads a requiredCategory into rule. A scheme can want values, or some value of a tag set; what is between is noted.
func (i *importer) required(r *strictxml.Element, of string, rule label.Rule) {
	groups := all(r, "categoryGroup")
	operation := attr(r, "operation")
	rule.TagSets = []string{}
	values := map[string][]string{}
	count := 0
	for _, g := range groups {
		sets, value, whole := i.categories(g)
		for _, set := range sets {
			if !whole {
				values[set] = append(values[set], value)
				count++
			} else if !slices.Contains(rule.TagSets, set) {
				rule.TagSets = append(rule.TagSets, set)
			}
		}
	}
	exact := operation == "all" || len(groups) == 1
	if !exact && len(rule.TagSets) == 0 && len(values) == 1 {
		// some value of a list: exact only where the list is the whole set
		for set, listed := range values {
			exact = operation == "oneOrMore" && count == len(i.scheme.TagSets[set].Values)
			if !exact {
				i.note(r, "requiredCategory of "+of, "%s of %s: a scheme can only want some value of the tag set %s, and that is written",
					or(operation, "which"), strings.Join(listed, ", "), set)
			}
			rule.TagSets = append(rule.TagSets, set)
		}
		values = nil
		exact = true
	}
	switch {
	case operation != "" && operation != "all" && operation != "oneOrMore" && operation != "onlyOne":
		i.fail(r, "operation %s: want all, oneOrMore or onlyOne", strictxml.Quote(operation))
	case !exact:
		i.note(r, "requiredCategory of "+of, "%s of several tag sets: a scheme can't say that, so nothing is wanted", or(operation, "which"))
	case len(rule.TagSets) > 0 || len(values) > 0:
		if len(values) > 0 {
			rule.Values = values
		}
		if i.scheme.Rules == nil {
			i.scheme.Rules = &label.Rules{}
		}
		i.scheme.Rules.Required = append(i.scheme.Rules.Required, rule)
	}
}

// exclude adds an exclusion to that of the same labels, if there is one: any of the things that it names breaks it.
func (i *importer) exclude(r label.Rule) {
	if i.scheme.Rules == nil {
		i.scheme.Rules = &label.Rules{}
	}
	for n := range i.scheme.Rules.Excluded {
		have := &i.scheme.Rules.Excluded[n]
		if !slices.Equal(have.Levels, r.Levels) || !maps.EqualFunc(have.With, r.With, slices.Equal) {
			continue
		}
		for _, set := range r.TagSets {
			if !slices.Contains(have.TagSets, set) {
				have.TagSets = append(have.TagSets, set)
			}
		}
		for set, values := range r.Values {
			if have.Values == nil {
				have.Values = map[string][]string{}
			}
			for _, v := range values {
				if !slices.Contains(have.Values[set], v) {
					have.Values[set] = append(have.Values[set], v)
				}
			}
		}
		return
	}
	i.scheme.Rules.Excluded = append(i.scheme.Rules.Excluded, r)
}

// categories returns the scheme's tag sets, and the value or all of them, that a categoryGroup or excludedCategory names.
func (i *importer) categories(e *strictxml.Element) (sets []string, value string, whole bool) {
	ref, lacv := attr(e, "tagSetRef"), attr(e, "lacv")
	whole = truth(attr(e, "all"))
	if whole == (lacv != "") {
		i.fail(e, "want one of lacv and all")
		return nil, "", false
	}
	kind := attr(e, "tagType")
	switch kind {
	case "enumerated":
		kind = attr(e, "enumType")
	case "tagType7":
		kind = "informative"
	}
	for _, im := range i.sets[ref] {
		if im.tag != kind {
			continue
		}
		if whole {
			sets = append(sets, im.key)
		} else if id := im.lacv[lacv]; id != "" {
			return []string{im.key}, id, false
		}
	}
	switch _, known := i.sets[ref]; {
	case !known:
		i.fail(e, "tagSetRef %s: there is no such tag set", strictxml.Quote(ref))
	case len(sets) == 0:
		i.note(e, e.Name.Local, "%s %s of tag set %s is none of the scheme's values, so the rule is left out", or(kind, "category"), or(lacv, "all"), strictxml.Quote(ref))
	}
	return sets, "", whole
}

func (i *importer) allLevels() (ids []string) {
	for _, l := range i.scheme.Levels {
		ids = append(ids, l.ID)
	}
	return ids
}
