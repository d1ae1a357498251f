package oracle_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

// invented is a scheme that nobody has heard of: all that is needed for it is this text in a folder of its own.
const invented = `nation: ZZT
title: An invented nation
levels:
  - {id: GREY, hierarchy: 10, labels_from: "2000-01-01"}
  - {id: BLACK, hierarchy: 20}
tag_sets:
  hall: {type: restrictive, values: [{id: NORTH, clearance_levels: [BLACK]}, SOUTH]}
  guild: {type: permissive, values: [SMITHS, MASONS]}
  kin: {type: nation, values: [{id: BORN HERE, nationalities: [ZZT]}]}
  wax: {type: handling, values: [RED WAX]}
release: {allowed: true, display: true}
native_clearances:
  OATH: {opens: {ZET: [GREY]}}
rules:
  required:
    - {levels: [BLACK], tag_sets: [wax]}
`

// TestANewSchemeIsANewFolder decides with a scheme that came as data alone: no Go and no Rego knows it.
func TestANewSchemeIsANewFolder(t *testing.T) {
	dir := t.TempDir()
	layOver(t, gridWorld, dir)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	swap := func(name, old, text string) {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(b), old) {
			t.Fatalf("%s: no %q: %v", name, old, err)
		}
		write(name, strings.Replace(string(b), old, text, 1))
	}
	if err := os.Mkdir(filepath.Join(dir, "root/schemes/ZET"), 0o755); err != nil {
		t.Fatal(err)
	}
	write("root/schemes/ZET/data.yaml", invented)
	// What a tenant has contracted, and what a place may hold, are the deployment's.
	swap("tenants/fjord/tenant/data.yaml", "PACT: [LOW, MIDDLE]", "PACT: [LOW, MIDDLE], ZET: [GREY, BLACK]")
	swap("root/enclaves/data.yaml", "    - {scheme: PACT, level: MIDDLE, tags: []}", "    - {scheme: PACT, level: MIDDLE, tags: []}\n    - {scheme: ZET, level: BLACK, tags: [NORTH, SOUTH, BORN HERE, RED WAX]}")
	w := open(t, dir)

	grey := change(label("GREY"), func(l *authz.Label) { l.Scheme = "ZET" })
	black := change(grey, func(l *authz.Label) { l.Level, l.Handling = "BLACK", names("RED WAX") })
	of := func(l authz.Label, f func(*authz.Label)) authz.Label { return change(l, f) }
	cleared := func(levels ...string) authz.Clearance { return clearance("ZET", levels...) }
	for name, c := range map[string]struct {
		label     authz.Label
		clearance authz.Clearance
		change    func(*authz.Input)
		want      string
	}{
		"the level":                         {grey, cleared("GREY"), nil, "**allow**"},
		"a higher level":                    {black, cleared("GREY"), nil, "clearance.level"},
		"the same name of another scheme":   {of(grey, func(l *authz.Label) { l.Level = "LOW" }), nor("LOW"), nil, "label.unknown, service.not_contracted"},
		"another scheme's clearance":        {grey, nor("LOW", "MIDDLE", "HIGH"), nil, "clearance.missing"},
		"a hall that the holder is let in":  {of(grey, func(l *authz.Label) { l.Categories = map[string][]string{"hall": {"SOUTH"}} }), with(cleared("GREY"), "hall", "SOUTH"), nil, "**allow**"},
		"a hall that he is not":             {of(grey, func(l *authz.Label) { l.Categories = map[string][]string{"hall": {"SOUTH"}} }), cleared("GREY"), nil, "category.restrictive"},
		"a hall that wants BLACK":           {of(grey, func(l *authz.Label) { l.Categories = map[string][]string{"hall": {"NORTH"}} }), with(cleared("GREY"), "hall", "NORTH"), nil, "clearance.level"},
		"one guild of two":                  {of(grey, func(l *authz.Label) { l.Categories = map[string][]string{"guild": {"SMITHS", "MASONS"}} }), with(cleared("GREY"), "guild", "MASONS"), nil, "**allow**"},
		"an empty guild":                    {of(grey, func(l *authz.Label) { l.Categories = map[string][]string{"guild": {}} }), cleared("GREY"), nil, "label.invalid"},
		"without the wax that BLACK wants":  {of(black, func(l *authz.Label) { l.Handling = names() }), cleared("GREY", "BLACK"), nil, "label.invalid"},
		"before the level was":              {of(grey, func(l *authz.Label) { l.Created = at("1999-12-31") }), cleared("GREY"), nil, "label.invalid"},
		"born elsewhere":                    {of(grey, func(l *authz.Label) { l.Nation = names("BORN HERE") }), cleared("GREY"), nil, "release.nation"},
		"born here":                         {of(grey, func(l *authz.Label) { l.Nation = names("BORN HERE") }), cleared("GREY"), func(in *authz.Input) { in.Subject.Properties.Nationalities = names("ZZT") }, "**allow**"},
		"a nation that it is released to":   {of(grey, func(l *authz.Label) { l.Release = names("ZZT", "NOR") }), cleared("GREY"), func(in *authz.Input) { in.Subject.Properties.Affiliation.Country = "NOR" }, "**allow**"},
		"a nation that it is shown to":      {of(grey, func(l *authz.Label) { l.Display = names("NOR") }), cleared("GREY"), func(in *authz.Input) { in.Subject.Properties.Affiliation.Country = "NOR" }, "**allow**"},
		"a nation that it is not shown to":  {grey, cleared("GREY"), func(in *authz.Input) { in.Subject.Properties.Affiliation.Country = "NOR" }, "release.nation"},
		"a level that the scheme has not":   {of(grey, func(l *authz.Label) { l.Level = "WHITE" }), cleared("GREY", "BLACK"), nil, "label.unknown, service.not_contracted"},
		"a tag set that the scheme has not": {of(grey, func(l *authz.Label) { l.Categories = map[string][]string{"sci": {"SI"}} }), cleared("GREY"), nil, "label.unknown"},
	} {
		in := w.read()
		in.Resource.Properties.Labels = []authz.Label{c.label}
		in.Subject.Properties.Clearances = []authz.Clearance{c.clearance}
		in.Subject.Properties.Affiliation.Country = "ZZT"
		if c.change != nil {
			c.change(&in)
		}
		want := w.oracle.Decide(in)
		if got := text(want.Reasons); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		for _, engine := range []string{policy.Wasm, policy.Topdown} {
			if d := cmp.Diff(want, w.ask(t, engine, in)); d != "" {
				t.Errorf("%s, %s (-oracle +policy):\n%s", name, engine, d)
			}
		}
	}
}
