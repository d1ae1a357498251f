package oracle_test

import (
	"slices"

	"github.com/sallyport-dev/sallyport/authz"
)

// of makes an axis of values that one attribute takes.
func of[T any](set func(*authz.Input, T), values ...T) axis {
	var a axis
	for _, v := range values {
		a = append(a, func(in *authz.Input) { set(in, v) })
	}
	return a
}

func names(values ...string) []string { return append([]string{}, values...) }

// first sets something of the first label, where there is one.
func first[T any](set func(*authz.Label, T)) func(*authz.Input, T) {
	return func(in *authz.Input, v T) {
		if l := in.Resource.Properties.Labels; len(l) > 0 {
			set(&l[0], v)
		}
	}
}

// rule sets one of the row's constraints, where it has any.
func rule[T any](set func(*authz.Constraints, T)) func(*authz.Input, T) {
	return func(in *authz.Input, v T) {
		if c := in.Resource.Properties.Constraints; c != nil {
			set(c, v)
		}
	}
}

var (
	levels  = of(first(func(l *authz.Label, v string) { l.Level = v }), "LOW", "MIDDLE", "HIGH", "NOWHERE", "")
	schemes = of(first(func(l *authz.Label, v string) { l.Scheme = v }), "NOR", "SWE", "PACT", "GBR", "NOWHERE", "")

	categories = of(first(func(l *authz.Label, v map[string][]string) { l.Categories = v }),
		map[string][]string{}, map[string][]string{"comp": {"X"}}, map[string][]string{"comp": {"X", "Y"}}, map[string][]string{"comp": {}},
		map[string][]string{"perm": {"P"}}, map[string][]string{"perm": {"P", "Q"}}, map[string][]string{"perm": {}},
		map[string][]string{"comp": {"X"}, "perm": {"Q", "R"}, "team": {"S"}}, map[string][]string{"own": {"NATIONAL"}},
		map[string][]string{"note": {"N"}}, map[string][]string{"note": {}}, map[string][]string{"eyes": {"EYES"}}, map[string][]string{"care": {"CARE"}},
		map[string][]string{"comp": {"DEEP"}}, map[string][]string{"perm": {"R"}}, map[string][]string{"team": {"S"}, "comp": {"Y"}},
		map[string][]string{"comp": {"Z"}}, map[string][]string{"nothing": {"X"}}, map[string][]string{"nothing": {}}, map[string][]string{"comp": nil}, nil,
	)
	releases = of(first(func(l *authz.Label, v []string) { l.Release = v }),
		nil, names(), names("NOR"), names("NOR", "SWE"), names("SWE"), names("NOR", "SWE", "ZZZ"))
	displays  = of(first(func(l *authz.Label, v []string) { l.Display = v }), nil, names(), names("SWE"), names("NOR"), names("FIN", "SWE"), names("ZZZ"))
	nations   = of(first(func(l *authz.Label, v []string) { l.Nation = v }), names(), names("EYES"), names("BORN"), names("EYES", "BORN"), names("GROUP"), names("GROUP", "EYES"), names("CARE"), names("NOFORN"), nil)
	handlings = of(first(func(l *authz.Label, v []string) { l.Handling = v }), names(), names("CARE"), names("ASK"), names("EYES"), names("CUI"), nil)
	created   = of(first(func(l *authz.Label, v authz.Time) { l.Created = v }),
		at("2024-01-01"), at("2019-12-31"), at("2020-01-01"), at("2021-12-31"), at("2022-01-01"), at("2024-12-31"), at("2025-01-01"), at("2026-05-01"), at("2027-01-01"), authz.Time{})
	otherLabels = of(func(in *authz.Input, v int) {
		p := &in.Resource.Properties
		if len(p.Labels) == 0 {
			return
		}
		loose, odd, foreign := label("LOW"), label("NOWHERE"), label("ONE")
		foreign.Scheme = "SWE"
		released := label("MIDDLE")
		released.Release = names("NOR", "SWE")
		switch v {
		case 1:
			p.Labels = nil
		case 2:
			p.Labels = []authz.Label{}
		case 3:
			p.Labels = append(p.Labels, loose)
		case 4:
			p.Labels = append(p.Labels, odd)
		case 5:
			p.Labels = append(p.Labels, foreign)
		case 6:
			p.Labels[0].Alternatives = []authz.Label{foreign}
		case 7:
			p.Labels[0].Alternatives = []authz.Label{released, odd}
		case 8:
			p.Labels[0].Alternatives = nil
		case 9:
			p.Labels[0].Alternatives = []authz.Label{odd}
		}
	}, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)

	// whose sets who asks: members, partners, operators, and those of whom nobody knows.
	whose = of(func(in *authz.Input, v int) {
		p := &in.Subject.Properties
		was := authz.Affiliation{}
		if p.Affiliation != nil {
			was = *p.Affiliation
		}
		a := authz.Affiliation{Kind: "tenant", Organization: "fjord", Country: "NOR"}
		if p.Affiliation = &a; v > 0 {
			in.Subject.ID, p.Issuer, p.Tenant = "nor|nils", "nor", ptr("fjord")
		}
		partner := func(organization, country string) {
			in.Subject.ID, p.Issuer, p.Tenant, p.Nationalities = "swe|sven", "swe", nil, names("SWE")
			a.Kind, a.Organization, a.Country = "partner", organization, country
		}
		switch v {
		case 0:
			p.Affiliation = &was
		case 1:
			partner("swe-navy", "SWE")
		case 2:
			partner("swe-army", "SWE")
		case 3:
			p.Affiliation, p.Tenant = nil, nil
		case 4:
			in.Subject.ID, p.Issuer, p.Tenant = "lak|liv", "lak", ptr("lake")
			a.Organization, a.Country = "lake", "SWE"
		case 5:
			p.Tenant = nil
		case 6:
			p.Issuer = "swe"
		case 7:
			p.Issuer = "unknown"
		case 8:
			in.Subject.ID, p.Issuer, p.Tenant = "provider|olga", "provider", nil
			a.Kind, a.Organization, a.Country = "provider", "provider", "NOR"
		case 9:
			partner("swe-navy", "SWE")
			p.Issuer = "nor"
		case 10:
			in.Subject.ID = "nor|revoked"
		case 11:
			partner("swe-navy", "FIN")
		case 12:
			a.Country = "SWE"
		case 13:
			p.Affiliation = nil
		}
	}, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13)

	clearances = of(func(in *authz.Input, v []authz.Clearance) { in.Subject.Properties.Clearances = v }, clearanceLists()...)

	nationalities = of(func(in *authz.Input, v []string) { in.Subject.Properties.Nationalities = v },
		names("NOR"), names("SWE"), names("USA"), names("RUS", "NOR"), names(), nil)
	held        = of(func(in *authz.Input, v []string) { in.Subject.Properties.HeldNationalities = v }, names("NOR"), names("NOR", "SWE"), names("NOR", "RUS"), names(), nil)
	communities = of(func(in *authz.Input, v []string) { in.Subject.Properties.Communities = v }, names(), names("divers"), names("other"), nil)
	roles       = of(func(in *authz.Input, v []string) { in.Subject.Properties.Roles = v }, names(), names("marker"), names("keeper"), names("other"), nil)
	exports     = of(func(in *authz.Input, v []string) { in.Subject.Properties.ExportStatus = v }, names(), names("us_person"), names("other"), nil)
	cuts        = of(func(in *authz.Input, v []authz.Cut) { in.Subject.Properties.Cut = v },
		[]authz.Cut{}, nil, cut("tenant", "fjord"), cut("affiliation", "x"), cut("nationality", "USA"), cut("type", "device"), cut("community", "divers"), cut("role", "marker"), cut("export_status", "us_person"),
		cut("clearance", map[string]any{"scheme": "NOR", "level": "HIGH", "categories": map[string]any{}}), cut("clearance", map[string]any{"scheme": "SWE", "level": "TWO", "categories": map[string]any{}}),
		cut("clearance", map[string]any{"scheme": "NOR", "native": "WORD", "categories": map[string]any{}}), cut("clearance", map[string]any{"scheme": "CAN", "native": "RELIABILITY", "categories": map[string]any{}}),
		cut("clearance", "NOR"), cut("clearance", "NOR HIGH"), cut("clearance", "NORTH"), cut("clearance", "SWE TWO"), cut("clearance", nil), cut("clearance", 7), cut("clearance", map[string]any{}), cut("", "x"))
	vias = of(func(in *authz.Input, v []authz.Via) { in.Subject.Properties.Via = v },
		[]authz.Via{}, nil, via(), via(nor("LOW")), via(nor("LOW", "MIDDLE", "HIGH")), via(swe("ONE", "TWO")), []authz.Via{{Type: "device", ID: "d"}})
	sessions = of(func(in *authz.Input, v authz.Session) { in.Subject.Properties.Session = v },
		authz.Session{Tracked: true, HighWater: []authz.Label{}}, authz.Session{Tracked: true}, authz.Session{}, authz.Session{HighWater: []authz.Label{label("HIGH")}},
		authz.Session{Tracked: true, HighWater: []authz.Label{label("LOW")}}, authz.Session{Tracked: true, HighWater: []authz.Label{label("MIDDLE")}},
		authz.Session{Tracked: true, HighWater: []authz.Label{label("MIDDLE"), label("HIGH")}}, authz.Session{Tracked: true, HighWater: []authz.Label{label("NOWHERE")}})
	bindings = of(func(in *authz.Input, v string) { in.Subject.Properties.Assurance.Binding = v }, "none", "mtls", "dpop", "", "other")

	verbs = of(func(in *authz.Input, v string) { in.Action.Name = v }, "read", "list", "create", "update", "delete", "relabel", "execute", "administer", "", "burn")
	tos   = of(func(in *authz.Input, v authz.To) { in.Action.Properties.To = v },
		authz.To{Kind: "client"}, authz.To{Kind: "object", Row: ptr("fjord-deep/"), Enclave: ptr("home")}, authz.To{Kind: "enclave", Enclave: ptr("home")}, authz.To{Kind: "enclave", Enclave: ptr("plain")},
		authz.To{Kind: "enclave", Enclave: ptr("abroad")}, authz.To{Kind: "enclave", Enclave: ptr("adrift")}, authz.To{Kind: "enclave", Enclave: ptr("moon")}, authz.To{Kind: "enclave"},
		authz.To{Kind: "object", Row: ptr("lake-water/"), Enclave: ptr("abroad")}, authz.To{Kind: "object"}, authz.To{Kind: "object", Enclave: ptr("moon")}, authz.To{}, authz.To{Kind: "other"})
	requestLabels = of(func(in *authz.Input, v []authz.Label) { in.Action.Properties.RequestLabels = v },
		[]authz.Label{}, nil, []authz.Label{label("LOW")}, []authz.Label{label("MIDDLE")}, []authz.Label{label("HIGH")}, []authz.Label{label("NOWHERE")},
		[]authz.Label{change(label("MIDDLE"), func(l *authz.Label) { l.Nation = names("EYES") })},
		[]authz.Label{change(label("MIDDLE"), func(l *authz.Label) { l.Created = at("2026-05-01") })})

	// ownLabels are the object's own, beside its row's.
	ownLabels = of(func(in *authz.Input, l authz.Label) {
		in.Resource.Properties.Labels = []authz.Label{label("MIDDLE"), l}
	}, variousLabels()...)

	places = of(func(in *authz.Input, v *authz.Place) { in.Resource.Properties.Place = v }, placeList()...)
	owners = of(func(in *authz.Input, v *authz.Owner) { in.Resource.Properties.Owner = v },
		&authz.Owner{Nation: "NOR", Originator: "fjord"}, nil, &authz.Owner{Nation: "SWE", Originator: "fjord"}, &authz.Owner{Nation: "NOR", Originator: "harbour"}, &authz.Owner{Nation: "ZZZ", Originator: "fjord"}, &authz.Owner{})
	holds       = of(func(in *authz.Input, v *bool) { in.Resource.Properties.Hold = v }, ptr(false), ptr(true), nil)
	services    = of(func(in *authz.Input, v *string) { in.Resource.Properties.Service = v }, ptr("s3"), ptr("jobs"), ptr("http"), ptr(""), nil)
	tenants     = of(func(in *authz.Input, v *string) { in.Resource.Properties.Tenant = v }, ptr("fjord"), ptr("lake"), ptr("nobody"), nil)
	rowIDs      = of(func(in *authz.Input, v *string) { in.Resource.Properties.Row = v }, ptr("fjord-deep/"), ptr("fjord-deep/dive/"), ptr("fjord-open/"), ptr("fjord-deep/unknown/"), ptr("lake-water/"), nil)
	residencies = of(rule(func(c *authz.Constraints, v authz.Countries) { c.Residency = v }), countryRules...)
	reaches     = of(rule(func(c *authz.Constraints, v authz.Countries) { c.Reach = v }), countryRules...)
	processings = of(rule(func(c *authz.Constraints, v authz.Countries) { c.Processing = v }), countryRules...)
	egresses    = of(rule(func(c *authz.Constraints, v authz.Countries) { c.Egress = v }), countryRules...)
	exportRules = of(rule(func(c *authz.Constraints, v *authz.Export) { c.Export = v }), exportList()...)
	constraints = of(func(in *authz.Input, v int) {
		if v == 1 {
			in.Resource.Properties.Constraints = nil
		} else if v == 2 {
			in.Resource.Properties.Constraints = &authz.Constraints{}
		}
	}, 0, 1, 2)

	times     = of(func(in *authz.Input, v authz.Time) { in.Context.Time = v }, authz.At(now), at("2019-12-31"), at("2024-06-01"), at("2027-06-01"), at("2028-06-01"), at("2029-06-01"), at("2031-01-01"))
	enclaves  = of(func(in *authz.Input, v []string) { in.Context.Gateway.Enclaves = v }, names("home", "plain", "abroad", "adrift"), names("home"), names("abroad"), names(), nil)
	countries = of(func(in *authz.Input, v *string) { in.Context.Source.Country = v }, ptr("NOR"), ptr("SWE"), ptr("ZZZ"), nil)
	bases     = of(func(in *authz.Input, v string) { in.Context.Source.Basis = v }, "claim", "network", "device", "unknown", "", "other")
	clocks    = of(func(in *authz.Input, v string) { in.Context.Freshness.Clock = v }, "trusted", "floor", "unknown", "", "other")
	ages      = of(func(in *authz.Input, v *int64) { in.Context.Freshness.RevocationAge = v }, ptr[int64](1), ptr[int64](3600), ptr[int64](3601), ptr[int64](-1), nil)
)

