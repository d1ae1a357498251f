package label_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sallyport-dev/sallyport/authz/label"
)

// plainXML is a label that its policy can also write as a marking.
const plainXML = `<slab:originatorConfidentialityLabel xmlns:slab="` + slab + `"><slab:ConfidentialityInformation>` +
	`<slab:PolicyIdentifier URI="urn:oid:1.3.26.1.3.1">NATO</slab:PolicyIdentifier><slab:Classification>SECRET</slab:Classification>` +
	`</slab:ConfidentialityInformation><slab:CreationDateTime>2024-03-01T12:00:00Z</slab:CreationDateTime></slab:originatorConfidentialityLabel>`

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestASIOLabelIsReadAndPrintedBack(t *testing.T) {
	_, s := standard(t)
	want := label.SIOLabel{
		Document: label.Document{Kind: label.Originator, Label: of("NATO", "SECRET")},
		Marking:  "NATO SECRET", Foreground: "black", Background: "#FF0000",
	}
	canonical := `marking="NATO SECRET"; fgcolor="black"; bgcolor="#FF0000"; type=":xml"; label="` + b64(plainXML) + `"`
	half := b64(plainXML)[:90]
	for name, value := range map[string]string{
		"as it is printed":           canonical,
		"in another order":           `type=":xml"; label="` + b64(plainXML) + `"; bgcolor=#FF0000; marking="NATO SECRET"; fgcolor=black`,
		"names in capitals":          strings.NewReplacer("marking", "Marking", "type", "TYPE").Replace(canonical),
		"without spaces":             strings.ReplaceAll(canonical, "; ", ";"),
		"with spaces and a tab":      strings.ReplaceAll(canonical, "; ", " ;\t "),
		"an escaped letter":          strings.Replace(canonical, "NATO SECRET", `NATO \SECRET`, 1),
		"a label in sections":        strings.Replace(canonical, `label="`+half, `label*0="`+half+`"; label*1="`, 1),
		"a marking in UTF-8":         strings.Replace(canonical, `marking="NATO SECRET"`, `marking*=utf-8''NATO%20SECRET`, 1),
		"a marking in both":          strings.Replace(canonical, `marking="NATO SECRET"`, `marking*0*=UTF-8''NATO%20; marking*1=SECRET`, 1),
		"sections with others among": `label*0="` + half + `"; type=":xml"; ` + strings.Replace(canonical[:strings.Index(canonical, "type")], "type", "", 1) + `label*1="` + b64(plainXML)[90:] + `"`,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := s.ParseSIOLabel(value, created)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Fatalf("%s is read %v (-want +got):\n%s", value, err, diff)
			}
			if back, err := s.PrintSIOLabel(got); err != nil || back != canonical {
				t.Errorf("printed %v (-want +got):\n%s", err, cmp.Diff(canonical, back))
			}
		})
	}
}

func TestASIOLabelMayHaveOnlyOneOfTheTwo(t *testing.T) {
	_, s := standard(t)
	got, err := s.ParseSIOLabel(`type=":xml"; label="`+b64(plainXML)+`"`, created)
	if diff := cmp.Diff(label.SIOLabel{Document: label.Document{Kind: label.Originator, Label: of("NATO", "SECRET")}}, got); err != nil || diff != "" {
		t.Errorf("a label alone: %v (-want +got):\n%s", err, diff)
	}
	got, err = s.ParseSIOLabel(`marking="NATO SECRET"`, created)
	if diff := cmp.Diff(label.SIOLabel{Document: label.Document{Label: of("NATO", "SECRET")}, Marking: "NATO SECRET"}, got); err != nil || diff != "" {
		t.Errorf("a marking alone: %v (-want +got):\n%s", err, diff)
	}
	_, s = shipped(t)
	got, err = s.ParseSIOLabel(`marking*=UTF-8''TR%C3%88S%20SECRET`, created)
	if diff := cmp.Diff(label.SIOLabel{Document: label.Document{Label: of("FRA", "TRES SECRET")}, Marking: "TRÈS SECRET"}, got); err != nil || diff != "" {
		t.Errorf("a marking that is not ASCII: %v (-want +got):\n%s", err, diff)
	}
}

