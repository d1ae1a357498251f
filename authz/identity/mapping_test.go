package identity_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/identity"
)

const coalition = `{"names": {"clearances": "clearance", "nationalities": "citizenship", "communities": "acpCOI", "affiliation.country": "countryOfAffiliation"},
	"fixed": {"subject_type": "person", "tenant": "us-defense", "affiliation": {"kind": "tenant", "organization": "us-defense"}}, "scheme": "USA"}`

// mapped returns a verifier of w's world in which issuer usa says things its own way.
func (w *world) mapped(claims string) (*identity.Verifier, error) {
	return w.entry(`"claims": ` + claims + `, `)
}

// entry returns a verifier of w's world in which the entry of issuer usa has more members.
func (w *world) entry(members string) (*identity.Verifier, error) {
	tenants := strings.Replace(tenantsDoc, `"source": "the synthetic treaty",`, members+`"source": "the synthetic treaty",`, 1)
	return identity.New(identity.Config{
		Tenants: doc(tenants, w.base), Issuers: doc(issuersDoc, w.base), Schemes: json.RawMessage(schemesDoc),
		Audiences: []string{"sallyport"}, Keys: w.issuerKeys, Now: func() time.Time { return w.now },
	})
}

// said is sam's token with nothing but these claims beside the registered ones.
func said(w *world, claims map[string]any) string {
	edit := map[string]any{"acr": absent, "amr": absent, "auth_time": absent}
	for _, name := range []string{"subject_type", "tenant", "affiliation", "nationalities", "export_status", "communities", "roles", "clearances", "location", "high_water"} {
		edit[name] = absent
	}
	return w.token("sam", edit, claims)
}

func TestAnIssuerMaySayItItsOwnWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	us := "us-defense"
	secret := authz.Clearance{
		Scheme: "USA", Levels: []string{"UNCLASSIFIED", "CONFIDENTIAL", "SECRET"}, Categories: map[string][]string{}, Sponsor: "usa",
		NotBefore: authz.At(noon.Add(-90 * time.Second)), NotAfter: authz.At(noon.Add(14 * time.Minute)),
	}
	type who struct {
		Type          string
		Tenant        *string
		Affiliation   *authz.Affiliation
		Nationalities []string
		Communities   []string
		Clearances    []authz.Clearance
		Cut           []string
	}
	usa := &authz.Affiliation{Kind: "tenant", Organization: us, Country: "USA"}
	for _, c := range []struct {
		name   string
		claims map[string]any
		want   who
	}{
		{"texts", map[string]any{"clearance": "SECRET", "citizenship": "USA", "acpCOI": "logistics", "countryOfAffiliation": "USA"},
			who{"person", &us, usa, []string{"USA"}, []string{"logistics"}, []authz.Clearance{secret}, nil}},
		{"lists", map[string]any{"clearance": []string{"SECRET"}, "citizenship": []string{"USA"}, "acpCOI": []string{"logistics"}, "countryOfAffiliation": "USA"},
			who{"person", &us, usa, []string{"USA"}, []string{"logistics"}, []authz.Clearance{secret}, nil}},
		{"a clearance as an object", map[string]any{"clearance": []any{map[string]any{"scheme": "USA", "level": "SECRET"}}, "countryOfAffiliation": "USA"},
			who{"person", &us, usa, []string{}, []string{}, []authz.Clearance{secret}, nil}},
		{"nothing", nil, who{"person", &us, nil, []string{}, []string{}, []authz.Clearance{}, nil}},
		{"more than the grant", map[string]any{"clearance": "TOP SECRET", "citizenship": []string{"USA", "FRA"}, "acpCOI": "FVEY", "countryOfAffiliation": "FRA"},
			who{"person", &us, nil, []string{"USA"}, []string{}, []authz.Clearance{secret}, []string{"affiliation", "nationality", "community", "clearance"}}},
		{"a native word beyond the grant", map[string]any{"clearance": "CODEWORD"},
			who{"person", &us, nil, []string{}, []string{}, []authz.Clearance{}, []string{"clearance"}}},
		{"our names, which mean nothing in its tokens", map[string]any{"clearances": "x", "nationalities": 7, "communities": "logistics", "tenant": "fr-space", "affiliation": 1, "subject_type": "device"},
			who{"person", &us, nil, []string{}, []string{}, []authz.Clearance{}, nil}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v, err := w.mapped(coalition)
			if err != nil {
				t.Fatal(err)
			}
			s := subjectOf(t, v, said(w, c.claims))
			p := s.Properties
			got := who{s.Type, p.Tenant, p.Affiliation, p.Nationalities, p.Communities, p.Clearances, nil}
			for _, cut := range p.Cut {
				got.Cut = append(got.Cut, cut.Claim)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnIssuerThatMayNotOverclaimIsRefusedWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, err := w.entry(`"beyond_grant": "refuse", `)
	if err != nil {
		t.Fatal(err)
	}
	top := map[string]any{"clearances": []any{map[string]any{"scheme": "USA", "level": "TOP SECRET"}}}
	if got, detail := refused(t, v, bearer(w.token("sam", top))); got != authz.IdentityIssuer || !strings.Contains(detail, "claims beyond the grant: clearance") {
		t.Errorf("refused for %q (%s), want %q", got, detail, authz.IdentityIssuer)
	}
	if got, detail := refused(t, v, bearer(w.token("sam"))); got != "" {
		t.Errorf("within the grant sam is refused for %q: %s", got, detail)
	}
	if got, detail := refused(t, w.verifier, bearer(w.token("sam", top))); got != "" {
		t.Errorf("where the entry says nothing, sam is refused for %q: %s", got, detail)
	}
	if _, err := w.entry(`"beyond_grant": "allow", `); err == nil || !strings.Contains(err.Error(), "usa: beyond_grant") {
		t.Errorf("error %v", err)
	}
}

func TestWhatAnIssuerSaysItsOwnWayIsAsStrict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, err := w.mapped(coalition)
	if err != nil {
		t.Fatal(err)
	}
	for name, claims := range map[string]map[string]any{
		"a level that the scheme does not have": {"clearance": "TOP_SECRET"},
		"a number for a clearance":              {"clearance": 3},
		"a country in other letters":            {"citizenship": "us"},
		"two countries of affiliation":          {"countryOfAffiliation": []string{"USA", "FRA"}},
		"an object for a list":                  {"acpCOI": map[string]any{}},
	} {
		if got, detail := refused(t, v, bearer(said(w, claims))); got != authz.IdentityInvalid {
			t.Errorf("%s: refused for %q (%s), want %q", name, got, detail, authz.IdentityInvalid)
		}
	}
}

func TestAMappingThatCouldHideSomethingIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct{ claims, want string }{
		"an unknown claim":                 {`{"names": {"clearence": "x"}}`, "claims.names.clearence: want"},
		"an empty name":                    {`{"names": {"roles": ""}}`, "claims.names.roles: want"},
		"a registered claim":               {`{"names": {"sub": "email"}}`, "claims.names.sub: want"},
		"a claim both mapped and fixed":    {`{"names": {"tenant": "org"}, "fixed": {"tenant": "us-defense"}}`, "claims.names.tenant: want"},
		"a fixed clearance":                {`{"fixed": {"clearances": []}}`, "claims.fixed.clearances: want only"},
		"a fixed nationality":              {`{"fixed": {"nationalities": ["USA"]}}`, "claims.fixed.nationalities: want only"},
		"a fixed place":                    {`{"fixed": {"location": "USA"}}`, "claims.fixed.location: want only"},
		"a fixed type that is none":        {`{"fixed": {"subject_type": "robot"}}`, "claims.fixed: subject_type"},
		"an affiliation without a kind":    {`{"names": {"affiliation.country": "c"}, "fixed": {"affiliation": {"organization": "x"}}}`, "claims.fixed: affiliation.kind"},
		"a country and no affiliation":     {`{"names": {"affiliation.country": "c"}}`, "claims.fixed: affiliation.kind"},
		"a fixed affiliation, not in full": {`{"fixed": {"affiliation": {"kind": "tenant", "organization": "x"}}}`, "claims.fixed: affiliation.country"},
		"a scheme that there is not":       {`{"scheme": "XXX"}`, `claims.scheme: "XXX" is unknown`},
		"an unknown member":                {`{"default": {}}`, `unknown field "default"`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := w.mapped(c.claims); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want …%s…", err, c.want)
			}
		})
	}
}
