package demo

import (
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

func newIssuers(t *testing.T) (Layout, http.Handler) {
	t.Helper()
	l := newLayout(t)
	if err := makeIssuerKeys(l); err != nil {
		t.Fatal(err)
	}
	return l, issuers(l, "http://127.0.0.1:9400", slog.New(slog.DiscardHandler))
}

func respond(h http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func TestIssuersAnswerOnlyWhatAnIssuerAnswers(t *testing.T) {
	_, h := newIssuers(t)
	for _, c := range []struct {
		what, method, path string
		status             int
	}{
		{"discovery", "GET", "/usa/.well-known/openid-configuration", 200},
		{"a key set", "GET", "/provider/jwks", 200},
		{"a nation that has none", "GET", "/rus/jwks", 404},
		{"the root", "GET", "/", 404},
		{"an issuer's own path", "GET", "/usa", 404},
		{"the private file", "GET", "/issuers/usa.jwks.json", 404},
		{"a way out of the folder", "GET", "/usa/../../keys/mark", 307},
		{"a write", "POST", "/usa/jwks", 405},
	} {
		if have := respond(h, c.method, c.path).Code; have != c.status {
			t.Errorf("%s: %s %s: status %d, want %d", c.what, c.method, c.path, have, c.status)
		}
	}
}

func TestEveryIssuerIsDiscoveredAndShowsPublicKeysOnly(t *testing.T) {
	_, h := newIssuers(t)
	ids := slices.Sorted(maps.Keys(issuerAlgorithms))
	if diff := cmp.Diff([]string{"can", "deu", "fra", "gbr", "nzl", "provider", "usa"}, ids); diff != "" {
		t.Errorf("issuers (-want +have):\n%s", diff)
	}
	for _, id := range ids {
		var discovery map[string]any
		if err := json.Unmarshal(respond(h, "GET", "/"+id+"/.well-known/openid-configuration").Body.Bytes(), &discovery); err != nil {
			t.Fatal(err)
		}
		if discovery["issuer"] != "http://127.0.0.1:9400/"+id || discovery["jwks_uri"] != "http://127.0.0.1:9400/"+id+"/jwks" {
			t.Errorf("%s: discovery %v", id, discovery)
		}
		var set struct{ Keys []map[string]any }
		if err := json.Unmarshal(respond(h, "GET", "/"+id+"/jwks").Body.Bytes(), &set); err != nil {
			t.Fatal(err)
		}
		for _, k := range set.Keys {
			have := slices.Sorted(maps.Keys(k))
			if diff := cmp.Diff([]string{"alg", "crv", "kid", "kty", "use", "x", "y"}, have); diff != "" {
				t.Errorf("%s: members of a public key (-want +have):\n%s", id, diff)
			}
		}
	}
}

func TestARotatedKeyIsShownAtOnceAndABrokenFileNever(t *testing.T) {
	l, h := newIssuers(t)
	before := respond(h, "GET", "/usa/jwks").Body.String()
	key, err := newKey("usa", issuerAlgorithms["usa"])
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]any{"keys": []jwk.Key{key}})
	if err != nil {
		t.Fatal(err)
	}
	if err := writeFile(l.IssuerKeys("usa"), b); err != nil {
		t.Fatal(err)
	}
	if after := respond(h, "GET", "/usa/jwks").Body.String(); after == before || !strings.Contains(after, key.KeyID()) {
		t.Errorf("the new key is not shown: %s", after)
	}
	if err := writeFile(l.IssuerKeys("usa"), []byte("{")); err != nil {
		t.Fatal(err)
	}
	if w := respond(h, "GET", "/usa/jwks"); w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), l.Dir) {
		t.Errorf("a broken file: status %d, %s", w.Code, w.Body)
	}
}

func TestKeysOutliveTheDemo(t *testing.T) {
	l, h := newIssuers(t)
	before := respond(h, "GET", "/fra/jwks").Body.String()
	if err := makeIssuerKeys(l); err != nil {
		t.Fatal(err)
	}
	if after := respond(h, "GET", "/fra/jwks").Body.String(); after != before {
		t.Errorf("made anew: %s, before %s", after, before)
	}
}

// newTokens makes a demo folder that tokens can be made in.
func newTokens(t *testing.T) Layout {
	t.Helper()
	l, _ := newIssuers(t)
	if err := writeBundle(l, promised, time.Now()); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestATokenIsWhatItsIssuerSaysAboutThePerson(t *testing.T) {
	l := newTokens(t)
	token, err := Token(l.Dir, "claire")
	if err != nil {
		t.Fatal(err)
	}
	private, err := readKeys(l.IssuerKeys("fra"))
	if err != nil {
		t.Fatal(err)
	}
	set, err := jwk.PublicSetOf(private)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify([]byte(token), jws.WithKeySet(set))
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	left := time.Until(time.Unix(int64(claims["exp"].(float64)), 0))
	if left < 15*time.Minute || left > tokenLifetime {
		t.Errorf("the token has %v left", left)
	}
	for _, name := range []string{"iat", "exp", "auth_time", "jti"} {
		if claims[name] == nil {
			t.Errorf("no %s", name)
		}
		delete(claims, name)
	}
	want := map[string]any{
		"iss": "http://127.0.0.1:9400/fra", "sub": "claire", "aud": "sallyport", "subject_type": "person", "tenant": "fr-space",
		"affiliation":   map[string]any{"kind": "tenant", "organization": "fr-space", "country": "FRA"},
		"nationalities": []any{"FRA"}, "location": "FRA", "acr": "aal2", "amr": []any{"hwk"},
		"clearances": []any{map[string]any{"scheme": "FRA", "level": "SECRET", "categories": map[string]any{"special": []any{"FRANCE"}}}},
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims (-want +have):\n%s", diff)
	}
	message, err := jws.Parse([]byte(token))
	if err != nil {
		t.Fatal(err)
	}
	header, err := message.Signatures()[0].ProtectedHeaders().AsMap(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"alg", "kid", "typ"}, slices.Sorted(maps.Keys(header))); diff != "" {
		t.Errorf("members of the header (-want +have):\n%s", diff)
	}
}

func TestAnEditChangesOneTokenAndNotThePerson(t *testing.T) {
	l := newTokens(t)
	if _, err := Token(l.Dir, "sam", func(c Claims) { c["tenant"] = "nz-fire" }); err != nil {
		t.Fatal(err)
	}
	if have := people["sam"].claims["tenant"]; have != "us-defense" {
		t.Errorf("sam is now of %v", have)
	}
}

func TestNoTokenIsMade(t *testing.T) {
	wantEnvironment(t, tokenError(newTokens(t).Dir, "mallory"), `nobody in the demo is called "mallory": choose one of claire`)
	wantEnvironment(t, tokenError(t.TempDir(), "sam"), "start the demo once")
}

func tokenError(dir, name string) error {
	_, err := Token(dir, name)
	return err
}
