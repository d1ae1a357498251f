// Package spif turns an Open XML SPIF 2.1 (Security Policy Information File), in which nations and alliances publish their labelling
// policies, into a scheme as policies/schemes writes it.
//
// Invariants: what the scheme cannot say is in the notes, item by item, with its line; nothing is dropped in silence. What a scheme
// would say more loosely than the SPIF is left out where that denies, and named where it does not. A file with elements or attributes
// that SPIF 2.1 does not have is refused.
//
// Non-goals: verifying the signature of a SPIF (whoever imports one must know that it is the authority's), equivalences (they are
// agreements, with dates that a SPIF does not have), user input, colours, and the order of elements.
//
// Source: http://www.xmlspif.org/spif, schema version 2.1, as ADatP-4774.1 §3 describes it; X.841 for what the tags mean.
package spif

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/authz/label"
	"github.com/sallyport-dev/sallyport/authz/label/strictxml"
)

// Limits of a SPIF. That of NATO, with two names for each country, has 64 KiB and 900 elements.
const (
	MaxBytes    = 4 << 20
	maxElements = 50_000
	maxDepth    = 16
	maxName     = 256 // bytes of one text in a scheme
)

// Nobody is the nation of a scheme where no one said whose it is. ISO 3166-1 leaves XAA to XZZ to its users, so nobody is
// affiliated with it and its labels are released to nobody.
const Nobody = "XXX"

// Result is a scheme and what it does not say.
type Result struct {
	ID     string       `json:"id"` // for policies/schemes/<ID>
	Scheme label.Scheme `json:"scheme"`
	Notes  []Note       `json:"not_carried_over"`
}

// Note names one thing of a SPIF that the scheme does not say, or does not say in the same way.
type Note struct {
	Line int    `json:"line"`
	What string `json:"what"`
	Why  string `json:"why"`
}

func (n Note) String() string { return fmt.Sprintf("line %d: %s: %s", n.Line, n.What, n.Why) }

// Import reads a SPIF. Nation is whose policy it is, an ISO 3166-1 alpha-3 code; "" is Nobody.
func Import(b []byte, nation string) (Result, error) {
	root, err := strictxml.Parse(b, strictxml.Limits{Bytes: MaxBytes, Elements: maxElements, Depth: maxDepth})
	if err != nil {
		return Result{}, err
	}
	i := &importer{classes: map[string]string{}, sets: map[string][]*imported{}}
	if root.Name.Local != "SPIF" || root.Name.Space != namespace {
		return Result{}, fmt.Errorf("line %d: element %s: want SPIF of %q", root.Line, root, namespace)
	}
	if i.shape(root); i.err != nil {
		return Result{}, i.err
	}
	i.scheme.Nation = nation
	if nation == "" {
		i.scheme.Nation = Nobody
		i.note(root, "nation", "a SPIF does not say whose policy it is; written as %s, which is nobody; name it (--nation)", Nobody)
	}
	if i.head(root); i.err != nil {
		return Result{}, i.err
	}
	i.levels(one(root, "securityClassifications"))
	for _, set := range all(one(root, "securityCategoryTagSets"), "securityCategoryTagSet") {
		i.tagSet(set)
	}
	i.rules(root)
	i.markings(root)
	i.rest(root)
	if i.err != nil {
		return Result{}, i.err
	}
	return i.result()
}

// result wants the scheme to be one that label can work with.
func (i *importer) result() (Result, error) {
	r := Result{ID: schemeID(i.scheme.Policy.Name), Scheme: i.scheme, Notes: i.notes}
	if err := r.Scheme.Check(r.ID); err != nil {
		return Result{}, fmt.Errorf("the SPIF is not clear: %w", err)
	}
	i.placeParts(r.ID)
	r.Scheme, r.Notes = i.scheme, i.notes
	slices.SortStableFunc(r.Notes, func(a, b Note) int { return a.Line - b.Line })
	return r, nil
}

// importer holds the scheme as far as it is known, the first thing that was wrong, and the notes.
type importer struct {
	scheme  label.Scheme
	notes   []Note
	err     error
	dated   string                 // when the SPIF was written, RFC 3339; "" if that is not clear
	classes map[string]string      // names of classifications that are levels
	sets    map[string][]*imported // by name of the SPIF's tag set
	parts   []placed
}

// imported is a tag of a tag set: one tag set of the scheme.
type imported struct {
	key    string
	tag    string            // restrictive, permissive or informative
	lacv   map[string]string // → id of the value
	listed *strictxml.Element
}

