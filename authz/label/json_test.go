package label_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/label"
)

func TestALabelInJSONIsReadAndPrintedBack(t *testing.T) {
	_, s := shipped(t)
	const text = `{"scheme":"USA","level":"SECRET","categories":{"sci":["SI","TK"]},"release":["GBR","USA"],"display":null,` +
		`"nation":[],"handling":["ORCON"],"created":"2024-03-01T12:00:00.000000000Z",` +
		`"alternatives":[{"scheme":"GBR","level":"SECRET","categories":{},"release":null,"display":null,"nation":["UK EYES ONLY"],` +
		`"handling":[],"created":"2024-03-01T12:00:00.000000000Z","alternatives":[]}]}`
	want := of("USA", "SECRET", category("sci", "SI", "TK"), release("GBR", "USA"), handling("ORCON"),
		func(l *authz.Label) { l.Alternatives = []authz.Label{of("GBR", "SECRET", nation("UK EYES ONLY"))} })
	got, err := s.ParseJSON([]byte(text))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("read %v (-want +got):\n%s", err, diff)
	}
	if b, err := s.PrintJSON(got); err != nil || string(b) != text {
		t.Errorf("printed %v (-want +got):\n%s", err, cmp.Diff(text, string(b)))
	}
}

func TestALabelInJSONMayLeaveOutWhatItHasNot(t *testing.T) {
	_, s := shipped(t)
	got, err := s.ParseJSON([]byte(`{"level": "SECRET", "scheme": "USA", "created": "2024-03-01T13:00:00+01:00", "categories": {"sci": ["TK", "SI"]}, "release": ["USA", "GBR"]}`))
	want := of("USA", "SECRET", category("sci", "SI", "TK"), release("GBR", "USA"))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("read %v (-want +got):\n%s", err, diff)
	}
}

func TestLabelsInJSONThatAreRefused(t *testing.T) {
	_, s := shipped(t)
	with := func(member string) string { return `{"scheme": "USA", "level": "SECRET", ` + member + `}` }
	for _, row := range []struct{ name, text, want string }{
		{"nothing", "", "not one JSON value"},
		{"a list", "[]", "not a JSON object"},
		{"two values", "{}{}", "not one JSON value"},
		{"not UTF-8", with("\"created\": \"\xff\""), "not UTF-8"},
		{"no scheme", `{"level": "SECRET"}`, "scheme: want a text"},
		{"no level", `{"scheme": "USA"}`, "level: want a text"},
		{"an unknown scheme", `{"scheme": "XXX", "level": "SECRET"}`, `scheme "XXX": is unknown`},
		{"an unknown level", `{"scheme": "USA", "level": "RESTRICTED"}`, `level "RESTRICTED": USA has no such level`},
		{"a level by its marking", `{"scheme": "USA", "level": "S"}`, `level "S"`},
		{"an unknown member", with(`"clearance": 1`), `"clearance": unknown member`},
		{"a member in capitals", with(`"Level": "UNCLASSIFIED"`), `"Level": unknown member`},
		{"a member twice", with(`"level": "UNCLASSIFIED"`), `name "level" twice`},
		{"a member twice in an alternative", with(`"alternatives": [{"scheme": "GBR", "scheme": "USA", "level": "SECRET"}]`), `name "scheme" twice`},
		{"an unknown tag set", with(`"categories": {"nope": []}`), `tag set "nope"`},
		{"a tag set of nation tags", with(`"categories": {"foreign_disclosure": ["NOFORN"]}`), `tag set "foreign_disclosure"`},
		{"an unknown value", with(`"categories": {"sci": ["XX"]}`), `value "XX" of tag set "sci"`},
		{"a value twice", with(`"categories": {"sci": ["SI", "SI"]}`), "is there twice"},
		{"values that are null", with(`"categories": {"sci": null}`), `categories."sci": want a list`},
		{"a value that is a number", with(`"categories": {"sci": [1]}`), "sci[0]: want a text"},
		{"an unknown nation tag", with(`"nation": ["NZEO"]`), `nation value "NZEO"`},
		{"an unknown handling tag", with(`"handling": ["NOPE"]`), `handling value "NOPE"`},
		{"a release that is a text", with(`"release": "USA"`), "release: want a list"},
		{"a country that is none", with(`"release": ["US"]`), `release: country "US"`},
		{"a date that is none", with(`"created": "yesterday"`), `created: want a time`},
		{"a date without an offset", with(`"created": "2024-03-01T12:00:00"`), `created: want a time`},
		{"an alternative of an alternative", with(`"alternatives": [{"scheme": "GBR", "level": "SECRET", "alternatives": [{"scheme": "USA", "level": "SECRET"}]}]`), "has none of its own"},
		{"an unknown level of an alternative", with(`"alternatives": [{"scheme": "GBR", "level": "RESTRICTED"}]`), `alternatives[0]: level "RESTRICTED"`},
		{"too deep", with(`"alternatives": [[[[[[[[[[]]]]]]]]]]`), "nested deeper"},
		{"half a surrogate pair", with(`"created": "\ud800"`), "not Unicode"},
		{"too many countries", with(`"release": [` + strings.Repeat(`"USA",`, 300) + `"USA"]`), "at most 256"},
		{"too much", with(`"created": "` + strings.Repeat("a", label.MaxBytes) + `"`), "want at most"},
	} {
		t.Run(row.name, func(t *testing.T) {
			l, err := s.ParseJSON([]byte(row.text))
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("read %+v, error %v; want one that says %q", l, err, row.want)
			}
		})
	}
}

