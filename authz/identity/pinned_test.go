package identity_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
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
		{"beside a place to fetch them from", `"jwks_uri": "BASE/usa/jwks", "jwks": ` + with("x5t", "a"), "want either jwks, or jwks_uri"},
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

// TestKeysComeFromWhomTheBundleTrusts: where the entry names authorities of the server, only they count, and not those of the machine.
func TestKeysComeFromWhomTheBundleTrusts(t *testing.T) {
	t.Parallel()
	now := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	} // TLS has the machine's clock
	a, other := newAuthority(now), newAuthority(now)
	w := newWorld(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(rw).Encode(map[string]any{"keys": []any{w.keys["usa"].jwk()}})
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{a.server(t)}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	for name, c := range map[string]struct {
		authorities string
		want        string // in the error of Ready; "" is none
	}{
		"the server's authority":  {`"jwks_authorities": [` + text(a.pem) + `], `, ""},
		"two, of which one is it": {`"jwks_authorities": [` + text(other.pem) + `, ` + text(a.pem) + `], `, ""},
		"another authority":       {`"jwks_authorities": [` + text(other.pem) + `], `, "certificate signed by unknown authority"},
		"those of the machine":    {"", "certificate signed by unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			keys := identity.NewKeys(identity.KeysConfig{})
			t.Cleanup(keys.Close)
			tenants := strings.Replace(tenantsDoc, `"jwks_uri": "BASE/usa/jwks"`, c.authorities+`"jwks_uri": "`+server.URL+`"`, 1)
			v, err := identity.New(identity.Config{Tenants: doc(tenants, w.base), Schemes: json.RawMessage(schemesDoc), Audiences: []string{"sallyport"}, Keys: keys, Now: func() time.Time { return noon }})
			must(err)
			for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
				err := keys.Ready()
				if s := keys.States()["usa"]; s.Usable == 1 || s.Failed > 0 && err != nil && strings.Contains(err.Error(), "issuer usa: no usable keys") {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal(err)
				}
			}
			reason, _ := refused(t, v, bearer(w.token("sam")))
			err = keys.Ready()
			if c.want == "" && reason != "" || c.want != "" && (reason != authz.IdentityInvalid || err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("refused for %q, %v", reason, err)
			}
		})
	}
	for members, want := range map[string]string{
		`"jwks_authorities": []`:                              "usa: jwks_authorities: want at least one",
		`"jwks_authorities": ["x"]`:                           "usa: jwks_authorities[0]: want one certificate",
		`"jwks_authorities": [` + text(a.pem+other.pem) + `]`: "usa: jwks_authorities[0]: want one certificate",
	} {
		if _, err := w.entry(members + `, `); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want …%s…", members, err, want)
		}
	}
}