func (i *importer) fail(e *strictxml.Element, format string, args ...any) {
	if i.err == nil {
		i.err = fmt.Errorf("line %d: %s: %s", e.Line, e.Name.Local, fmt.Sprintf(format, args...))
	}
}

func (i *importer) note(e *strictxml.Element, what, format string, args ...any) {
	i.notes = append(i.notes, Note{e.Line, what, fmt.Sprintf(format, args...)})
}

// head reads what the SPIF says of itself.
func (i *importer) head(root *strictxml.Element) {
	id := one(root, "securityPolicyId")
	if id == nil {
		i.fail(root, "securityPolicyId is missing")
		return
	}
	switch v := attr(root, "schemaVersion"); v {
	case "2.1":
	case "1.0", "2.0":
		i.note(root, "schemaVersion", "%s is read as 2.1, which extends it", v)
	default:
		i.fail(root, "schemaVersion %s: want 2.1", strictxml.Quote(v))
	}
	i.dated = generalizedTime(attr(root, "creationDate"))
	i.scheme.Title = i.name(id, attr(id, "name"))
	i.scheme.Policy = &label.Policy{Name: attr(id, "name"), URI: i.oid(id, attr(id, "id"))}
	i.scheme.TagSets = map[string]label.TagSet{}
	i.scheme.Source = fmt.Sprintf("Open XML SPIF of %s (%s), version %s, created %s by %s", attr(id, "name"), attr(id, "id"),
		or(attr(root, "version"), "1"), attr(root, "creationDate"), attr(root, "originatorDN"))
	i.scheme.Release = &label.List{}
	i.note(root, "signature", "was not verified; be sure that the file is the authority's (keyIdentifier %s)", strictxml.Quote(attr(root, "keyIdentifier")))
	i.note(root, "release list", "none: a SPIF has no lists of countries, only categories that a clearance must hold; where one is a list, write release: {allowed: true} instead of its tag set")
	for _, name := range []string{"notBefore", "notAfter"} {
		if v := attr(root, name); v != "" {
			i.note(root, name, "%s: a scheme has no end; the bundle's manifest has", v)
		}
	}
}

// oid returns the URI of an object identifier.
func (i *importer) oid(e *strictxml.Element, id string) string {
	if !oid.MatchString(id) {
		i.fail(e, "id %s: want an object identifier such as 1.3.26.1.3.1", strictxml.Quote(id))
	}
	return "urn:oid:" + id
}

func (i *importer) levels(e *strictxml.Element) {
	hierarchies := map[int]string{}
	lacvs := map[string]string{}
	for _, c := range all(e, "securityClassification") {
		name := i.name(c, attr(c, "name"))
		h, err := strconv.Atoi(attr(c, "hierarchy"))
		other, taken := hierarchies[h]
		lacv := attr(c, "lacv")
		if _, err := strconv.Atoi(lacv); err != nil {
			i.fail(c, "lacv %s: want a whole number", strictxml.Quote(lacv))
		}
		switch {
		case err != nil || h < 0 || h > 1000:
			i.fail(c, "hierarchy %s: want a number from 0 to 1000", strictxml.Quote(attr(c, "hierarchy")))
		case taken:
			i.fail(c, "%s and %s have the hierarchy %d; levels of a scheme have an order, so make them two schemes", other, name, h)
		case i.classes[name] != "":
			i.fail(c, "%s is there twice", name)
		case lacvs[lacv] != "":
			i.fail(c, "%s and %s have the lacv %s", lacvs[lacv], name, strictxml.Quote(lacv))
		}
		hierarchies[h], i.classes[name], lacvs[lacv] = name, name, name
		l := label.Level{ID: name, Hierarchy: h, LACV: lacv}
		if truth(attr(c, "obsolete")) {
			l.LabelsTo = i.obsolete(c, name)
		}
		if v := attr(c, "color"); v != "" {
			i.note(c, "color of "+name, "%s: schemes have no colours", v)
		}
		i.scheme.Levels = append(i.scheme.Levels, l)
	}
	if len(i.scheme.Levels) == 0 && i.err == nil {
		i.err = fmt.Errorf("securityClassifications: no classification")
	}
}

