package label_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sallyport-dev/sallyport/authz"
)

// of is a label with what is said in the form scheme, level, then set=value or a flag.
func of(scheme, level string, change ...func(*authz.Label)) authz.Label {
	l := authz.Label{
		Scheme: scheme, Level: level, Categories: map[string][]string{}, Nation: []string{}, Handling: []string{},
		Alternatives: []authz.Label{}, Created: created,
	}
	for _, c := range change {
		c(&l)
	}
	return l
}

func category(set string, values ...string) func(*authz.Label) {
	return func(l *authz.Label) { l.Categories[set] = append([]string{}, values...) }
}
func nation(values ...string) func(*authz.Label) { return func(l *authz.Label) { l.Nation = values } }
func handling(values ...string) func(*authz.Label) {
	return func(l *authz.Label) { l.Handling = values }
}
func release(c ...string) func(*authz.Label) {
	return func(l *authz.Label) { l.Release = append([]string{}, c...) }
}
func display(c ...string) func(*authz.Label) {
	return func(l *authz.Label) { l.Display = append([]string{}, c...) }
}

func TestMarkingsAreReadAndPrintedBack(t *testing.T) {
	for _, row := range []struct {
		text, canonical string // canonical where it is another
		want            authz.Label
	}{
		{"SECRET//REL TO USA, GBR", "", of("USA", "SECRET", release("GBR", "USA"))},
		{"SECRET//REL TO USA, AUS, CAN, GBR, NZL", "", of("USA", "SECRET", release("AUS", "CAN", "GBR", "NZL", "USA"))},
		{"SECRET//REL TO USA, FVEY", "SECRET//REL TO USA, AUS, CAN, GBR, NZL", of("USA", "SECRET", release("AUS", "CAN", "GBR", "NZL", "USA"))},
		{"SECRET//NOFORN", "", of("USA", "SECRET", nation("NOFORN"))},
		{"S//NF", "SECRET//NOFORN", of("USA", "SECRET", nation("NOFORN"))},
		{"TOP SECRET//SI/TK//NOFORN", "", of("USA", "TOP SECRET", category("sci", "SI", "TK"), nation("NOFORN"))},
		{"TS//SI/TK//OC/NF", "TOP SECRET//SI/TK//ORCON/NOFORN", of("USA", "TOP SECRET", category("sci", "SI", "TK"), handling("ORCON"), nation("NOFORN"))},
		{"TOP SECRET//TK/SI//NOFORN", "TOP SECRET//SI/TK//NOFORN", of("USA", "TOP SECRET", category("sci", "SI", "TK"), nation("NOFORN"))},
		{"unclassified // cui//SP-EXPT", "UNCLASSIFIED//CUI//SP-EXPT", of("USA", "UNCLASSIFIED", handling("CUI", "SP-EXPT"))},
		{"SECRET//ORCON/REL TO USA,GBR", "SECRET//ORCON/REL TO USA, GBR", of("USA", "SECRET", handling("ORCON"), release("GBR", "USA"))},
		{"SECRET//DISPLAY ONLY GBR", "", of("USA", "SECRET", display("GBR"))},
		{"NATO SECRET", "", of("NATO", "NATO SECRET")},
		{"COSMIC TOP SECRET ATOMAL", "", of("NATO", "COSMIC TOP SECRET", category("additional_sensitivity", "ATOMAL"))},
		{"SECRET UE/EU SECRET", "", of("EU", "S-UE/EU-S")},
		{"OFFICIAL: Sensitive", "", of("AUS", "OFFICIAL: Sensitive")},
		{"OFFICIAL-SENSITIVE", "", of("GBR", "OFFICIAL", handling("SENSITIVE"))},
		{"SECRET UK EYES ONLY", "", of("GBR", "SECRET", nation("UK EYES ONLY"))},
		{"VS-NfD", "", of("DEU", "VS-NFD")},
		{"VS-NUR FÜR DEN DIENSTGEBRAUCH", "VS-NfD", of("DEU", "VS-NFD")},
		{"vs-nur für den dienstgebrauch", "VS-NfD", of("DEU", "VS-NFD")},
		{"PROTECTED B", "", of("CAN-PROTECTED", "PROTECTED B")},
		{"IN-CONFIDENCE", "", of("NZL-POLICY", "IN-CONFIDENCE")},
		{"RESTRICTED//NZEO", "", of("NZL", "RESTRICTED", nation("NZEO"))},
		{"TRÈS SECRET SPÉCIAL FRANCE", "", of("FRA", "TRES SECRET", category("special", "FRANCE"))},
		{"SECRET SPECIAL FRANCE", "SECRET SPÉCIAL FRANCE", of("FRA", "SECRET", category("special", "FRANCE"))},
	} {
		t.Run(row.text, func(t *testing.T) {
			_, s := shipped(t)
			readAndPrintedBack(t, row.text, row.canonical, row.want,
				func(text string) (authz.Label, error) { return s.ParseMarking(row.want.Scheme, text, created) }, s.PrintMarking)
		})
	}
}

