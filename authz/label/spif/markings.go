package spif

import (
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz/label"
	"github.com/sallyport-dev/sallyport/authz/label/strictxml"
)

// A SPIF says where on a page a phrase stands (its codes) and in which language. A marking of a scheme is that of the page; other
// phrases of a document are read as the same.
var (
	page     = words("pageTop pageTopBottom pageBottom")
	document = words("documentStart documentEnd firstLineOfText lastLineOfText portionMarking")
)

// phrases is what the markingData of one thing come to.
type phrases struct {
	page   string   // "": the name
	also   []string // in other places or languages
	policy string   // in place of the policy's name
	hidden bool     // the name is not displayed
}

func (i *importer) phrases(e *strictxml.Element, of string) (p phrases) {
	for _, m := range all(e, "markingData") {
		phrase := strings.Join(strings.Fields(attr(m, "phrase")), " ")
		if len(phrase) > maxName {
			i.fail(m, "phrase: want at most %d bytes", maxName)
		}
		for _, c := range all(m, "code") {
			switch code := strings.TrimSpace(c.Text); {
			case code == "replacePolicy":
				p.policy = phrase
			case code == "noNameDisplay":
				p.hidden = true
			case slices.Contains(page, code) && (lang(m) == "" || lang(m) == "en") && p.page == "":
				p.page = phrase
			case slices.Contains(page, code), slices.Contains(document, code):
				if phrase != "" && !slices.Contains(p.also, phrase) {
					p.also = append(p.also, phrase)
				}
			default:
				i.note(c, "marking of "+of, "%s at %s: schemes do not say how a label is displayed elsewhere", strictxml.Quote(phrase), strictxml.Quote(code))
			}
		}
	}
	for _, q := range all(e, "markingQualifier") {
		if e.Name.Local != "securityCategoryTag" {
			i.note(q, "markingQualifier of "+of, "schemes have punctuation of tag sets only")
		}
	}
	return p
}

// markings reads how labels are written: the policy's name, the classification, then the tag sets in their order.
func (i *importer) markings(root *strictxml.Element) {
	id := one(root, "securityPolicyId")
	policy := i.phrases(id, "the policy")
	name := or(policy.page, i.scheme.Policy.Name)
	if policy.hidden && policy.page == "" {
		name = ""
	}
	for _, e := range []*strictxml.Element{root, one(root, "securityClassifications"), one(root, "privacyMarks")} {
		if e == nil {
			continue
		}
		for _, m := range append(all(e, "markingData"), all(e, "markingQualifier")...) {
			i.note(m, m.Name.Local+" of "+e.Name.Local, "schemes have markings of levels and values only")
		}
	}
	taken := map[string]bool{}
	for n, c := range all(one(root, "securityClassifications"), "securityClassification") {
		if n >= len(i.scheme.Levels) {
			return // an error has been noted
		}
		l := &i.scheme.Levels[n]
		p := i.phrases(c, l.ID)
		phrase := or(p.page, l.ID)
		l.Marking = strings.TrimSpace(or(p.policy, name) + " " + phrase)
		if len(l.Marking) > maxName {
			i.fail(c, "its marking %s: want at most %d bytes", strictxml.Quote(l.Marking), maxName)
		}
		l.Also = i.free(c, l.ID, taken, l.Marking, append([]string{phrase, l.ID}, p.also...))
		if l.Marking == l.ID {
			l.Marking = ""
		}
	}
	for _, name := range sortedKeys(i.sets) {
		for _, im := range i.sets[name] {
			i.valueMarkings(im)
		}
	}
	i.scheme.Markings = &label.Markings{Parts: []label.Part{}}
}

// placeParts gives each tag set its place in a marking, but for one whose values could be taken for something else there.
func (i *importer) placeParts(id string) {
	for _, p := range i.parts {
		without := i.scheme.Markings
		i.scheme.Markings = &label.Markings{Parts: append(slices.Clone(without.Parts), p.Part)}
		if err := i.scheme.Check(id); err != nil {
			i.note(p.of, "marking of "+i.scheme.TagSets[p.TagSets[0]].Name, "it has none, for it would not be clear: %v", err)
			i.scheme.Markings = without
		}
	}
}

// placed is a part and where the SPIF has it.
type placed struct {
	label.Part
	of *strictxml.Element
}

func (i *importer) valueMarkings(im *imported) {
	set := i.scheme.TagSets[im.key]
	taken := map[string]bool{}
	n := 0
	for _, c := range all(im.listed, "tagCategory") {
		if im.lacv[attr(c, "lacv")] != attr(c, "name") || n >= len(set.Values) {
			continue
		}
		v := &set.Values[n]
		n++
		p := i.phrases(c, v.ID)
		v.Marking = or(p.page, v.ID)
		v.Also = i.free(c, v.ID, taken, v.Marking, append([]string{v.ID}, p.also...))
		if v.Marking == v.ID {
			v.Marking = ""
		}
	}
}

// free returns the phrases that nothing else is written with.
func (i *importer) free(e *strictxml.Element, of string, taken map[string]bool, marking string, phrases []string) (also []string) {
	key := func(s string) string { return strings.ToUpper(strings.ReplaceAll(s, " ", "")) }
	taken[key(marking)] = true
	for _, p := range phrases {
		switch {
		case key(p) == key(marking) || slices.ContainsFunc(also, func(o string) bool { return key(o) == key(p) }):
		case taken[key(p)]:
			i.note(e, "marking of "+of, "%s is also written for something else, so it is not read", strictxml.Quote(p))
		default:
			taken[key(p)] = true
			also = append(also, p)
		}
	}
	return also
}

// part reads how the values of a tag are joined.
func (i *importer) part(t *strictxml.Element, im *imported, name string) {
	p := label.Part{Before: " ", Between: " ", TagSets: []string{im.key}}
	for _, m := range all(t, "markingQualifier") {
		if code := attr(m, "markingCode"); code != "" && !slices.Contains(page, code) {
			i.note(m, "markingQualifier of "+name, "at %s: schemes do not say how a label is displayed elsewhere", strictxml.Quote(code))
			continue
		}
		for _, q := range all(m, "qualifier") {
			text := attr(q, "markingQualifier")
			if len(text) > 24 {
				i.fail(q, "markingQualifier: want at most 24 bytes")
			}
			switch code := attr(q, "qualifierCode"); {
			case lang(q) != "" && lang(q) != "en" && slices.Contains([]string{p.Between, p.After, strings.TrimLeft(p.Before, " ")}, strings.TrimLeft(text, " ")):
			case lang(q) != "" && lang(q) != "en":
				i.note(q, code+" of "+name, "%s in %s: schemes have one language of punctuation", strictxml.Quote(text), lang(q))
			case code == "prefix" && strings.TrimSpace(text) != "":
				p.Before = " " + strings.TrimLeft(text, " ")
			case code == "separator" && text != "":
				p.Between = text
			case code == "suffix" && strings.TrimSpace(text) != "":
				p.After = text
			case code == "prefix", code == "separator", code == "suffix":
			default:
				i.fail(q, "qualifierCode %s: want prefix, separator or suffix", strictxml.Quote(code))
			}
		}
	}
	i.parts = append(i.parts, placed{p, t})
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
