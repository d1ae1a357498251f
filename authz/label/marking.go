package label

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/sallyport-dev/sallyport/authz"
)

// part is a Part in its normal form, with its sets.
type part struct {
	Part
	before, between, after string
	sets                   []*tagSet
}

// maxSteps bounds the ways in which one marking is tried; real ones need a few dozen.
const maxSteps = 1 << 14

func (sc *scheme) compileMarkings() error {
	m := sc.data.Markings
	if m == nil {
		return nil
	}
	for name, p := range map[string]*Punctuation{"release": m.Release, "display": m.Display} {
		if p != nil {
			sc.lists[name] = Punctuation{normal(p.Before), normal(p.Between)}
		}
	}
	sc.groups = m.CountryGroups
	placed := map[string]bool{}
	for i, p := range m.Parts {
		c := part{Part: p, before: normal(p.Before), between: normal(p.Between), after: normal(p.After)}
		for _, name := range slices.Concat(p.TagSets, p.Lists) {
			if placed[name] {
				return fmt.Errorf("markings.parts[%d]: %s has a place already", i, quote(name))
			}
			placed[name] = true
		}
		for _, name := range p.TagSets {
			set := sc.sets[name]
			if set == nil {
				return fmt.Errorf("markings.parts[%d]: %s has no tag set %s", i, sc.id, quote(name))
			}
			c.sets = append(c.sets, set)
		}
		for _, name := range p.Lists {
			if _, ok := sc.lists[name]; !ok {
				return fmt.Errorf("markings.parts[%d]: markings.%s does not say how the list is written", i, name)
			}
		}
		if c.before == "" {
			return fmt.Errorf("markings.parts[%d]: nothing stands before it", i)
		}
		sc.parts = append(sc.parts, c)
	}
	return nil
}

// ParseMarking reads a display marking of a scheme, such as SECRET//REL TO USA, GBR. Letter case, repeated spaces and spaces beside
// punctuation do not matter. A marking says no date, so the label is given that of created, and words for several countries mean
// those of that time.
func (s *Schemes) ParseMarking(id, text string, created authz.Time) (authz.Label, error) {
	sc, err := s.scheme(id)
	if err != nil {
		return authz.Label{}, err
	}
	return sc.parseMarking(text, created)
}

// FindMarking reads a display marking of which the scheme is not said. What two schemes write in the same way, as SECRET, belongs to
// neither.
func (s *Schemes) FindMarking(text string, created authz.Time) (authz.Label, error) {
	var found []string
	var l authz.Label
	for id, sc := range s.byID {
		if one, err := sc.parseMarking(text, created); err == nil {
			found, l = append(found, id), one
		}
	}
	switch len(found) {
	case 1:
		return l, nil
	case 0:
		return authz.Label{}, fmt.Errorf("marking %s: no scheme writes that", quote(text))
	default:
		return authz.Label{}, fmt.Errorf("marking %s: is a marking of %s; say which scheme", quote(text), sortedWords(found))
	}
}

// PrintMarking writes l as people do. It refuses what the scheme has no place for, and what would not be read back as l.
func (s *Schemes) PrintMarking(l authz.Label) (string, error) {
	if err := s.Check(l); err != nil {
		return "", err
	}
	if len(l.Alternatives) > 0 {
		return "", errAlternatives
	}
	sc := s.byID[l.Scheme]
	level, _ := sc.level(l.Level)
	text := level.marking
	for _, p := range sc.parts {
		items := p.items(sc, l)
		if len(items) > 1 && p.Between == "" {
			return "", fmt.Errorf("%s: %s writes at most one of these", quote(strings.Join(items, " ")), sc.id)
		}
		if len(items) > 0 {
			text += p.Before + strings.Join(items, p.Between) + p.After
		}
	}
	l = sc.sorted(l)
	back, err := sc.parseMarking(text, l.Created)
	if err != nil || !equal(back, l) {
		return "", fmt.Errorf("the markings of %s can't say all of this label: %s says less or something else", sc.id, quote(text))
	}
	return text, nil
}

