package policy

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

func index(i int) string { return strconv.Itoa(i) }

func (f *facts) checkTenant(t tenantFacts) {
	d, ok := t.part.docs["tenant"]
	if !ok {
		f.add(t.part.dir+"tenant/data.yaml", 0, "is missing; write title, nation, sessions, members, roles and services")
		return
	}
	for service, schemes := range t.tenant.Services {
		for scheme, levels := range schemes {
			for _, level := range levels {
				f.checkLevel(d, scheme, level, "services", service, scheme)
			}
		}
	}
	// Of a misspelt level, nobody's token would have to be bound, and nothing would be masked.
	f.checkLevelsAt(d, t.tenant.Binding, "binding")
	f.checkAudit(t, d)
}

// checkAudit wants fields that the policy input has: one that it lacks would mask everything.
func (f *facts) checkAudit(t tenantFacts, d document) {
	for i, rule := range t.tenant.Audit.Mask {
		f.checkLevelsAt(d, rule.Levels, "audit", "mask", index(i), "levels")
		for j, field := range rule.Fields {
			if name, known := f.schemas.inputLacks(field); name != "" {
				f.add(d.file, d.line("audit", "mask", index(i), "fields", index(j)), "audit.mask.%d.fields.%d: %q: the policy input has no %q there%s",
					i, j, field, name, oneOf(name, known))
			}
		}
	}
	f.checkLevelsAt(d, t.tenant.Audit.Buffered, "audit", "buffered")
}

func (f *facts) checkLevelsAt(d document, all map[string][]string, path ...string) {
	for scheme, levels := range all {
		for _, level := range levels {
			f.checkLevel(d, scheme, level, append(slices.Clone(path), scheme)...)
		}
	}
}

// owner returns the tenant that owns a bucket or queue: the one with the longest id that is the name or its beginning before "-".
func (f *facts) owner(name string) string {
	owner := ""
	for _, t := range f.tenants {
		id := t.part.tenant
		if (name == id || strings.HasPrefix(name, id+"-")) && len(id) > len(owner) {
			owner = id
		}
	}
	return owner
}

// ownRow wants a row, or a prefix of rows, that lies in the tenant's own buckets and queues.
func (f *facts) ownRow(t tenantFacts, d document, id string, path ...string) bool {
	scheme, name := splitScheme(id)
	if scheme != "job:" {
		name, _, _ = strings.Cut(name, "/")
	}
	if owner := f.owner(name); owner != t.part.tenant {
		whose := "no tenant's"
		if owner != "" {
			whose = strconv.Quote(owner) + "'s"
		}
		f.add(d.file, d.line(path...), "%s: row %q is %s; %q may speak only of its own (%s, %s-…)",
			strings.Join(path, "."), id, whose, t.part.tenant, t.part.tenant, t.part.tenant)
		return false
	}
	return true
}

// checkRows wants rows of the tenant's own buckets and queues, with labels and places that exist.
func (f *facts) checkRows(t tenantFacts) {
	d := t.part.docs["catalogue"]
	for id, r := range t.rows {
		f.checkRowID(d, id, r)
		if f.ownRow(t, d, id, "rows", id) {
			for _, other := range f.tenants {
				if _, twice := other.rows[id]; twice && other.part.tenant != t.part.tenant {
					f.add(d.file, d.line("rows", id), "rows.%s: row %q is in %s too; keep one", id, id, other.part.docs["catalogue"].file)
				}
			}
		}
		f.checkLabels(d, r.Labels, "rows", id, "labels")
		known(f, d, f.enclaves, "enclave", r.Place.Enclave, "rows", id, "place", "enclave")
		for i, e := range r.Place.Replicas {
			known(f, d, f.enclaves, "enclave", e, "rows", id, "place", "replicas", index(i))
		}
		for i, e := range r.Place.Backups {
			known(f, d, f.enclaves, "enclave", e, "rows", id, "place", "backups", index(i))
		}
	}
}

// splitScheme parts a row's id into what says whose paths it governs and the rest; rows of the store have no scheme.
func splitScheme(id string) (scheme, rest string) {
	for _, scheme := range []string{"job:", "http:", "grpc:"} {
		if rest, ok := strings.CutPrefix(id, scheme); ok {
			return scheme, rest
		}
	}
	return "", id
}

