package identity_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/identity"
)

// gbrEntry is the issuer gbr as us-defense's part has it.
var gbrEntry = tenantsDoc[strings.Index(tenantsDoc, `"gbr": {"issuer"`):strings.Index(tenantsDoc, `}}},
  "fr-space"`)] + "}, "

// TestBadDocumentsAreRefusedByName changes one thing in documents that are good.
func TestBadDocumentsAreRefusedByName(t *testing.T) {
	t.Parallel()
	const base = "https://issuers.test"
	for _, c := range []struct{ name, old, new, want string }{
		{"a misspelt member of a grant", `"nationalities": ["GBR"]`, `"natoinalities": ["GBR"]`, `tenants.us-defense.issuers: gbr: json: unknown field "natoinalities"`},
		{"a member of another type", `"nationalities": ["GBR"]`, `"nationalities": "GBR"`, `tenants.us-defense.issuers: gbr: json: cannot unmarshal string`},
		{"no issuer", `"issuer": "BASE/gbr", `, ``, "gbr: issuer: want the exact iss"},
		{"one iss of two ids", `"issuer": "BASE/gbr"`, `"issuer": "BASE/provider"`, "gbr: issuer: \"https://issuers.test/provider\" is also that of provider"},
		{"keys over http from another machine", `"jwks_uri": "BASE/gbr/jwks"`, `"jwks_uri": "http://gbr.test/jwks"`, `gbr: jwks_uri: "http://gbr.test/jwks": want https`},
		{"keys over http from a name that begins like loopback", `"jwks_uri": "BASE/gbr/jwks"`, `"jwks_uri": "http://127.0.0.1.evil.test/jwks"`, "want https"},
		{"keys over http from another address after loopback as user", `"jwks_uri": "BASE/gbr/jwks"`, `"jwks_uri": "http://127.0.0.1@evil.test/jwks"`, "without user"},
		{"keys from a file", `"jwks_uri": "BASE/gbr/jwks"`, `"jwks_uri": "file:///etc/jwks"`, "gbr: jwks_uri"},
		{"a symmetric algorithm", `"PS384", "EdDSA"`, `"HS256", "EdDSA"`, `usa: algorithms: "HS256" is none of`},
		{"no algorithm", `"algorithms": ["ES256", "ES384", "PS256", "PS384", "EdDSA", "RS256"]`, `"algorithms": []`, "usa: algorithms: want at least one"},
		{"no type", `"algorithms": ["ES256", "ES384", "PS256", "PS384", "EdDSA", "RS256"], "types": ["at+jwt"]`, `"algorithms": ["ES256"]`, "usa: types"},
		{"no end to a token's life", `"types": ["at+jwt"], "max_lifetime_seconds": 3600,
        "source"`, `"types": ["at+jwt"], "source"`, "usa: max_lifetime_seconds: want 1 to 86400, have 0"},
		{"a part that speaks for another tenant", `"tenants": ["fr-space"]`, `"tenants": ["us-defense"]`, `tenants.fr-space.issuers: fra: grant.tenants: "us-defense" is not fr-space`},
		{"a root issuer that speaks for a tenant", `"nations": [], "tenants": []`, `"nations": [], "tenants": ["us-defense"]`, "issuers: provider: grant.tenants"},
		{"a part that makes operators of the provider", `"kind": "partner"`, `"kind": "provider"`, "gbr: grant.affiliations[0].kind: provider stands only in the root"},
		{"an unknown kind of affiliation", `"kind": "partner"`, `"kind": "friend"`, "gbr: grant.affiliations[0].kind"},
		{"a country in lower case", `"countries": ["GBR"]`, `"countries": ["gbr"]`, "gbr: grant.affiliations[0].countries"},
		{"a nation that is none", `"nations": ["GBR"]`, `"nations": ["UK"]`, `gbr: grant.nations: "UK"`},
		{"a nationality that is none", `"nationalities": ["GBR"]`, `"nationalities": ["GBR,USA"]`, "gbr: grant.nationalities"},
		{"an unknown subject type", `"nations": ["GBR"], "tenants": [], "types": ["person"]`, `"nations": ["GBR"], "tenants": [], "types": ["root"]`, "gbr: grant.types"},
		{"a clearance of an unknown scheme", `{"scheme": "GBR", "level": "SECRET"}`, `{"scheme": "UK", "level": "SECRET"}`, `gbr: grant.clearances[0].scheme: "UK"`},
		{"two clearances of one scheme", `{"scheme": "GBR", "level": "SECRET"}`, `{"scheme": "GBR", "level": "SECRET"}, {"scheme": "GBR", "level": "OFFICIAL"}`, "gbr: grant.clearances[1].scheme"},
		{"a clearance without level", `{"scheme": "GBR", "level": "SECRET"}`, `{"scheme": "GBR"}`, "gbr: grant.clearances[0].level"},
		{"a clearance of an unknown level", `{"scheme": "GBR", "level": "SECRET"}`, `{"scheme": "GBR", "level": "TOP SECRET"}`, "gbr: grant.clearances[0]: a level"},
		{"a clearance of an unknown category", `"categories": {"sci": ["TK"]}}]}},`, `"categories": {"sci": ["HCS"]}}]}},`, "usa: grant.clearances[0]: a category"},
		{"a relay for no nation", `"relay": {"USA": "usa"}`, `"relay": {"us": "usa"}`, "provider: grant.relay"},
		{"an id that could hold another's sub", `"gbr": {"issuer"`, `"gbr|x": {"issuer"`, "gbr|x: id"},
		{"one id with two entries", `"fra": {"issuer"`, strings.Replace(gbrEntry, "3600", "60", 1) + `"fra": {"issuer"`, "tenants.us-defense.issuers: gbr: another part has a different entry"},
		{"a tenant that does not say whether sessions are tracked", `"sessions": {"tracked": true}`, `"sessions": {}`, "tenants.us-defense.tenant.sessions.tracked: missing"},
		{"tenants that are a list", tenantsDoc, `[]`, "tenants: json"},
		{"issuers that are a list", issuersDoc, `[]`, "issuers: want an object"},
		{"schemes that are a list", schemesDoc, `[]`, "schemes: json"},
		{"a scheme of no nation", `"nation": "GBR", `, ``, "schemes: GBR: nation"},
		{"a level twice", `{"id": "OFFICIAL", "hierarchy": 1}`, `{"id": "SECRET", "hierarchy": 1}`, "schemes: GBR: levels"},
		{"a native clearance that opens another nation's scheme", `"opens": {"NZL": ["RESTRICTED"]`, `"opens": {"USA": ["SECRET"]`, "schemes: NZL: native_clearances.PERSONNEL-CHECK opens \"USA\""},
		{"a native clearance that opens an unknown level", `"opens": {"NZL": ["RESTRICTED"]`, `"opens": {"NZL": ["SECRET"]`, "schemes: NZL: native_clearances.PERSONNEL-CHECK opens \"SECRET\""},
		{"a value of a tag set that is a number", `"values": ["TK", "SI"]`, `"values": [1]`, "schemes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed := 0
			edit := func(s string) json.RawMessage {
				changed += strings.Count(s, c.old)
				return doc(strings.Replace(s, c.old, c.new, 1), base)
			}
			_, err := identity.New(identity.Config{Tenants: edit(tenantsDoc), Issuers: edit(issuersDoc), Schemes: edit(schemesDoc)})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want …%s…", err, c.want)
			}
			if changed != 1 {
				t.Errorf("the row changes %d places, want one", changed)
			}
		})
	}
}

