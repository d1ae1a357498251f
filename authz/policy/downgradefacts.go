package policy

import (
	"maps"
	"slices"
	"strings"
)

// checkDowngrades wants authorities of the tenant's own nation, and downgrades of its own rows that two holders of one have approved.
func (f *facts) checkDowngrades(t tenantFacts) {
	d := t.part.docs["agreements"]
	for _, id := range slices.Sorted(maps.Keys(t.authorities)) {
		a := t.authorities[id]
		f.checkSpan(d, a.From, a.To, "authorities", id, "not_after")
		if a.Nation != t.tenant.Nation {
			f.add(d.file, d.line("authorities", id, "nation"), "authorities.%s.nation: %s is not the tenant's nation; only the owner's, %s, may have its labels lowered here", id, a.Nation, t.tenant.Nation)
		}
		for i, h := range a.Holders {
			f.checkPerson(d, h, "authorities", id, "holders", index(i))
		}
	}
	ids := map[string]bool{}
	for i, g := range t.downgrades {
		at := func(names ...string) []string { return append([]string{"downgrades", index(i)}, names...) }
		if ids[g.ID] {
			f.add(d.file, d.line(at("id")...), "downgrades.%d.id: %q stands here twice; give each its own", i, g.ID)
		}
		ids[g.ID] = true
		if f.ownRow(t, d, g.Row, at("row")...) {
			known(f, d, t.rows, "row", g.Row, at("row")...)
		}
		f.checkSpan(d, g.From, g.To, at("not_after")...)
		if !known(f, d, t.authorities, "authority", g.Authority, at("authority")...) {
			continue
		}
		for j, a := range g.Approvers {
			if path := at("approvers", index(j)); !slices.Contains(t.authorities[g.Authority].Holders, a) {
				f.add(d.file, d.line(path...), "%s: %q does not hold %s; name one of its holders", strings.Join(path, "."), a, g.Authority)
			}
		}
	}
}

// checkPerson wants a subject of an issuer that exists.
func (f *facts) checkPerson(d document, subject string, path ...string) {
	issuers := maps.Clone(f.issuers)
	if issuers == nil {
		issuers = map[string]issuer{}
	}
	for _, t := range f.tenants {
		maps.Copy(issuers, t.issuers)
	}
	id, _, _ := strings.Cut(subject, "|")
	known(f, d, issuers, "issuer", id, path...)
}
