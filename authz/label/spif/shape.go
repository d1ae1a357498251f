package spif

import (
	"encoding/xml"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz/label/strictxml"
)

const (
	namespace = "http://www.xmlspif.org/spif"
	xmlNS     = "http://www.w3.org/XML/1998/namespace"
	xsiNS     = "http://www.w3.org/2001/XMLSchema-instance"
)

// form is what SPIF 2.1 has in an element.
type form struct {
	children []string
	required []string // attributes
	optional []string
	text     bool
}

func words(s string) []string { return strings.Fields(s) }

// forms is the schema, but for the order of elements.
var forms = map[string]form{
	"SPIF": {
		children: words(`defaultSecurityPolicyId securityPolicyId updateInfo securityClassifications securityCategoryTagSets privacyMarks
			equivalentPolicies markingData markingQualifier extensions`),
		required: words("schemaVersion creationDate originatorDN keyIdentifier privilegeId rbacId"),
		optional: words("version userRefURI docRefURI notBefore notAfter"),
	},
	"defaultSecurityPolicyId": {children: words("markingData markingQualifier"), required: words("name id")},
	"securityPolicyId":        {children: words("markingData markingQualifier"), required: words("name id")},
	"updateInfo":              {},
	"securityClassifications": {children: words("securityClassification markingData markingQualifier"), optional: words("name")},
	"securityClassification": {
		children: words("equivalentClassification markingData markingQualifier requiredCategory"),
		required: words("name lacv hierarchy"), optional: words("color obsolete"),
	},
	"equivalentClassification": {children: words("requiredCategory"), required: words("policyRef lacv applied")},
	"securityCategoryTagSets":  {children: words("securityCategoryTagSet")},
	"securityCategoryTagSet":   {children: words("securityCategoryTag equivalentSecurityCategoryTagSet"), required: words("name id")},
	"securityCategoryTag": {
		children: words("tagCategory markingQualifier"),
		required: words("tagType"), optional: words("name enumType tag7Encoding singleSelection maxSelection minSelection"),
	},
	"equivalentSecurityCategoryTagSet": {children: words("requiredCategory"), required: words("policyRef"), optional: words("name id")},
	"tagCategory": {
		children: words("equivalentSecCategoryTag markingData markingQualifier excludedClass requiredCategory excludedCategory"),
		required: words("name lacv"), optional: words("userInput requiredClass obsolete dateFormat notBefore notAfter"),
	},
	"equivalentSecCategoryTag": {required: words("policyRef tagSetId tagType lacv applied"), optional: words("enumType action")},
	"excludedClass":            {text: true},
	"requiredCategory":         {children: words("categoryGroup"), optional: words("operation")},
	"categoryGroup":            {required: words("tagSetRef tagType"), optional: words("enumType lacv all")},
	"excludedCategory":         {required: words("tagSetRef tagType"), optional: words("enumType lacv all")},
	"privacyMarks":             {children: words("privacyMark markingData markingQualifier"), optional: words("maxSelection minSelection")},
	"privacyMark":              {children: words("markingData markingQualifier"), optional: words("name obsolete")},
	"equivalentPolicies":       {children: words("equivalentPolicy")},
	"equivalentPolicy":         {children: words("requiredCategory"), required: words("name id"), optional: words("userRefURI docRefURI")},
	"markingData":              {children: words("code"), optional: words("phrase")},
	"code":                     {text: true},
	"markingQualifier":         {children: words("qualifier"), optional: words("markingCode")},
	"qualifier":                {required: words("markingQualifier qualifierCode")},
	"extensions":               {}, // anything
}

// shape refuses what SPIF 2.1 does not have. Attributes of other namespaces, which it allows anywhere, are noted; an element of no
// namespace that has the name of one of SPIF's is read as that, for what it says may forbid something.
func (i *importer) shape(e *strictxml.Element) {
	if e.Name.Space == "" {
		i.note(e, "element "+e.Name.Local, "stands in no namespace; read as SPIF's own")
	}
	f, known := forms[e.Name.Local]
	if !known || e.Name.Space != namespace && e.Name.Space != "" {
		i.fail(e, "SPIF 2.1 has no element %s", e)
		return
	}
	if e.Name.Local == "extensions" {
		return
	}
	for _, a := range e.Attrs {
		switch {
		case a.Name.Space == "" && (slices.Contains(f.required, a.Name.Local) || slices.Contains(f.optional, a.Name.Local)):
		case a.Name.Space == xsiNS, a.Name == (xml.Name{Space: xmlNS, Local: "lang"}):
		case a.Name.Space != "":
			i.note(e, "attribute "+a.Name.Local, "of %s; not read", strictxml.Quote(a.Name.Space))
		default:
			i.fail(e, "attribute %s: want one of %s", strictxml.Quote(a.Name.Local), strings.Join(slices.Concat(f.required, f.optional), ", "))
		}
	}
	for _, name := range f.required {
		if !has(e, name) {
			i.fail(e, "attribute %s is missing", name)
		}
	}
	if text := strings.TrimSpace(e.Text); !f.text && text != "" {
		i.fail(e, "want no text, have %s", strictxml.Quote(text))
	}
	for _, c := range e.Children {
		if !slices.Contains(f.children, c.Name.Local) {
			i.fail(c, "SPIF 2.1 has none in %s", e.Name.Local)
			return
		}
		i.shape(c)
	}
	for _, name := range single[e.Name.Local] {
		if found := all(e, name); len(found) > 1 {
			i.fail(found[1], "is there twice")
		}
	}
}

// single are the children that stand in an element once at most.
var single = map[string][]string{"SPIF": words(`defaultSecurityPolicyId securityPolicyId updateInfo securityClassifications
	securityCategoryTagSets privacyMarks equivalentPolicies extensions`)}

// all returns the children of e, which may be nil, of that name.
func all(e *strictxml.Element, name string) (found []*strictxml.Element) {
	if e == nil {
		return nil
	}
	for _, c := range e.Children {
		if c.Name.Local == name {
			found = append(found, c)
		}
	}
	return found
}

func one(e *strictxml.Element, name string) *strictxml.Element {
	if found := all(e, name); len(found) > 0 {
		return found[0]
	}
	return nil
}

func has(e *strictxml.Element, name string) bool {
	return slices.ContainsFunc(e.Attrs, func(a xml.Attr) bool { return a.Name == xml.Name{Local: name} })
}

// attr returns an attribute, "" if it is absent.
func attr(e *strictxml.Element, name string) string {
	for _, a := range e.Attrs {
		if a.Name == (xml.Name{Local: name}) {
			return a.Value
		}
	}
	return ""
}

func lang(e *strictxml.Element) string {
	for _, a := range e.Attrs {
		if a.Name == (xml.Name{Space: xmlNS, Local: "lang"}) {
			return a.Value
		}
	}
	return ""
}