func TestJSONOfAnyLabelIsReadBack(t *testing.T) {
	all, s := shipped(t)
	rapid.Check(t, func(t *rapid.T) {
		want := drawLabel(t, all, 2)
		b, err := s.PrintJSON(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.ParseJSON(b)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Fatalf("%s: %v (-want +got):\n%s", b, err, diff)
		}
	})
}

func TestClearancesInJSONAreReadAndPrintedBack(t *testing.T) {
	_, s := shipped(t)
	for _, row := range []struct {
		text string
		want authz.Clearance
	}{
		{`{"scheme": "USA", "level": "SECRET", "categories": {"sci": ["SI"]}}`,
			authz.Clearance{Scheme: "USA", Levels: []string{"UNCLASSIFIED", "CONFIDENTIAL", "SECRET"}, Categories: map[string][]string{"sci": {"SI"}}}},
		{`{"scheme": "USA", "levels": ["SECRET", "UNCLASSIFIED"]}`,
			authz.Clearance{Scheme: "USA", Levels: []string{"UNCLASSIFIED", "SECRET"}, Categories: map[string][]string{}}},
		{`{"scheme": "NZL", "native": "PERSONNEL-CHECK", "not_after": "2024-03-01T12:00:00Z"}`,
			authz.Clearance{Scheme: "NZL", Native: "PERSONNEL-CHECK", Levels: []string{"RESTRICTED"}, Categories: map[string][]string{}, NotAfter: created}},
		{`{"scheme": "CAN", "native": "RELIABILITY", "not_before": "2024-03-01T12:00:00Z"}`,
			authz.Clearance{Scheme: "CAN", Native: "RELIABILITY", Categories: map[string][]string{}, NotBefore: created}},
	} {
		got, err := s.ParseClearanceJSON([]byte(row.text))
		if diff := cmp.Diff(row.want, got); err != nil || diff != "" {
			t.Errorf("%s is read %v (-want +got):\n%s", row.text, err, diff)
			continue
		}
		b, err := s.PrintClearanceJSON(got)
		if err != nil {
			t.Errorf("%s: %v", row.text, err)
			continue
		}
		if back, err := s.ParseClearanceJSON(b); err != nil || !cmp.Equal(got, back) {
			t.Errorf("%s is read back as %+v (%v)", b, back, err)
		}
	}
}

func TestClearancesInJSONThatAreRefused(t *testing.T) {
	_, s := shipped(t)
	for _, row := range []struct{ text, want string }{
		{`{}`, "scheme: want a text"},
		{`{"scheme": "USA"}`, "want one of level, levels and native, have 0"},
		{`{"scheme": "USA", "level": "SECRET", "levels": ["SECRET"]}`, "have 2"},
		{`{"scheme": "USA", "level": "GEHEIM"}`, `level "GEHEIM"`},
		{`{"scheme": "USA", "level": ""}`, "level: "},
		{`{"scheme": "USA", "native": "NOPE"}`, `native clearance "NOPE"`},
		{`{"scheme": "USA", "levels": ["SECRET", "SECRET"]}`, "is there twice"},
		{`{"scheme": "XXX", "level": "SECRET"}`, `scheme "XXX": is unknown`},
		{`{"scheme": "USA", "level": "SECRET", "sponsor": "usa"}`, `"sponsor": unknown member`},
		{`{"scheme": "USA", "level": "SECRET", "categories": {"dissemination": ["ORCON"]}}`, `tag set "dissemination"`},
		{`{"scheme": "USA", "level": "SECRET", "not_after": 1}`, "not_after: want a text"},
	} {
		if c, err := s.ParseClearanceJSON([]byte(row.text)); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s is read %+v, error %v; want one that says %q", row.text, c, err, row.want)
		}
	}
}