// items returns the texts of what l carries of a part.
func (p part) items(sc *scheme, l authz.Label) (items []string) {
	for _, set := range p.sets {
		for _, id := range set.values(l) {
			w, _ := byID(set.words, id)
			items = append(items, w.marking)
		}
	}
	for _, list := range lists {
		if countries := list.of(&l); slices.Contains(p.Lists, list.name) && len(countries) > 0 {
			how := map[string]*Punctuation{"release": sc.data.Markings.Release, "display": sc.data.Markings.Display}[list.name]
			items = append(items, how.Before+strings.Join(sc.ownerFirst(countries), how.Between))
		}
	}
	return items
}

func (sc *scheme) ownerFirst(countries []string) []string {
	out := slices.Sorted(slices.Values(countries))
	slices.SortStableFunc(out, func(a, b string) int {
		return cmp.Compare(map[bool]int{true: -1}[a == sc.data.Nation], map[bool]int{true: -1}[b == sc.data.Nation])
	})
	return out
}

func (sc *scheme) parseMarking(text string, created authz.Time) (authz.Label, error) {
	fail := func(err error) (authz.Label, error) {
		return authz.Label{}, fmt.Errorf("marking %s: %w", quote(text), err)
	}
	if len(text) > MaxMarking {
		return fail(fmt.Errorf("%d bytes, want at most %d", len(text), MaxMarking))
	}
	if i := strings.IndexFunc(text, func(c rune) bool { return !unicode.IsPrint(c) || c == unicode.ReplacementChar }); i >= 0 {
		return fail(errors.New("a character that is not printable"))
	}
	rest := strings.Trim(normal(text), " ")
	r := &markingReader{sc: sc, created: created, rest: rest}
	for _, w := range sc.levels {
		for _, t := range w.texts {
			if after, ok := strings.CutPrefix(rest, t); ok && t != "" {
				l := empty()
				l.Scheme, l.Level, l.Created = sc.id, w.id, created
				r.parts(after, 0, l)
			}
		}
	}
	switch {
	case r.steps > maxSteps:
		return fail(errors.New("can be read in too many ways"))
	case len(r.found) == 1:
		return r.found[0], nil
	case len(r.found) > 1:
		return fail(errors.New("can be read in two ways"))
	case r.rest == rest:
		return fail(fmt.Errorf("no level of %s is written so", sc.id))
	case r.why != nil:
		return fail(r.why)
	case r.rest == "":
		return fail(errors.New("ends where something must follow"))
	default:
		return fail(fmt.Errorf("%s writes no %s there", sc.id, quote(r.rest)))
	}
}

// markingReader tries every way in which a marking can be read, so that one which could mean two things is refused.
type markingReader struct {
	sc      *scheme
	created authz.Time
	found   []authz.Label // different ones
	steps   int

	rest string // the shortest text that nothing could be made of
	why  error  // what is known about it
}

// stuck notes how far a way led.
func (r *markingReader) stuck(rest string, why error) {
	if len(rest) < len(r.rest) {
		r.rest, r.why = rest, why
	} else if len(rest) == len(r.rest) && r.why == nil {
		r.why = why
	}
}

// parts reads what may follow: any of the parts from the nth on.
func (r *markingReader) parts(rest string, n int, l authz.Label) {
	if r.steps++; r.steps > maxSteps {
		return
	}
	if rest == "" {
		l = r.sc.sorted(l)
		if !slices.ContainsFunc(r.found, func(other authz.Label) bool { return equal(other, l) }) {
			r.found = append(r.found, l)
		}
		return
	}
	r.stuck(rest, nil)
	for i, p := range r.sc.parts[n:] {
		if after, ok := strings.CutPrefix(rest, p.before); ok {
			r.items(after, n+i, l)
		}
	}
}

