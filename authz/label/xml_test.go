package label_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/label"
)

const slab = "urn:nato:stanag:4774:confidentialitymetadatalabel:1:0"

// labelXML is a label of the NATO policy around which each test changes one thing.
const labelXML = `<?xml version="1.0" encoding="UTF-8"?>
<slab:originatorConfidentialityLabel xmlns:slab="` + slab + `" ReviewDateTime="2031-09-26T00:00:00Z">
  <slab:ConfidentialityInformation>
    <slab:PolicyIdentifier URI="urn:oid:1.3.26.1.3.1">NATO</slab:PolicyIdentifier>
    <slab:Classification>SECRET</slab:Classification>
    <!-- a comment between elements says nothing -->
    <slab:Category Type="RESTRICTIVE" TagName="Additional Sensitivity" URI="urn:oid:1.3.26.1.4.1">
      <slab:GenericValue>BOHEMIA</slab:GenericValue>
      <slab:GenericValue>ATOMAL</slab:GenericValue>
    </slab:Category>
    <slab:Category Type="PERMISSIVE" TagName="Releasable To"><slab:GenericValue>SWE</slab:GenericValue><slab:GenericValue>BEL</slab:GenericValue></slab:Category>
    <slab:Category Type="INFORMATIVE" TagName="Administrative"><slab:GenericValue>STAFF</slab:GenericValue></slab:Category>
  </slab:ConfidentialityInformation>
  <slab:OriginatorID IDType="rfc822Name">author@example.org</slab:OriginatorID>
  <slab:CreationDateTime>2024-03-01T13:00:00+01:00</slab:CreationDateTime>
</slab:originatorConfidentialityLabel>
`

func documentOfXML() label.Document {
	return label.Document{
		Kind: label.Originator,
		Label: of("NATO", "SECRET", category("additional_sensitivity", "ATOMAL", "BOHEMIA"), category("administrative", "STAFF"),
			release("BEL", "SWE")),
		Review:       authz.At(time.Date(2031, 9, 26, 0, 0, 0, 0, time.UTC)),
		OriginIDType: "rfc822Name", OriginID: "author@example.org",
	}
}

func TestALabelInXMLIsReadAndPrintedBack(t *testing.T) {
	_, s := standard(t)
	got, err := s.ParseXML([]byte(labelXML))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(documentOfXML(), got); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	printed, err := s.PrintXML(got)
	if err != nil {
		t.Fatal(err)
	}
	const want = `<slab:originatorConfidentialityLabel xmlns:slab="` + slab + `" ReviewDateTime="2031-09-26T00:00:00Z">` +
		`<slab:ConfidentialityInformation><slab:PolicyIdentifier URI="urn:oid:1.3.26.1.3.1">NATO</slab:PolicyIdentifier>` +
		`<slab:Classification>SECRET</slab:Classification>` +
		`<slab:Category Type="RESTRICTIVE" TagName="Additional Sensitivity" URI="urn:oid:1.3.26.1.4.1">` +
		`<slab:GenericValue>ATOMAL</slab:GenericValue><slab:GenericValue>BOHEMIA</slab:GenericValue></slab:Category>` +
		`<slab:Category Type="INFORMATIVE" TagName="Administrative" URI="urn:oid:1.3.26.1.4.6"><slab:GenericValue>STAFF</slab:GenericValue></slab:Category>` +
		`<slab:Category Type="PERMISSIVE" TagName="Releasable To" URI="urn:oid:1.3.26.1.4.2">` +
		`<slab:GenericValue>BEL</slab:GenericValue><slab:GenericValue>SWE</slab:GenericValue></slab:Category>` +
		`</slab:ConfidentialityInformation><slab:OriginatorID IDType="rfc822Name">author@example.org</slab:OriginatorID>` +
		`<slab:CreationDateTime>2024-03-01T12:00:00Z</slab:CreationDateTime></slab:originatorConfidentialityLabel>`
	if diff := cmp.Diff(want, string(printed)); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
}

