package label

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/strictjson"
)

// ParseJSON reads a label in the form that authz.Label is written in. Scheme and level must be there; a list that is absent or null is
// empty, but for lists of countries, where it is "no list"; a date that is absent or null is unknown.
func (s *Schemes) ParseJSON(b []byte) (authz.Label, error) {
	o, err := object(b)
	if err != nil {
		return authz.Label{}, err
	}
	m := &members{}
	l := m.label(o, "", 0)
	if m.err != nil {
		return authz.Label{}, m.err
	}
	return s.whole(l)
}

// whole checks what was read and puts it into the order of the schemes.
func (s *Schemes) whole(l authz.Label) (authz.Label, error) {
	if err := s.Check(l); err != nil {
		return authz.Label{}, err
	}
	alternatives := make([]authz.Label, 0, len(l.Alternatives))
	for _, a := range l.Alternatives {
		alternatives = append(alternatives, s.byID[a.Scheme].sorted(a))
	}
	l = s.byID[l.Scheme].sorted(l)
	l.Alternatives = alternatives
	return l, nil
}

// PrintJSON writes a label that ParseJSON reads back.
func (s *Schemes) PrintJSON(l authz.Label) ([]byte, error) {
	l, err := s.whole(l)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(l)
	if err == nil && len(b) > MaxBytes {
		err = fmt.Errorf("JSON of %d bytes: want at most %d", len(b), MaxBytes)
	}
	return b, err
}

// ParseClearanceJSON reads a clearance as tokens claim it: scheme; level (which opens everything below it too), levels (exactly
// these) or native (a word of the scheme; its levels in this scheme); categories, not_before and not_after. Who vouches for it is not
// a claim but whoever signed it.
func (s *Schemes) ParseClearanceJSON(b []byte) (authz.Clearance, error) {
	o, err := object(b)
	if err != nil {
		return authz.Clearance{}, err
	}
	m := &members{}
	m.closed(o, "", "scheme", "level", "levels", "native", "categories", "not_before", "not_after")
	c := authz.Clearance{
		Scheme: m.text(o, "", "scheme"), Native: m.maybe(o, "", "native"), Levels: m.list(o, "", "levels"),
		Categories: m.categories(o, ""), NotBefore: m.time(o, "", "not_before"), NotAfter: m.time(o, "", "not_after"),
	}
	level := m.maybe(o, "", "level")
	if said := len(slices.DeleteFunc([]string{"level", "levels", "native"}, func(n string) bool { _, ok := o[n]; return !ok })); said != 1 {
		m.fail("want one of level, levels and native, have %d", said)
	}
	if m.err != nil {
		return authz.Clearance{}, m.err
	}
	sc, err := s.scheme(c.Scheme)
	if err != nil {
		return authz.Clearance{}, err
	}
	if level != "" {
		c.Levels = []string{level}
	}
	if err := s.CheckClearance(c); err != nil {
		return authz.Clearance{}, err
	}
	switch {
	case level != "":
		c.Levels = sc.upTo(level)
	case c.Native != "":
		c.Levels = sc.inOrder(sc.data.Native[c.Native].Opens[sc.id])
	default:
		c.Levels = sc.inOrder(c.Levels)
	}
	l := empty()
	l.Categories = c.Categories
	c.Categories = sc.sorted(l).Categories
	return c, nil
}

// PrintClearanceJSON writes a clearance that ParseClearanceJSON reads back, but for its sponsor, which is not a claim.
func (s *Schemes) PrintClearanceJSON(c authz.Clearance) ([]byte, error) {
	if err := s.CheckClearance(c); err != nil {
		return nil, err
	}
	o := map[string]any{"scheme": c.Scheme, "categories": c.Categories}
	sc := s.byID[c.Scheme]
	if c.Native != "" {
		if !slices.Equal(sc.inOrder(c.Levels), sc.inOrder(sc.data.Native[c.Native].Opens[c.Scheme])) {
			return nil, fmt.Errorf("native clearance %s: opens other levels of %s than these", quote(c.Native), c.Scheme)
		}
		o["native"] = c.Native
	} else {
		o["levels"] = append([]string{}, sc.inOrder(c.Levels)...)
	}
	for name, t := range map[string]authz.Time{"not_before": c.NotBefore, "not_after": c.NotAfter} {
		if !t.IsZero() {
			o[name] = t
		}
	}
	return json.Marshal(o)
}