// items reads one item of the nth part, and what may follow it.
func (r *markingReader) items(rest string, n int, l authz.Label) {
	if r.steps++; r.steps > maxSteps {
		return
	}
	r.stuck(rest, nil)
	p := r.sc.parts[n]
	for _, set := range p.sets {
		for _, w := range set.words {
			for _, t := range w.texts {
				after, ok := strings.CutPrefix(rest, t)
				if !ok || t == "" {
					continue
				}
				more := clone(l)
				if err := set.add(&more, w.id); err != nil {
					r.stuck(after, err)
					continue
				}
				r.after(after, n, more)
			}
		}
	}
	for _, list := range lists {
		if !slices.Contains(p.Lists, list.name) || list.of(&l) != nil {
			continue
		}
		if after, ok := strings.CutPrefix(rest, r.sc.lists[list.name].Before); ok {
			r.countries(after, n, list, nil, l)
		}
	}
}

// after goes on behind an item: with another of the same part, or with another part.
func (r *markingReader) after(rest string, n int, l authz.Label) {
	p := r.sc.parts[n]
	if end, ok := strings.CutPrefix(rest, p.after); ok {
		r.parts(end, n+1, l)
	}
	if p.between != "" {
		if more, ok := strings.CutPrefix(rest, p.between); ok {
			r.items(more, n, l)
		}
	}
}

// countries reads the next word of a list, and what may follow it.
func (r *markingReader) countries(rest string, n int, list countryList, have []string, l authz.Label) {
	if r.steps++; r.steps > maxSteps {
		return
	}
	end := strings.IndexFunc(rest, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
	if end < 0 {
		end = len(rest)
	}
	members, err := r.sc.members(rest[:end], r.created)
	if err != nil {
		r.stuck(rest, err)
		return
	}
	have = slices.Clone(have)
	for _, c := range members {
		if len(members) == 1 && slices.Contains(have, c) {
			r.stuck(rest, fmt.Errorf("country %s is there twice", c))
			return
		}
		if !slices.Contains(have, c) {
			have = append(have, c)
		}
	}
	more := clone(l)
	list.set(&more, have)
	r.after(rest[end:], n, more)
	if rest, ok := strings.CutPrefix(rest[end:], r.sc.lists[list.name].Between); ok && len(have) < maxValues {
		r.countries(rest, n, list, have, l)
	}
}

// members returns the countries that a word stands for.
func (sc *scheme) members(word string, created authz.Time) ([]string, error) {
	known := false
	for _, g := range sc.groups {
		if normal(g.ID) != word {
			continue
		}
		known = true
		if !g.From.IsZero() && (created.IsZero() || created.Before(g.From.Time)) || !g.Until.IsZero() && !created.Before(g.Until.Time) {
			continue
		}
		return g.Members, nil
	}
	switch {
	case known:
		return nil, fmt.Errorf("who belongs to %s at %s is not known", quote(word), or(created.String(), "an unknown date"))
	case isCountry(word):
		return []string{word}, nil
	default:
		return nil, fmt.Errorf("%s is no country of three letters, and %s knows no group of that name", quote(word), sc.id)
	}
}

func clone(l authz.Label) authz.Label {
	categories := make(map[string][]string, len(l.Categories)+1)
	for k, v := range l.Categories {
		categories[k] = slices.Clone(v)
	}
	l.Categories, l.Nation, l.Handling = categories, slices.Clone(l.Nation), slices.Clone(l.Handling)
	return l
}

// normal is how markings are compared: in capitals, one space where there are several, none beside punctuation.
func normal(s string) string {
	s = fold(s)
	var b strings.Builder
	var last rune // written
	runes := []rune(s)
	for i, c := range runes {
		if c != ' ' {
			b.WriteRune(c)
			last = c
			continue
		}
		next := i + 1
		for next < len(runes) && runes[next] == ' ' {
			next++
		}
		if last == ' ' || punctuation(last) || next < len(runes) && punctuation(runes[next]) {
			continue
		}
		b.WriteRune(c)
		last = c
	}
	return b.String()
}

func punctuation(c rune) bool {
	return c != 0 && c != ' ' && !unicode.IsLetter(c) && !unicode.IsDigit(c)
}

// fold puts a text into capitals. Letters that only look like the small form of another, as the long s or the Kelvin sign, stay.
func fold(s string) string {
	return strings.Map(func(c rune) rune {
		if up := unicode.ToUpper(c); unicode.ToLower(up) == c {
			return up
		}
		return c
	}, s)
}
