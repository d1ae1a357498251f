package oracle_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

const table = "GRID.md"

// people are those of the demo world, as authz/identity makes them of their tokens.
var people = []struct {
	name, issuer, kind, organization, country string
	clearances                                []authz.Clearance
	exports                                   []string
	cut                                       []authz.Cut
}{
	{"sam", "usa", "tenant", "us-defense", "USA", []authz.Clearance{clearance("USA", "UNCLASSIFIED", "CONFIDENTIAL", "SECRET")}, names("us_person"), nil},
	{"uma", "usa", "tenant", "us-defense", "USA", []authz.Clearance{clearance("USA", "UNCLASSIFIED", "CONFIDENTIAL")}, names("us_person"), nil},
	{"gina", "gbr", "partner", "uk-mod", "GBR", []authz.Clearance{clearance("GBR", "OFFICIAL", "SECRET")}, nil, nil},
	{"claire", "fra", "tenant", "fr-space", "FRA", []authz.Clearance{with(clearance("FRA", "SECRET"), "special", "FRANCE")}, nil, nil},
	{"luc", "fra", "tenant", "fr-space", "FRA", []authz.Clearance{clearance("FRA", "SECRET")}, nil, nil},
	{"dieter", "deu", "partner", "de-raumfahrt", "DEU", []authz.Clearance{clearance("DEU", "VS-NFD", "VS-VERTRAULICH", "GEHEIM")}, nil, nil},
	{"moana", "nzl", "tenant", "nz-fire", "NZL", []authz.Clearance{clearance("NZL", "RESTRICTED"), clearance("NZL-POLICY", "IN-CONFIDENCE", "SENSITIVE")}, nil, nil},
	{"noah", "can", "tenant", "ca-housing", "CAN", []authz.Clearance{clearance("CAN-PROTECTED", "PROTECTED A", "PROTECTED B")}, nil, nil},
	{"olga", "provider", "provider", "provider", "USA", []authz.Clearance{clearance("USA", "UNCLASSIFIED", "CONFIDENTIAL", "SECRET")}, nil, nil},
	{"otto", "provider", "provider", "provider", "USA", []authz.Clearance{clearance("USA", "UNCLASSIFIED", "CONFIDENTIAL", "SECRET")}, nil, nil},
	{"eve", "fra", "", "", "FRA", []authz.Clearance{}, nil, []authz.Cut{
		{Claim: "tenant", Value: "us-defense", Why: "not granted"}, {Claim: "affiliation", Value: "tenant/us-defense/USA", Why: "not granted"},
		{Claim: "nationality", Value: "USA", Why: "not granted"},
		{Claim: "clearance", Value: map[string]any{"scheme": "USA", "level": "SECRET", "categories": map[string]any{}}, Why: "not granted"},
	}},
}

// demo is an access of a person of the demo world to a row.
func (w *world) demo(person int, verb, row string) authz.Input {
	p, in := people[person], reads(w.row(row))
	s := &in.Subject.Properties
	in.Subject.ID, s.Issuer, s.Tenant, s.Affiliation, s.Clearances = p.issuer+"|"+p.name, p.issuer, nil, nil, p.clearances
	s.Nationalities, s.HeldNationalities, s.ExportStatus, s.Cut = names(), names(p.country), names(p.exports...), append([]authz.Cut{}, p.cut...)
	s.Session = authz.Session{}
	if p.kind != "" {
		s.Affiliation, s.Nationalities = &authz.Affiliation{Kind: p.kind, Organization: p.organization, Country: p.country}, names(p.country)
	}
	if p.kind == "tenant" {
		s.Tenant = &p.organization
	}
	if p.organization == "us-defense" {
		s.Session = authz.Session{Tracked: true, HighWater: []authz.Label{}}
	}
	in.Action.Name = verb
	in.Context.Gateway.Enclaves = names("iad-1", "iad-0", "edge-7", "par-1", "par-2", "akl-1", "yow-1")
	in.Context.Source.Country = ptr(p.country)
	in.Context.Approvals = []authz.Approval{}
	if p.name == "olga" {
		in.Context.Approvals = []authz.Approval{{
			ID: "support-plans", Operator: "provider|olga", Row: "us-defense-plans/", Actions: names("read", "list"), Enclave: "iad-1",
			Justification: "CUSTOMER_INITIATED_SUPPORT", Approvers: names("usa|sam", "usa|uma"), NotBefore: at("2026-06-01"), NotAfter: at("2026-06-02"),
		}}
	}
	switch place := in.Resource.Properties.Place.Enclave; verb {
	case "create", "update":
		in.Action.Properties.To = authz.To{Kind: "object", Row: &row, Enclave: &place}
	case "execute":
		in.Action.Properties.To = authz.To{Kind: "enclave", Enclave: &place}
	}
	if strings.HasPrefix(row, "job:") {
		in.Resource.Type = "job"
	}
	return in
}

