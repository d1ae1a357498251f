package demo

import (
	"slices"
	"strings"
)

// Claims are the claims of a token.
type Claims map[string]any

// person is somebody of the demo world: which issuer vouches, and for what.
type person struct {
	issuer string
	claims Claims
}

// people are everybody, by name, which is also their sub.
var people = map[string]person{
	"sam":    {"usa", american("SECRET")},
	"uma":    {"usa", american("CONFIDENTIAL")},
	"gina":   {"gbr", partner("uk-mod", "GBR", level("GBR", "SECRET"))},
	"claire": {"fra", tenant("fr-space", "FRA", Claims{"scheme": "FRA", "level": "SECRET", "categories": Claims{"special": []string{"FRANCE"}}})},
	"luc":    {"fra", tenant("fr-space", "FRA", level("FRA", "SECRET"))},
	"dieter": {"deu", partner("de-raumfahrt", "DEU", level("DEU", "GEHEIM"))},
	"moana":  {"nzl", tenant("nz-fire", "NZL", native("NZL", "PERSONNEL-CHECK"))},
	"noah":   {"can", tenant("ca-housing", "CAN", native("CAN", "RELIABILITY"))},
	"olga":   {"provider", operator()},
	"otto":   {"provider", operator()},
	// eve's issuer is France, which may say nothing of what she claims: every line is cut.
	"eve": {"fra", tenant("us-defense", "USA", level("USA", "SECRET")).with("location", "FRA")},
}

// names lists everybody.
func names() string {
	var n []string
	for name := range people {
		n = append(n, name)
	}
	slices.Sort(n)
	return strings.Join(n, " ")
}

// american is a person of us-defense, whose sessions are tracked and start at the bottom.
func american(l string) Claims {
	return tenant("us-defense", "USA", level("USA", l)).with("export_status", []string{"us_person"}).with("high_water", []any{})
}

// tenant is a person of a tenant, national of its nation and at home.
func tenant(id, nation string, clearance Claims) Claims {
	return citizen("tenant", id, nation, clearance).with("tenant", id)
}

// partner is a person of another nation's organization.
func partner(organization, nation string, clearance Claims) Claims {
	return citizen("partner", organization, nation, clearance)
}

// operator is one of the provider's own staff.
func operator() Claims { return citizen("provider", "provider", "USA", level("USA", "SECRET")) }

func citizen(kind, organization, nation string, clearance Claims) Claims {
	return Claims{
		"subject_type":  "person",
		"affiliation":   Claims{"kind": kind, "organization": organization, "country": nation},
		"nationalities": []string{nation},
		"clearances":    []Claims{clearance},
		"location":      nation,
		"acr":           "aal2",
		"amr":           []string{"hwk"},
	}
}

func level(scheme, l string) Claims { return Claims{"scheme": scheme, "level": l} }

func native(scheme, word string) Claims { return Claims{"scheme": scheme, "native": word} }

func (c Claims) with(name string, value any) Claims {
	c[name] = value
	return c
}
