package label

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sallyport-dev/sallyport/authz"
)

// SIOLabel is what the header SIO-Label says (RFC 7444; for HTTP, the REST profile of ADatP-4778.2).
type SIOLabel struct {
	Document   Document // of a header that has only a marking: of no Kind
	Marking    string   // "": none
	Foreground string   // colour of the marking, "": none
	Background string
}

// ParseSIOLabel reads the value of one SIO-Label header. The label parameter is an ADatP-4774 label in XML; those in ASN.1 are refused.
// A marking beside it must say the same: a person and a gateway must not see two labels. A marking alone is read as FindMarking does,
// with the date of created.
func (s *Schemes) ParseSIOLabel(value string, created authz.Time) (SIOLabel, error) {
	p, err := parameters(value)
	if err != nil {
		return SIOLabel{}, err
	}
	h := SIOLabel{Marking: p["marking"], Foreground: p["fgcolor"], Background: p["bgcolor"]}
	kind, typed := p["type"]
	label, labelled := p["label"]
	_, marked := p["marking"]
	switch {
	case typed != labelled:
		return SIOLabel{}, errors.New("type and label: want both or none")
	case typed && kind != ":xml":
		return SIOLabel{}, fmt.Errorf("type %s: only :xml is read here", quote(kind))
	case !typed && !marked:
		return SIOLabel{}, errors.New("neither a label nor a marking")
	case !marked && (h.Foreground != "" || h.Background != ""):
		return SIOLabel{}, errors.New("fgcolor, bgcolor: are colours of a marking, and there is none")
	}
	if err := h.checkColours(p); err != nil {
		return SIOLabel{}, err
	}
	if !typed {
		h.Document.Label, err = s.FindMarking(h.Marking, created)
		return h, err
	}
	xml, err := base64.StdEncoding.Strict().DecodeString(label)
	if err != nil || base64.StdEncoding.EncodeToString(xml) != label {
		return SIOLabel{}, errors.New("label: want base64")
	}
	if h.Document, err = s.ParseXML(xml); err != nil {
		return SIOLabel{}, fmt.Errorf("label: %w", err)
	}
	return h, s.agree(h, marked)
}

// agree wants the marking to say what the label says.
func (s *Schemes) agree(h SIOLabel, marked bool) error {
	if !marked {
		return nil
	}
	l, err := s.ParseMarking(h.Document.Label.Scheme, h.Marking, h.Document.Label.Created)
	if err != nil {
		return err
	}
	if !equal(l, h.Document.Label) {
		return fmt.Errorf("marking %s: says something else than the label beside it", quote(h.Marking))
	}
	return nil
}

// colour is the name of one or #RRGGBB.
var colour = regexp.MustCompile(`^(#[0-9A-Fa-f]{6}|[A-Za-z]{1,32})$`)

func (h SIOLabel) checkColours(said map[string]string) error {
	for name, c := range map[string]string{"fgcolor": h.Foreground, "bgcolor": h.Background} {
		if _, ok := said[name]; (ok || c != "") && !colour.MatchString(c) {
			return fmt.Errorf("%s %s: want a colour's name or #RRGGBB", name, quote(c))
		}
	}
	return nil
}

// PrintSIOLabel writes a header value with a label in XML and, if h has one, the marking.
func (s *Schemes) PrintSIOLabel(h SIOLabel) (string, error) {
	xml, err := s.PrintXML(h.Document)
	if err != nil {
		return "", err
	}
	if h.Marking == "" && (h.Foreground != "" || h.Background != "") {
		return "", errors.New("fgcolor, bgcolor: are colours of a marking, and there is none")
	}
	if err := h.checkColours(nil); err != nil {
		return "", err
	}
	h.Document.Label = s.byID[h.Document.Label.Scheme].sorted(h.Document.Label)
	if err := s.agree(h, h.Marking != ""); err != nil {
		return "", err
	}
	var b strings.Builder
	for _, p := range [][2]string{
		{"marking", h.Marking}, {"fgcolor", h.Foreground}, {"bgcolor", h.Background},
		{"type", ":xml"}, {"label", base64.StdEncoding.EncodeToString(xml)},
	} {
		if p[1] == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		writeParameter(&b, p[0], p[1])
	}
	if b.Len() > MaxBytes {
		return "", fmt.Errorf("SIO-Label of %d bytes: want at most %d", b.Len(), MaxBytes)
	}
	return b.String(), nil
}

