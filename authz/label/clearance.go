package label

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/label/strictxml"
)

// ParseClearanceXML reads an ADatP-4774 ConfidentialityClearance: one policy, the set of levels that it opens, categories. A clearance
// says nothing of who vouches for it and how long; that is in what carries it. A list of levels that is absent, which X.841 reads as
// the policy's unclassified, is refused: which level that is, the schemes do not say.
func (s *Schemes) ParseClearanceXML(b []byte) (authz.Clearance, error) {
	root, err := strictxml.Parse(b, xmlLimits)
	if err != nil {
		return authz.Clearance{}, err
	}
	if root.Name.Local != "ConfidentialityClearance" || root.Name.Space != clearanceNS {
		return authz.Clearance{}, fmt.Errorf("line %d: element %s: want a ConfidentialityClearance of %s", root.Line, root, clearanceNS)
	}
	r := &reader{}
	r.attrs(root)
	q := r.children(root)
	policy := q.one("PolicyIdentifier")
	q.ns = clearanceNS
	levels := q.one("ClassificationList")
	q.ns = labelNS
	categories := q.all("Category")
	q.end()
	if r.err != nil {
		return authz.Clearance{}, r.err
	}
	r.attrs(levels)
	list := r.children(levels)
	classes := list.all("Classification")
	list.end()
	if len(classes) == 0 {
		r.fail(levels, "want at least one Classification")
	}
	sc := s.policy(r, policy)
	if r.err != nil {
		return authz.Clearance{}, r.err
	}
	var opened []string
	for _, e := range classes {
		id := sc.classification(r, e)
		if slices.Contains(opened, id) {
			r.fail(e, "classification %s is there twice", quote(id))
		}
		opened = append(opened, id)
	}
	l := empty()
	for _, e := range categories {
		sc.category(r, e, &l, true)
	}
	if r.err != nil {
		return authz.Clearance{}, r.err
	}
	return authz.Clearance{Scheme: sc.id, Levels: sc.inOrder(opened), Categories: sc.sorted(l).Categories}, nil
}

// ParseACIClr reads the claim aciClr of a token: a clearance in XML, in base64url without padding (ADatP-4774.1 table 14).
func (s *Schemes) ParseACIClr(claim string) (authz.Clearance, error) {
	if len(claim) > MaxBytes {
		return authz.Clearance{}, fmt.Errorf("aciClr of %d bytes: want at most %d", len(claim), MaxBytes)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(claim)
	if err != nil || base64.RawURLEncoding.EncodeToString(b) != claim {
		return authz.Clearance{}, errors.New("aciClr: want base64url without padding")
	}
	return s.ParseClearanceXML(b)
}

// PrintClearanceXML writes a clearance. It refuses a native word and dates, for which the form has no place; who vouches is never
// part of it.
func (s *Schemes) PrintClearanceXML(c authz.Clearance) ([]byte, error) {
	if err := s.CheckClearance(c); err != nil {
		return nil, err
	}
	switch {
	case len(c.Levels) == 0:
		return nil, errors.New("levels: a clearance in XML names at least one")
	case c.Native != "":
		return nil, fmt.Errorf("native clearance %s: has no place in a clearance in XML", quote(c.Native))
	case !c.NotBefore.IsZero() || !c.NotAfter.IsZero():
		return nil, errors.New("not_before, not_after: have no place in a clearance in XML")
	}
	sc := s.byID[c.Scheme]
	w := &writer{}
	w.open("sclr:ConfidentialityClearance", "xmlns:sclr", clearanceNS, "xmlns:slab", labelNS)
	w.leaf("slab:PolicyIdentifier", sc.data.Policy.Name, "URI", sc.data.Policy.URI)
	w.open("sclr:ClassificationList")
	for _, id := range sc.inOrder(c.Levels) {
		level, _ := sc.level(id)
		w.leaf("slab:Classification", level.name)
	}
	w.close("sclr:ClassificationList")
	l := empty()
	l.Categories = c.Categories
	sc.categories(w, l)
	w.close("sclr:ConfidentialityClearance")
	if w.Len() > MaxBytes {
		return nil, fmt.Errorf("XML of %d bytes: want at most %d", w.Len(), MaxBytes)
	}
	return w.Bytes(), nil
}

// PrintACIClr writes a clearance as the claim aciClr.
func (s *Schemes) PrintACIClr(c authz.Clearance) (string, error) {
	b, err := s.PrintClearanceXML(c)
	if err != nil {
		return "", err
	}
	if n := base64.RawURLEncoding.EncodedLen(len(b)); n > MaxBytes {
		return "", fmt.Errorf("aciClr of %d bytes: want at most %d", n, MaxBytes)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// inOrder returns levels from the lowest.
func (sc *scheme) inOrder(ids []string) (out []string) {
	for _, l := range sc.levels {
		if slices.Contains(ids, l.id) {
			out = append(out, l.id)
		}
	}
	return out
}
