package road_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/conformance/keycloak"
)

const realm = "us-defense"

// identityProvider is a Keycloak with the realm of deploy/keycloak.
type identityProvider struct {
	*keycloak.Keycloak
}

// newIdentityProvider starts one that ends with the test. Where it can't be had, the test is skipped.
func newIdentityProvider(t *testing.T) identityProvider {
	t.Helper()
	real(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	home, err := keycloak.Ensure(ctx, toolsDir, os.Stdout)
	if err != nil {
		fmt.Println("SKIP: the real suite: Keycloak, 1 test:", err)
		if os.Getenv("REQUIRE_REAL") == "1" {
			t.Fatal("REQUIRE_REAL=1, but Keycloak can't be had: ", err)
		}
		t.Skip("Keycloak: ", err)
	}
	log := &said{}
	began := time.Now()
	k, err := keycloak.Start(ctx, home, t.TempDir(), log)
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	t.Cleanup(func() { k.Stop(syscall.SIGKILL) })
	t.Logf("Keycloak started in %v", time.Since(began).Round(time.Millisecond))
	p := identityProvider{k}
	p.admin(t, http.MethodPost, "", p.realm(t), http.StatusCreated)
	return p
}

// realm returns deploy/keycloak's realm.
func (identityProvider) realm(t *testing.T) json.RawMessage {
	t.Helper()
	b, err := os.ReadFile("../../deploy/keycloak/realm.json")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// admin asks the admin API for a path below its realms, and wants a status.
func (p identityProvider) admin(t *testing.T, method, path string, body any, want int) []byte {
	t.Helper()
	var master tokens
	p.form(t, "master", url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"}, "password": {p.Password}}, nil, &master)
	a := ask(t, p.URL+"/admin/realms", request{method: method, path: path, body: string(marshal(t, body)),
		header: map[string]string{"Authorization": "Bearer " + master.Access, "Content-Type": "application/json"}})
	if a.status != want {
		t.Fatalf("%s %s: %d, want %d: %s", method, path, a.status, want, a.body)
	}
	return []byte(a.body)
}

// form posts to a realm's token endpoint and returns the status.
func (p identityProvider) form(t *testing.T, realm string, values url.Values, header map[string]string, into any) int {
	t.Helper()
	h := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	for name, value := range header {
		h[name] = value
	}
	a := ask(t, p.URL+"/realms/"+realm+"/protocol/openid-connect", request{method: http.MethodPost, path: "/token", body: values.Encode(), header: h})
	if a.status == http.StatusOK {
		if err := json.Unmarshal([]byte(a.body), into); err != nil {
			t.Fatal(err)
		}
	}
	return a.status
}

// person adds somebody, whose password is his name, with what an admin says of him.
func (p identityProvider) person(t *testing.T, realm, name string, attributes map[string][]string) {
	t.Helper()
	p.admin(t, http.MethodPost, "/"+realm+"/users", map[string]any{
		"username": name, "enabled": true, "email": name + "@example.org", "emailVerified": true, "firstName": name, "lastName": "Doe",
		"attributes": attributes, "credentials": []any{map[string]any{"type": "password", "value": name, "temporary": false}},
	}, http.StatusCreated)
}

// tokens is what a login yields.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

var loginForm = regexp.MustCompile(`action="([^"]+)"`)

// login is the authorization code flow with PKCE, as a browser goes through it.
func (p identityProvider) login(t *testing.T, realm, client, redirect, name string, header map[string]string) tokens {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: plainJar{jar}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	send := func(resp *http.Response, err error) (*http.Response, string) {
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(b)
	}
	verifier := strings.Repeat(unique(), 4)
	challenge := sha256.Sum256([]byte(verifier))
	_, page := send(browser.Get(p.URL + "/realms/" + realm + "/protocol/openid-connect/auth?" + url.Values{
		"client_id": {client}, "redirect_uri": {redirect}, "response_type": {"code"}, "scope": {"openid"}, "state": {unique()},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode()))
	action := loginForm.FindStringSubmatch(page)
	if action == nil {
		t.Fatalf("no login form in:\n%s", page)
	}
	resp, page := send(browser.PostForm(html.UnescapeString(action[1]), url.Values{"username": {name}, "password": {name}}))
	back, err := resp.Location()
	if err != nil || back.Query().Get("code") == "" {
		t.Fatalf("%s does not come in: %s, %v, %v\n%s", name, resp.Status, back, err, page)
	}
	var got tokens
	status := p.form(t, realm, url.Values{"grant_type": {"authorization_code"}, "client_id": {client}, "redirect_uri": {redirect},
		"code": {back.Query().Get("code")}, "code_verifier": {verifier}}, header, &got)
	if status != http.StatusOK {
		t.Fatalf("%s gets no token: %d", name, status)
	}
	return got
}

// plainJar keeps Keycloak's cookies, which are for secure places, of which a browser takes loopback for one.
type plainJar struct{ *cookiejar.Jar }

// SetCookies implements http.CookieJar.
func (j plainJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	for _, c := range cookies {
		c.Secure = false
	}
	j.Jar.SetCookies(u, cookies)
}

// storageClient is the realm's client for those who want to come to storage and compute.
const storageClient, storageRedirect = "storage", "http://127.0.0.1/callback"

func (p identityProvider) token(t *testing.T, name string) string {
	t.Helper()
	return p.login(t, realm, storageClient, storageRedirect, name, nil).Access
}

// addKey gives the realm another key, which is published and does not sign yet, and returns its kid.
func (p identityProvider) addKey(t *testing.T, name string) (kid string) {
	t.Helper()
	before := p.kids(t)
	p.admin(t, http.MethodPost, "/"+realm+"/components", map[string]any{
		"name": name, "providerId": "ecdsa-generated", "providerType": "org.keycloak.keys.KeyProvider",
		"config": map[string][]string{"priority": {"200"}, "ecdsaEllipticCurveKey": {"P-256"}, "enabled": {"true"}, "active": {"false"}},
	}, http.StatusCreated)
	for _, kid := range p.kids(t) {
		if !slices.Contains(before, kid) {
			return kid
		}
	}
	t.Fatalf("the realm publishes no new key beside %v", before)
	return ""
}

// setKey sets whether the realm signs with a key (active), or knows it at all (enabled).
func (p identityProvider) setKey(t *testing.T, name, what, value string) {
	t.Helper()
	var found []map[string]any
	if err := json.Unmarshal(p.admin(t, http.MethodGet, "/"+realm+"/components?name="+name, nil, http.StatusOK), &found); err != nil || len(found) != 1 {
		t.Fatalf("key %s: %d of that name, %v", name, len(found), err)
	}
	config, ok := found[0]["config"].(map[string]any)
	if !ok {
		t.Fatalf("key %s: %v", name, found[0])
	}
	config[what] = []string{value}
	p.admin(t, http.MethodPut, "/"+realm+"/components/"+fmt.Sprint(found[0]["id"]), found[0], http.StatusNoContent)
}

// kids are the keys that the realm publishes.
func (p identityProvider) kids(t *testing.T) (kids []string) {
	t.Helper()
	a := ask(t, p.URL+"/realms/"+realm+"/protocol/openid-connect", request{method: http.MethodGet, path: "/certs"})
	var set struct{ Keys []struct{ KID string } }
	if err := json.Unmarshal([]byte(a.body), &set); err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Keys {
		kids = append(kids, k.KID)
	}
	return kids
}

// underUnknownKey is a token that names a key which nobody publishes.
func (identityProvider) underUnknownKey(t *testing.T, token string) string {
	t.Helper()
	_, payload, signature := split(token)
	return encode(marshal(t, map[string]any{"alg": "ES256", "typ": "at+jwt", "kid": unique()})) + "." + payload + "." + signature
}

// decode returns a part of a compact token.
func decode(t *testing.T, part string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
