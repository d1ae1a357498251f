package label

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/label/strictxml"
)

// Namespaces of ADatP-4774.
const (
	labelNS     = "urn:nato:stanag:4774:confidentialitymetadatalabel:1:0"
	clearanceNS = "urn:nato:stanag:4774:confidentialityclearance:1:0"
)

// Kinds of label: the three roots of ADatP-4774 (App. 1). The fourth, of earlier drafts, is refused: it does not say which it is.
const (
	Originator  = "originator"  // the label that the originator gave the data
	Alternative = "alternative" // one that is equivalent to it in another policy
	Metadata    = "metadata"    // the label of the metadata itself
)

// Document is an ADatP-4774 label with what it says beside the label. None of that changes who may see the data: a review date that
// has passed does not end a label, and a privacy mark is text for people (RFC 2634).
type Document struct {
	Kind        string // Originator, Alternative or Metadata
	Label       authz.Label
	Review      authz.Time // zero: none
	PrivacyMark string     // "": none
	OriginIDType,
	OriginID string // "": none
}

var (
	xmlLimits = strictxml.Limits{Bytes: MaxBytes, Elements: 1024, Depth: 8}
	roots     = map[string]string{
		"originatorConfidentialityLabel": Originator, "alternativeConfidentialityLabel": Alternative, "metadataConfidentialityLabel": Metadata,
	}
	idTypes = []string{"rfc822Name", "dNSName", "directoryName", "uniformResourceIdentifier", "iPAddress", "x400Address", "userPrincipalName", "jID"}
)

// ParseXML reads an ADatP-4774 label. It is exact: elements and attributes in the namespaces, order and number of the standard and no
// others, also where its schema would let strangers in. A label that ends by itself (SuccessionHandling) is refused: here only a
// signed act makes a label looser.
func (s *Schemes) ParseXML(b []byte) (Document, error) {
	root, err := strictxml.Parse(b, xmlLimits)
	if err != nil {
		return Document{}, err
	}
	d := Document{Kind: roots[root.Name.Local]}
	if d.Kind == "" || root.Name.Space != labelNS {
		return Document{}, fmt.Errorf("line %d: element %s: want an originator-, alternative- or metadataConfidentialityLabel of %s", root.Line, root, labelNS)
	}
	r := &reader{}
	attrs := r.attrs(root, "ReviewDateTime", "Id")
	if v, ok := attrs["ReviewDateTime"]; ok {
		d.Review = r.time(root, v)
	}
	if _, ok := attrs["Id"]; ok {
		r.fail(root, "attribute Id: a label by itself is bound to nothing; want none")
	}
	q := r.children(root)
	info := q.one("ConfidentialityInformation")
	if e := q.maybe("OriginatorID"); e != nil {
		d.OriginIDType = r.attrs(e, "IDType")["IDType"]
		d.OriginID = r.text(e)
		if !slices.Contains(idTypes, d.OriginIDType) {
			r.fail(e, "IDType %s: want one of %s", quote(d.OriginIDType), strings.Join(idTypes, ", "))
		}
	}
	created := q.one("CreationDateTime")
	q.end()
	if r.err != nil {
		return Document{}, r.err
	}
	r.attrs(info)
	l, err := s.information(r, info, &d)
	if err != nil {
		return Document{}, err
	}
	r.attrs(created)
	l.Created = r.time(created, r.text(created))
	d.Label = l
	return d, r.err
}

// information reads ConfidentialityInformation.
func (s *Schemes) information(r *reader, info *strictxml.Element, d *Document) (authz.Label, error) {
	q := r.children(info)
	policy, class := q.one("PolicyIdentifier"), q.one("Classification")
	if e := q.maybe("PrivacyMark"); e != nil {
		r.attrs(e)
		d.PrivacyMark = r.text(e)
	}
	categories := q.all("Category")
	q.end()
	if r.err != nil {
		return authz.Label{}, r.err
	}
	sc := s.policy(r, policy)
	l := empty()
	if sc != nil {
		l.Scheme, l.Level = sc.id, sc.classification(r, class)
		for _, e := range categories {
			sc.category(r, e, &l, false)
		}
	}
	if r.err != nil {
		return authz.Label{}, r.err
	}
	return sc.sorted(l), nil
}

