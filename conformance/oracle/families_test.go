package oracle_test

import "github.com/sallyport-dev/sallyport/authz"

// every is each attribute in each of its values, one after the other: absent, null, empty and unknown ones too.
var every = anyOf(levels, schemes, categories, releases, displays, nations, handlings, created, otherLabels, whose, clearances, nationalities, held, communities,
	roles, exports, cuts, vias, sessions, bindings, verbs, tos, requestLabels, fromLists, places, owners, holds, services, tenants, rowIDs,
	residencies, reaches, processings, egresses, exportRules, constraints, times, enclaves, countries, bases, clocks, ages, types, kinds)

var (
	types = of(func(in *authz.Input, v string) { in.Subject.Type = v }, "person", "service", "device", "", "robot")
	kinds = of(func(in *authz.Input, v string) { in.Resource.Type = v }, "object", "bucket", "job", "other")
)

// families are the grid that is compared with each change: around allowed points everything two steps away, and the products of
// those attributes that decide together.
func (w *world) families() []family {
	return []family{
		{"a member reads: any two attributes", w.read, []axis{twoOf(every)}},
		{"a member creates: any two attributes", w.create, []axis{twoOf(every)}},
		{"an operator reads: any two of half of the values", w.operate, []axis{twoOf(every.some(2))}},
		{"a partner reads: any two of a third of the values", w.partner, []axis{twoOf(every.some(3))}},
		{"a member starts a job: any two of a third of the values", w.job, []axis{twoOf(every.some(3))}},
		{"level × category × release × nation tag × clearance × who", w.read, []axis{
			levels.pick(0, 1, 2), categories.pick(0, 1, 2, 4, 7, 8), releases.pick(0, 2, 3), nations.pick(0, 1, 2), clearances.pick(0, 4, 9, 11, 12, 14, 17, 19), whose.pick(0, 1, 8),
		}},
		{"level × date × clearance × who × row", w.read, []axis{levels.pick(0, 1, 2), created, clearances.pick(0, 3, 16, 17, 18, 20, 25), whose.pick(0, 1, 4, 11, 12), tenants}},
		{"release × display × nation tag × verb × destination × who × other labels", w.read, []axis{
			releases.pick(0, 1, 2, 3), displays, nations.pick(0, 4), verbs.pick(0, 1, 2, 5), tos.pick(0, 1, 2), whose.pick(0, 1, 8, 12), otherLabels.pick(0, 3, 7),
		}},
		{"an organization: release × date × time × clearance × who", w.read, []axis{
			schemes.pick(2), levels.pick(0, 1), of(first(func(l *authz.Label, v []string) { l.Release = v }), nil, names("XPA"), names("XPA", "FIN"), names("SWE")),
			times, anyOf(clearances.pick(0, 17), clearances[len(clearances)-2:]), whose.pick(0, 1, 4, 11, 12),
		}},
		{"level × date × category × tags × clearance", w.read, []axis{levels.pick(0, 1, 2), created, categories.some(2), nations.pick(0, 1, 2), handlings.pick(0, 1, 2), clearances.pick(0, 12)}},
		{"own label × new label × verb × role × who × time", w.read, []axis{ownLabels, newLabels, verbs.pick(3, 5), roles.pick(0, 1), requesters, times.pick(0, 3, 4)}},
		{"verb × who × role × row × tenant", w.read, []axis{verbs, whose, roles.pick(0, 1, 2), rowIDs, tenants.pick(0, 1, 3)}},
		{"target × source", w.create, []axis{targets, sources}},
		{"target × what the session has seen", w.create, []axis{targets, seen}},
		{"source × its rules × the row's", w.create, []axis{sources.pick(0, 1, 5), fromRules, anyOf(residencies, reaches, processings, egresses, exportRules, owners, places)}},
		{"old label × new label × verb × role", w.read, []axis{targets, requestLabels, verbs.pick(2, 3, 5), roles.pick(0, 1)}},
		{"place × residency × reach × destination", w.read, []axis{places, residencies.pick(0, 1, 3), reaches.pick(0, 1, 3), tos}},
		{"export × status × destination × source × verb", w.read, []axis{exportRules, exports, tos, countries, verbs.pick(0, 2)}},
		{"export × status × citizenships × who × row × time", w.read, []axis{exportRules.pick(0, 1, 2, 6), exports.pick(0, 1), held, whose.pick(0, 1, 2, 3, 8), rowIDs.pick(0, 2), times.pick(0, 2, 3, 4)}},
		{"approval × approvers × verb × destination", w.operate, []axis{approvals, approvers, approvalLists, verbs.pick(0, 2, 4, 6), tos.pick(0, 2, 3, 4)}},
		{"emergency × operator × verb × log-in × approval", w.operate, []axis{purposes, operators, verbs, loggedIn, approvalLists}},
		{"cut × clearance × alternatives", w.read, []axis{cuts, clearances.pick(0, 1, 2, 19), otherLabels}},
		{"chain × clearance × level", w.read, []axis{vias, clearances, levels.pick(0, 1, 2)}},
	}
}

// soakFamilies are millions of points more.
func (w *world) soakFamilies() []family {
	return []family{
		{"an operator reads: any two attributes", w.operate, []axis{twoOf(every)}},
		{"a partner reads: any two attributes", w.partner, []axis{twoOf(every)}},
		{"a member starts a job: any two attributes", w.job, []axis{twoOf(every)}},
		{"every level × category × release × nation tag × clearance × who", w.read, []axis{levels, categories, releases, nations.pick(0, 1, 2, 3, 6), clearances, whose}},
		{"level × date × clearance × who × tenant × category", w.read, []axis{levels, created, clearances.pick(0, 3, 6, 16, 17, 18, 19, 20, 25), whose, tenants, categories.pick(0, 1, 2, 4, 5, 7, 8, 9)}},
		{"release × display × every nation tag × verb × destination × who × other labels", w.read, []axis{
			releases, displays, nations, verbs, tos.pick(0, 1, 2, 11), whose.pick(0, 1, 8, 12), otherLabels.pick(0, 3, 7),
		}},
		{"level × date × every category × tags × clearance", w.read, []axis{levels, created, categories, nations, handlings, clearances.pick(0, 12)}},
		{"export × status × citizenships × who × row × time", w.read, []axis{exportRules, exports, held, whose, rowIDs, times}},
		{"target × source × another attribute", w.create, []axis{targets, sources, every}},
		{"place × residency × reach × processing × destination × verb × label", w.read, []axis{places, residencies, reaches, processings.pick(0, 1, 3, 5), tos, verbs.pick(0, 2), categories.pick(0, 8)}},
	}
}