// TestTheTableForAuditors holds GRID.md to what both evaluators say of the demo world; UPDATE=1 writes it anew.
func TestTheTableForAuditors(t *testing.T) {
	w := open(t, demoWorld)
	var b strings.Builder
	b.WriteString(tableHead)
	for _, verb := range []string{"read", "list", "create", "update", "delete", "relabel", "copy", "execute"} {
		fmt.Fprintf(&b, "\n## %s\n\n", verb)
		columns := slices.DeleteFunc(slices.Sorted(maps.Keys(w.rows)), func(id string) bool { return strings.HasPrefix(id, "job:") != (verb == "execute") })
		fmt.Fprintf(&b, "| |%s\n|---|%s\n", cellsOf(columns), strings.Repeat("---|", len(columns)))
		for i, p := range people {
			if verb == "copy" {
				continue
			}
			var cells []string
			for _, row := range columns {
				cells = append(cells, w.cell(t, w.demo(i, verb, row)))
			}
			fmt.Fprintf(&b, "| %s |%s\n", p.name, cellsOf(cells))
		}
		if verb == "copy" { // who asks does not matter to the flow, so its rows are sources
			for _, from := range columns {
				var cells []string
				for _, to := range columns {
					cells = append(cells, w.copyCell(t, from, to))
				}
				fmt.Fprintf(&b, "| %s |%s\n", from, cellsOf(cells))
			}
		}
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(table, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("%s is not what is decided; UPDATE=1 writes it anew (-file +decided):\n%s", table, d)
	}
}

const tableHead = `# What is decided of the demo world

Generated and held by ` + "`go test ./conformance/oracle`" + `; ` + "`UPDATE=1`" + ` writes it anew. Every cell was decided by the shipped policy and, by itself, by the
naive evaluator of this folder, and both agree. A cell is **allow**, or the root causes of the denial. Writes have nothing flow in;
operators have the one approval of the demo; sessions of us-defense have seen nothing yet. Under *copy* the rows are sources and the
columns targets, asked by somebody of the source's tenant with every clearance of that tenant's people.
`

func cellsOf(values []string) string {
	var b strings.Builder
	for _, v := range values {
		b.WriteString(" " + v + " |")
	}
	return b.String()
}

// cell is what both evaluators say of an access.
func (w *world) cell(t *testing.T, in authz.Input) string {
	t.Helper()
	want := w.oracle.Decide(in)
	for _, engine := range []string{policy.Wasm, policy.Topdown} {
		if got := w.ask(t, engine, in); !cmp.Equal(got.Unproven, want.Unproven) || !cmp.Equal(got.Reasons, want.Reasons) || got.Allow != want.Allow {
			t.Errorf("%s %s %s: %s has %+v, the oracle %+v", in.Subject.ID, in.Action.Name, *in.Resource.Properties.Row, engine, got, want)
		}
	}
	return text(want.Reasons)
}

func text(reasons []authz.Reason) string {
	if len(reasons) == 0 {
		return "**allow**"
	}
	var ids []string
	for _, r := range reasons {
		ids = append(ids, string(r))
	}
	return strings.Join(ids, ", ")
}

// copyCell is what is said of a copy: of its read and of its create.
func (w *world) copyCell(t *testing.T, from, to string) string {
	t.Helper()
	copier := map[string]int{"us-defense": 0, "fr-space": 3, "nz-fire": 6, "ca-housing": 7}[*w.rows[from].Tenant]
	read, write := w.demo(copier, "read", from), w.demo(copier, "create", to)
	read.Action.Properties.To = write.Action.Properties.To
	s := read.Resource.Properties
	write.Action.Properties.From = []authz.Origin{{Row: s.Row, Tenant: s.Tenant, Owner: s.Owner, Labels: s.Labels, Constraints: s.Constraints}}
	w.cell(t, read)
	w.cell(t, write)
	return text(sorted(slices.Concat(w.oracle.Decide(read).Reasons, w.oracle.Decide(write).Reasons)))
}
