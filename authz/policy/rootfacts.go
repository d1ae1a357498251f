package policy

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// checkReasons wants prerequisites that exist and form no cycle: else something unproven could have no root cause.
func (f *facts) checkReasons() {
	d := f.root.docs["reasons"]
	state := map[string]int{} // 1 on the way, 2 done
	var visit func(id string, way []string)
	visit = func(id string, way []string) {
		way = append(slices.Clone(way), id)
		switch state[id] {
		case 1:
			f.add(d.file, d.line(id, "requires"), "%s.requires: a cycle, %s; break it", id, strings.Join(way[slices.Index(way, id):], " → "))
			return
		case 2:
			return
		}
		state[id] = 1
		for _, r := range f.reasons[id].Requires {
			if known(f, d, f.reasons, "reason", r, id, "requires") {
				visit(r, way)
			}
		}
		state[id] = 2
	}
	for _, id := range slices.Sorted(maps.Keys(f.reasons)) {
		visit(id, nil)
	}
}

func (f *facts) checkEnclaves() {
	d := f.root.docs["enclaves"]
	for id, e := range f.enclaves {
		for i, c := range e.Ceiling {
			path := []string{id, "ceiling", index(i)}
			f.checkLevel(d, c.Scheme, c.Level, path...)
			tags := f.schemes[c.Scheme].values("restrictive", "nation", "handling")
			for _, tag := range c.Tags {
				if _, ok := f.schemes[c.Scheme]; ok && !slices.Contains(tags, tag) {
					f.refer(d, "restrictive, nation or handling value of "+c.Scheme, tag, tags, append(path, "tags")...)
				}
			}
		}
	}
}

// entry is an issuer's entry and where it stands.
type entry struct {
	issuer
	id     string
	tenant string // "" in the root
	doc    document
}

// checkIssuers wants one meaning of each issuer across parts, and no grant beyond the part that gives it.
func (f *facts) checkIssuers() {
	var entries []entry
	for _, id := range slices.Sorted(maps.Keys(f.issuers)) {
		entries = append(entries, entry{f.issuers[id], id, "", f.root.docs["issuers"]})
	}
	for _, t := range f.tenants {
		for _, id := range slices.Sorted(maps.Keys(t.issuers)) {
			entries = append(entries, entry{t.issuers[id], id, t.part.tenant, t.part.docs["issuers"]})
		}
	}
	byID, byURL := map[string]entry{}, map[string]entry{}
	for _, e := range entries {
		if other, ok := byID[e.id]; ok && !sameEntry(e, other) {
			f.add(e.doc.file, e.doc.line(e.id), "%s: differs from the entry in %s; make them the same", e.id, other.doc.file)
		}
		if other, ok := byURL[e.Issuer]; ok && other.id != e.id {
			f.add(e.doc.file, e.doc.line(e.id, "issuer"), "%s.issuer: %q is issuer %q in %s; one URL, one issuer", e.id, e.Issuer, other.id, other.doc.file)
		}
		byID[e.id], byURL[e.Issuer] = e, e
	}
	for _, e := range entries {
		f.checkGrant(e, byID)
	}
}

func sameEntry(a, b entry) bool {
	return string(canonical(a.doc.value.(map[string]any)[a.id])) == string(canonical(b.doc.value.(map[string]any)[b.id]))
}

func canonical(v any) []byte {
	b, err := json.Marshal(v)
	must(err) // strings, numbers, booleans, lists and objects only
	return b
}

func (f *facts) checkGrant(e entry, all map[string]entry) {
	path := func(names ...string) []string { return append([]string{e.id, "grant"}, names...) }
	refuse := func(at []string, format string, args ...any) {
		f.add(e.doc.file, e.doc.line(at...), strings.Join(at, ".")+": "+format, args...)
	}
	for i, t := range e.Grant.Tenants {
		switch at := path("tenants", index(i)); {
		case e.tenant == "":
			refuse(at, "the root speaks for no tenant; move the issuer into the part of %q", t)
		case t != e.tenant:
			refuse(at, "%q is another tenant; only its own part may say who speaks for it", t)
		}
	}
	for i, a := range e.Grant.Affiliations {
		if provider := a.Kind == "provider"; provider != (e.tenant == "") {
			if provider {
				refuse(path("affiliations", index(i), "kind"), "only the root says who speaks for the provider; leave it out")
			} else {
				refuse(path("affiliations", index(i), "kind"), "the root speaks of the provider's people only; move it into the tenant's part")
			}
		}
	}
	for i, c := range e.Grant.Clearances {
		at := path("clearances", index(i))
		f.checkLevel(e.doc, c.Scheme, c.Level, at...)
		f.checkCategories(e.doc, c.Scheme, c.Categories, append(at, "categories")...)
		s, ok := f.schemes[c.Scheme]
		if _, relayed := e.Grant.Relay[s.Nation]; ok && !relayed && !slices.Contains(e.Grant.Nations, s.Nation) {
			refuse(at, "%s is a scheme of %s, for which the issuer does not speak; add it to nations, or relay it", c.Scheme, s.Nation)
		}
	}
	for nation, id := range e.Grant.Relay {
		known(f, e.doc, all, "issuer", id, path("relay", nation)...)
	}
}