func (f *facts) checkRowID(d document, id string, r row) {
	scheme, name := splitScheme(id)
	isQueue := scheme == "job:"
	wrong := strings.Contains(name, "/")
	if !isQueue {
		segments := strings.Split(strings.TrimSuffix(name, "/"), "/")
		wrong = !strings.HasSuffix(id, "/") || slices.ContainsFunc(segments, func(s string) bool { return s == "" || s == "." || s == ".." })
	}
	if wrong {
		f.add(d.file, d.line("rows", id), "rows.%s: %q is no row; write bucket/, bucket/prefix/ or job:queue", id, id)
	}
	if scheme == "http:" != (r.Service == "http") || scheme == "grpc:" != (r.Service == "grpc") {
		f.add(d.file, d.line("rows", id, "service"), "rows.%s.service: a row http:… is of service http, grpc:… of grpc, and only such; correct one", id)
	}
	if isQueue != (r.Service == "jobs") {
		f.add(d.file, d.line("rows", id, "service"), "rows.%s.service: a row job:queue is of service jobs, and only such; correct one", id)
	}
}

func (f *facts) checkLabels(d document, labels []label, path ...string) {
	for i, l := range labels {
		at := append(slices.Clone(path), index(i))
		f.checkLevel(d, l.Scheme, l.Level, at...)
		s, ok := f.schemes[l.Scheme]
		if !ok {
			continue
		}
		f.checkCategories(d, l.Scheme, l.Categories, append(at, "categories")...)
		for _, tags := range []struct {
			kind   string
			values []string
		}{{"nation", l.Nation}, {"handling", l.Handling}} {
			known := s.values(tags.kind)
			for _, v := range tags.values {
				if !slices.Contains(known, v) {
					f.refer(d, tags.kind+" value of "+l.Scheme, v, known, append(at, tags.kind)...)
				}
			}
		}
		if l.Release != nil && !slices.Contains(l.Release, s.Nation) {
			f.add(d.file, d.line(append(at, "release")...), "%s.release: lacks the owner, %s; add it", strings.Join(at, "."), s.Nation)
		}
		f.checkLabels(d, l.Alternatives, append(at, "alternatives")...)
	}
}

// checkPartners wants partner grants over rows of the tenant's own, for issuers that its part lists.
func (f *facts) checkPartners(t tenantFacts) {
	d := t.part.docs["partners"]
	for i, p := range t.partners {
		for j, id := range p.Issuers {
			known(f, d, t.issuers, "issuer", id, "partners", index(i), "issuers", index(j))
		}
		for j, prefix := range p.Rows {
			path := []string{"partners", index(i), "rows", index(j)}
			covers := func(id string) bool { return strings.HasPrefix(id, prefix) }
			if f.ownRow(t, d, prefix, path...) && !slices.ContainsFunc(slices.Collect(maps.Keys(t.rows)), covers) {
				f.refer(d, "row", prefix, slices.Collect(maps.Keys(t.rows)), path...)
			}
		}
		f.checkSpan(d, p.From, p.To, "partners", index(i), "not_after")
	}
}

// checkApprovals wants approvals on exactly one row of the tenant's own, by others than the operator.
func (f *facts) checkApprovals(t tenantFacts) {
	d := t.part.docs["personnel"]
	issuers := maps.Clone(f.issuers)
	for _, other := range f.tenants {
		if issuers == nil {
			issuers = map[string]issuer{}
		}
		maps.Copy(issuers, other.issuers)
	}
	ids := map[string]bool{}
	for i, a := range t.approvals {
		at := func(names ...string) []string { return append([]string{"approvals", index(i)}, names...) }
		if ids[a.ID] {
			f.add(d.file, d.line(at("id")...), "approvals.%d.id: %q stands here twice; give each its own", i, a.ID)
		}
		ids[a.ID] = true
		if f.ownRow(t, d, a.Row, at("row")...) {
			known(f, d, t.rows, "row", a.Row, at("row")...)
		}
		known(f, d, f.enclaves, "enclave", a.Enclave, at("enclave")...)
		for j, subject := range append([]string{a.Operator}, a.Approvers...) {
			path := at("operator")
			if j > 0 {
				path = at("approvers", index(j-1))
				if subject == a.Operator {
					f.add(d.file, d.line(path...), "%s: the operator %q can't approve for himself; name another", strings.Join(path, "."), subject)
				}
			}
			id, _, _ := strings.Cut(subject, "|")
			known(f, d, issuers, "issuer", id, path...)
		}
		f.checkSpan(d, a.From, a.To, at("not_after")...)
	}
}
