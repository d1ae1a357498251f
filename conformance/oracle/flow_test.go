package oracle_test

import "github.com/sallyport-dev/sallyport/authz"

// variousLabels are labels of which some dominate others: each differs from MIDDLE in one thing or in two.
func variousLabels() []authz.Label {
	of := func(f func(*authz.Label)) authz.Label { return change(label("MIDDLE"), f) }
	swede := change(label("ONE"), func(l *authz.Label) { l.Scheme = "SWE" })
	return []authz.Label{
		label("MIDDLE"), label("LOW"), label("HIGH"), label("NOWHERE"), swede,
		of(func(l *authz.Label) { l.Categories = map[string][]string{"comp": {"X"}} }),
		of(func(l *authz.Label) { l.Categories = map[string][]string{"comp": {"X", "Y"}} }),
		of(func(l *authz.Label) { l.Categories = map[string][]string{"perm": {"P"}} }),
		of(func(l *authz.Label) { l.Categories = map[string][]string{"perm": {"P", "Q"}} }),
		of(func(l *authz.Label) { l.Categories = map[string][]string{"perm": {}} }),
		of(func(l *authz.Label) { l.Categories = map[string][]string{"note": {"N"}} }),
		of(func(l *authz.Label) { l.Release = names("NOR", "SWE") }),
		of(func(l *authz.Label) { l.Release = names("NOR") }),
		of(func(l *authz.Label) { l.Nation = names("EYES") }),
		of(func(l *authz.Label) { l.Handling = names("CARE") }),
		of(func(l *authz.Label) { l.Handling = nil }),
		of(func(l *authz.Label) { l.Created = at("2023-01-01") }),
		of(func(l *authz.Label) { l.Created = authz.Time{} }),
		of(func(l *authz.Label) { l.Alternatives = []authz.Label{label("LOW")} }),
		of(func(l *authz.Label) { l.Alternatives = nil }),
		of(func(l *authz.Label) { l.Display = names("SWE") }),
		of(func(l *authz.Label) { l.Display = names("SWE", "FIN") }),
		of(func(l *authz.Label) { l.Release, l.Display = names("NOR"), names("SWE") }),
		change(label("MIDDLE"), func(l *authz.Label) { l.Scheme = "PACT" }),
		change(label("MIDDLE"), func(l *authz.Label) { l.Scheme, l.Release = "PACT", names("XPA", "SWE", "NOR") }),
		change(label("MIDDLE"), func(l *authz.Label) { l.Scheme, l.Release = "PACT", names("XPA") }),
		// Of these two schemes the rows for markings say something.
		change(label("LOW"), func(l *authz.Label) { l.Categories = map[string][]string{"comp": {"X"}} }),
		change(swede, func(l *authz.Label) { l.Categories = map[string][]string{"comp": {"X"}} }),
		change(swede, func(l *authz.Label) { l.Release = names("SWE", "NOR") }),
		change(label("LOW"), func(l *authz.Label) { l.Release, l.Handling = names("NOR", "SWE"), names("CARE") }),
		change(label("LOW"), func(l *authz.Label) { l.Release = names("NOR", "SWE") }),
	}
}

var (
	// targets gives what is written each label, and sources lets each flow in.
	targets = of(func(in *authz.Input, l authz.Label) { in.Resource.Properties.Labels = []authz.Label{l} }, variousLabels()...)
	sources = of(func(in *authz.Input, l authz.Label) { in.Action.Properties.From = []authz.Origin{origin(*in, l)} }, variousLabels()...)
	seen    = of(func(in *authz.Input, l authz.Label) {
		in.Subject.Properties.Session = authz.Session{Tracked: true, HighWater: []authz.Label{l}}
	}, variousLabels()...)

	// fromRules changes what the first source asks for beside its label.
	fromRules = of(func(in *authz.Input, f func(*authz.Origin)) {
		if from := in.Action.Properties.From; len(from) > 0 {
			f(&from[0])
		}
	},
		func(*authz.Origin) {},
		func(f *authz.Origin) { f.Labels = nil },
		func(f *authz.Origin) { f.Labels = []authz.Label{} },
		func(f *authz.Origin) { f.Labels = append(f.Labels, label("LOW")) },
		func(f *authz.Origin) { f.Owner = nil },
		func(f *authz.Origin) { f.Owner = &authz.Owner{Nation: "SWE", Originator: "fjord"} },
		func(f *authz.Origin) { f.Owner = &authz.Owner{Nation: "NOR", Originator: "harbour"} },
		func(f *authz.Origin) {
			f.Owner, f.Row = &authz.Owner{Nation: "NOR", Originator: "harbour"}, ptr("fjord-open/")
		},
		func(f *authz.Origin) { f.Row, f.Tenant = ptr("lake-water/"), ptr("lake") },
		func(f *authz.Origin) { f.Row, f.Tenant = nil, nil },
		func(f *authz.Origin) { f.Constraints = nil },
		func(f *authz.Origin) { f.Constraints = &authz.Constraints{} },
		func(f *authz.Origin) { f.Constraints.Residency = authz.Countries{List: names()} },
		func(f *authz.Origin) { f.Constraints.Residency = authz.Countries{Any: true} },
		func(f *authz.Origin) { f.Constraints.Processing = authz.Countries{List: names()} },
		func(f *authz.Origin) { f.Constraints.Processing = authz.Countries{} },
		func(f *authz.Origin) { f.Constraints.Reach = authz.Countries{List: names("SWE")} },
		func(f *authz.Origin) { f.Constraints.Reach = authz.Countries{Any: true} },
		func(f *authz.Origin) { f.Constraints.Egress = authz.Countries{List: names("NOR")} },
		func(f *authz.Origin) { f.Constraints.Export = &authz.Export{Mode: "ITAR", Destinations: names("NOR")} },
		func(f *authz.Origin) { f.Constraints.Export = &authz.Export{Mode: "EAR", Destinations: names()} },
		func(f *authz.Origin) { f.Constraints.Export = &authz.Export{Mode: "ITAR"} },
		func(f *authz.Origin) { f.Constraints.Export = nil },
	)

	fromLists = of(func(in *authz.Input, v int) {
		switch v {
		case 1:
			in.Action.Properties.From = nil
		case 2:
			in.Action.Properties.From = []authz.Origin{origin(*in, label("LOW")), origin(*in, label("HIGH"))}
		case 3:
			in.Action.Properties.From = []authz.Origin{origin(*in, label("LOW")), {}}
		}
	}, 0, 1, 2, 3)
)

// origin is a source that asks for what the target's row asks for, and has a label of its own.
func origin(in authz.Input, l authz.Label) authz.Origin {
	p := in.Resource.Properties
	o := authz.Origin{Row: p.Row, Tenant: p.Tenant, Owner: p.Owner, Labels: []authz.Label{l}}
	if p.Constraints != nil {
		o.Constraints = ptr(*p.Constraints)
	}
	return o
}