func TestMarkingsOfAlliancesAreReadAndPrintedBack(t *testing.T) {
	for _, row := range []struct {
		text, canonical string
		want            authz.Label
	}{
		{"NATO SECRET", "", of("NATO", "SECRET")},
		{"COSMIC TOP SECRET ATOMAL BOHEMIA", "", of("NATO", "CTS", category("additional_sensitivity", "ATOMAL", "BOHEMIA"))},
		{"NATO SECRET RELEASABLE TO EAPC, KFOR - STAFF", "", of("NATO", "SECRET", category("context", "EAPC", "KFOR"), category("administrative", "STAFF"))},
		{"OFFICIAL: Sensitive", "", of("AUS", "OFFICIAL: Sensitive")},
		{"OFFICIAL:Sensitive", "OFFICIAL: Sensitive", of("AUS", "OFFICIAL: Sensitive")},
		{"SECRET//NATIONAL CABINET//AUSTEO", "", of("AUS", "SECRET", handling("NATIONAL CABINET"), nation("AUSTEO"))},
		{"PROTECTED//REL AUS/GBR/USA", "", of("AUS", "PROTECTED", release("AUS", "GBR", "USA"))},
	} {
		t.Run(row.text, func(t *testing.T) {
			_, s := standard(t)
			readAndPrintedBack(t, row.text, row.canonical, row.want,
				func(text string) (authz.Label, error) { return s.ParseMarking(row.want.Scheme, text, created) }, s.PrintMarking)
		})
	}
}

func readAndPrintedBack(t *testing.T, text, canonical string, want authz.Label, parse func(string) (authz.Label, error), print func(authz.Label) (string, error)) {
	t.Helper()
	got, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	if canonical == "" {
		canonical = text
	}
	if back, err := print(got); err != nil || back != canonical {
		t.Errorf("printed %q (%v), want %q", back, err, canonical)
	}
}

func TestMarkingsThatAreRefused(t *testing.T) {
	for _, row := range []struct{ name, scheme, text, want string }{
		{"a level of another scheme", "GBR", "NATO SECRET", "no level of GBR is written so"},
		{"a level that ended", "GBR", "CONFIDENTIAL", "no level of GBR is written so"},
		{"an unknown scheme", "XXX", "SECRET", `scheme "XXX": is unknown`},
		{"an unknown compartment", "USA", "TOP SECRET//SI/XX", `writes no "XX" there`},
		{"an unknown caveat", "USA", "SECRET//WNINTEL", `writes no "WNINTEL" there`},
		{"a country that is a name", "USA", "SECRET//REL TO USA, FRANCE", `"FRANCE" is no country of three letters`},
		{"an unknown tetragraph", "USA", "SECRET//REL TO USA, ACGU", `"ACGU" is no country of three letters`},
		{"a country twice", "USA", "SECRET//REL TO USA, GBR, GBR", "country GBR is there twice"},
		{"a caveat twice", "USA", "SECRET//NOFORN/NOFORN", "is there twice"},
		{"an empty part", "USA", "SECRET//", "ends where something must follow"},
		{"an empty list", "USA", "SECRET//REL TO", `writes no "REL TO" there`},
		{"a list that ends in a comma", "USA", "SECRET//REL TO USA,", `"" is no country`},
		{"a word more", "USA", "SECRET SECRET", `writes no " SECRET" there`},
		{"nothing", "USA", "", "no level of USA is written so"},
		{"a line break", "USA", "SECRET\n//NOFORN", "not printable"},
		{"a no-break space", "USA", "TOP\u00a0SECRET", "not printable"},
		{"a long s", "USA", "ſECRET", "no level of USA is written so"},
		{"a Cyrillic letter", "USA", "SЕCRET", `writes no "\u0415CRET" there`},
		{"too long", "USA", "SECRET//REL TO USA" + strings.Repeat(", GBR", 300), "want at most 1024"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, s := shipped(t)
			l, err := s.ParseMarking(row.scheme, row.text, created)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("read %+v, error %v; want one that says %q", l, err, row.want)
			}
		})
	}
}