func TestSIOLabelsThatAreRefused(t *testing.T) {
	_, s := standard(t)
	good := `type=":xml"; label="` + b64(plainXML) + `"`
	for _, row := range []struct{ name, value, want string }{
		{"nothing", "", "want name=value"},
		{"no value", "marking", "want name=value"},
		{"an empty value", "marking=", "no value"},
		{"an empty text", `marking=""`, "is empty"},
		{"an unknown parameter", good + "; x=y", `parameter "x": want one of`},
		{"a parameter twice", good + `; type=":xml"`, "parameter type: is there twice"},
		{"a parameter twice, in capitals", good + `; TYPE=":xml"`, "parameter type: is there twice"},
		{"a parameter twice, once extended", `marking=A; marking*=UTF-8''A`, "is there twice"},
		{"a parameter twice, once in sections", `marking=A; marking*0=A`, "is there twice"},
		{"sections from 1", `marking*1=A`, "section 1, want 0"},
		{"a section that is missing", `marking*0=A; marking*2=B`, "section 2, want 1"},
		{"a section twice", `marking*0=A; marking*0=B`, "section 0, want 1"},
		{"a section that is no number", `marking*x=A`, `section "x" is no number`},
		{"a section with a zero before it", `marking*00=A`, `section "00" is no number`},
		{"a semicolon at the end", good + ";", "want name=value"},
		{"a comma", good + ", " + good, "want a semicolon"},
		{"a label without a type", `label="` + b64(plainXML) + `"`, "want both or none"},
		{"a type without a label", `type=":xml"`, "want both or none"},
		{"a label in ASN.1", `type=":ess"; label="MRUCAQIGBFUEAwQ="`, "only :xml is read here"},
		{"neither", `fgcolor=red`, "neither a label nor a marking"},
		{"a colour without a marking", good + "; fgcolor=red", "colours of a marking"},
		{"a colour that is code", `marking="NATO SECRET"; fgcolor="red;x"`, "want a colour's name"},
		{"not base64", `type=":xml"; label="?"`, "want base64"},
		{"base64 without padding", `type=":xml"; label="PGE"`, "want base64"},
		{"base64 with spare bits", `type=":xml"; label="PB=="`, "want base64"},
		{"a document that is none", `type=":xml"; label="PGE+"`, "label: line 1"},
		{"a marking that says less", `marking="NATO RESTRICTED"; ` + good, "says something else"},
		{"a marking that says more", `marking="NATO SECRET ATOMAL"; ` + good, "says something else"},
		{"a marking of another policy", `marking="OFFICIAL"; ` + good, "no level of NATO is written so"},
		{"a marking of two schemes", `marking="SECRET//NOFORN"`, "no scheme writes that"},
		{"a quote that does not end", `marking="NATO SECRET`, "does not end"},
		{"an escape that does not end", `marking="NATO SECRET\`, "does not end"},
		{"a line break", "marking=\"NATO\nSECRET\"", "printable ASCII"},
		{"bytes of UTF-8", `marking="TRÈS SECRET"`, "printable ASCII"},
		{"another charset", `marking*=ISO-8859-1''TR%C8S%20SECRET`, "want UTF-8''"},
		{"a language", `marking*=UTF-8'fr'A`, "want UTF-8''"},
		{"bytes that are no UTF-8", `marking*=UTF-8''TR%C8S`, "want UTF-8"},
		{"an extended value in quotes", `marking*="UTF-8''A"`, "stands in quotes"},
		{"too much", `marking="` + strings.Repeat("A", label.MaxBytes) + `"`, "want at most"},
	} {
		t.Run(row.name, func(t *testing.T) {
			h, err := s.ParseSIOLabel(row.value, created)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("read %+v, error %v; want one that says %q", h, err, row.want)
			}
		})
	}
}

func TestSIOLabelsThatAreNotPrinted(t *testing.T) {
	_, s := standard(t)
	for name, h := range map[string]label.SIOLabel{
		"a marking that says less":   {Document: label.Document{Kind: label.Originator, Label: of("NATO", "SECRET", category("context", "KFOR"))}, Marking: "NATO SECRET"},
		"a colour without a marking": {Document: label.Document{Kind: label.Originator, Label: of("NATO", "SECRET")}, Foreground: "red"},
		"a colour that is code":      {Document: label.Document{Kind: label.Originator, Label: of("NATO", "SECRET")}, Marking: "NATO SECRET", Foreground: `red"; label="`},
		"no kind":                    {Document: label.Document{Label: of("NATO", "SECRET")}},
	} {
		if v, err := s.PrintSIOLabel(h); err == nil {
			t.Errorf("%s: printed %s", name, v)
		}
	}
}

func TestTheSIOLabelOfAnyLabelIsReadBack(t *testing.T) {
	all, s := shipped(t)
	rapid.Check(t, func(t *rapid.T) {
		want := label.SIOLabel{Document: label.Document{Kind: label.Originator, Label: drawLabel(t, all, 0)}}
		if text, err := s.PrintMarking(want.Document.Label); err == nil {
			want.Marking, want.Background = text, "red"
		}
		v, err := s.PrintSIOLabel(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.ParseSIOLabel(v, created)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Fatalf("%s: %v (-want +got):\n%s", v, err, diff)
		}
	})
}

func TestAProtectiveMarkingIsReadAndPrintedBack(t *testing.T) {
	_, s := standard(t)
	for _, row := range []struct {
		value, canonical string
		want             label.ProtectiveMarking
	}{
		{"VER=2018.6, NS=gov.au, SEC=PROTECTED", "VER=2025.1, NS=gov.au, SEC=PROTECTED", label.ProtectiveMarking{Label: of("AUS", "PROTECTED")}},
		{"VER=2025.1, NS=gov.au, SEC=OFFICIAL:Sensitive, ACCESS=Legal-Privilege, ACCESS=Personal-Privacy, ORIGIN=jo@example.gov.au", "",
			label.ProtectiveMarking{Label: of("AUS", "OFFICIAL: Sensitive", category("management", "Legal-Privilege", "Personal-Privacy")), Origin: "jo@example.gov.au"}},
		{"VER=2025.1,NS=gov.au,SEC=TOP-SECRET,CAVEAT=C:BLUE,CAVEAT=RI:AUSTEO,CAVEAT=SH:NATIONAL-CABINET",
			"VER=2025.1, NS=gov.au, SEC=TOP-SECRET, CAVEAT=C:BLUE, CAVEAT=RI:AUSTEO, CAVEAT=SH:NATIONAL-CABINET",
			label.ProtectiveMarking{Label: of("AUS", "TOP SECRET", category("codeword", "BLUE"), nation("AUSTEO"), handling("NATIONAL CABINET"))}},
		{"VER=2025.1, NS=gov.au, SEC=SECRET, CAVEAT=RI:REL AUS/GBR/USA, EXPIRES=2030-07-01, DOWNTO=OFFICIAL, NOTE=a\\, b \\\\ c", "",
			label.ProtectiveMarking{Label: of("AUS", "SECRET", release("AUS", "GBR", "USA")), Expires: "2030-07-01", DownTo: "OFFICIAL", Note: `a, b \ c`}},
	} {
		got, err := s.ParseProtectiveMarking(row.value, created)
		if diff := cmp.Diff(row.want, got); err != nil || diff != "" {
			t.Errorf("%s is read %v (-want +got):\n%s", row.value, err, diff)
			continue
		}
		want := row.canonical
		if want == "" {
			want = row.value
		}
		if back, err := s.PrintProtectiveMarking(got); err != nil || back != want {
			t.Errorf("printed %q (%v), want %q", back, err, want)
		}
	}
}

func TestTheShippedAustralianSchemeReadsItsHeader(t *testing.T) {
	_, s := shipped(t)
	for value, want := range map[string]label.ProtectiveMarking{
		"VER=2025.1, NS=gov.au, SEC=OFFICIAL:Sensitive, CAVEAT=RI:AUSTEO, ORIGIN=a@b.gov.au": {
			Label: of("AUS", "OFFICIAL: Sensitive", nation("AUSTEO")), Origin: "a@b.gov.au"},
		"VER=2018.4, NS=gov.au, SEC=TOP-SECRET, CAVEAT=RI:REL AUS/GBR, CAVEAT=SH:CABINET": {
			Label: of("AUS", "TOP SECRET", release("AUS", "GBR"), handling("CABINET"))},
		"VER=2025.1, NS=gov.au, SEC=SECRET, CAVEAT=RI:REL/AUS/GBR": {Label: of("AUS", "SECRET", release("AUS", "GBR"))},
	} {
		got, err := s.ParseProtectiveMarking(value, created)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s is read %v (-want +got):\n%s", value, err, diff)
		}
	}
}

func TestProtectiveMarkingsThatAreRefused(t *testing.T) {
	_, s := standard(t)
	for _, row := range []struct{ name, value, want string }{
		{"nothing", "", "want KEY=value"},
		{"no version", "NS=gov.au, SEC=SECRET", "VER is missing"},
		{"an unknown version", "VER=1999.1, NS=gov.au, SEC=SECRET", `VER "1999.1"`},
		{"no namespace", "VER=2025.1, SEC=SECRET", "NS is missing"},
		{"another namespace", "VER=2025.1, NS=gov.nz, SEC=SECRET", "no scheme has this namespace"},
		{"no level", "VER=2025.1, NS=gov.au", "SEC is missing"},
		{"a level that ended", "VER=2025.1, NS=gov.au, SEC=CONFIDENTIAL", `SEC "CONFIDENTIAL": AUS has no such level`},
		{"a level in its other spelling", "VER=2025.1, NS=gov.au, SEC=TOP SECRET", `SEC "TOP SECRET"`},
		{"two levels", "VER=2025.1, NS=gov.au, SEC=SECRET, SEC=OFFICIAL", "key SEC: is there twice"},
		{"an unknown key", "VER=2025.1, NS=gov.au, SEC=SECRET, X=Y", `key "X"`},
		{"a key in small letters", "VER=2025.1, NS=gov.au, sec=SECRET", `key "sec"`},
		{"another order", "VER=2025.1, SEC=SECRET, NS=gov.au", "key NS: stands after SEC"},
		{"an unknown type of caveat", "VER=2025.1, NS=gov.au, SEC=SECRET, CAVEAT=XX:Y", `CAVEAT "XX"`},
		{"an unknown caveat", "VER=2025.1, NS=gov.au, SEC=SECRET, CAVEAT=SH:DELICATE SOURCE", `CAVEAT SH "DELICATE SOURCE"`},
		{"a caveat without a type", "VER=2025.1, NS=gov.au, SEC=SECRET, CAVEAT=AUSTEO", "want type:value"},
		{"a caveat twice", "VER=2025.1, NS=gov.au, SEC=SECRET, CAVEAT=RI:AUSTEO, CAVEAT=RI:AUSTEO", "is there twice"},
		{"a caveat of another type", "VER=2025.1, NS=gov.au, SEC=SECRET, CAVEAT=SH:AUSTEO", `CAVEAT SH "AUSTEO"`},
		{"a country that is none", "VER=2025.1, NS=gov.au, SEC=SECRET, CAVEAT=RI:REL AUS/UK", `country "UK"`},
		{"two release lists", "VER=2025.1, NS=gov.au, SEC=SECRET, CAVEAT=RI:REL AUS, CAVEAT=RI:REL GBR", "is there twice"},
		{"an unknown marker", "VER=2025.1, NS=gov.au, SEC=SECRET, ACCESS=Secret-Stuff", `ACCESS "Secret-Stuff"`},
		{"an end without a lower level", "VER=2025.1, NS=gov.au, SEC=SECRET, EXPIRES=2030-01-01", "want both or none"},
		{"an unknown lower level", "VER=2025.1, NS=gov.au, SEC=SECRET, EXPIRES=2030-01-01, DOWNTO=X", `DOWNTO "X"`},
		{"a stray escape", `VER=2025.1, NS=gov.au, SEC=SECRET, NOTE=a\b`, "escapes none of"},
		{"an empty value", "VER=2025.1, NS=gov.au, SEC=SECRET, NOTE=", "want 1 to"},
		{"a comma at the end", "VER=2025.1, NS=gov.au, SEC=SECRET,", "want KEY=value"},
		{"a control character", "VER=2025.1, NS=gov.au, SEC=SECRET, NOTE=a\x00", "printable"},
		{"too long a note", "VER=2025.1, NS=gov.au, SEC=SECRET, NOTE=" + strings.Repeat("a", 200), "want 1 to 128"},
		{"too much", "VER=2025.1, NS=gov.au, SEC=" + strings.Repeat("a", label.MaxBytes), "want at most"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m, err := s.ParseProtectiveMarking(row.value, created)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("read %+v, error %v; want one that says %q", m, err, row.want)
			}
		})
	}
}

func TestProtectiveMarkingsThatCanNotBePrinted(t *testing.T) {
	_, s := standard(t)
	for name, m := range map[string]label.ProtectiveMarking{
		"another scheme":               {Label: of("NATO", "SECRET")},
		"a display list":               {Label: of("AUS", "SECRET", display("GBR"))},
		"an end without a lower level": {Label: of("AUS", "SECRET"), Expires: "2030-01-01"},
		"a note that is a line":        {Label: of("AUS", "SECRET"), Note: "a\n"},
		"an unknown level":             {Label: of("AUS", "RESTRICTED")},
	} {
		if v, err := s.PrintProtectiveMarking(m); err == nil {
			t.Errorf("%s: printed %s", name, v)
		}
	}
}

func TestAnyProtectiveMarkingIsReadBack(t *testing.T) {
	all, s := standard(t)
	delete(all, "NATO")
	printed := 0
	rapid.Check(t, func(t *rapid.T) {
		want := label.ProtectiveMarking{Label: drawLabel(t, all, 0), Note: rapid.StringMatching(`([!-~]{1,20})?`).Draw(t, "note")}
		v, err := s.PrintProtectiveMarking(want)
		if err != nil {
			return
		}
		printed++
		got, err := s.ParseProtectiveMarking(v, created)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Fatalf("%s: %v (-want +got):\n%s", v, err, diff)
		}
	})
	if printed < 10 {
		t.Errorf("only %d could be printed", printed)
	}
}