func change[T any](v T, f func(*T)) T {
	f(&v)
	return v
}

func cut(claim string, value any) []authz.Cut {
	return []authz.Cut{{Claim: claim, Value: value, Why: "not granted"}}
}

func via(c ...authz.Clearance) []authz.Via {
	return []authz.Via{{Type: "device", ID: "d", Clearances: append([]authz.Clearance{}, c...)}}
}

func clearanceLists() [][]authz.Clearance {
	all := nor("LOW", "MIDDLE", "HIGH")
	expired, early, dateless := nor("LOW", "MIDDLE"), nor("LOW", "MIDDLE"), nor("LOW", "MIDDLE")
	expired.NotAfter, early.NotBefore, dateless.NotAfter = authz.At(now), at("2026-12-01"), authz.Time{}
	return [][]authz.Clearance{
		{all}, {}, nil, {nor("LOW")}, {nor("LOW", "MIDDLE")}, {nor("HIGH")}, {nor()}, {clearance("NOR")}, {nor("ONE")},
		{with(all, "comp", "X")}, {with(all, "comp", "X", "Y")}, {with(all, "perm", "P")}, {with(with(with(all, "comp", "X"), "perm", "Q"), "team", "S")},
		{with(nor("LOW"), "comp", "X", "Y"), all}, {with(all, "comp", "X"), with(all, "comp", "Y")}, // no single one
		{with(with(all, "own", "NATIONAL"), "perm")},
		{swe("ONE")}, {swe("ONE", "TWO")}, {swe("TWO")}, {swe("ONE", "TWO"), nor("LOW")}, {with(swe("ONE", "TWO"), "comp", "X")},
		{expired}, {early}, {dateless}, {expired, nor("LOW")}, {expired, swe("ONE", "TWO")}, {clearance("FIN", "ONE")}, {clearance("GBR", "SECRET")}, {clearance("", "")},
		{change(all, func(c *authz.Clearance) { c.Levels = nil })}, {change(all, func(c *authz.Clearance) { c.Categories = nil })},
		{with(all, "comp", "DEEP")}, {with(nor("LOW", "MIDDLE"), "comp", "DEEP"), all}, {clearance("PACT", "LOW", "MIDDLE")}, {clearance("PACT", "LOW")},
	}
}