// obsolete returns the date from which no label may say a word: it is valid in old labels and not in new ones.
func (i *importer) obsolete(e *strictxml.Element, name string) string {
	if i.dated == "" {
		i.fail(e, "%s is obsolete, and creationDate does not say since when at the latest", name)
		return ""
	}
	i.note(e, name, "is obsolete, and a SPIF does not say since when: labels made before this SPIF (%s) may still say it", i.dated)
	return i.dated
}

func (i *importer) tagSet(e *strictxml.Element) {
	name := i.name(e, attr(e, "name"))
	uri := i.oid(e, attr(e, "id"))
	if i.sets[name] != nil {
		i.fail(e, "%s is there twice", name)
	}
	for _, eq := range all(e, "equivalentSecurityCategoryTagSet") {
		i.equivalence(eq, "tag set "+name)
	}
	i.sets[name] = []*imported{}
	for _, t := range all(e, "securityCategoryTag") {
		kind, ok := i.tagType(t)
		if !ok {
			continue
		}
		key := slug(name)
		for n := 2; i.scheme.TagSets[key].Values != nil; n++ {
			key = slug(name) + "_" + strconv.Itoa(n)
		}
		set := label.TagSet{Type: kind, Name: name, URI: uri, Values: []label.Value{}}
		if title := attr(t, "name"); title != "" && title != name {
			set.Title = title
		}
		im := &imported{key: key, tag: kind, lacv: map[string]string{}, listed: t}
		for _, c := range all(t, "tagCategory") {
			if v, ok := i.value(c, im); ok {
				set.Values = append(set.Values, v)
			}
		}
		i.scheme.TagSets[key] = set
		i.sets[name] = append(i.sets[name], im)
		i.selection(t, name)
		i.part(t, im, name)
	}
}

// tagType returns the type of the scheme's tag set. Tags of no meaning are left out: their values are then unknown.
func (i *importer) tagType(t *strictxml.Element) (string, bool) {
	kind := attr(t, "tagType")
	if kind == "enumerated" {
		kind = attr(t, "enumType")
		if kind != "restrictive" && kind != "permissive" {
			i.fail(t, "enumType %s: want restrictive or permissive", strictxml.Quote(kind))
		}
		return kind, true
	}
	switch kind {
	case "restrictive", "permissive":
		return kind, true
	case "tagType7":
		return "informative", true
	case "notApplicable":
		i.note(t, "tag "+attr(t, "name"), "is notApplicable; left out, so its values are unknown")
		return "", false
	}
	i.fail(t, "tagType %s: want restrictive, permissive, enumerated, tagType7 or notApplicable", strictxml.Quote(kind))
	return "", false
}

// value reads a tagCategory. One that people may fill in as they like is left out, so labels with it are unknown.
func (i *importer) value(c *strictxml.Element, im *imported) (label.Value, bool) {
	name := i.name(c, attr(c, "name"))
	if attr(c, "userInput") != "" {
		i.note(c, name, "is text that a user fills in (%s); left out, so its values are unknown", attr(c, "userInput"))
		return label.Value{}, false
	}
	v := label.Value{ID: name, LACV: attr(c, "lacv")}
	for key, of := range map[string]*string{"notBefore": &v.LabelsFrom, "notAfter": &v.LabelsTo} {
		if at := attr(c, key); at != "" {
			t, err := time.Parse(time.RFC3339, at)
			if err != nil {
				i.fail(c, "%s %s: want a time such as 2026-01-02T15:04:05Z, with its offset", key, strictxml.Quote(at))
			}
			*of = t.UTC().Format(time.RFC3339)
		}
	}
	if truth(attr(c, "obsolete")) {
		if at := i.obsolete(c, name); v.LabelsTo == "" || at < v.LabelsTo {
			v.LabelsTo = at
		}
	}
	for _, eq := range all(c, "equivalentSecCategoryTag") {
		i.equivalence(eq, name)
	}
	if v.LabelsFrom != "" && v.LabelsTo != "" && v.LabelsFrom >= v.LabelsTo {
		i.note(c, name, "ends, %s, when or before it begins, %s; left out, so labels with it are unknown", v.LabelsTo, v.LabelsFrom)
		return label.Value{}, false
	}
	if v.LACV == "" || len(v.LACV) > maxName {
		i.fail(c, "lacv %s: want 1 to %d bytes", strictxml.Quote(v.LACV), maxName)
	}
	if other := im.lacv[v.LACV]; other != "" {
		i.fail(c, "%s and %s have the lacv %s", other, name, strictxml.Quote(v.LACV))
	}
	im.lacv[v.LACV] = name
	return v, true
}