// policy reads a PolicyIdentifier.
func (s *Schemes) policy(r *reader, e *strictxml.Element) *scheme {
	uri, said := r.attrs(e, "URI")["URI"]
	name := token(r.text(e))
	of := s.byPolicy[fold(name)]
	switch {
	case len(of) == 0:
		r.fail(e, "policy %s is unknown", quote(name))
		return nil
	case len(of) > 1:
		r.fail(e, "policy %s is that of the schemes %s and %s", quote(name), of[0].id, of[1].id)
		return nil
	}
	sc := of[0]
	switch {
	case said && (uri == "" || uri != sc.data.Policy.URI):
		r.fail(e, "policy %s: its URI is %s, not %s", quote(name), or(sc.data.Policy.URI, "not known"), quote(uri))
	default:
		return sc
	}
	return nil
}

func (sc *scheme) classification(r *reader, e *strictxml.Element) string {
	r.attrs(e)
	name := token(r.text(e))
	w, ok := sc.levelNamed(name)
	if !ok {
		r.fail(e, "classification %s: %s has no such level", quote(name), sc.id)
	}
	return w.id
}

// types are the types of category, by type of tag set. To a reader that does not know what a nation tag tests, it is a value that the
// clearance must hold.
var types = map[string]string{
	"restrictive": "RESTRICTIVE", "permissive": "PERMISSIVE", "informative": "INFORMATIVE", "nation": "RESTRICTIVE", "handling": "INFORMATIVE",
}

// category reads a Category into l. A tag set may stand there once.
func (sc *scheme) category(r *reader, e *strictxml.Element, l *authz.Label, clearance bool) {
	attrs := r.attrs(e, "Type", "TagName", "URI")
	kind, tag := attrs["Type"], attrs["TagName"]
	uri, said := attrs["URI"]
	if kind != "RESTRICTIVE" && kind != "PERMISSIVE" && kind != "INFORMATIVE" {
		r.fail(e, "Type %s: want RESTRICTIVE, PERMISSIVE or INFORMATIVE", quote(kind))
		return
	}
	key := kind + " " + fold(tag)
	if r.tags[key] {
		r.fail(e, "category %s is there twice", quote(tag))
	}
	if r.tags == nil {
		r.tags = map[string]bool{}
	}
	r.tags[key] = true
	values := []string{}
	q := r.children(e)
	for _, v := range q.all("GenericValue") {
		r.attrs(v)
		values = append(values, r.text(v))
	}
	q.end()
	if r.err != nil {
		return
	}
	if list, its := sc.listTagged(kind, tag); list != nil {
		switch {
		case said && (uri == "" || uri != its):
			r.fail(e, "category %s: its URI is %s, not %s", quote(tag), or(its, "not known"), quote(uri))
		case clearance:
			r.fail(e, "category %s: a list of countries is compared with affiliations, so no clearance holds one", quote(tag))
		default:
			if err := checkCountries(values); err != nil {
				r.fail(e, "category %s: %s", quote(tag), err)
			}
			list.set(l, values)
		}
		return
	}
	sets := sc.tagged(kind, tag)
	if clearance {
		sets = slices.DeleteFunc(sets, func(set *tagSet) bool { return set.kind != "restrictive" && set.kind != "permissive" })
	}
	if len(sets) == 0 {
		r.fail(e, "category %s: %s has no such %s tag set", quote(tag), sc.id, kind)
		return
	}
	if len(values) == 0 {
		sc.hollow(r, e, sets, l)
	}
	for _, v := range values {
		sc.value(r, e, sets, v, l)
	}
	if i := slices.IndexFunc(sets, func(set *tagSet) bool { return uri == "" || set.uri != uri }); said && i >= 0 {
		r.fail(e, "category %s: its URI is %s, not %s", quote(tag), or(sets[i].uri, "not known"), quote(uri))
	}
}

// hollow notes that a category is there without a value, which for a permissive one is not the same as none.
func (sc *scheme) hollow(r *reader, e *strictxml.Element, sets []*tagSet, l *authz.Label) {
	if len(sets) > 1 || sets[0].kind == "nation" || sets[0].kind == "handling" {
		r.fail(e, "category without a GenericValue: %s can't say that", sc.id)
		return
	}
	l.Categories[sets[0].name] = []string{}
}

func (sc *scheme) value(r *reader, e *strictxml.Element, sets []*tagSet, v string, l *authz.Label) {
	for _, set := range sets {
		if w, ok := named(set.words, v); ok {
			if err := set.add(l, w.id); err != nil {
				r.fail(e, "value %s", err)
			}
			return
		}
	}
	r.fail(e, "value %s: %s has no such value in tag set %s", quote(v), sc.id, quote(sets[0].tag))
}

