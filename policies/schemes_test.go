package policies_test

import (
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"go.yaml.in/yaml/v3"

	"github.com/sallyport-dev/sallyport/policies"
)

// row is a fact of a scheme, and what it rests on.
type row struct {
	ID, Source, Level string
	Hierarchy         int
	Clearance         [2]string
	From              string  `yaml:"labels_from"`
	To                *string `yaml:"labels_to"`
}

type scheme struct {
	Nation, Source string
	Sources        map[string]struct{ Title, Date, Basis string }
	Members        []row
	Levels         []row
	TagSets        map[string]struct {
		Type, Source string
		Values       []yaml.Node
	} `yaml:"tag_sets"`
	Native       map[string]row `yaml:"native_clearances"`
	Rules        map[string][]row
	Equivalences []row
}

func schemes(t *testing.T) map[string]scheme {
	t.Helper()
	files, err := fs.Glob(policies.Root, "schemes/*/data.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]scheme{}
	for _, name := range files {
		text, err := policies.Root.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var s scheme
		if err := yaml.Unmarshal(text, &s); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[path.Base(path.Dir(name))] = s
	}
	return all
}

var date = regexp.MustCompile(`^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$`)

// TestEveryFactOfASchemeNamesItsSource wants each level, value, native clearance, rule, member and published row to say what it rests on,
// and of that the date and whether anybody has read it.
func TestEveryFactOfASchemeNamesItsSource(t *testing.T) {
	for id, s := range schemes(t) {
		used := map[string]bool{}
		rests := func(what, source string) {
			if used[source] = true; s.Sources[source].Title == "" {
				t.Errorf("%s: %s rests on %q, which is no source of the scheme", id, what, source)
			}
		}
		for _, l := range s.Levels {
			rests("level "+l.ID, l.Source)
		}
		for name, set := range s.TagSets {
			for _, v := range set.Values {
				r := row{ID: v.Value}
				if v.Kind == yaml.MappingNode {
					if err := v.Decode(&r); err != nil {
						t.Fatal(err)
					}
				}
				if r.Source == "" {
					r.Source = set.Source
				}
				rests("value "+name+"/"+r.ID, r.Source)
			}
			if set.Source != "" {
				rests("tag set "+name, set.Source)
			}
		}
		for word, n := range s.Native {
			rests("native clearance "+word, n.Source)
		}
		for kind, rules := range s.Rules {
			for _, r := range rules {
				rests(kind+" rule", r.Source)
			}
		}
		for _, m := range s.Members {
			rests("a member", m.Source)
		}
		for _, e := range s.Equivalences {
			rests("published row "+e.ID, e.Source)
		}
		for source, about := range s.Sources {
			if !date.MatchString(about.Date) || !slices.Contains([]string{"primary", "secondary", "unverified"}, about.Basis) {
				t.Errorf("%s: source %s: %+v has no date or no basis", id, source, about)
			}
			if !used[source] {
				t.Errorf("%s: nothing rests on source %s", id, source)
			}
		}
		if s.Source == "" {
			t.Errorf("%s has no source", id)
		}
	}
}

// TestTheSchemesAndTheirLevels is the table of schemes that are shipped, from the lowest level.
func TestTheSchemesAndTheirLevels(t *testing.T) {
	want := map[string]string{
		"USA":           "UNCLASSIFIED < CONFIDENTIAL < SECRET < TOP SECRET",
		"GBR":           "OFFICIAL < SECRET < TOP SECRET",
		"CAN":           "CONFIDENTIAL < SECRET < TOP SECRET",
		"CAN-PROTECTED": "PROTECTED A < PROTECTED B < PROTECTED C",
		"AUS":           "OFFICIAL < OFFICIAL: Sensitive < PROTECTED < SECRET < TOP SECRET",
		"NZL":           "RESTRICTED < CONFIDENTIAL < SECRET < TOP SECRET",
		"NZL-POLICY":    "IN-CONFIDENCE < SENSITIVE",
		"FRA":           "SECRET < TRES SECRET",
		"FRA-LEGACY":    "CONFIDENTIEL DEFENSE < SECRET DEFENSE < TRES SECRET DEFENSE",
		"DEU":           "VS-NFD < VS-VERTRAULICH < GEHEIM < STRENG GEHEIM",
		"ESP":           "DIFUSION LIMITADA < CONFIDENCIAL < RESERVADO < SECRETO",
		"ITA":           "RISERVATO < RISERVATISSIMO < SEGRETO < SEGRETISSIMO",
		"NATO":          "NATO UNCLASSIFIED < NATO RESTRICTED < NATO CONFIDENTIAL < NATO SECRET < COSMIC TOP SECRET",
		"EU":            "R-UE/EU-R < C-UE/EU-C < S-UE/EU-S < TS-UE/EU-TS",
	}
	got := map[string]string{}
	for id, s := range schemes(t) {
		slices.SortFunc(s.Levels, func(a, b row) int { return a.Hierarchy - b.Hierarchy })
		var ids []string
		for _, l := range s.Levels {
			ids = append(ids, l.ID)
		}
		got[id] = strings.Join(ids, " < ")
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// open returns as what other schemes' levels may read a level, of a label given on that day.
func (s scheme) open(level, day string) map[string]string {
	found := map[string]string{}
	for _, e := range s.Equivalences {
		if e.Level == level && e.From <= day && (e.To == nil || day < *e.To) {
			found[e.Clearance[0]] = e.Clearance[1]
		}
	}
	return found
}

// TestPublishedRows are the published tables, with what they leave out.
func TestPublishedRows(t *testing.T) {
	all := schemes(t)
	for name, c := range map[string]struct {
		scheme, level, day string
		want               map[string]string
	}{
		"RESTREINT UE has no equivalent in the USA, and none in France": {"EU", "R-UE/EU-R", "2022-01-01",
			map[string]string{"DEU": "VS-NFD", "ESP": "DIFUSION LIMITADA", "ITA": "RISERVATO"}},
		"CONFIDENTIEL UE has one in France until 2021": {"EU", "C-UE/EU-C", "2021-06-30",
			map[string]string{"DEU": "VS-VERTRAULICH", "ESP": "CONFIDENCIAL", "ITA": "RISERVATISSIMO", "USA": "CONFIDENTIAL", "FRA-LEGACY": "CONFIDENTIEL DEFENSE"}},
		"and none from then on": {"EU", "C-UE/EU-C", "2021-07-01",
			map[string]string{"DEU": "VS-VERTRAULICH", "ESP": "CONFIDENCIAL", "ITA": "RISERVATISSIMO", "USA": "CONFIDENTIAL"}},
		"SECRET UE": {"EU", "S-UE/EU-S", "2022-01-01",
			map[string]string{"DEU": "GEHEIM", "ESP": "RESERVADO", "ITA": "SEGRETO", "FRA": "SECRET", "USA": "SECRET"}},
		"the United Kingdom's row ended with its membership": {"EU", "S-UE/EU-S", "2019-01-01",
			map[string]string{"DEU": "GEHEIM", "ESP": "RESERVADO", "ITA": "SEGRETO", "FRA-LEGACY": "SECRET DEFENSE", "USA": "SECRET", "GBR": "SECRET"}},
		"NATO RESTRICTED has no equivalent in the USA": {"NATO", "NATO RESTRICTED", "2024-01-01", map[string]string{"DEU": "VS-NFD"}},
		"NATO SECRET":                                 {"NATO", "NATO SECRET", "2024-01-01", map[string]string{"DEU": "GEHEIM", "USA": "SECRET"}},
		"NATO UNCLASSIFIED has none":                  {"NATO", "NATO UNCLASSIFIED", "2024-01-01", map[string]string{}},
		"UNCLASSIFIED of the USA has none":            {"USA", "UNCLASSIFIED", "2024-01-01", map[string]string{}},
		"OFFICIAL has none":                           {"GBR", "OFFICIAL", "2019-01-01", map[string]string{}},
		"PROTECTED B has none":                        {"CAN-PROTECTED", "PROTECTED B", "2024-01-01", map[string]string{}},
		"PROTECTED of Australia has none":             {"AUS", "PROTECTED", "2024-01-01", map[string]string{}},
		"Germany's own direction is a row of its own": {"DEU", "GEHEIM", "2024-01-01", map[string]string{"EU": "S-UE/EU-S", "NATO": "NATO SECRET"}},
		"RESERVADO is SECRET":                         {"ESP", "RESERVADO", "2024-01-01", map[string]string{"EU": "S-UE/EU-S"}},
		"RISERVATO is RESTRICTED":                     {"ITA", "RISERVATO", "2024-01-01", map[string]string{"EU": "R-UE/EU-R"}},
		"SECRET of France since 2021":                 {"FRA", "SECRET", "2021-07-01", map[string]string{"EU": "S-UE/EU-S"}},
		"SECRET of France before":                     {"FRA", "SECRET", "2021-06-30", map[string]string{}},
	} {
		if d := cmp.Diff(c.want, all[c.scheme].open(c.level, c.day)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// TestNoRuleNamesANationOrALevel wants the Rego to be about any scheme: whatever stands in a scheme's data stands in no rule.
func TestNoRuleNamesANationOrALevel(t *testing.T) {
	named := map[string]bool{}
	for id, s := range schemes(t) {
		named[id], named[s.Nation] = true, true
		for _, l := range s.Levels {
			named[l.ID] = true
		}
		for _, set := range s.TagSets {
			for _, v := range set.Values {
				r := row{ID: v.Value}
				if v.Kind == yaml.MappingNode && v.Decode(&r) != nil {
					t.Fatal("a value is neither a text nor an object")
				}
				named[r.ID] = true
			}
		}
		for word := range maps.Keys(s.Native) {
			named[word] = true
		}
	}
	for _, rule := range rules(t) {
		ast.WalkTerms(rule, func(term *ast.Term) bool {
			if text, ok := term.Value.(ast.String); ok && named[string(text)] {
				t.Errorf("%s names %s, which is for the schemes' data", term.Location, text)
			}
			return false
		})
	}
}