// The public policy of ADatP-4774's appendix 2 is among the shipped schemes.
func TestTheShippedNATOSchemeReadsALabelOfItsPolicy(t *testing.T) {
	_, s := shipped(t)
	text := strings.NewReplacer(`TagName="Releasable To"`, `TagName="Releasable To" URI="urn:oid:1.3.26.1.4.2"`,
		`<slab:Category Type="INFORMATIVE"`, `<slab:Category Type="PERMISSIVE" TagName="Context" URI="urn:oid:1.3.26.1.4.4"><slab:GenericValue>NATO</slab:GenericValue></slab:Category><slab:Category Type="INFORMATIVE"`).Replace(labelXML)
	d, err := s.ParseXML([]byte(text))
	want := of("NATO", "NATO SECRET", category("additional_sensitivity", "ATOMAL", "BOHEMIA"), category("administrative", "STAFF"),
		category("context", "NATO"), release("BEL", "SWE"))
	if diff := cmp.Diff(want, d.Label); err != nil || diff != "" {
		t.Errorf("read %v (-want +got):\n%s", err, diff)
	}
}

func TestLabelsInXMLThatDifferOnlyInForm(t *testing.T) {
	_, s := standard(t)
	for name, change := range map[string][2]string{
		"another prefix":              {"slab:", "x:"},
		"the default namespace":       {"slab:", ""},
		"values in small letters":     {"ATOMAL", "atomal"},
		"a policy in small letters":   {">NATO<", ">nato<"},
		"spaces around a token":       {">SECRET<", "> \n SECRET\t<"},
		"a CDATA section":             {">SECRET<", "><![CDATA[SECRET]]><"},
		"a character reference":       {">SECRET<", ">&#83;ECRET<"},
		"a byte order mark":           {"<?xml", "\ufeff<?xml"},
		"no XML declaration":          {`<?xml version="1.0" encoding="UTF-8"?>`, ""},
		"fractions of a second":       {"13:00:00+01:00", "13:00:00.000+01:00"},
		"no URI":                      {` URI="urn:oid:1.3.26.1.3.1"`, ""},
		"an attribute in apostrophes": {`Type="INFORMATIVE"`, `Type='INFORMATIVE'`},
	} {
		text := strings.ReplaceAll(labelXML, change[0], change[1])
		switch change[1] {
		case "x:":
			text = strings.Replace(text, "xmlns:slab", "xmlns:x", 1)
		case "":
			text = strings.Replace(text, "xmlns:slab=", "xmlns=", 1)
		}
		if name == "no URI" || name == "no XML declaration" {
			text = strings.ReplaceAll(labelXML, change[0], change[1])
		}
		got, err := s.ParseXML([]byte(text))
		if diff := cmp.Diff(documentOfXML(), got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestLabelsInXMLThatAreRefused(t *testing.T) {
	_, s := standard(t)
	for _, row := range []struct{ name, from, to, want string }{
		{"another namespace", slab, slab + ":x", "want an originator-"},
		{"a namespace with a slash more", slab, slab + "/", "want an originator-"},
		{"the older root", "originatorConfidentialityLabel", "ConfidentialityLabel", "want an originator-"},
		{"a document type", "<slab:originator", `<!DOCTYPE x [<!ENTITY e "SECRET">]><slab:originator`, "a document type"},
		{"an entity", ">SECRET<", ">&e;<", "invalid character entity"},
		{"a processing instruction", "<slab:Classification>", "<?x y?><slab:Classification>", "a processing instruction"},
		{"a stylesheet", "?>\n", "?>\n<?xml-stylesheet href='x'?>\n", "a processing instruction"},
		{"another encoding", "UTF-8", "ISO-8859-1", "encoding"},
		{"a comment inside a value", ">SECRET<", ">SEC<!-- -->RET<", "a comment inside the text"},
		{"an element inside a value", ">SECRET<", "><slab:b>SECRET</slab:b><", "want a text, have the element"},
		{"an attribute twice", `Type="INFORMATIVE"`, `Type="INFORMATIVE" Type="RESTRICTIVE"`, `attribute "Type" of Category is there twice`},
		{"an attribute of the schema's case", "TagName=\"Administrative\"", "tagName=\"Administrative\"", `attribute "tagName": want Type or TagName or URI`},
		{"an attribute in a namespace", `Type="INFORMATIVE"`, `slab:Type="INFORMATIVE"`, `attribute "Type" of`},
		{"an unknown attribute", "<slab:Classification>", `<slab:Classification URI="urn:oid:1.2">`, `attribute "URI": want none`},
		{"an Id", "ReviewDateTime", `Id="a" ReviewDateTime`, "attribute Id"},
		{"an unknown element", "<slab:Classification>", "<slab:Level>9</slab:Level><slab:Classification>", `"Level" of`},
		{"an element of a stranger", "</slab:ConfidentialityInformation>", "<x:Marking xmlns:x='urn:x:y'>A</x:Marking></slab:ConfidentialityInformation>", `"Marking" of "urn:x:y" is not expected here`},
		{"a prefix that is not declared", "<slab:Classification>", "<x:Level/><slab:Classification>", "neither a declared prefix"},
		{"two classifications", ">SECRET</slab:Classification>", ">SECRET</slab:Classification><slab:Classification>RESTRICTED</slab:Classification>", `"Classification" of`},
		{"no classification", "<slab:Classification>SECRET</slab:Classification>", "", "want Classification"},
		{"no date", "<slab:CreationDateTime>2024-03-01T13:00:00+01:00</slab:CreationDateTime>", "", "CreationDateTime is missing"},
		{"a date without an offset", "13:00:00+01:00", "13:00:00", "with its offset"},
		{"a date that is none", "2024-03-01T", "2024-02-30T", "time \"2024-02-30T13:00:00+01:00\""},
		{"a succession", "</slab:originator", "<slab:SuccessionHandling/></slab:originator", `"SuccessionHandling" of`},
		{"an unknown policy", ">NATO<", ">OTAN<", `policy "OTAN" is unknown`},
		{"a policy with the URI of another", "1.3.26.1.3.1", "1.3.26.1.3.2", "its URI is urn:oid:1.3.26.1.3.1"},
		{"an unknown level", ">SECRET<", ">GEHEIM<", `classification "GEHEIM": NATO has no such level`},
		{"a level by its marking", ">SECRET<", ">NATO SECRET<", `classification "NATO SECRET"`},
		{"an unknown tag set", "Additional Sensitivity", "Sensitivity", `category "Sensitivity"`},
		{"a tag set of another type", `Type="RESTRICTIVE"`, `Type="INFORMATIVE"`, `category "Additional Sensitivity"`},
		{"a type in small letters", `Type="RESTRICTIVE"`, `Type="restrictive"`, `Type "restrictive"`},
		{"a tag set with the URI of another", "1.3.26.1.4.1", "1.3.26.1.4.9", "its URI is urn:oid:1.3.26.1.4.1"},
		{"an unknown value", ">ATOMAL<", ">ATOM<", `value "ATOM"`},
		{"a value twice", ">ATOMAL<", ">BOHEMIA<", "is there twice"},
		{"an integer value", "<slab:GenericValue>STAFF</slab:GenericValue>", "<slab:IntegerValue>1</slab:IntegerValue>", `"IntegerValue" of`},
		{"a category twice", "<slab:Category Type=\"INFORMATIVE\"", "<slab:Category Type=\"INFORMATIVE\" TagName=\"Administrative\"/><slab:Category Type=\"INFORMATIVE\"", "is there twice"},
		{"a release list twice", "<slab:Category Type=\"INFORMATIVE\"", "<slab:Category Type=\"PERMISSIVE\" TagName=\"Releasable To\"/><slab:Category Type=\"INFORMATIVE\"", "is there twice"},
		{"a country that is none", ">SWE<", ">Sweden<", `country "Sweden"`},
		{"text beside elements", "<slab:Classification>", "SECRET<slab:Classification>", "beside"},
		{"a second root", "</slab:originatorConfidentialityLabel>\n", "</slab:originatorConfidentialityLabel><a/>", "a second root element"},
		{"text after the root", "</slab:originatorConfidentialityLabel>\n", "</slab:originatorConfidentialityLabel>x", "outside the root"},
		{"an unknown type of originator", "rfc822Name", "email", `IDType "email"`},
		{"an end that is missing", "</slab:originatorConfidentialityLabel>", "", "EOF"},
		{"too much", ">SECRET<", ">" + strings.Repeat("S", label.MaxBytes) + "<", "want at most"},
		{"too deep", ">SECRET<", ">" + strings.Repeat("<slab:a>", 20) + strings.Repeat("</slab:a>", 20) + "<", "nested deeper"},
		{"too many", "<slab:GenericValue>STAFF</slab:GenericValue>", strings.Repeat("<a/>", 2000), "more than 1024 elements"},
		{"not UTF-8", ">SECRET<", ">SECRET\xff<", "not UTF-8"},
		{"nothing", labelXML, "", "no element"},
	} {
		t.Run(row.name, func(t *testing.T) {
			text := strings.ReplaceAll(labelXML, row.from, row.to)
			if text == labelXML {
				t.Fatal("nothing was changed")
			}
			d, err := s.ParseXML([]byte(text))
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("read %+v, error %v; want one that says %q", d, err, row.want)
			}
		})
	}
}

func TestLabelsThatXMLCanNotSay(t *testing.T) {
	_, s := standard(t)
	for _, row := range []struct {
		name   string
		change func(*label.Document)
		want   string
	}{
		{"no kind", func(d *label.Document) { d.Kind = "" }, `kind ""`},
		{"no date", func(d *label.Document) { d.Label.Created = authz.Time{} }, "created"},
		{"alternatives", func(d *label.Document) { d.Label.Alternatives = []authz.Label{of("AUS", "SECRET")} }, "alternatives"},
		{"a scheme that is unknown", func(d *label.Document) { d.Label.Scheme = "GBR" }, `scheme "GBR": is unknown`},
		{"a control character", func(d *label.Document) { d.PrivacyMark = "a\x01" }, "printable"},
		{"an originator of no type", func(d *label.Document) { d.OriginIDType = "" }, "originator"},
		{"doubled spaces", func(d *label.Document) { d.PrivacyMark = "a  b" }, "spaces"},
	} {
		d := documentOfXML()
		row.change(&d)
		if b, err := s.PrintXML(d); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: printed %s, error %v; want one that says %q", row.name, b, err, row.want)
		}
	}
}

func TestXMLOfAnyLabelIsReadBack(t *testing.T) {
	for name, load := range map[string]loader{"shipped": shipped, "standard": standard} {
		t.Run(name, func(t *testing.T) {
			all, s := load(t)
			rapid.Check(t, func(t *rapid.T) {
				want := label.Document{
					Kind:  rapid.SampledFrom([]string{label.Originator, label.Alternative, label.Metadata}).Draw(t, "kind"),
					Label: drawLabel(t, all, 0), PrivacyMark: rapid.SampledFrom([]string{"", "Über <&> \"mark\""}).Draw(t, "mark"),
				}
				b, err := s.PrintXML(want)
				if err != nil {
					t.Fatal(err)
				}
				got, err := s.ParseXML(b)
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Fatalf("%s: %v (-want +got):\n%s", b, err, diff)
				}
			})
		})
	}
}

