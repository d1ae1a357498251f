package identity_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/identity"
)

// TestKeysInTheBundleNeedNoNetwork: an issuer whose keys are pinned works offline for as long as the bundle does, and only with them.
func TestKeysInTheBundleNeedNoNetwork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	set := text(map[string]any{"keys": []any{w.keys["usa"].jwk()}})
	w.edit(t, `"jwks_uri": "BASE/usa/jwks"`, `"jwks": `+set)
	w.issuerKeys.Use(w.verifier)
	for _, later := range []time.Duration{0, 48 * time.Hour, 365 * 24 * time.Hour} {
		w.now = noon.Add(later)
		if reason, detail := refused(t, w.verifier, bearer(w.token("sam"))); reason != "" {
			t.Errorf("after %v: refused for %q: %s", later, reason, detail)
		}
	}
	other := newECKey("k2") // of the set that the issuer publishes
	if reason, detail := refused(t, w.verifier, bearer(other.sign(`{"alg":"ES256","kid":"k2","typ":"at+jwt"}`, text(w.claims("sam"))))); reason != authz.IdentityInvalid || !strings.Contains(detail, "unknown kid") {
		t.Errorf("a key that is not pinned: refused for %q: %s", reason, detail)
	}
	got := w.issuerKeys.States()["usa"]
	if want := (identity.KeyState{Usable: 1}); got != want {
		t.Errorf("state %+v, want %+v: no fetch and no age", got, want)
	}
	next := newECKey("k2")
	w.edit(t, `"jwks_uri": "BASE/usa/jwks"`, `"jwks": `+text(map[string]any{"keys": []any{next.jwk()}}))
	if reason, _ := refused(t, w.verifier, bearer(w.token("sam"))); reason != authz.IdentityInvalid {
		t.Errorf("a bundle that pins another key: refused for %q", reason)
	}
}

func TestPinnedKeysThatCanNotBeUsedAreAMistake(t *testing.T) {
	t.Parallel()
	k := newECKey("k1").jwk()
	with := func(name string, value any) string {
		return text(map[string]any{"keys": []any{merged(k, name, value)}})
	}
	for _, c := range []struct{ name, members, want string }{
		{"beside a place to fetch them from", `"jwks_uri": "BASE/usa/jwks", "jwks": ` + with("x5t", "a"), "want either jwks_uri or jwks"},
		{"no set", `"jwks": []`, "usa: jwks: not a JWK set"},
		{"an empty set", `"jwks": {"keys": []}`, "usa: jwks: want at least one key"},
		{"a private key", `"jwks": ` + with("d", "AAAA"), "usa: jwks: keys[0] \"k1\": holds the private member d"},
		{"a key for encryption", `"jwks": ` + with("use", "enc"), "use is not sig"},
		{"a key of an algorithm that is not listed", `"jwks": ` + with("alg", "HS256"), "does not fit"},
		{"neither", `"jwks_uri": ""`, "usa: jwks_uri"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tenants := strings.Replace(tenantsDoc, `"jwks_uri": "BASE/usa/jwks"`, c.members, 1)
			_, err := identity.New(identity.Config{Tenants: doc(tenants, "https://issuers.test"), Issuers: doc(issuersDoc, "https://issuers.test"), Schemes: json.RawMessage(schemesDoc)})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want …%s…", err, c.want)
			}
		})
	}
}

// TestATokenNamesTheAudienceOfItsIssuersEntry: an issuer that calls the gateway by another name says so in the bundle, and then only
// that name counts.
func TestATokenNamesTheAudienceOfItsIssuersEntry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit(t, `"source": "the synthetic treaty",`, `"audiences": ["api://8f1", "api://sallyport"], "source": "the synthetic treaty",`)
	for aud, want := range map[string]authz.Reason{"api://8f1": "", "api://sallyport": "", "sallyport": authz.IdentityInvalid, "api://8F1": authz.IdentityInvalid, "iad-1": authz.IdentityInvalid} {
		if reason, detail := refused(t, w.verifier, bearer(w.token("sam", map[string]any{"aud": aud}))); reason != want {
			t.Errorf("%s: refused for %q: %s; want %q", aud, reason, detail, want)
		}
	}
	if reason, detail := refused(t, w.verifier, bearer(w.token("gina"))); reason != "" {
		t.Errorf("another issuer's token: refused for %q: %s", reason, detail)
	}
	if _, err := w.entry(`"audiences": [""], `); err == nil || !strings.Contains(err.Error(), "usa: audiences[0]") {
		t.Errorf("an empty audience: %v", err)
	}
}
