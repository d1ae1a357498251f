package road_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
)

// trust adds the realm's entry to us-defense's part, as deploy/keycloak has it, and starts the gateway with it and a file of denials.
func (w *world) trust(t *testing.T, p identityProvider) (denials string) {
	t.Helper()
	entry, err := os.ReadFile("../../deploy/keycloak/issuer.yaml")
	if err != nil {
		t.Fatal(err)
	}
	w.edit(t, func(issuers string) string {
		return issuers + strings.ReplaceAll(string(entry), "http://127.0.0.1:8080", p.URL)
	})
	denials = filepath.Join(t.TempDir(), "denials")
	if err := os.WriteFile(denials, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(w.Config())
	if err != nil {
		t.Fatal(err)
	}
	config = bytes.Replace(config, []byte("bundle:\n"), []byte("bundle:\n  denials_file: "+denials+"\n"), 1)
	if err := os.WriteFile(w.Config(), config, 0o600); err != nil {
		t.Fatal(err)
	}
	w.back(t, "sallyport", w.signal(t, "sallyport", syscall.SIGTERM))
	return denials
}

// reads asks for an object with a token.
func (w *world) reads(t *testing.T, path, token string) answer {
	t.Helper()
	return w.ask(t, request{method: http.MethodGet, path: path, header: map[string]string{"Authorization": "Bearer " + token}})
}

// eventually asks until the outcome is as wanted.
func (w *world) eventually(t *testing.T, within time.Duration, ask func() answer, want outcome) {
	t.Helper()
	began := time.Now()
	for {
		a := ask()
		if cmp.Equal(want, w.outcome(t, a)) {
			t.Logf("after %v", time.Since(began).Round(10*time.Millisecond))
			return
		}
		if time.Since(began) > within {
			w.check(t, a, want)
			return
		}
		time.Sleep(time.Second)
	}
}

// cuts are what was cut from the subject of a decision, by claim and value, as its record says.
func (w *world) cuts(t *testing.T, a answer) []string {
	t.Helper()
	records, _, err := w.traces.of(a.decision())
	if err != nil || len(records) == 0 || len(records[0].Accesses) == 0 {
		t.Fatalf("no access is recorded of %q: %v", a.decision(), err)
	}
	var in struct{ Subject authz.Subject }
	if err := json.Unmarshal(records[0].Accesses[0].Input, &in); err != nil {
		t.Fatal(err)
	}
	var cuts []string
	for _, c := range in.Subject.Properties.Cut {
		cuts = append(cuts, fmt.Sprint(c.Claim, " ", string(marshal(t, c.Value))))
	}
	return cuts
}

// clearanceOf is what a token says of its person.
func clearanceOf(t *testing.T, token string) []string {
	t.Helper()
	_, payload, _ := split(token)
	var c struct{ Clearance []string }
	if err := json.Unmarshal(decode(t, payload), &c); err != nil {
		t.Fatal(err)
	}
	return c.Clearance
}

func TestTokensOfARealKeycloakDecideAsItsRealmSays(t *testing.T) {
	t.Parallel()
	p := newIdentityProvider(t)
	says := func(edits map[string][]string) map[string][]string {
		a := map[string][]string{"clearance": {"SECRET"}, "citizenship": {"USA"}, "countryOfAffiliation": {"USA"}}
		maps.Copy(a, edits)
		return a
	}
	people := map[string]struct {
		attributes map[string][]string
		want       outcome
		cut        []string
	}{
		"alex":  {says(nil), served, nil},
		"kim":   {says(map[string][]string{"clearance": {"CONFIDENTIAL"}}), belowPlans, nil},
		"casey": {says(map[string][]string{"acpCOI": {"orion", "gemini"}}), served, []string{`community "gemini"`}},
		"toni":  {says(map[string][]string{"clearance": {"TOP SECRET"}}), denied("clearance.issuer", usDefense), []string{"clearance"}},
		"jo":    {says(map[string][]string{"citizenship": {"USA", "FRA"}}), denied("identity.issuer", usDefense), []string{`nationality "FRA"`}},
		"noor":  {says(map[string][]string{"countryOfAffiliation": {"FRA"}}), denied("identity.issuer", usDefense), []string{"affiliation"}},
		"new":   {nil, denied("personnel.eligibility + personnel.unapproved + tenant.mismatch", usDefense), nil},
	}
	for name, who := range people {
		p.person(t, realm, name, who.attributes)
	}
	w := newWorld(t)
	denials := w.trust(t, p)
	for name, who := range people {
		t.Run(name, func(t *testing.T) {
			a := w.reads(t, welcome, p.token(t, name))
			w.check(t, a, who.want)
			cuts := w.cuts(t, a)
			if len(cuts) != len(who.cut) || slices.ContainsFunc(who.cut, func(c string) bool { return !strings.HasPrefix(cuts[0], c) }) {
				t.Errorf("cut is %q, want %q", cuts, who.cut)
			}
		})
	}
	alex := p.token(t, "alex")

	t.Run("a token that the client binds to its key", func(t *testing.T) {
		key := newHolder(t)
		bound := p.login(t, realm, storageClient, storageRedirect, "alex", map[string]string{
			"DPoP": key.proof(t, http.MethodPost, p.URL+"/realms/"+realm+"/protocol/openid-connect/token", "")}).Access
		proof := key.proof(t, http.MethodGet, w.url(w.ports.Storage)+welcome, bound)
		get := func(header map[string]string) answer {
			return w.ask(t, request{method: http.MethodGet, path: welcome, header: header})
		}
		w.check(t, get(presents(bound, proof)), served)
		w.check(t, get(presents(bound, proof)), stolen)
		w.check(t, get(map[string]string{"Authorization": "Bearer " + bound}), stolen)
	})

	t.Run("a token that ends", func(t *testing.T) {
		p.admin(t, http.MethodPut, "/"+realm, map[string]any{"accessTokenLifespan": 2}, http.StatusNoContent)
		short := p.token(t, "alex")
		p.admin(t, http.MethodPut, "/"+realm, map[string]any{"accessTokenLifespan": 300}, http.StatusNoContent)
		w.eventually(t, 10*time.Second, func() answer { return w.reads(t, welcome, short) }, refused("identity.expired"))
	})

	t.Run("a logout", func(t *testing.T) {
		session := p.login(t, realm, storageClient, storageRedirect, "casey", nil)
		refresh := url.Values{"grant_type": {"refresh_token"}, "client_id": {storageClient}, "refresh_token": {session.Refresh}}
		var next tokens
		if status := p.form(t, realm, refresh, nil, &next); status != http.StatusOK {
			t.Fatalf("no refresh before the logout: %d", status)
		}
		a := ask(t, p.URL+"/realms/"+realm+"/protocol/openid-connect", request{method: http.MethodPost, path: "/logout",
			body:   url.Values{"client_id": {storageClient}, "refresh_token": {next.Refresh}}.Encode(),
			header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}})
		if a.status != http.StatusNoContent {
			t.Fatalf("logout: %d: %s", a.status, a.body)
		}
		refresh.Set("refresh_token", next.Refresh)
		if status := p.form(t, realm, refresh, nil, &tokens{}); status != http.StatusBadRequest {
			t.Errorf("refresh after the logout: %d, want 400", status)
		}
		// Nobody asks Keycloak about a token, so the one in hand counts until it ends, or is on the list of denials.
		got := w.reads(t, welcome, next.Access)
		w.check(t, got, served)
		records, _, err := w.traces.of(got.decision())
		if err != nil {
			t.Fatal(err)
		}
		line := marshal(t, map[string]any{"serial": 1, "token": "keycloak|" + records[0].Subject.Evidence.TokenDigest})
		if err := os.WriteFile(denials, append(line, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
		w.eventually(t, 10*time.Second, func() answer { return w.reads(t, welcome, next.Access) }, refused("identity.revoked"))
		w.check(t, w.reads(t, welcome, alex), served)
	})

	t.Run("nobody raises his own clearance", p.nobodyRaisesHisOwnClearance)

	t.Run("a key that is replaced", func(t *testing.T) {
		signedBy := func(token string) string {
			header, _, _ := split(token)
			var h struct{ KID string }
			if err := json.Unmarshal(decode(t, header), &h); err != nil {
				t.Fatal(err)
			}
			return h.KID
		}
		old, next := signedBy(alex), p.addKey(t, "next")
		if kid := signedBy(p.token(t, "kim")); kid != old {
			t.Errorf("a key that is not active signs: %s", kid)
		}
		p.setKey(t, "next", "active", "true")
		fresh := p.token(t, "alex")
		if kid := signedBy(fresh); kid != next {
			t.Fatalf("the new token is signed by %s, want %s", kid, next)
		}
		w.check(t, w.reads(t, welcome, alex), served)
		// The first token under an unknown key has the keys fetched again, at most 30 s after the last time.
		w.eventually(t, time.Minute, func() answer { return w.reads(t, welcome, fresh) }, served)
		w.check(t, w.reads(t, welcome, alex), served)
		p.setKey(t, "es256", "enabled", "false")
		unknown := p.underUnknownKey(t, fresh)
		w.eventually(t, time.Minute, func() answer {
			w.reads(t, welcome, unknown)
			return w.reads(t, welcome, alex)
		}, refused("identity.invalid"))
		w.check(t, w.reads(t, welcome, fresh), served)
		alex = fresh
	})

	t.Run("a Keycloak that is away", func(t *testing.T) {
		kim := p.token(t, "kim")
		p.Stop(syscall.SIGKILL)
		w.check(t, w.reads(t, welcome, alex), served)
		w.check(t, w.reads(t, welcome, kim), belowPlans) // proven by a key of before
		unknown := p.underUnknownKey(t, alex)
		began := time.Now()
		w.check(t, w.reads(t, welcome, unknown), refused("identity.invalid"))
		if took := time.Since(began); took > time.Second {
			t.Errorf("the refusal of an unknown key took %v: it waited for Keycloak", took)
		}
	})
	if err := w.settle(); err != nil {
		t.Error(err)
	}
}

// nobodyRaisesHisOwnClearance tries it in the realm that is shipped, and in one that lets him: there it must work, or the test shows
// nothing.
func (p identityProvider) nobodyRaisesHisOwnClearance(t *testing.T) {
	const open = "open"
	b := bytes.ReplaceAll(p.realm(t), []byte(`"realm": "us-defense"`), []byte(`"realm": "`+open+`"`))
	careless := bytes.ReplaceAll(b, []byte(`\"edit\":[\"admin\"]`), []byte(`\"edit\":[\"admin\",\"user\"]`))
	if bytes.Equal(b, careless) {
		t.Fatal("the realm has no attribute that only an admin may edit")
	}
	p.admin(t, http.MethodPost, "", json.RawMessage(careless), http.StatusCreated)
	for _, c := range []struct {
		realm string
		want  []string
	}{{realm, []string{"CONFIDENTIAL"}}, {open, []string{"SECRET"}}} {
		t.Run(c.realm, func(t *testing.T) {
			p.person(t, c.realm, "ike", map[string][]string{"clearance": {"CONFIDENTIAL"}, "citizenship": {"USA"}, "countryOfAffiliation": {"USA"}})
			account := p.URL + "/realms/" + c.realm + "/account/"
			header := map[string]string{"Content-Type": "application/json", "Accept": "application/json",
				"Authorization": "Bearer " + p.login(t, c.realm, "account-console", account, "ike", nil).Access}
			post := func(lastName string, attributes map[string][]string) int {
				profile := map[string]any{"username": "ike", "email": "ike@example.org", "firstName": "ike", "lastName": lastName, "attributes": attributes}
				return ask(t, account, request{method: http.MethodPost, body: string(marshal(t, profile)), header: header}).status
			}
			own := map[string][]string{"clearance": {"CONFIDENTIAL"}, "citizenship": {"USA"}, "countryOfAffiliation": {"USA"}}
			if status := post("Changed", own); status != http.StatusNoContent {
				t.Fatalf("ike can't change his name: %d", status)
			}
			raised := maps.Clone(own)
			raised["clearance"] = []string{"SECRET"}
			t.Logf("raising his own clearance: %d", post("Changed", raised))
			token := p.login(t, c.realm, storageClient, storageRedirect, "ike", nil).Access
			if d := cmp.Diff(c.want, clearanceOf(t, token)); d != "" {
				t.Errorf("the next token's clearance (-want +have):\n%s", d)
			}
			// What no profile knows is no way around it either.
			raised["clearances"] = []string{"SECRET"}
			post("Changed", raised)
			if _, payload, _ := split(p.login(t, c.realm, storageClient, storageRedirect, "ike", nil).Access); strings.Contains(string(decode(t, payload)), `"clearances"`) {
				t.Errorf("the next token has an attribute of his own: %s", decode(t, payload))
			}
		})
	}
}
