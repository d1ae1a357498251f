package label

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/label/strictxml"
)

// reader takes exactly what is expected out of elements, and keeps the first thing that was not.
type reader struct {
	err  error
	tags map[string]bool // categories seen
}

func (r *reader) fail(e *strictxml.Element, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("line %d: %s: %w", e.Line, e.Name.Local, fmt.Errorf(format, args...))
	}
}

// attrs returns the attributes of e, all of which must be among names. They are of no namespace (attributeFormDefault unqualified).
func (r *reader) attrs(e *strictxml.Element, names ...string) map[string]string {
	out := map[string]string{}
	for _, a := range e.Attrs {
		if a.Name.Space != "" || !slices.Contains(names, a.Name.Local) {
			r.fail(e, "attribute %s%s: want %s", quote(a.Name.Local), in(a.Name.Space), or(strings.Join(names, " or "), "none"))
		}
		out[a.Name.Local] = a.Value
	}
	return out
}

func in(space string) string {
	if space == "" {
		return ""
	}
	return " of " + quote(space)
}

// text returns the text of an element that has nothing else in it.
func (r *reader) text(e *strictxml.Element) string {
	if len(e.Children) > 0 {
		r.fail(e, "want a text, have the element %s", quote(e.Children[0].Name.Local))
	}
	text := token(e.Text)
	if err := printable(text); err != nil {
		r.fail(e, "text %s", err)
	}
	return text
}

// dateTime is an xs:dateTime that says its offset: a time without one is another instant for each reader.
var dateTime = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$`)

// instant reads a time in RFC 3339 of the years that it can be written in again.
func instant(s string) (authz.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, s)
	t = t.UTC()
	return authz.At(t), err == nil && dateTime.MatchString(s) && !t.IsZero() && t.Year() >= 1 && t.Year() <= 9999
}

func (r *reader) time(e *strictxml.Element, s string) authz.Time {
	t, ok := instant(s)
	if !ok {
		r.fail(e, "time %s: want one such as 2026-01-02T15:04:05Z, with its offset", quote(s))
		return authz.Time{}
	}
	return t
}

// sequence walks the children of an element in their order.
type sequence struct {
	r    *reader
	e    *strictxml.Element
	ns   string
	rest []*strictxml.Element
}

func (r *reader) children(e *strictxml.Element) *sequence {
	s := &sequence{r: r, e: e, ns: labelNS, rest: e.Children}
	if len(e.Children) == 0 && strings.TrimSpace(e.Text) != "" {
		r.fail(e, "want elements, have a text")
	}
	return s
}

func (s *sequence) next(ns, name string) *strictxml.Element {
	if len(s.rest) == 0 || s.rest[0].Name.Local != name || s.rest[0].Name.Space != ns {
		return nil
	}
	e := s.rest[0]
	s.rest = s.rest[1:]
	return e
}

func (s *sequence) maybe(name string) *strictxml.Element { return s.next(s.ns, name) }

func (s *sequence) one(name string) *strictxml.Element {
	e := s.maybe(name)
	if e == nil {
		s.missing(name)
		return s.e
	}
	return e
}

func (s *sequence) missing(name string) {
	if len(s.rest) == 0 {
		s.r.fail(s.e, "%s is missing", name)
		return
	}
	s.r.fail(s.e, "line %d: %s: want %s", s.rest[0].Line, s.rest[0], name)
}

func (s *sequence) all(name string) (es []*strictxml.Element) {
	for e := s.maybe(name); e != nil; e = s.maybe(name) {
		es = append(es, e)
	}
	return es
}

func (s *sequence) end() {
	if len(s.rest) > 0 {
		s.r.fail(s.e, "line %d: %s is not expected here", s.rest[0].Line, s.rest[0])
	}
}

// token does to white space what xs:token does.
func token(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(c rune) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }), " ")
}

func xmlTime(t authz.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// writer writes XML on one line.
type writer struct{ bytes.Buffer }

func (w *writer) open(name string, attrs ...string) {
	w.WriteString("<" + name)
	for i := 0; i < len(attrs); i += 2 {
		if attrs[i+1] != "" {
			w.WriteString(" " + attrs[i] + `="`)
			w.escape(attrs[i+1])
			w.WriteString(`"`)
		}
	}
	w.WriteString(">")
}

func (w *writer) close(name string) { w.WriteString("</" + name + ">") }

func (w *writer) leaf(name, text string, attrs ...string) {
	w.open(name, attrs...)
	w.escape(text)
	w.close(name)
}

func (w *writer) category(kind, tag, uri string, values []string) {
	w.open("slab:Category", "Type", kind, "TagName", tag, "URI", uri)
	for _, v := range values {
		w.leaf("slab:GenericValue", v)
	}
	w.close("slab:Category")
}

func (w *writer) escape(s string) { _ = xml.EscapeText(w, []byte(s)) } // a Buffer never fails
