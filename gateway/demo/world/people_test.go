package world_test

import (
	"time"

	"github.com/sallyport-dev/sallyport/authz"
)

// person is a subject of the demo as authz/identity makes it of the person's token.
type person struct {
	issuer, kind, organization, country string
	clearances                          []authz.Clearance
	exports                             []string
	tracked                             bool
	cut                                 []authz.Cut
}

var people = map[string]person{
	"sam":    {issuer: "usa", kind: "tenant", organization: "us-defense", country: "USA", clearances: usa("UNCLASSIFIED", "CONFIDENTIAL", "SECRET"), exports: []string{"us_person"}, tracked: true},
	"uma":    {issuer: "usa", kind: "tenant", organization: "us-defense", country: "USA", clearances: usa("UNCLASSIFIED", "CONFIDENTIAL"), exports: []string{"us_person"}, tracked: true},
	"gina":   {issuer: "gbr", kind: "partner", organization: "uk-mod", country: "GBR", clearances: clearance("GBR", "OFFICIAL", "SECRET")},
	"claire": {issuer: "fra", kind: "tenant", organization: "fr-space", country: "FRA", clearances: special(clearance("FRA", "SECRET"))},
	"luc":    {issuer: "fra", kind: "tenant", organization: "fr-space", country: "FRA", clearances: clearance("FRA", "SECRET")},
	"dieter": {issuer: "deu", kind: "partner", organization: "de-raumfahrt", country: "DEU", clearances: clearance("DEU", "VS-NFD", "VS-VERTRAULICH", "GEHEIM")},
	"moana":  {issuer: "nzl", kind: "tenant", organization: "nz-fire", country: "NZL", clearances: append(clearance("NZL", "RESTRICTED"), clearance("NZL-POLICY", "IN-CONFIDENCE", "SENSITIVE")...)},
	"noah":   {issuer: "can", kind: "tenant", organization: "ca-housing", country: "CAN", clearances: clearance("CAN-PROTECTED", "PROTECTED A", "PROTECTED B")},
	"olga":   {issuer: "provider", kind: "provider", organization: "provider", country: "USA", clearances: usa("UNCLASSIFIED", "CONFIDENTIAL", "SECRET")},
	"otto":   {issuer: "provider", kind: "provider", organization: "provider", country: "USA", clearances: usa("UNCLASSIFIED", "CONFIDENTIAL", "SECRET")},
	"eve": {issuer: "fra", country: "FRA", clearances: []authz.Clearance{}, cut: []authz.Cut{
		{Claim: "tenant", Value: "us-defense", Why: "not granted"},
		{Claim: "affiliation", Value: "tenant/us-defense/USA", Why: "not granted"},
		{Claim: "nationality", Value: "USA", Why: "not granted"},
		{Claim: "clearance", Value: map[string]any{"scheme": "USA", "level": "SECRET", "categories": map[string]any{}}, Why: "not granted"},
	}},
}

func (p person) subject(name string) authz.Subject {
	s := authz.Subject{Type: "person", ID: p.issuer + "|" + name, Properties: authz.SubjectProperties{
		Issuer:        p.issuer,
		Nationalities: []string{}, HeldNationalities: []string{p.country},
		ExportStatus: append([]string{}, p.exports...), Communities: []string{}, Roles: []string{},
		Clearances: p.clearances,
		Cut:        append([]authz.Cut{}, p.cut...),
		Session:    authz.Session{Tracked: p.tracked},
		Via:        []authz.Via{},
		Assurance:  authz.Assurance{AMR: []string{}, Binding: "none"},
	}}
	if p.tracked {
		s.Properties.Session.HighWater = []authz.Label{}
	}
	if p.kind != "" {
		s.Properties.Affiliation = &authz.Affiliation{Kind: p.kind, Organization: p.organization, Country: p.country}
		s.Properties.Nationalities = []string{p.country}
	}
	if p.kind == "tenant" {
		s.Properties.Tenant = &p.organization
	}
	return s
}

func usa(levels ...string) []authz.Clearance { return clearance("USA", levels...) }

func clearance(scheme string, levels ...string) []authz.Clearance {
	return []authz.Clearance{{
		Scheme: scheme, Levels: levels, Categories: map[string][]string{},
		NotBefore: authz.At(now.Add(-time.Hour)), NotAfter: authz.At(now.Add(time.Hour)),
	}}
}

func special(c []authz.Clearance) []authz.Clearance {
	c[0].Categories["special"] = []string{"FRANCE"}
	return c
}