func TestSameEntryInTwoPartsIsOneIssuer(t *testing.T) {
	t.Parallel()
	two := strings.Replace(tenantsDoc, `"fra": {"issuer"`, gbrEntry+`"fra": {"issuer"`, 1)
	if _, err := identity.New(identity.Config{Tenants: doc(two, "https://issuers.test"), Issuers: doc(issuersDoc, "https://issuers.test"), Schemes: []byte(schemesDoc)}); err != nil {
		t.Error(err)
	}
}

func TestKeysMayComeOverHTTPFromLoopback(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"http://127.0.0.1:9400", "http://127.9.9.9", "http://[::1]:9400", "http://localhost:9400"} {
		if _, err := identity.New(identity.Config{Issuers: doc(issuersDoc, base), Schemes: []byte(schemesDoc)}); err != nil {
			t.Errorf("%s: %v", base, err)
		}
	}
}

func TestWithoutKeysNoTokenVerifies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, err := identity.New(identity.Config{Tenants: doc(tenantsDoc, w.base), Issuers: doc(issuersDoc, w.base), Schemes: []byte(schemesDoc), Audiences: []string{"sallyport"}})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := refused(t, v, bearer(w.token("gina"))); got != authz.IdentityInvalid {
		t.Errorf("refused for %q", got)
	}
}