const clearanceXML = `<sclr:ConfidentialityClearance xmlns:sclr="urn:nato:stanag:4774:confidentialityclearance:1:0" xmlns:slab="` + slab + `">` +
	`<slab:PolicyIdentifier URI="urn:oid:1.3.26.1.3.1">NATO</slab:PolicyIdentifier>` +
	`<sclr:ClassificationList><slab:Classification>UNCLASSIFIED</slab:Classification><slab:Classification>TOP SECRET</slab:Classification></sclr:ClassificationList>` +
	`<slab:Category Type="RESTRICTIVE" TagName="Additional Sensitivity" URI="urn:oid:1.3.26.1.4.1"><slab:GenericValue>ATOMAL</slab:GenericValue></slab:Category>` +
	`<slab:Category Type="PERMISSIVE" TagName="Context" URI="urn:oid:1.3.26.1.4.4"><slab:GenericValue>NATO</slab:GenericValue><slab:GenericValue>KFOR</slab:GenericValue></slab:Category>` +
	`</sclr:ConfidentialityClearance>`

func clearanceOfXML() authz.Clearance {
	return authz.Clearance{
		Scheme: "NATO", Levels: []string{"UNCLASSIFIED", "CTS"}, // the set as it stands there, and nothing between
		Categories: map[string][]string{"additional_sensitivity": {"ATOMAL"}, "context": {"NATO", "KFOR"}},
	}
}

