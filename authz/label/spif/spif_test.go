package spif_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/label"
	"github.com/sallyport-dev/sallyport/authz/label/spif"
)

func harbour(tb testing.TB) string {
	tb.Helper()
	b, err := os.ReadFile("testdata/harbour.xml")
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

func TestASPIFBecomesAScheme(t *testing.T) {
	got, err := spif.Import([]byte(harbour(t)), "NLD")
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"OPEN", "CLOSED", "SEALED", "SHUT"}
	want := label.Scheme{
		Nation: "NLD", Title: "HARBOUR",
		Source: "Open XML SPIF of HARBOUR (2.25.1), version 7, created 20240301120000Z by CN=Harbour Master,O=Harbour,C=XX",
		Policy: &label.Policy{Name: "HARBOUR", URI: "urn:oid:2.25.1"},
		Levels: []label.Level{
			{ID: "OPEN", Hierarchy: 10, Marking: "HARBOUR OPEN", Also: []string{"OPEN"}, LACV: "1"},
			{ID: "CLOSED", Hierarchy: 20, Marking: "HARBOUR CLOSED", Also: []string{"CLOSED", "FERMÉ"}, LACV: "2"},
			{ID: "SEALED", Hierarchy: 30, Marking: "GRAND SEALED", Also: []string{"SEALED"}, LACV: "3"},
			{ID: "SHUT", Hierarchy: 15, Marking: "HARBOUR SHUT", Also: []string{"SHUT"}, LACV: "4", LabelsTo: "2024-03-01T12:00:00Z"},
		},
		TagSets: map[string]label.TagSet{
			"cargo": {Type: "restrictive", Name: "Cargo", URI: "urn:oid:2.25.1.1", Values: []label.Value{
				{ID: "GOLD", LACV: "1", LabelsFrom: "2020-01-01T00:00:00Z"}, {ID: "TEA", LACV: "2"},
			}},
			"crews": {Type: "permissive", Name: "Crews", URI: "urn:oid:2.25.1.2", Values: []label.Value{
				{ID: "NORTH", LACV: "100"}, {ID: "SOUTH", Marking: "SOUTHERN", Also: []string{"SOUTH"}, LACV: "200"},
				{ID: "EAST", LACV: "300", LabelsTo: "2024-03-01T12:00:00Z"},
			}},
			"watch": {Type: "informative", Name: "Watch", URI: "urn:oid:2.25.1.3", Values: []label.Value{{ID: "DAY", LACV: "1"}}},
		},
		Release: &label.List{},
		Rules: &label.Rules{
			Required: []label.Rule{
				{Levels: []string{"CLOSED"}, TagSets: []string{"crews"}},
				{Levels: all, With: map[string][]string{"cargo": {"GOLD"}}, TagSets: []string{}, Values: map[string][]string{"watch": {"DAY"}}},
				{Levels: []string{"SEALED"}, TagSets: []string{"crews"}},
			},
			Excluded: []label.Rule{
				{Levels: all, With: map[string][]string{"cargo": {"GOLD"}}, TagSets: []string{}, Values: map[string][]string{"crews": {"EAST"}}},
				{Levels: []string{"OPEN", "SEALED", "SHUT"}, TagSets: []string{}, Values: map[string][]string{"cargo": {"TEA"}}},
				{Levels: []string{"OPEN"}, TagSets: []string{}, Values: map[string][]string{"cargo": {"GOLD"}}},
			},
		},
		Markings: &label.Markings{Parts: []label.Part{
			{Before: " ", Between: " ", TagSets: []string{"cargo"}},
			{Before: " FOR ", Between: ", ", After: " CREWS", TagSets: []string{"crews"}},
			{Before: " ", Between: " ", TagSets: []string{"watch"}},
		}},
	}
	if diff := cmp.Diff(want, got.Scheme); diff != "" {
		t.Errorf("scheme (-want +got):\n%s", diff)
	}
	if got.ID != "HARBOUR" {
		t.Errorf("id %q", got.ID)
	}
}