func TestMarkingsWithoutASchemeBelongToOneSchemeOnly(t *testing.T) {
	_, s := shipped(t)
	if l, err := s.FindMarking("VS-NfD", created); err != nil || l.Scheme != "DEU" {
		t.Errorf("VS-NfD is %+v, %v", l, err)
	}
	for text, want := range map[string]string{"SECRET": "say which scheme", "SECRET//NOPE": "no scheme writes that"} {
		if l, err := s.FindMarking(text, created); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is %+v, %v; want an error that says %q", text, l, err, want)
		}
	}
}

func TestLabelsThatNoMarkingCanSay(t *testing.T) {
	for _, row := range []struct {
		name string
		l    authz.Label
		want string
	}{
		{"a tag set without a place", of("NATO", "SECRET", release("BEL")), "can't say all"},
		{"an empty tag set", of("USA", "SECRET", category("sci")), "can't say all"},
		{"an empty release list", of("USA", "SECRET", release()), "can't say all"},
		{"a value that is unknown", of("USA", "SECRET", category("sci", "XX")), `value "XX" of tag set "sci"`},
		{"a level that is unknown", of("USA", "GEHEIM"), `level "GEHEIM": USA has no such level`},
		{"a nation tag that is unknown", of("USA", "SECRET", nation("NZEO")), `nation value "NZEO"`},
		{"a tag set that is unknown", of("USA", "SECRET", category("nope", "X")), `tag set "nope"`},
		{"a country that is none", of("USA", "SECRET", release("usa")), `release: country "usa"`},
		{"a country twice", of("USA", "SECRET", display("USA", "USA")), "display: country USA: is there twice"},
		{"alternatives", of("USA", "SECRET", func(l *authz.Label) { l.Alternatives = []authz.Label{of("GBR", "SECRET")} }), "alternatives"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, s := shipped(t)
			if row.l.Scheme == "NATO" {
				_, s = standard(t)
			}
			if text, err := s.PrintMarking(row.l); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("printed %q, error %v; want one that says %q", text, err, row.want)
			}
		})
	}
}

// What is printed is read back as the same label, in every scheme.
func TestEachSchemeReadsItsOwnMarkings(t *testing.T) {
	for name, load := range map[string]loader{"shipped": shipped, "standard": standard} {
		t.Run(name, func(t *testing.T) {
			all, s := load(t)
			for id, sc := range all {
				for _, l := range sc.Levels {
					want := of(id, l.ID)
					text, err := s.PrintMarking(want)
					if err != nil {
						t.Error(err)
						continue
					}
					got, err := s.ParseMarking(id, text, created)
					if err != nil || !cmp.Equal(want, got) {
						t.Errorf("%s %s is written %q, which is read as %+v (%v)", id, l.ID, text, got, err)
					}
				}
			}
			printed := 0
			rapid.Check(t, func(t *rapid.T) {
				want := drawLabel(t, all, 0)
				text, err := s.PrintMarking(want)
				if err != nil {
					return // the form can't say it
				}
				printed++
				got, err := s.ParseMarking(want.Scheme, text, created)
				if err != nil {
					t.Fatalf("%q: %v", text, err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("%q (-want +got):\n%s", text, diff)
				}
			})
			if printed < 3 {
				t.Errorf("only %d labels could be printed", printed)
			}
		})
	}
}