// selection notes limits on how many values of a tag a label may have.
func (i *importer) selection(t *strictxml.Element, name string) {
	if truth(attr(t, "singleSelection")) {
		i.note(t, "singleSelection of "+name, "a scheme does not limit how many values of a tag set a label has")
	}
	for _, key := range []string{"minSelection", "maxSelection"} {
		if v := attr(t, key); v != "" && v != "unbounded" {
			i.note(t, key+" of "+name, "%s: a scheme does not limit how many values of a tag set a label has", v)
		}
	}
}

func (i *importer) equivalence(e *strictxml.Element, of string) {
	i.note(e, "equivalence of "+of, "with %s lacv %s, applied to %s: an equivalence is a row of a tenant's agreements, with its dates; a SPIF has none",
		strictxml.Quote(attr(e, "policyRef")), or(attr(e, "lacv"), "-"), or(attr(e, "applied"), "-"))
	for _, r := range all(e, "requiredCategory") {
		i.note(r, "requiredCategory of the equivalence of "+of, "goes with the equivalence")
	}
}

// rest notes what has no place in a scheme.
func (i *importer) rest(root *strictxml.Element) {
	if e := one(root, "defaultSecurityPolicyId"); e != nil {
		i.note(e, "defaultSecurityPolicyId", "%s: data without a label is denied here, whatever the default", strictxml.Quote(attr(e, "name")))
	}
	for _, c := range all(one(root, "securityClassifications"), "securityClassification") {
		for _, eq := range all(c, "equivalentClassification") {
			i.equivalence(eq, attr(c, "name"))
		}
	}
	for _, p := range all(one(root, "equivalentPolicies"), "equivalentPolicy") {
		i.note(p, "equivalentPolicy "+attr(p, "name"), "(%s): which schemes compare is a row of a tenant's agreements", attr(p, "id"))
		for _, r := range all(p, "requiredCategory") {
			i.note(r, "requiredCategory of equivalentPolicy "+attr(p, "name"), "goes with the equivalence")
		}
	}
	for _, p := range all(one(root, "privacyMarks"), "privacyMark") {
		i.note(p, "privacyMark "+attr(p, "name"), "labels have no privacy marks; where it matters for access, make it a handling tag")
	}
	for _, name := range []string{"extensions", "updateInfo"} {
		if e := one(root, name); e != nil {
			i.note(e, name, "of a vendor; not read")
		}
	}
}

// name wants what becomes an id to be one.
func (i *importer) name(e *strictxml.Element, s string) string {
	switch {
	case s == "" || len(s) > maxName:
		i.fail(e, "name %s: want 1 to %d bytes", strictxml.Quote(s), maxName)
	case strings.TrimSpace(s) != s || strings.Contains(s, "  "):
		i.fail(e, "name %s: want no spaces around it and none doubled", strictxml.Quote(s))
	}
	return s
}

var (
	oid     = regexp.MustCompile(`^[0-2](\.[0-9]+)+$`)
	notSlug = regexp.MustCompile(`[^a-z0-9]+`)
	notID   = regexp.MustCompile(`[^A-Z0-9]+`)
)

func slug(name string) string {
	return or(strings.Trim(notSlug.ReplaceAllString(strings.ToLower(name), "_"), "_"), "tags")
}

// schemeID makes an id of a policy's name: capital letters, digits and hyphens, the first a letter.
func schemeID(name string) string {
	id := strings.Trim(notID.ReplaceAllString(strings.ToUpper(name), "-"), "-")
	if id == "" || id[0] < 'A' || len(id) < 2 {
		id = strings.TrimSuffix("SPIF-"+id, "-")
	}
	return strings.TrimRight(id[:min(len(id), 31)], "-")
}

// generalizedTime returns a GeneralizedTime (X.680) to the minute as RFC 3339, "" if it is none. Files in circulation write more digits
// of a second than there can be, dates in the form of XML, and no offset, which is read as UTC.
func generalizedTime(s string) string {
	for _, layout := range []string{"200601021504", "2006010215", "20060102", "2006-01-02T15:04", "2006-01-02"} {
		if len(s) < len(layout) {
			continue
		}
		if t, err := time.Parse(layout, s[:len(layout)]); err == nil {
			return t.Format(time.RFC3339)
		}
	}
	return ""
}

func truth(s string) bool { return s == "true" || s == "1" }

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
