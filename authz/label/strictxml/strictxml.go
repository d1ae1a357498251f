// Package strictxml reads XML that two readers can understand in one way only. What makes XML dangerous is refused before anything is
// looked at: document types, entities beyond the five of XML, processing instructions, other encodings than UTF-8, deep nesting,
// attributes that are there twice, a comment inside a text (some readers see two texts there, some one), text beside elements.
//
// Invariants: an Element has either children or a text. Names are resolved to their namespaces; a prefix without one is refused.
// Errors name the line and never hold more than a few bytes of the document.
//
// Non-goals: schemas, signatures and canonical XML; mixed content.
//
// Rules: XML 1.0 (fifth edition), Namespaces in XML 1.0.
package strictxml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits bound a document.
type Limits struct {
	Bytes    int
	Elements int
	Depth    int
}

// Element is one element. Namespace declarations are not among its attributes.
type Element struct {
	Name     xml.Name
	Attrs    []xml.Attr
	Children []*Element
	Text     string // of an element without children, as it stands there
	Line     int

	bare    bool // nothing but white space so far, so a child may follow
	comment bool // a comment has been seen, so a text may not follow
}

// Parse returns the root of the document.
func Parse(b []byte, most Limits) (*Element, error) {
	if len(b) > most.Bytes {
		return nil, fmt.Errorf("XML of %d bytes: want at most %d", len(b), most.Bytes)
	}
	if !utf8.Valid(b) {
		return nil, errors.New("XML is not UTF-8")
	}
	b = bytes.TrimPrefix(b, []byte("\ufeff")) // XML 1.0 §4.3.3
	p := &parser{d: xml.NewDecoder(bytes.NewReader(b)), most: most}
	for {
		p.line, _ = p.d.InputPos()
		t, err := p.d.Token()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = p.token(t)
		}
		if err != nil {
			return nil, p.located(err)
		}
	}
	if p.root == nil {
		return nil, errors.New("XML has no element")
	}
	return p.root, nil
}

type parser struct {
	d    *xml.Decoder
	most Limits
	root *Element
	open []*Element // the elements that are not yet closed

	elements, tokens int
	line             int // where the token begins
}

func (p *parser) located(err error) error {
	if s := (*xml.SyntaxError)(nil); errors.As(err, &s) {
		return fmt.Errorf("line %d: XML: %s", s.Line, Quote(s.Msg))
	}
	return fmt.Errorf("line %d: XML: %w", p.line, err)
}

func (p *parser) token(t xml.Token) error {
	p.tokens++
	switch t := t.(type) {
	case xml.Directive:
		return errors.New("a document type or other declaration; want none")
	case xml.ProcInst:
		return p.declaration(t)
	case xml.Comment:
		return p.note()
	case xml.StartElement:
		return p.start(t)
	case xml.EndElement:
		e := p.open[len(p.open)-1]
		p.open = p.open[:len(p.open)-1]
		if len(e.Children) > 0 {
			e.Text = ""
		}
		return nil
	default:
		return p.text(string(t.(xml.CharData)))
	}
}

// declaration allows the XML declaration, which can only be the first thing, and no processing instruction.
func (p *parser) declaration(t xml.ProcInst) error {
	if t.Target != "xml" || p.tokens > 1 {
		return fmt.Errorf("a processing instruction %s; want none", Quote(t.Target))
	}
	return nil
}

func (p *parser) note() error {
	if len(p.open) == 0 {
		return nil
	}
	e := p.open[len(p.open)-1]
	if !e.bare {
		return fmt.Errorf("a comment inside the text of %s", e.Name.Local)
	}
	e.comment = true
	return nil
}

func (p *parser) text(s string) error {
	blank := strings.Trim(s, " \t\r\n") == ""
	if len(p.open) == 0 {
		if !blank {
			return errors.New("text outside the root element")
		}
		return nil
	}
	e := p.open[len(p.open)-1]
	if !blank && (e.comment || len(e.Children) > 0) {
		return fmt.Errorf("text in %s beside a comment or an element", e.Name.Local)
	}
	e.bare = e.bare && blank
	e.Text += s
	return nil
}

func (p *parser) start(t xml.StartElement) error {
	if p.elements++; p.elements > p.most.Elements {
		return fmt.Errorf("more than %d elements", p.most.Elements)
	}
	if len(p.open) >= p.most.Depth {
		return fmt.Errorf("nested deeper than %d", p.most.Depth)
	}
	e := &Element{Name: t.Name, Line: p.line, bare: true}
	if err := resolved(t.Name); err != nil {
		return err
	}
	seen := map[xml.Name]bool{}
	for _, a := range t.Attr {
		if seen[a.Name] {
			return fmt.Errorf("attribute %s of %s is there twice", Quote(a.Name.Local), e.Name.Local)
		}
		seen[a.Name] = true
		if a.Name.Space == "xmlns" || a.Name == (xml.Name{Local: "xmlns"}) {
			continue
		}
		if err := resolved(a.Name); err != nil {
			return err
		}
		e.Attrs = append(e.Attrs, a)
	}
	switch {
	case len(p.open) > 0:
		up := p.open[len(p.open)-1]
		if !up.bare {
			return fmt.Errorf("an element beside the text of %s", up.Name.Local)
		}
		up.Children = append(up.Children, e)
	case p.root != nil:
		return errors.New("a second root element")
	default:
		p.root = e
	}
	p.open = append(p.open, e)
	return nil
}

// resolved refuses a prefix that was not declared: encoding/xml leaves it where the namespace should be. The namespaces that anyone
// here reads are URIs, so they hold a colon, and a prefix can't.
func resolved(n xml.Name) error {
	if n.Space != "" && !strings.Contains(n.Space, ":") {
		return fmt.Errorf("%s stands in %s, which is neither a declared prefix nor a URI", Quote(n.Local), Quote(n.Space))
	}
	return nil
}

// Quote makes what a stranger wrote safe for an error, and short.
func Quote(s string) string {
	const most = 64
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "…"
	}
	return strconv.QuoteToASCII(s)
}

// String names e, with its namespace.
func (e *Element) String() string {
	if e.Name.Space == "" {
		return Quote(e.Name.Local) + " of no namespace"
	}
	return Quote(e.Name.Local) + " of " + Quote(e.Name.Space)
}