func writeParameter(b *strings.Builder, name, value string) {
	if strings.IndexFunc(value, func(c rune) bool { return c < ' ' || c > '~' }) >= 0 {
		b.WriteString(name + "*=UTF-8''")
		for _, c := range []byte(value) {
			if plain := c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'; plain {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(b, "%%%02X", c) // RFC 8187 §3.2
			}
		}
		return
	}
	b.WriteString(name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`)
}

// sioNames are the parameters of RFC 7444 §3.
var sioNames = []string{"marking", "fgcolor", "bgcolor", "type", "label"}

const maxSections = 256 // of one parameter (RFC 2231 §3)

// parameters reads name=value pairs between semicolons, with the extended values and the continuations of RFC 2231. Each name stands
// there once and is one that RFC 7444 knows; sections are numbered from 0 and come in their order.
func parameters(value string) (map[string]string, error) {
	if len(value) > MaxBytes {
		return nil, fmt.Errorf("SIO-Label of %d bytes: want at most %d", len(value), MaxBytes)
	}
	if i := strings.IndexFunc(value, func(c rune) bool { return c != '\t' && (c < ' ' || c > '~') }); i >= 0 {
		return nil, errors.New("SIO-Label: want printable ASCII")
	}
	p, sections, closed := map[string]string{}, map[string]int{}, map[string]bool{}
	for rest := value; ; {
		part, more, err := parameter(rest)
		if err != nil {
			return nil, err
		}
		name := part.name
		switch {
		case !slices.Contains(sioNames, name):
			return nil, fmt.Errorf("parameter %s: want one of %s", quote(name), strings.Join(sioNames, ", "))
		case closed[name] || part.section < 0 && sections[name] > 0:
			return nil, fmt.Errorf("parameter %s: is there twice", name)
		case part.section >= 0 && part.section != sections[name] || part.section >= maxSections:
			return nil, fmt.Errorf("parameter %s: section %d, want %d", name, part.section, sections[name])
		}
		if part.section < 0 {
			closed[name] = true
		} else {
			sections[name]++
		}
		p[name] += part.value
		if more == "" {
			break
		}
		rest = more[1:] // past the semicolon
	}
	for name, v := range p {
		if !utf8.ValidString(v) {
			return nil, fmt.Errorf("parameter %s: want UTF-8", name)
		}
		if v == "" {
			return nil, fmt.Errorf("parameter %s: is empty", name)
		}
	}
	return p, nil
}

type sioParameter struct {
	name    string
	section int // -1: the whole value
	value   string
}

// parameter reads the first parameter of s; more begins with a semicolon or is empty.
func parameter(s string) (p sioParameter, more string, err error) {
	s = strings.TrimLeft(s, " \t")
	head, s, ok := strings.Cut(s, "=")
	if !ok {
		return p, "", fmt.Errorf("parameter %s: want name=value", quote(head))
	}
	name, extended := strings.CutSuffix(strings.ToLower(head), "*")
	name, section, numbered := strings.Cut(name, "*")
	p = sioParameter{name: name, section: -1}
	if numbered {
		p.section, err = strconv.Atoi(section)
		if err != nil || p.section < 0 || strconv.Itoa(p.section) != section {
			return p, "", fmt.Errorf("parameter %s: section %s is no number", quote(name), quote(section))
		}
	}
	var quoted bool
	p.value, more, quoted, err = parameterValue(s)
	if err == nil && extended {
		p.value, err = extendedValue(p, quoted)
	}
	if err != nil {
		return p, "", fmt.Errorf("parameter %s: %w", quote(name), err)
	}
	if more = strings.TrimLeft(more, " \t"); more != "" && more[0] != ';' {
		return p, "", fmt.Errorf("parameter %s: %s after its value; want a semicolon", quote(name), quote(more))
	}
	return p, more, nil
}

// parameterValue reads a token or a quoted string (RFC 9110 §5.6).
func parameterValue(s string) (value, more string, quoted bool, err error) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexFunc(s, func(c rune) bool { return !tchar(c) })
		if end < 0 {
			end = len(s)
		}
		if end == 0 {
			return "", "", false, errors.New("no value")
		}
		return s[:end], s[end:], false, nil
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true, nil
		case '\\':
			if i++; i == len(s) {
				return "", "", true, errors.New("a quoted string that does not end")
			}
			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", true, errors.New("a quoted string that does not end")
}

func tchar(c rune) bool {
	return c > ' ' && c < 0x7f && !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
}

// extendedValue undoes charset'language'percent-encoding, of which only the first section names the charset.
func extendedValue(p sioParameter, quoted bool) (string, error) {
	v := p.value
	if quoted {
		return "", errors.New("an extended value stands in quotes")
	}
	if p.section <= 0 {
		charset, rest, ok := strings.Cut(v, "'")
		language, rest, ok2 := strings.Cut(rest, "'")
		if !ok || !ok2 || !strings.EqualFold(charset, "UTF-8") || language != "" {
			return "", fmt.Errorf("extended value %s: want UTF-8''…", quote(v))
		}
		v = rest
	}
	text, err := url.PathUnescape(v)
	if err != nil || strings.ContainsAny(v, "*'") {
		return "", fmt.Errorf("extended value %s: want percent-encoding", quote(v))
	}
	return text, nil
}