func TestWhatASchemeCanNotSayIsNamed(t *testing.T) {
	r, err := spif.Import([]byte(harbour(t)), "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range r.Notes {
		why, _, _ := strings.Cut(n.Why, ":")
		why, _, _ = strings.Cut(why, ";")
		got = append(got, n.What+": "+why)
	}
	want := []string{
		"nation: a SPIF does not say whose policy it is",
		"signature: was not verified",
		"release list: none",
		"notAfter: 2030-01-01T00",
		"defaultSecurityPolicyId: \"HARBOUR\"",
		"color of OPEN: green",
		"equivalence of CLOSED: with \"MOCK\" lacv 3, applied to both",
		"requiredCategory of SEALED: oneOrMore of NORTH, SOUTH",
		"SHUT: is obsolete, and a SPIF does not say since when",
		"singleSelection of Cargo: a scheme does not limit how many values of a tag set a label has",
		"equivalence of TEA: with \"MOCK\" lacv 9, applied to encrypt",
		"FREE TEXT: is text that a user fills in (string)",
		"maxSelection of Crews: 2",
		"EAST: is obsolete, and a SPIF does not say since when",
		"tag Nothing: is notApplicable",
		"privacyMark PERSONAL: labels have no privacy marks",
		"equivalentPolicy MOCK: (2.25.2)",
		"extensions: of a vendor",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if r.Scheme.Nation != spif.Nobody {
		t.Errorf("nation %q", r.Scheme.Nation)
	}
}

// Labels of the imported policy are read by its names, and written by its markings.
func TestLabelsOfAnImportedSchemeAreRead(t *testing.T) {
	r, err := spif.Import([]byte(harbour(t)), "NLD")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := json.Marshal(map[string]label.Scheme{r.ID: r.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	s, err := label.New(doc)
	if err != nil {
		t.Fatal(err)
	}
	const ns = "urn:nato:stanag:4774:confidentialitymetadatalabel:1:0"
	d, err := s.ParseXML([]byte(`<originatorConfidentialityLabel xmlns="` + ns + `"><ConfidentialityInformation>
		<PolicyIdentifier URI="urn:oid:2.25.1">HARBOUR</PolicyIdentifier><Classification>SEALED</Classification>
		<Category Type="PERMISSIVE" TagName="Crews" URI="urn:oid:2.25.1.2"><GenericValue>NORTH</GenericValue><GenericValue>SOUTH</GenericValue></Category>
		</ConfidentialityInformation><CreationDateTime>2024-03-01T12:00:00Z</CreationDateTime></originatorConfidentialityLabel>`))
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.PrintMarking(d.Label)
	if err != nil || text != "GRAND SEALED FOR NORTH, SOUTHERN CREWS" {
		t.Errorf("marking %q (%v)", text, err)
	}
	created := authz.At(time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC))
	if l, err := s.ParseMarking("HARBOUR", text, created); err != nil || !cmp.Equal(l, d.Label) {
		t.Errorf("marking %q is read as %+v (%v)", text, l, err)
	}
}

func TestSPIFsThatAreRefused(t *testing.T) {
	good := harbour(t)
	for _, row := range []struct{ name, from, to, want string }{
		{"a document type", "<spif:SPIF", `<!DOCTYPE s [<!ENTITY a "b">]><spif:SPIF`, "line 3: XML: a document type"},
		{"an entity that grows", "GOLD", "&a;", "invalid character entity"},
		{"a processing instruction", "<spif:securityClassifications>", "<?php x?><spif:securityClassifications>", "a processing instruction"},
		{"another namespace", "http://www.xmlspif.org/spif\"", "http://www.xmlspif.org/spif/3\"", "want SPIF of"},
		{"the schema's misspelt namespace", "http://www.xmlspif.org/spif\"", "http://www.xmslpif.org/spif\"", "want SPIF of"},
		{"version 3.0", `schemaVersion="2.1"`, `schemaVersion="3.0"`, `schemaVersion "3.0": want 2.1`},
		{"no version", `schemaVersion="2.1"`, "", "attribute schemaVersion is missing"},
		{"an unknown element", "<spif:privacyMarks>", "<spif:secrets/><spif:privacyMarks>", "SPIF 2.1 has none in SPIF"},
		{"an element of another namespace", "<spif:privacyMarks>", "<x:privacyMarks xmlns:x='urn:x:y'/><spif:privacyMarks>", "SPIF 2.1 has no element"},
		{"an unknown attribute", `lacv="1" hierarchy="10"`, `lacv="1" hierarchy="10" rank="9"`, `attribute "rank"`},
		{"an attribute twice", `hierarchy="10"`, `hierarchy="10" hierarchy="11"`, `attribute "hierarchy" of securityClassification is there twice`},
		{"no hierarchy", `hierarchy="10"`, "", "attribute hierarchy is missing"},
		{"a hierarchy that is no number", `hierarchy="10"`, `hierarchy="ten"`, `hierarchy "ten"`},
		{"a level whose lacv is no number", `lacv="1" hierarchy="10"`, `lacv="one" hierarchy="10"`, `lacv "one"`},
		{"a value without a lacv", `name="TEA" lacv="2"`, `name="TEA" lacv=""`, `lacv ""`},
		{"a policy without a name", `<spif:securityPolicyId name="HARBOUR"`, `<spif:securityPolicyId name=""`, `name ""`},
		{"a marking that is too long", `<spif:securityPolicyId name="HARBOUR"`, `<spif:securityPolicyId name="` + strings.Repeat("H", 255) + `"`, "want at most 256 bytes"},
		{"two levels of one hierarchy", `hierarchy="10"`, `hierarchy="20"`, "have the hierarchy 20"},
		{"two levels of one name", `name="SHUT"`, `name="OPEN"`, "OPEN is there twice"},
		{"two levels of one lacv", `lacv="4" hierarchy="15"`, `lacv="1" hierarchy="15"`, "OPEN and SHUT have the lacv"},
		{"a policy twice", "<spif:securityClassifications>", `<spif:securityPolicyId name="B" id="2.25.9"/><spif:securityClassifications>`, "securityPolicyId: is there twice"},
		{"no policy", `<spif:securityPolicyId name="HARBOUR" id="2.25.1"/>`, "", "securityPolicyId is missing"},
		{"an id that is no object identifier", `id="2.25.1.1"`, `id="cargo"`, `id "cargo"`},
		{"a tag of no type", `tagType="restrictive" single`, `tagType="secret" single`, `tagType "secret"`},
		{"an enumerated tag of no type", `tagType="enumerated" enumType="permissive" max`, `tagType="enumerated" max`, "enumType"},
		{"two values of one lacv", `name="TEA" lacv="2"`, `name="TEA" lacv="1"`, "GOLD and TEA have the lacv"},
		{"an unknown class", "<spif:excludedClass>OPEN<", "<spif:excludedClass>AJAR<", `"AJAR" is no classification`},
		{"an unknown required class", `requiredClass="CLOSED"`, `requiredClass="AJAR"`, `requiredClass "AJAR"`},
		{"an unknown tag set", `tagSetRef="Watch"`, `tagSetRef="Night"`, `tagSetRef "Night"`},
		{"both a value and all", `tagType="tagType7" lacv="1"/>`, `tagType="tagType7" lacv="1" all="true"/>`, "want one of lacv and all"},
		{"an unknown operation", `operation="all"`, `operation="none"`, `operation "none"`},
		{"an obsolete value of an unknown date", `creationDate="20240301120000Z"`, `creationDate="today"`, "creationDate does not say"},
		{"a date without an offset", `notBefore="2020-01-01T00:00:00Z"`, `notBefore="2020-01-01T00:00:00"`, "with its offset"},
		{"text where there is none", "<spif:securityCategoryTagSets>", "<spif:securityCategoryTagSets>undefined", "beside the text"},
		{"a comment that cuts a value in two", "<spif:excludedClass>OPEN<", "<spif:excludedClass>OP<!-- -->EN<", "a comment inside the text"},
		{"a name with spaces around it", `name="GOLD"`, `name=" GOLD"`, "no spaces around it"},
		{"two sets of one name", `name="Watch" id`, `name="Crews" id`, "Crews is there twice"},
		{"an end that is missing", "</spif:SPIF>", "", "EOF"},
		{"too deep", "<anything/>", strings.Repeat("<a>", 40) + strings.Repeat("</a>", 40), "nested deeper"},
		{"too much", "PERSONAL", strings.Repeat("P", spif.MaxBytes), "want at most"},
		{"not XML", good, "levels: []", "text outside the root"},
		{"nothing", good, "", "no element"},
	} {
		t.Run(row.name, func(t *testing.T) {
			text := strings.Replace(good, row.from, row.to, 1)
			if text == good {
				t.Fatal("nothing was changed")
			}
			r, err := spif.Import([]byte(text), "NLD")
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("imported %+v, error %v; want one that says %q", r.Scheme, err, row.want)
			}
		})
	}
}

func TestWhenASPIFWasWritten(t *testing.T) {
	for written, want := range map[string]string{
		"20240301120000Z": "2024-03-01T12:00:00Z", "201511061430200Z": "2015-11-06T14:30:00Z", "2024030112": "2024-03-01T12:00:00Z",
		"2024-03-01T12:00:00Z": "2024-03-01T12:00:00Z", "20240301": "2024-03-01T00:00:00Z",
	} {
		r, err := spif.Import([]byte(strings.Replace(harbour(t), "20240301120000Z", written, 1)), "NLD")
		if err != nil || r.Scheme.Levels[3].LabelsTo != want {
			t.Errorf("%s: %+v (%v), want %s", written, r.Scheme.Levels, err, want)
		}
	}
}

// A value that would never be valid is left out, and the rules about it with it.
func TestAValueThatEndsBeforeItBeginsIsLeftOut(t *testing.T) {
	r, err := spif.Import([]byte(strings.Replace(harbour(t), `name="GOLD" lacv="1"`, `name="GOLD" lacv="1" notAfter="2019-01-01T00:00:00Z"`, 1)), "NLD")
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range append(r.Scheme.Rules.Excluded, r.Scheme.Rules.Required...) {
		if slices.Contains(rule.Values["cargo"], "GOLD") || rule.With != nil {
			t.Errorf("a rule about GOLD stayed: %+v", rule)
		}
	}
	if n := len(r.Scheme.TagSets["cargo"].Values); n != 1 {
		t.Errorf("cargo has %d values", n)
	}
}

func FuzzImport(f *testing.F) {
	f.Add(harbour(f))
	f.Fuzz(func(t *testing.T, text string) {
		r, err := spif.Import([]byte(text), "")
		if err != nil {
			return
		}
		if err := r.Scheme.Check(r.ID); err != nil {
			t.Fatalf("imported a scheme that is not clear: %v", err)
		}
		again, err := spif.Import([]byte(text), "")
		if diff := cmp.Diff(r, again); err != nil || diff != "" {
			t.Fatalf("imported again it differs (%v):\n%s", err, diff)
		}
	})
}