// The clearance of any levels and categories is read back from both of its forms.
func TestAnyClearanceIsReadBack(t *testing.T) {
	all, s := standard(t)
	rapid.Check(t, func(t *rapid.T) {
		l := drawLabel(t, all, 0)
		want := authz.Clearance{Scheme: l.Scheme, Categories: map[string][]string{}}
		for _, level := range all[l.Scheme].Levels {
			if level.ID == l.Level || rapid.Bool().Draw(t, level.ID) {
				want.Levels = append(want.Levels, level.ID)
			}
		}
		for set, values := range l.Categories {
			if all[l.Scheme].TagSets[set].Type != "informative" {
				want.Categories[set] = values
			}
		}
		claim, err := s.PrintACIClr(want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.ParseACIClr(claim); err != nil || !cmp.Equal(want, got) {
			t.Fatalf("in XML: %v (-want +got):\n%s", err, cmp.Diff(want, got))
		}
		b, err := s.PrintClearanceJSON(want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.ParseClearanceJSON(b); err != nil || !cmp.Equal(want, got) {
			t.Fatalf("in JSON: %v (-want +got):\n%s", err, cmp.Diff(want, got))
		}
	})
}

func TestSchemesThatAreRefused(t *testing.T) {
	scheme := func(more string) string {
		return `{"nation": "AAA", "title": "a", "levels": [{"id": "LOW", "hierarchy": 1}, {"id": "TOP", "hierarchy": 2}], "native_clearances": {}, ` + more + `}`
	}
	for _, row := range []struct{ doc, want string }{
		{`[]`, "schemes: "},
		{`{"A": {"levels": [{"id": "", "hierarchy": 1}]}}`, "an id is empty"},
		{`{"A": {"levels": [{"id": "LOW", "hierarchy": 1}, {"id": "TOP", "hierarchy": 2, "also": ["low"]}]}}`, `"LOW" and "TOP" are written in the same way`},
		{`{"A": {"levels": [{"id": "LOW", "hierarchy": 1}, {"id": "TOP", "hierarchy": 2, "name": "low"}]}}`, "are written in the same way"},
		{`{"A": ` + scheme(`"tag_sets": {"s": {"type": "restrictive", "values": ["x", "X"]}}`) + `}`, `tag set "s": "x" and "X"`},
		{`{"A": ` + scheme(`"tag_sets": {"s": {"type": "handling", "values": ["x"]}, "t": {"type": "handling", "values": ["x"]}}`) + `}`, "stands in the tag sets s and t"},
		{`{"A": ` + scheme(`"markings": {"parts": [{"before": "//", "tag_sets": ["s"]}]}`) + `}`, `has no tag set "s"`},
		{`{"A": ` + scheme(`"markings": {"parts": [{"before": "//", "lists": ["release"]}]}`) + `}`, "does not say how the list is written"},
		{`{"A": ` + scheme(`"markings": {"parts": [{"before": "", "tag_sets": []}]}`) + `}`, "nothing stands before it"},
		{`{"A": ` + scheme(`"tag_sets": {"s": {"type": "handling", "values": ["x"]}}, "markings": {"parts": [{"before": "/", "tag_sets": ["s"]}, {"before": "-", "tag_sets": ["s"]}]}`) + `}`, "has a place already"},
	} {
		if _, err := label.New(json.RawMessage(row.doc)); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: error %v; want one that says %q", row.doc, err, row.want)
		}
	}
}

// A word for several countries means those of the label's date.
func TestCountryGroupsHaveDates(t *testing.T) {
	doc := `{"A": {"nation": "AAA", "title": "a", "levels": [{"id": "LOW", "hierarchy": 1}], "native_clearances": {}, "markings": {
		"parts": [{"before": " ", "lists": ["release"]}], "release": {"before": "REL ", "between": ","}, "country_groups": [
		{"id": "PACT", "members": ["AAA", "BBB"], "from": "2010-01-01T00:00:00Z", "until": "2024-03-01T12:00:00Z"},
		{"id": "PACT", "members": ["AAA", "BBB", "CCC"], "from": "2024-03-01T12:00:00Z"}]}}}`
	s, err := label.New(json.RawMessage(doc))
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]string{
		"2000-01-01T00:00:00Z": "error", "2024-03-01T11:59:59Z": "[AAA BBB]", "2024-03-01T12:00:00Z": "[AAA BBB CCC]", "": "error",
	} {
		var when authz.Time
		if at != "" {
			if err := when.UnmarshalJSON([]byte(`"` + at + `"`)); err != nil {
				t.Fatal(err)
			}
		}
		l, err := s.ParseMarking("A", "LOW REL PACT", when)
		got := fmt.Sprint(l.Release)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("at %s: %s (%v), want %s", at, got, err, want)
		}
	}
}
