package road_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// The tables of what must be decided, as the decision model has them: A is allow, the others are reasons.
//
//	tm tenant.mismatch   pu personnel.unapproved   pe personnel.eligibility   an action.not_granted   wd flow.write_down
//	ec enclave.ceiling   jr jurisdiction.residency   jl jurisdiction.legal_control

const reads = `
| | plans/ | noforn/ | parts/ | missions/ | joint/ | maps/ | briefings/ | loans/ |
|---|---|---|---|---|---|---|---|---|
| sam | A | A | A | tm | tm | tm | tm | tm |
| uma | clearance.level | clearance.level | A | tm | tm | tm | tm | tm |
| gina | A | release.nation | export.foreign_person + release.nation | tm | tm | tm | tm | tm |
| claire | tm | tm | tm | A | A | tm | tm | tm |
| luc | tm | tm | tm | category.restrictive | A | tm | tm | tm |
| dieter | tm | tm | tm | category.restrictive + release.nation | A | tm | tm | tm |
| moana | tm | tm | tm | tm | tm | A | A | tm |
| noah | tm | tm | tm | tm | tm | tm | tm | A |
| olga | A | pu | pu | pu + pe | pu + pe | pu + pe | pu + pe | pu + pe |
| otto | pu | pu | pu | pu + pe | pu + pe | pu + pe | pu + pe | pu + pe |
| eve | eve | eve | eve | eve | eve | eve | eve | eve |`

// A list reveals every row below what is listed: the root of a bucket all its rows, and so does a prefix that is part of a row's name.
const lists = `
| | plans/ | plans/nof | noforn/ | parts/ | missions/ | missions/j | joint/ | maps/ | briefings/ | loans/ |
|---|---|---|---|---|---|---|---|---|---|---|
| sam | A | A | A | A | tm | tm | tm | tm | tm | tm |
| uma | clearance.level | clearance.level | clearance.level | A | tm | tm | tm | tm | tm | tm |
| gina | release.nation | release.nation | release.nation | export.foreign_person + release.nation | tm | tm | tm | tm | tm | tm |
| claire | tm | tm | tm | tm | A | A | A | tm | tm | tm |
| luc | tm | tm | tm | tm | category.restrictive | category.restrictive | A | tm | tm | tm |
| dieter | tm | tm | tm | tm | category.restrictive + release.nation | category.restrictive + release.nation | A | tm | tm | tm |
| moana | tm | tm | tm | tm | tm | tm | tm | A | A | tm |
| noah | tm | tm | tm | tm | tm | tm | tm | tm | tm | A |
| olga | pu | pu | pu | pu | pu + pe | pu + pe | pu + pe | pu + pe | pu + pe | pu + pe |
| otto | pu | pu | pu | pu | pu + pe | pu + pe | pu + pe | pu + pe | pu + pe | pu + pe |
| eve | eve | eve | eve | eve | eve | eve | eve | eve | eve | eve |`

// A create is a read for the tenant's own people: nobody writes blindly into what they may not read. Partners hold no such verb.
// Whether eve's session is tracked is unknown, since her tenant was cut.
const creates = `
| | plans/ | noforn/ | parts/ | missions/ | joint/ | maps/ | briefings/ | loans/ |
|---|---|---|---|---|---|---|---|---|
| sam | A | A | A | tm | tm | tm | tm | tm |
| uma | clearance.level | clearance.level | A | tm | tm | tm | tm | tm |
| gina | an | an + release.nation | an + export.foreign_person + release.nation | tm | tm | tm | tm | tm |
| claire | tm | tm | tm | A | A | tm | tm | tm |
| luc | tm | tm | tm | category.restrictive | A | tm | tm | tm |
| dieter | tm | tm | tm | an + category.restrictive + release.nation | an | tm | tm | tm |
| moana | tm | tm | tm | tm | tm | A | A | tm |
| noah | tm | tm | tm | tm | tm | tm | tm | A |
| olga | pu | pu | pu | pu + pe | pu + pe | pu + pe | pu + pe | pu + pe |
| otto | pu | pu | pu | pu + pe | pu + pe | pu + pe | pu + pe | pu + pe |
| eve | eve + wd | eve + wd | eve + wd | eve + wd | eve + wd | eve + wd | eve + wd | eve + wd |`

// Copies inside a tenant, and to another one: those are never allowed, and residency and legal control are reasons by the facts.
const copies = `
| who | from | to | |
|---|---|---|---|
| sam | plans/ | noforn/ | A |
| sam | noforn/ | plans/ | wd |
| sam | plans/ | parts/ | wd |
| sam | parts/ | plans/ | wd |
| claire | joint/ | missions/ | A |
| claire | missions/ | joint/ | wd |
| luc | joint/ | missions/ | category.restrictive |
| moana | maps/ | briefings/ | wd |
| moana | briefings/ | maps/ | wd |
| noah | loans/ | offsite/ | jr |
| noah | loans/ | parts/ | tm + wd + ec + jr |
| noah | loans/ | maps/ | tm + wd + ec + jr + jl |
| noah | offsite/ | parts/ | tm + wd + ec |
| sam | parts/ | offsite/ | tm + wd + jr |
| sam | plans/ | missions/ | tm + wd + ec + jr + jl |
| sam | plans/ | maps/ | tm + wd + ec + jr + jl |
| sam | plans/ | loans/ | tm + wd + ec + jr + jl |
| sam | parts/ | missions/ | tm + wd + ec + jr + jl + export.destination |
| claire | missions/ | plans/ | tm + wd + ec + jr + jl |
| claire | joint/ | loans/ | tm + wd + ec + jr + jl |
| moana | maps/ | missions/ | tm + wd + ec + jr + jl |
| moana | briefings/ | plans/ | tm + wd + ec + jr |`

