package label_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/label"
)

var created = authz.At(time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC))

// shipped are policies/schemes.
func shipped(tb testing.TB) (map[string]label.Scheme, *label.Schemes) {
	tb.Helper()
	files, err := filepath.Glob("../../policies/schemes/*/data.yaml")
	if err != nil || len(files) < 8 {
		tb.Fatalf("policies/schemes has %d schemes (%v)", len(files), err)
	}
	all := map[string]any{}
	for _, f := range files {
		var v any
		readYAML(tb, f, &v)
		all[filepath.Base(filepath.Dir(f))] = v
	}
	return schemes(tb, all)
}

// standard are testdata/schemes.yaml.
func standard(tb testing.TB) (map[string]label.Scheme, *label.Schemes) {
	tb.Helper()
	var v map[string]any
	readYAML(tb, "testdata/schemes.yaml", &v)
	return schemes(tb, v)
}

func readYAML(tb testing.TB, file string, v any) {
	tb.Helper()
	b, err := os.ReadFile(file)
	if err == nil {
		err = yaml.Unmarshal(b, v)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

func schemes(tb testing.TB, all any) (map[string]label.Scheme, *label.Schemes) {
	tb.Helper()
	doc, err := json.Marshal(all)
	if err != nil {
		tb.Fatal(err)
	}
	var data map[string]label.Scheme
	if err := json.Unmarshal(doc, &data); err != nil {
		tb.Fatal(err)
	}
	s, err := label.New(doc)
	if err != nil {
		tb.Fatal(err)
	}
	return data, s
}

// drawLabel draws a label that is whole and in the order of its scheme, as anything that is read is.
func drawLabel(t *rapid.T, all map[string]label.Scheme, depth int) authz.Label {
	var ids []string
	for id := range all {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	id := rapid.SampledFrom(ids).Draw(t, "scheme")
	sc := all[id]
	l := authz.Label{
		Scheme: id, Level: rapid.SampledFrom(sc.Levels).Draw(t, "level").ID, Categories: map[string][]string{},
		Nation: []string{}, Handling: []string{}, Alternatives: []authz.Label{}, Created: created,
	}
	var sets []string
	for name := range sc.TagSets {
		sets = append(sets, name)
	}
	slices.Sort(sets)
	for _, name := range sets {
		set := sc.TagSets[name]
		values := []string{}
		for _, v := range set.Values {
			if rapid.Bool().Draw(t, v.ID) {
				values = append(values, v.ID)
			}
		}
		switch {
		case set.Type == "nation":
			l.Nation = append(l.Nation, values...)
		case set.Type == "handling":
			l.Handling = append(l.Handling, values...)
		case len(values) > 0 || rapid.IntRange(0, 9).Draw(t, "hollow") == 0:
			l.Categories[name] = values
		}
	}
	countries := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"AUS", "CAN", "GBR", "NZL", "USA", "XAA"}), 0, 4, rapid.ID[string])
	for _, list := range []*[]string{&l.Release, &l.Display} {
		if rapid.IntRange(0, 3).Draw(t, "listed") == 0 {
			*list = append([]string{}, countries.Draw(t, "countries")...)
			slices.Sort(*list)
		}
	}
	for depth > 0 && rapid.Bool().Draw(t, "alternative") {
		l.Alternatives = append(l.Alternatives, drawLabel(t, all, 0))
		depth--
	}
	return l
}

type loader func(testing.TB) (map[string]label.Scheme, *label.Schemes)