func TestAClearanceInXMLIsReadAndPrintedBack(t *testing.T) {
	_, s := standard(t)
	got, err := s.ParseClearanceXML([]byte(clearanceXML))
	if diff := cmp.Diff(clearanceOfXML(), got); err != nil || diff != "" {
		t.Errorf("read %v (-want +got):\n%s", err, diff)
	}
	if b, err := s.PrintClearanceXML(got); err != nil || string(b) != clearanceXML {
		t.Errorf("printed %v (-want +got):\n%s", err, cmp.Diff(clearanceXML, string(b)))
	}
	claim, err := s.PrintACIClr(got)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := s.ParseACIClr(claim); err != nil || !cmp.Equal(got, back) {
		t.Errorf("aciClr is read as %+v (%v)", back, err)
	}
}

func TestClearancesInXMLThatAreRefused(t *testing.T) {
	_, s := standard(t)
	for _, row := range []struct{ name, from, to, want string }{
		{"another namespace", "confidentialityclearance:1:0", "confidentialityclearance:1:1", "want a ConfidentialityClearance"},
		{"a list of another namespace", "sclr:ClassificationList", "slab:ClassificationList", "want ClassificationList"},
		{"levels of another namespace", "slab:Classification>", "sclr:Classification>", "is not expected here"},
		{"no list of levels", "<sclr:ClassificationList><slab:Classification>UNCLASSIFIED</slab:Classification><slab:Classification>TOP SECRET</slab:Classification></sclr:ClassificationList>", "", "want ClassificationList"},
		{"an empty list of levels", "<slab:Classification>UNCLASSIFIED</slab:Classification><slab:Classification>TOP SECRET</slab:Classification>", "", "at least one Classification"},
		{"an unknown level", ">TOP SECRET<", ">ATOMAL<", `classification "ATOMAL"`},
		{"a level twice", ">TOP SECRET<", ">UNCLASSIFIED<", "is there twice"},
		{"an unknown category", ">ATOMAL<", ">ATOM<", `value "ATOM"`},
		{"an informative category", `Type="PERMISSIVE" TagName="Context" URI="urn:oid:1.3.26.1.4.4"><slab:GenericValue>NATO`, `Type="INFORMATIVE" TagName="Administrative"><slab:GenericValue>STAFF`, "has no such INFORMATIVE tag set"},
		{"a release list", `TagName="Context" URI="urn:oid:1.3.26.1.4.4"`, `TagName="Releasable To"`, "compared with affiliations"},
		{"a document type", "<sclr:ConfidentialityClearance", "<!DOCTYPE a><sclr:ConfidentialityClearance", "a document type"},
		{"a label", "ConfidentialityClearance", "originatorConfidentialityLabel", "want a ConfidentialityClearance"},
	} {
		text := strings.ReplaceAll(clearanceXML, row.from, row.to)
		if text == clearanceXML {
			t.Fatalf("%s: nothing was changed", row.name)
		}
		c, err := s.ParseClearanceXML([]byte(text))
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: read %+v, error %v; want one that says %q", row.name, c, err, row.want)
		}
	}
	for _, claim := range []string{"", "PHNjbHI_", "****", "PA==", fmt.Sprintf("%0*d", label.MaxBytes+1, 0)} {
		if c, err := s.ParseACIClr(claim); err == nil {
			t.Errorf("aciClr %.20q is read as %+v", claim, c)
		}
	}
}

func TestClearancesThatXMLCanNotSay(t *testing.T) {
	_, s := standard(t)
	for name, change := range map[string]func(*authz.Clearance){
		"a native word": func(c *authz.Clearance) {
			*c = authz.Clearance{Scheme: "AUS", Native: "NV1", Levels: []string{"SECRET"}}
		},
		"an end":              func(c *authz.Clearance) { c.NotAfter = created },
		"no level":            func(c *authz.Clearance) { c.Levels = nil },
		"an unknown level":    func(c *authz.Clearance) { c.Levels = []string{"GEHEIM"} },
		"an unknown category": func(c *authz.Clearance) { c.Categories["context"] = []string{"X"} },
		"a handling category": func(c *authz.Clearance) { c.Categories = map[string][]string{"administrative": {"STAFF"}} },
	} {
		c := clearanceOfXML()
		change(&c)
		if b, err := s.PrintClearanceXML(c); err == nil {
			t.Errorf("%s: printed %s", name, b)
		}
	}
}