// tagged returns the tag sets of that type and name. There can be more than one: a set of the policy whose values obey different
// rules is several in the data.
func (sc *scheme) tagged(kind, tag string) (sets []*tagSet) {
	for _, name := range sc.order {
		if set := sc.sets[name]; types[set.kind] == kind && fold(set.tag) == fold(tag) {
			sets = append(sets, set)
		}
	}
	return sets
}

// listTagged returns the list of countries that a category is, and its URI.
func (sc *scheme) listTagged(kind, tag string) (*countryList, string) {
	for i, list := range lists {
		name, uri := sc.listTag(list)
		if kind == "PERMISSIVE" && fold(tag) == fold(name) && len(sc.tagged(kind, tag)) == 0 {
			return &lists[i], uri
		}
	}
	return nil, ""
}

func (sc *scheme) listTag(list countryList) (name, uri string) {
	if d := map[string]*List{"release": sc.data.Release}[list.name]; d != nil {
		return or(d.Name, list.tag), d.URI
	}
	return list.tag, ""
}

// PrintXML writes an ADatP-4774 label. It refuses what the form can't say.
func (s *Schemes) PrintXML(d Document) ([]byte, error) {
	if err := s.Check(d.Label); err != nil {
		return nil, err
	}
	root := ""
	for name, kind := range roots {
		if kind == d.Kind {
			root = name
		}
	}
	switch {
	case root == "":
		return nil, fmt.Errorf("kind %s: want %s, %s or %s", quote(d.Kind), Originator, Alternative, Metadata)
	case len(d.Label.Alternatives) > 0:
		return nil, errAlternatives
	case d.Label.Created.IsZero():
		return nil, errors.New("created: ADatP-4774 wants the date of a label, and this one's is unknown")
	case (d.OriginID == "") != (d.OriginIDType == ""), d.OriginID != "" && !slices.Contains(idTypes, d.OriginIDType):
		return nil, fmt.Errorf("originator of type %s: want both or none, of a type of %s", quote(d.OriginIDType), strings.Join(idTypes, ", "))
	}
	for _, text := range []string{d.PrivacyMark, d.OriginID} {
		if err := printable(text); text != "" && err != nil {
			return nil, err
		}
		if token(text) != text {
			return nil, fmt.Errorf("%s: want no spaces around it and none doubled", quote(text))
		}
	}
	sc := s.byID[d.Label.Scheme]
	w := &writer{}
	w.open("slab:"+root, "xmlns:slab", labelNS, "ReviewDateTime", xmlTime(d.Review))
	w.open("slab:ConfidentialityInformation")
	w.leaf("slab:PolicyIdentifier", sc.data.Policy.Name, "URI", sc.data.Policy.URI)
	level, _ := sc.level(d.Label.Level)
	w.leaf("slab:Classification", level.name)
	if d.PrivacyMark != "" {
		w.leaf("slab:PrivacyMark", d.PrivacyMark)
	}
	sc.categories(w, d.Label)
	w.close("slab:ConfidentialityInformation")
	if d.OriginID != "" {
		w.leaf("slab:OriginatorID", d.OriginID, "IDType", d.OriginIDType)
	}
	w.leaf("slab:CreationDateTime", xmlTime(d.Label.Created))
	w.close("slab:" + root)
	if w.Len() > MaxBytes {
		return nil, fmt.Errorf("XML of %d bytes: want at most %d", w.Len(), MaxBytes)
	}
	return w.Bytes(), nil
}

// categories writes one Category for each tag set of the policy, and one for each list.
func (sc *scheme) categories(w *writer, l authz.Label) {
	done := map[string]bool{}
	for _, name := range sc.order {
		first := sc.sets[name]
		kind := types[first.kind]
		if done[kind+" "+fold(first.tag)] {
			continue
		}
		done[kind+" "+fold(first.tag)] = true
		var names []string
		carried := false
		for _, set := range sc.tagged(kind, first.tag) {
			_, there := l.Categories[set.name]
			carried = carried || there
			for _, id := range set.values(l) {
				v, _ := byID(set.words, id)
				names = append(names, v.name)
			}
		}
		if carried || len(names) > 0 {
			w.category(kind, first.tag, first.uri, names)
		}
	}
	for _, list := range lists {
		if countries := list.of(&l); countries != nil {
			name, uri := sc.listTag(list)
			w.category("PERMISSIVE", name, uri, slices.Sorted(slices.Values(countries)))
		}
	}
}