func placeList() []*authz.Place {
	return []*authz.Place{
		{Enclave: "home", Replicas: names(), Backups: names("home")}, {Enclave: "plain", Replicas: names(), Backups: names()}, {Enclave: "abroad", Replicas: names(), Backups: names()},
		{Enclave: "adrift", Replicas: names(), Backups: names()}, {Enclave: "moon", Replicas: names(), Backups: names()}, {Enclave: "home", Replicas: names("abroad"), Backups: names()},
		{Enclave: "home", Replicas: names(), Backups: names("abroad")}, {Enclave: "home", Replicas: names("plain"), Backups: names()}, {Enclave: "home", Replicas: names("moon"), Backups: names()},
		{Enclave: "home", Replicas: nil, Backups: names()}, {Enclave: "home", Replicas: names(), Backups: nil}, nil, {},
	}
}

var countryRules = []authz.Countries{{Any: true}, {List: names("NOR")}, {List: names("NOR", "SWE")}, {List: names("SWE", "USA")}, {List: names()}, {}}

func exportList() []*authz.Export {
	return []*authz.Export{
		{Mode: "none", Destinations: names()}, {Mode: "ITAR", Destinations: names("NOR")}, {Mode: "EAR", Destinations: names("SWE")}, {Mode: "ITAR", Destinations: names()},
		{Mode: "ITAR"}, {Mode: "none"}, {Mode: "", Destinations: names("NOR")}, {Mode: "other", Destinations: names("NOR")}, nil,
	}
}

// pick keeps some values of an axis, by their places.
func (a axis) pick(places ...int) axis {
	var some axis
	for _, i := range places {
		some = append(some, a[i])
	}
	return some
}

// some keeps each n-th value.
func (a axis) some(n int) axis {
	var kept axis
	for i := 0; i < len(a); i += n {
		kept = append(kept, a[i])
	}
	return kept
}

// twoOf is an axis of every two values: a point, and everything one or two steps away.
func twoOf(a axis) axis {
	var pairs axis
	for i, first := range a {
		for _, second := range a[i:] {
			pairs = append(pairs, func(in *authz.Input) { first(in); second(in) })
		}
	}
	return pairs
}

// anyOf is an axis that takes one value of one of several axes: a point, and its neighbours one step away.
func anyOf(axes ...axis) axis { return slices.Concat(axes...) }
