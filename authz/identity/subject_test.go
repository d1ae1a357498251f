package identity_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
)

func TestSubjectsAreCutToTheirIssuersGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	issued, since, expires := authz.At(noon.Add(-time.Minute)), authz.At(noon.Add(-90*time.Second)), authz.At(noon.Add(14*time.Minute))
	none := map[string][]string{}
	evidence := func(issuer, digest, claims string) authz.Evidence {
		return authz.Evidence{Issuer: w.base + "/" + issuer, KeyID: "k1", TokenDigest: digest, IssuedAt: issued, Expires: expires, Claims: []byte(claims)}
	}
	bare := func(issuer string) authz.SubjectProperties {
		return authz.SubjectProperties{
			Issuer: issuer, Nationalities: []string{}, HeldNationalities: []string{}, ExportStatus: []string{}, Communities: []string{}, Roles: []string{},
			Clearances: []authz.Clearance{}, Cut: []authz.Cut{}, Via: []authz.Via{}, Assurance: authz.Assurance{Binding: "none", AgeSeconds: ptr(int64(60))},
		}
	}
	tokens := map[string]string{}
	for name := range people {
		tokens[name] = w.token(name)
	}

	sam := authz.Subject{Type: "person", ID: "usa|sam", Properties: bare("usa"), Location: "USA", Approvals: []authz.Approval{}}
	sam.Properties.Tenant = ptr("us-defense")
	sam.Properties.Affiliation = &authz.Affiliation{Kind: "tenant", Organization: "us-defense", Country: "USA"}
	sam.Properties.Nationalities, sam.Properties.HeldNationalities = []string{"USA"}, []string{"USA"}
	sam.Properties.ExportStatus, sam.Properties.Communities, sam.Properties.Roles = []string{"us_person"}, []string{"logistics"}, []string{"planner"}
	sam.Properties.Clearances = []authz.Clearance{{
		Scheme: "USA", Levels: []string{"UNCLASSIFIED", "CONFIDENTIAL", "SECRET"}, Categories: map[string][]string{"sci": {"TK"}},
		Sponsor: "usa", NotBefore: since, NotAfter: expires,
	}}
	sam.Properties.Session = authz.Session{Tracked: true, HighWater: []authz.Label{}}
	sam.Properties.Assurance = authz.Assurance{ACR: ptr("2"), AMR: []string{"hwk", "pin"}, Binding: "none", AgeSeconds: ptr(noon.Unix() - 1795519800)}
	sam.Evidence = evidence("usa", sha("token-1"), `{"subject_type":"person","tenant":"us-defense","affiliation":{"kind":"tenant","organization":"us-defense","country":"USA"},"nationalities":["USA"],`+
		`"export_status":["us_person"],"communities":["logistics"],"roles":["planner"],"clearances":[{"scheme":"USA","level":"SECRET","categories":{"sci":["TK"]}}],"location":"USA","high_water":[],`+
		`"acr":"2","amr":["hwk","pin"],"auth_time":1795519800}`)

	gina := authz.Subject{Type: "person", ID: "gbr|gina", Properties: bare("gbr"), Location: "GBR", Approvals: []authz.Approval{}}
	gina.Properties.Affiliation = &authz.Affiliation{Kind: "partner", Organization: "uk-mod", Country: "GBR"}
	gina.Properties.Nationalities, gina.Properties.HeldNationalities = []string{"GBR"}, []string{"GBR"}
	gina.Properties.Clearances = []authz.Clearance{{Scheme: "GBR", Levels: []string{"OFFICIAL", "SECRET"}, Categories: none, Sponsor: "gbr", NotBefore: since, NotAfter: expires}}
	gina.Evidence = evidence("gbr", shaSigned(tokens["gina"]), `{"subject_type":"person","affiliation":{"kind":"partner","organization":"uk-mod","country":"GBR"},"nationalities":["GBR"],`+
		`"clearances":[{"scheme":"GBR","level":"SECRET","categories":{}}],"location":"GBR"}`)

	moana := authz.Subject{Type: "person", ID: "nzl|moana", Properties: bare("nzl"), Location: "NZL", Approvals: []authz.Approval{}}
	moana.Properties.Tenant = ptr("nz-fire")
	moana.Properties.Affiliation = &authz.Affiliation{Kind: "tenant", Organization: "nz-fire", Country: "NZL"}
	moana.Properties.Nationalities, moana.Properties.HeldNationalities = []string{"NZL"}, []string{"NZL"}
	moana.Properties.Clearances = []authz.Clearance{
		{Scheme: "NZL", Levels: []string{"RESTRICTED"}, Native: "PERSONNEL-CHECK", Categories: none, Sponsor: "nzl", NotBefore: since, NotAfter: expires},
		{Scheme: "NZL-POLICY", Levels: []string{"IN-CONFIDENCE", "SENSITIVE"}, Native: "PERSONNEL-CHECK", Categories: none, Sponsor: "nzl", NotBefore: since, NotAfter: expires},
	}
	moana.Evidence = evidence("nzl", shaSigned(tokens["moana"]), `{"subject_type":"person","tenant":"nz-fire","affiliation":{"kind":"tenant","organization":"nz-fire","country":"NZL"},"nationalities":["NZL"],`+
		`"clearances":[{"scheme":"NZL","native":"PERSONNEL-CHECK","categories":{}}],"location":"NZL"}`)

	noah := authz.Subject{Type: "person", ID: "can|noah", Properties: bare("can"), Location: "CAN", Approvals: []authz.Approval{}}
	noah.Properties.Tenant = ptr("ca-housing")
	noah.Properties.Affiliation = &authz.Affiliation{Kind: "tenant", Organization: "ca-housing", Country: "CAN"}
	noah.Properties.Nationalities, noah.Properties.HeldNationalities = []string{"CAN"}, []string{"CAN"}
	noah.Properties.Clearances = []authz.Clearance{{
		Scheme: "CAN-PROTECTED", Levels: []string{"PROTECTED A", "PROTECTED B"}, Native: "RELIABILITY", Categories: none,
		Sponsor: "can", NotBefore: since, NotAfter: authz.At(time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)),
	}}
	noah.Evidence = evidence("can", shaSigned(tokens["noah"]), `{"subject_type":"person","tenant":"ca-housing","affiliation":{"kind":"tenant","organization":"ca-housing","country":"CAN"},"nationalities":["CAN"],`+
		`"clearances":[{"scheme":"CAN","native":"RELIABILITY","categories":{},"not_after":"2026-12-31T00:00:00.000000000Z"}],"location":"CAN"}`)

	olga := authz.Subject{Type: "person", ID: "provider|olga", Properties: bare("provider"), Location: "USA"}
	olga.Properties.Affiliation = &authz.Affiliation{Kind: "provider", Organization: "provider", Country: "USA"}
	olga.Properties.Nationalities, olga.Properties.HeldNationalities = []string{"USA"}, []string{"USA"}
	olga.Properties.Clearances = []authz.Clearance{{
		Scheme: "USA", Levels: []string{"UNCLASSIFIED", "CONFIDENTIAL", "SECRET"}, Categories: none, Sponsor: "usa", NotBefore: since, NotAfter: expires,
	}}
	olga.Approvals = []authz.Approval{{
		ID: "a-1", Operator: "provider|olga", Row: "us-defense-plans/", Actions: []string{"read", "list"}, Enclave: "iad-1",
		Justification: "CUSTOMER_INITIATED_SUPPORT", Approvers: []string{"usa|sam", "usa|uma"},
		NotBefore: authz.At(noon.Add(-4 * time.Hour)), NotAfter: authz.At(noon.Add(4 * time.Hour)),
	}}
	olga.Evidence = evidence("provider", shaSigned(tokens["olga"]), `{"subject_type":"person","affiliation":{"kind":"provider","organization":"provider","country":"USA"},"nationalities":["USA"],`+
		`"clearances":[{"scheme":"USA","level":"SECRET","categories":{}}],"location":"USA"}`)

	// eve's issuer may say almost nothing of what it says: what grants is gone, what is adverse stays.
	eve := authz.Subject{Properties: bare("fra"), ID: "fra|eve", Location: "USA", Approvals: []authz.Approval{}}
	eve.Properties.Nationalities, eve.Properties.HeldNationalities = []string{"FRA"}, []string{"USA", "FRA"}
	eve.Properties.Clearances = []authz.Clearance{{
		Scheme: "FRA", Levels: []string{"SECRET"}, Categories: map[string][]string{"special": {"FRANCE"}}, Sponsor: "fra", NotBefore: since, NotAfter: expires,
	}}
	eve.Properties.Session.HighWater = []authz.Label{{
		Scheme: "USA", Level: "SECRET", Categories: none, Nation: []string{}, Handling: []string{}, Alternatives: []authz.Label{},
	}}
	eve.Properties.Cut = []authz.Cut{
		{Claim: "type", Value: "service", Why: "fra does not vouch for subjects of this type"},
		{Claim: "tenant", Value: "us-defense", Why: "fra does not speak for this tenant"},
		{Claim: "affiliation", Value: "tenant/us-defense/USA", Why: "fra does not vouch for this affiliation"},
		{Claim: "nationality", Value: "USA", Why: "fra does not vouch for this nationality"},
		{Claim: "export_status", Value: "us_person", Why: "fra does not vouch for this export_status"},
		{Claim: "community", Value: "logistics", Why: "fra does not vouch for this community"},
		{Claim: "role", Value: "planner", Why: "fra does not vouch for this role"},
		{Claim: "clearance", Value: map[string]any{"scheme": "USA", "level": "SECRET", "categories": map[string][]string{"sci": {"TK"}}}, Why: "fra is no sponsor of USA"},
		{Claim: "clearance", Value: map[string]any{"scheme": "FRA", "level": "TRES SECRET", "categories": none}, Why: "fra vouches in FRA up to SECRET"},
		{Claim: "clearance", Value: map[string]any{"scheme": "NZL", "native": "PERSONNEL-CHECK", "categories": none}, Why: "fra is no sponsor of NZL"},
		{Claim: "clearance", Value: map[string]any{"scheme": "NZL-POLICY", "native": "PERSONNEL-CHECK", "categories": none}, Why: "fra is no sponsor of NZL"},
	}
	eve.Evidence = evidence("fra", shaSigned(tokens["eve"]), `{"subject_type":"service","tenant":"us-defense","affiliation":{"kind":"tenant","organization":"us-defense","country":"USA"},"nationalities":["USA","FRA"],`+
		`"export_status":["us_person"],"communities":["logistics"],"roles":["planner"],"clearances":[{"scheme":"USA","level":"SECRET","categories":{"sci":["TK"]}},`+
		`{"scheme":"FRA","level":"TRES SECRET","categories":{"special":["FRANCE"]}},{"scheme":"NZL","native":"PERSONNEL-CHECK","categories":{}}],"location":"USA",`+
		`"high_water":[{"scheme":"USA","level":"SECRET","categories":{},"release":null,"display":null,"nation":[],"handling":[],"created":null,"alternatives":[]}]}`)

	for name, want := range map[string]authz.Subject{"sam": sam, "gina": gina, "moana": moana, "noah": noah, "olga": olga, "eve": eve} {
		t.Run(name, func(t *testing.T) {
			got, err := w.verifier.Verify(context.Background(), bearer(tokens[name]))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("subject (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClearancesAreCutToTheGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	type clearance = map[string]any
	for _, c := range []struct {
		name    string
		who     string
		claimed []any
		levels  []string // of the clearances that are left, nil if none is
		sci     []string
		cut     []authz.Cut
	}{
		{"a level above the grant's takes the levels above and leaves those below", "sam", []any{clearance{"scheme": "USA", "level": "TOP SECRET"}},
			[]string{"UNCLASSIFIED", "CONFIDENTIAL", "SECRET"}, nil,
			[]authz.Cut{{Claim: "clearance", Value: clearance{"scheme": "USA", "level": "TOP SECRET", "categories": map[string][]string{}}, Why: "usa vouches in USA up to SECRET"}}},
		{"a category outside the grant goes alone", "sam", []any{clearance{"scheme": "USA", "level": "SECRET", "categories": clearance{"sci": []any{"SI", "TK"}}}},
			[]string{"UNCLASSIFIED", "CONFIDENTIAL", "SECRET"}, []string{"TK"},
			[]authz.Cut{{Claim: "clearance", Value: clearance{"scheme": "USA", "level": "SECRET", "categories": map[string][]string{"sci": {"SI"}}}, Why: "usa does not vouch for these categories of USA"}}},
		{"a scheme of another nation goes whole", "gina", []any{clearance{"scheme": "USA", "level": "UNCLASSIFIED"}}, nil, nil,
			[]authz.Cut{{Claim: "clearance", Value: clearance{"scheme": "USA", "level": "UNCLASSIFIED", "categories": map[string][]string{}}, Why: "gbr is no sponsor of USA"}}},
		{"M7: a granted scheme whose nation is neither the issuer's nor relayed goes whatever grant.clearances says", "eve", []any{clearance{"scheme": "USA", "level": "SECRET"}}, nil, nil,
			[]authz.Cut{{Claim: "clearance", Value: clearance{"scheme": "USA", "level": "SECRET", "categories": map[string][]string{}}, Why: "fra is no sponsor of USA"}}},
		{"a scheme of the own nation that the grant does not name goes whole", "noah", []any{clearance{"scheme": "CAN", "level": "CONFIDENTIAL"}}, nil, nil,
			[]authz.Cut{{Claim: "clearance", Value: clearance{"scheme": "CAN", "level": "CONFIDENTIAL", "categories": map[string][]string{}}, Why: "can does not vouch for clearances in CAN"}}},
		{"nothing is left of a native clearance that opens only more than the grant", "sam", []any{clearance{"scheme": "USA", "native": "CODEWORD"}}, nil, nil,
			[]authz.Cut{{Claim: "clearance", Value: clearance{"scheme": "USA", "native": "CODEWORD", "categories": map[string][]string{}}, Why: "usa vouches in USA up to SECRET"}}},
		{"categories beside a native clearance belong to the scheme that was claimed, not to all that it opens", "moana",
			[]any{clearance{"scheme": "NZL", "native": "PERSONNEL-CHECK", "categories": clearance{"compartment": []any{"KIWI"}}}},
			[]string{"RESTRICTED", "IN-CONFIDENCE", "SENSITIVE"}, nil,
			[]authz.Cut{{Claim: "clearance", Value: clearance{"scheme": "NZL", "native": "PERSONNEL-CHECK", "categories": map[string][]string{"compartment": {"KIWI"}}}, Why: "nzl does not vouch for these categories of NZL"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := w.verifier.Verify(context.Background(), bearer(w.token(c.who, map[string]any{"clearances": c.claimed, "tenant": absent, "affiliation": absent, "nationalities": absent,
				"export_status": absent, "communities": absent, "roles": absent, "subject_type": "person"})))
			if err != nil {
				t.Fatal(err)
			}
			var levels, sci []string
			for _, k := range got.Properties.Clearances {
				levels, sci = append(levels, k.Levels...), append(sci, k.Categories["sci"]...)
			}
			if c.levels == nil && len(got.Properties.Clearances) > 0 {
				t.Errorf("a clearance without levels is left: %+v", got.Properties.Clearances)
			}
			if diff := cmp.Diff([]any{c.levels, c.sci, c.cut}, []any{levels, sci, got.Properties.Cut}); diff != "" {
				t.Errorf("levels, categories and cuts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAffiliationIsOneThatTheGrantNamesWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, a := range []authz.Affiliation{
		{Kind: "partner", Organization: "us-defense", Country: "USA"},
		{Kind: "provider", Organization: "us-defense", Country: "USA"},
		{Kind: "tenant", Organization: "fr-space", Country: "USA"},
		{Kind: "tenant", Organization: "us-defense", Country: "GBR"},
	} {
		got, err := w.verifier.Verify(context.Background(), bearer(w.token("sam", map[string]any{"affiliation": a})))
		if err != nil {
			t.Fatal(err)
		}
		want := []authz.Cut{{Claim: "affiliation", Value: a.Kind + "/" + a.Organization + "/" + a.Country, Why: "usa does not vouch for this affiliation"}}
		if diff := cmp.Diff(want, got.Properties.Cut); diff != "" || got.Properties.Affiliation != nil {
			t.Errorf("%v is left as %v, cuts (-want +got):\n%s", a, got.Properties.Affiliation, diff)
		}
	}
}

func ptr[T any](v T) *T { return &v }

func sha(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func shaSigned(token string) string { return sha(token[:strings.LastIndexByte(token, '.')]) }