// maxDepth bounds the nesting of a label's or a clearance's JSON.
const maxDepth = 8

// object reads one JSON object and refuses what two readers could read in two ways (I-JSON, RFC 7493).
func object(b []byte) (map[string]any, error) {
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("JSON of %d bytes: want at most %d", len(b), MaxBytes)
	}
	return strictjson.Object(b, maxDepth)
}

// members takes typed members out of JSON and keeps the first that had another shape.
type members struct{ err error }

func (m *members) fail(format string, args ...any) {
	if m.err == nil {
		m.err = fmt.Errorf(format, args...)
	}
}

func (m *members) closed(o map[string]any, at string, names ...string) {
	for _, n := range slices.Sorted(maps.Keys(o)) {
		if !slices.Contains(names, n) {
			m.fail("%s: unknown member; want only %s", at+quote(n), strings.Join(names, ", "))
		}
	}
}

func (m *members) label(o map[string]any, at string, depth int) authz.Label {
	m.closed(o, at, "scheme", "level", "categories", "release", "display", "nation", "handling", "created", "alternatives")
	l := authz.Label{
		Scheme: m.text(o, at, "scheme"), Level: m.text(o, at, "level"), Categories: m.categories(o, at),
		Nation: m.some(o, at, "nation"), Handling: m.some(o, at, "handling"), Created: m.time(o, at, "created"), Alternatives: []authz.Label{},
	}
	for _, list := range lists {
		list.set(&l, m.list(o, at, list.name))
	}
	items, ok := o["alternatives"].([]any)
	switch {
	case !ok && o["alternatives"] != nil:
		m.fail("%salternatives: want a list", at)
	case len(items) > maxAlternatives:
		m.fail("%salternatives: %d, want at most %d", at, len(items), maxAlternatives)
	case depth > 0 && len(items) > 0:
		m.fail("%salternatives: an alternative has none of its own", at)
	default:
		for i, v := range items {
			here := fmt.Sprintf("%salternatives[%d]", at, i)
			if o, ok := v.(map[string]any); ok {
				l.Alternatives = append(l.Alternatives, m.label(o, here+".", depth+1))
			} else {
				m.fail("%s: want an object", here)
			}
		}
	}
	return l
}

func (m *members) string(v any, at string) string {
	s, ok := v.(string)
	if !ok {
		m.fail("%s: want a text", at)
		return ""
	}
	if err := printable(s); err != nil {
		m.fail("%s: %w", at, err)
	}
	return s
}

func (m *members) text(o map[string]any, at, name string) string { return m.string(o[name], at+name) }

func (m *members) maybe(o map[string]any, at, name string) string {
	if _, ok := o[name]; !ok {
		return ""
	}
	return m.text(o, at, name)
}

// list returns nil for a member that is absent or null.
func (m *members) list(o map[string]any, at, name string) []string {
	if o[name] == nil {
		return nil
	}
	items, ok := o[name].([]any)
	if !ok || len(items) > maxValues {
		m.fail("%s%s: want a list of at most %d texts", at, name, maxValues)
	}
	out := make([]string, 0, len(items))
	for i, v := range items {
		out = append(out, m.string(v, fmt.Sprintf("%s%s[%d]", at, name, i)))
	}
	return out
}

func (m *members) some(o map[string]any, at, name string) []string {
	return append([]string{}, m.list(o, at, name)...)
}

func (m *members) categories(o map[string]any, at string) map[string][]string {
	out := map[string][]string{}
	sets, ok := o["categories"].(map[string]any)
	if !ok && o["categories"] != nil {
		m.fail("%scategories: want an object", at)
	}
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		if sets[name] == nil {
			m.fail("%scategories.%s: want a list", at, quote(name))
		}
		out[name] = m.some(sets, at+"categories.", name)
	}
	return out
}

func (m *members) time(o map[string]any, at, name string) authz.Time {
	if o[name] == nil {
		return authz.Time{}
	}
	s := m.string(o[name], at+name)
	t, ok := instant(s)
	if !ok {
		m.fail("%s%s: want a time such as 2026-01-02T15:04:05Z, have %s", at, name, quote(s))
	}
	return t
}