var abbreviations = strings.NewReplacer(
	"tm", "tenant.mismatch", "pu", "personnel.unapproved", "pe", "personnel.eligibility", "an", "action.not_granted",
	"wd", "flow.write_down", "ec", "enclave.ceiling", "jr", "jurisdiction.residency", "jl", "jurisdiction.legal_control",
	"eve", "identity.issuer + clearance.issuer",
)

// rows are the catalogue's, by the names of the tables.
var rows = map[string]string{
	"plans/": "us-defense-plans/", "noforn/": "us-defense-plans/noforn/", "parts/": "us-defense-parts/",
	"missions/": "fr-space-missions/", "joint/": "fr-space-missions/joint/",
	"maps/": "nz-fire-maps/", "briefings/": "nz-fire-maps/briefings/",
	"loans/": "ca-housing-loans/", "offsite/": "ca-housing-offsite/",
	"plans/nof": "us-defense-plans/nof", "missions/j": "fr-space-missions/j", // prefixes, no rows
}

// tenants are the owners of buckets, by the first word of their names.
var tenants = map[string]string{"us": "us-defense", "fr": "fr-space", "nz": "nz-fire", "ca": "ca-housing"}

// owner is the tenant, and so the log, of a path.
func owner(path string) string {
	country, _, _ := strings.Cut(path, "-")
	return tenants[country]
}

// table parses the lines below a table's head; the head are the names of the columns.
func table(text string) (head []string, lines [][]string) {
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		var cells []string
		for _, cell := range strings.Split(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		switch i {
		case 0:
			head = cells
		case 1: // |---|---|
		default:
			lines = append(lines, cells)
		}
	}
	return head, lines
}

// reasons spells a cell out, as records have it: sorted; "" is an allow.
func reasons(cell string) string {
	if cell == "A" {
		return ""
	}
	var all []string
	for _, word := range strings.Split(cell, " + ") {
		if !strings.Contains(word, ".") {
			word = abbreviations.Replace(word)
		}
		all = append(all, strings.Split(word, " + ")...)
	}
	slices.Sort(all)
	return strings.Join(all, " + ")
}

// eachCell asks a question for each cell of a table of people and rows, and checks its outcome.
func eachCell(t *testing.T, text, verb string, ask func(who, path string) request) {
	w := sharedWorld(t)
	head, lines := table(text)
	if len(lines) != 11 {
		t.Fatalf("the table has %d people, want 11", len(lines))
	}
	for _, line := range lines {
		for i, column := range head {
			if i == 0 {
				continue
			}
			who, path, want := line[0], rows[column], reasons(line[i])
			t.Run(fmt.Sprintf("%s %s %s", who, verb, path), func(t *testing.T) {
				t.Parallel()
				r := ask(who, path)
				expect := allowed(http.StatusOK, owner(path))
				if want != "" {
					expect = denied(want, owner(path))
					if r.method == http.MethodHead {
						expect.Visible = ""
					}
				}
				w.check(t, w.ask(t, r), expect)
			})
		}
	}
}

func TestEveryReadOfTheTable(t *testing.T) {
	eachCell(t, reads, "reads", func(who, path string) request {
		return request{who: who, method: http.MethodGet, path: "/" + path + "welcome.txt"}
	})
}

func TestHeadIsARead(t *testing.T) {
	eachCell(t, reads, "asks for the head of", func(who, path string) request {
		return request{who: who, method: http.MethodHead, path: "/" + path + "welcome.txt"}
	})
}

func TestEveryListOfTheTable(t *testing.T) {
	eachCell(t, lists, "lists", func(who, path string) request {
		bucket, prefix, _ := strings.Cut(path, "/")
		return request{who: who, method: http.MethodGet, path: "/" + bucket + "?list-type=2&delimiter=%2F&prefix=" + url.QueryEscape(prefix)}
	})
}

func TestEveryCreateOfTheTable(t *testing.T) {
	eachCell(t, creates, "writes into", func(who, path string) request {
		return request{who: who, method: http.MethodPut, path: "/" + path + unique() + ".txt", body: "written by " + who + "\n"}
	})
}

func TestEveryCopyOfTheTable(t *testing.T) {
	w := sharedWorld(t)
	_, lines := table(copies)
	for _, line := range lines {
		who, from, to, want := line[0], rows[line[1]], rows[line[2]], reasons(line[3])
		t.Run(fmt.Sprintf("%s copies %s to %s", who, from, to), func(t *testing.T) {
			t.Parallel()
			logs := []string{owner(from), owner(to)}
			slices.Sort(logs)
			logs = slices.Compact(logs)
			expect := allowed(http.StatusOK, logs...)
			if want != "" {
				expect = denied(want, logs...)
			}
			w.check(t, w.ask(t, request{
				who: who, method: http.MethodPut, path: "/" + to + unique() + ".txt",
				header: map[string]string{"X-Amz-Copy-Source": "/" + from + "welcome.txt"},
			}), expect)
		})
	}
}
