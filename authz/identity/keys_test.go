package identity_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/identity"
)

// network answers for all issuers without a socket, so that a test can let hours pass (testing/synctest).
type network struct {
	mu    sync.Mutex // guards the maps
	sets  map[string][]any
	down  map[string]error
	hits  map[string]int
	stuck bool // never answers
}

func newNetwork(keys map[string]signingKey) *network {
	n := &network{sets: map[string][]any{}, down: map[string]error{}, hits: map[string]int{}}
	for id, k := range keys {
		n.sets[id] = []any{k.jwk()}
	}
	return n
}

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	id := strings.Split(r.URL.Path, "/")[1]
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hits[id]++
	if n.stuck {
		n.mu.Unlock()
		<-r.Context().Done()
		n.mu.Lock()
		return nil, r.Context().Err()
	}
	if err := n.down[id]; err != nil {
		return nil, err
	}
	body := text(map[string]any{"keys": n.sets[id]})
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (n *network) publish(id string, keys ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sets[id] = append([]any{}, keys...)
}

func (n *network) cut(id string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down[id] = err
}

func (n *network) asked(id string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hits[id]
}

// timed is a world over a network, within a bubble of its own time.
func timed(t *testing.T, f func(t *testing.T, w *world, n *network, keys *identity.Keys)) {
	t.Helper()
	signing := map[string]signingKey{}
	for _, id := range []string{"usa", "gbr", "fra", "nzl", "can", "provider"} {
		signing[id] = newECKey("k1")
	}
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(signing)
		keys := identity.NewKeys(identity.KeysConfig{Transport: n, Refresh: 5 * time.Minute, MinRefresh: 30 * time.Second, MaxStale: 2 * time.Hour})
		defer keys.Close()
		w := &world{base: "https://issuers.test", keys: signing}
		w.verifier = newVerifier(t, w.base, keys, time.Now)
		keys.Use(w.verifier)
		synctest.Wait()
		f(t, w, n, keys)
	})
}

// at returns what sam, or whoever name is, is refused for now, with a fresh token.
func (w *world) at(t *testing.T, name string) authz.Reason {
	t.Helper()
	w.now = time.Now()
	reason, _ := refused(t, w.verifier, bearer(w.token(name, map[string]any{"auth_time": absent})))
	return reason
}

func TestRotatedKeyWorksAfterOneDeniedRequest(t *testing.T) {
	timed(t, func(t *testing.T, w *world, n *network, keys *identity.Keys) {
		old := w.keys["usa"]
		next := newECKey("k2")
		n.publish("usa", old.jwk(), next.jwk())
		w.keys["usa"] = next
		if got := w.at(t, "sam"); got != authz.IdentityInvalid {
			t.Errorf("a kid that is not known yet is refused for %q", got)
		}
		time.Sleep(31 * time.Second)
		if got := w.at(t, "sam"); got != "" {
			t.Errorf("after a refresh the new key is refused for %q", got)
		}
		w.keys["usa"] = old
		if got := w.at(t, "sam"); got != "" {
			t.Errorf("the old key, still published, is refused for %q", got)
		}
		n.publish("usa", next.jwk())
		time.Sleep(5 * time.Minute)
		if got := w.at(t, "sam"); got != authz.IdentityInvalid {
			t.Errorf("the old key, withdrawn, is refused for %q", got)
		}
	})
}

func TestOutageDeniesOneIssuerAfterMaxStale(t *testing.T) {
	timed(t, func(t *testing.T, w *world, n *network, keys *identity.Keys) {
		n.cut("usa", errors.New("no route"))
		time.Sleep(119 * time.Minute)
		if got := w.at(t, "sam"); got != "" {
			t.Errorf("with last-good keys sam is refused for %q", got)
		}
		if err := keys.Ready(); err != nil {
			t.Errorf("with last-good keys: %v", err)
		}
		time.Sleep(5 * time.Minute)
		if got := w.at(t, "sam"); got != authz.IdentityInvalid {
			t.Errorf("with stale keys sam is refused for %q", got)
		}
		if got := w.at(t, "gina"); got != "" {
			t.Errorf("gina, of another issuer, is refused for %q", got)
		}
		err := keys.Ready()
		if err == nil || !strings.Contains(err.Error(), "issuer usa: no usable keys") || !strings.Contains(err.Error(), "no route") || strings.Contains(err.Error(), "gbr") {
			t.Errorf("Ready: %v; want usa alone, and why", err)
		}
		if s := keys.States(); s["usa"].Age < 2*time.Hour || s["gbr"].Age > 5*time.Minute {
			t.Errorf("states: %v", s)
		}
		n.cut("usa", nil)
		time.Sleep(5 * time.Minute)
		if got := w.at(t, "sam"); got != "" {
			t.Errorf("after the outage sam is refused for %q", got)
		}
	})
}

func TestFloodOfUnknownKidsAsksItsIssuerOnce(t *testing.T) {
	timed(t, func(t *testing.T, w *world, n *network, keys *identity.Keys) {
		time.Sleep(time.Minute) // the last fetch is longer ago than MinRefresh
		before := n.asked("usa")
		for i := range 10_000 {
			if got, _ := refused(t, w.verifier, bearer(floodToken(w, i))); got != authz.IdentityInvalid {
				t.Fatalf("an unknown kid is refused for %q", got)
			}
		}
		if got := w.at(t, "sam"); got != "" {
			t.Errorf("in the flood sam is refused for %q", got)
		}
		time.Sleep(29 * time.Second)
		if got := n.asked("usa") - before; got != 1 {
			t.Errorf("asked usa %d times within MinRefresh, want once", got)
		}
		if got := n.asked("gbr"); got != 1 {
			t.Errorf("asked gbr %d times, want once: at the start", got)
		}
	})
}

// floodToken has a kid that no issuer has and a signature that is none.
func floodToken(w *world, i int) string {
	return b64(text(map[string]any{"alg": "ES256", "kid": "flood" + strconv.Itoa(i), "typ": "at+jwt"})) + "." + b64(`{"iss":"`+w.base+`/usa"}`) + "." + b64(strings.Repeat("s", 64))
}

func TestWithdrawnKeysEndAtOnce(t *testing.T) {
	timed(t, func(t *testing.T, w *world, n *network, keys *identity.Keys) {
		n.publish("usa")
		time.Sleep(5*time.Minute + time.Second)
		if got := w.at(t, "sam"); got != authz.IdentityInvalid {
			t.Errorf("with an empty set sam is refused for %q", got)
		}
		if err := keys.Ready(); err == nil || !strings.Contains(err.Error(), "the set is empty") {
			t.Errorf("Ready: %v", err)
		}
	})
}

func TestKeysOfNoKnownAgeAreNotUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.now = noon.Add(-29 * time.Second)
	if got, detail := refused(t, w.verifier, bearer(w.token("gina"))); got != "" {
		t.Errorf("with a clock 29 s behind gina is refused for %q: %s", got, detail)
	}
	w.now = noon.Add(-time.Minute)
	if got, detail := refused(t, w.verifier, bearer(w.token("gina"))); got != authz.IdentityInvalid || !strings.Contains(detail, "no current keys") {
		t.Errorf("with a clock that was set back gina is refused for %q: %s", got, detail)
	}
}

func TestSlowIssuerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(nil)
		n.stuck = true
		keys := identity.NewKeys(identity.KeysConfig{Transport: n})
		defer keys.Close()
		newVerifier(t, "https://issuers.test", keys, time.Now)
		time.Sleep(6 * time.Second)
		if err := keys.Ready(); err == nil || !strings.Contains(err.Error(), "issuer usa: no usable keys from https://issuers.test/usa/jwks: Get") {
			t.Errorf("Ready after 6 s: %v", err)
		}
		if got := n.asked("usa"); got != 2 {
			t.Errorf("asked %d times in 6 s, want twice: given up after 5 s, tried again", got)
		}
	})
}

func TestUseEndsFetchingForIssuersThatLeft(t *testing.T) {
	timed(t, func(t *testing.T, w *world, n *network, keys *identity.Keys) {
		small, err := identity.New(identity.Config{Issuers: doc(issuersDoc, w.base), Schemes: []byte(schemesDoc), Keys: keys, Audiences: []string{"sallyport"}})
		if err != nil {
			t.Fatal(err)
		}
		keys.Use(small)
		n.cut("usa", errors.New("gone"))
		time.Sleep(time.Hour)
		if got := n.asked("usa"); got != 1 {
			t.Errorf("asked usa %d times, want once: before it left", got)
		}
		if got := n.asked("provider"); got < 12 {
			t.Errorf("asked provider %d times in an hour", got)
		}
		if err := keys.Ready(); err != nil {
			t.Error(err)
		}
		if got := w.at(t, "sam"); got != "" {
			t.Errorf("a request of the generation before is refused for %q", got)
		}
	})
}

func TestFetchRefusesWhatIsNoKeySet(t *testing.T) {
	t.Parallel()
	k := newECKey("k1")
	set := text(map[string]any{"keys": []any{k.jwk()}})
	var elsewhere atomic.Int32
	mux := http.NewServeMux()
	answer := func(s string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, s) }
	}
	mux.HandleFunc("/usa/jwks", func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, "/elsewhere", http.StatusFound) })
	mux.HandleFunc("/elsewhere", func(rw http.ResponseWriter, r *http.Request) { elsewhere.Add(1); answer(set)(rw, r) })
	mux.HandleFunc("/gbr/jwks", answer(strings.TrimSuffix(set, "}")+strings.Repeat(" ", 300<<10)+"}"))
	mux.HandleFunc("/fra/jwks", answer("<html>"))
	mux.HandleFunc("/nzl/jwks", answer(`{"keys": null}`))
	mux.HandleFunc("/can/jwks", answer(text(map[string]any{"keys": slicesOf(k.jwk(), 51)})))
	mux.HandleFunc("/provider/jwks", answer(set))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	keys := identity.NewKeys(identity.KeysConfig{})
	t.Cleanup(keys.Close)
	newVerifier(t, server.URL, keys, time.Now)
	want := []string{"issuer can: ", "51 keys, at most 50", "issuer fra: ", "not a JWK set", "issuer gbr: ", "longer than 262144 bytes", "issuer nzl: ", "not a JWK set", "issuer usa: ", "status 302, want 200"}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		err := keys.Ready()
		if err != nil && !strings.Contains(err.Error(), "not fetched yet") && !strings.Contains(err.Error(), "provider") {
			rest := err.Error()
			for _, s := range want {
				_, after, ok := strings.Cut(rest, s)
				if !ok {
					t.Fatalf("Ready: %v; want in this order %q", err, want)
				}
				rest = after
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	if elsewhere.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

func slicesOf(v any, n int) []any {
	l := make([]any, n)
	for i := range l {
		l[i] = v
	}
	return l
}

// TestHostileKeysAreLeftOutAndTheRestIsUsed: jwx fails the whole set for the AKP key, and takes the secret, the private and the
// short one.
func TestHostileKeysAreLeftOutAndTheRestIsUsed(t *testing.T) {
	t.Parallel()
	good := newECKey("good").jwk()
	edit := func(m map[string]any, edits ...any) json.RawMessage {
		c := map[string]any{}
		must(json.Unmarshal([]byte(text(m)), &c))
		for i := 0; i < len(edits); i += 2 {
			if c[edits[i].(string)] = edits[i+1]; edits[i+1] == absent {
				delete(c, edits[i].(string))
			}
		}
		return json.RawMessage(text(c))
	}
	rsaKey := usaKeys()["PS256"].jwk()
	ed := usaKeys()["EdDSA"].jwk()
	for _, c := range []struct {
		name, refused string
		key           json.RawMessage
	}{
		{"a symmetric key", "private member k", json.RawMessage(`{"kty":"oct","kid":"x","alg":"HS256","k":"AAAA"}`)},
		{"a kty from after quantum computers", `kty "AKP"`, json.RawMessage(`{"kty":"AKP","kid":"x","alg":"ML-DSA-44","pub":"AAAA"}`)},
		{"a private EC key", "private member d", edit(good, "kid", "x", "d", "AAAA")},
		{"a private RSA key", "private member p", edit(rsaKey, "kid", "x", "p", "AAAA")},
		{"RSA of 512 bits", "RSA of 512 bits", edit(rsaKey, "kid", "x", "n", b64("\xff"+strings.Repeat("\x01", 63)))},
		{"RSA of 9000 bits", "RSA of 9000 bits", edit(rsaKey, "kid", "x", "n", b64("\xff"+strings.Repeat("\x01", 1124)))},
		{"RSA with exponent 3", "exponent", edit(rsaKey, "kid", "x", "e", "Aw")},
		{"RSA without modulus", "no well-formed key", edit(rsaKey, "kid", "x", "n", absent)},
		{"RSA with a curve", "not supported", edit(rsaKey, "kid", "x", "crv", "P-256")},
		{"RSA without alg where two algorithms fit", "no alg, and 2", edit(rsaKey, "kid", "x", "alg", absent)},
		{"a point that is not on its curve", "", edit(good, "kid", "x", "x", b64(strings.Repeat("\x01", 32)))},
		{"Ed25519 of 31 bytes", "", edit(ed, "kid", "x", "x", b64(strings.Repeat("\x01", 31)))},
		{"a curve that is not listed", `crv "P-521"`, edit(good, "kid", "x", "crv", "P-521")},
		{"an algorithm that the issuer does not list", "alg \"ES384\" does not fit", edit(good, "kid", "x", "alg", "ES384")},
		{"alg none", "does not fit", edit(good, "kid", "x", "alg", "none")},
		{"a key for encryption", "use is not sig", edit(good, "kid", "x", "use", "enc")},
		{"a key for something unheard of", "use is not sig", edit(good, "kid", "x", "use", "foo")},
		{"a key with the operation sign", "key_ops", edit(good, "kid", "x", "key_ops", []string{"sign"})},
		{"no kid", "kid", edit(good, "kid", absent)},
		{"a kid of 129 characters", "kid", edit(good, "kid", strings.Repeat("k", 129))},
		{"a name twice", "twice", bytes.Replace(edit(good, "kid", "x"), []byte("{"), []byte(`{"kty":"RSA",`), 1)},
		{"no object", "not a JSON object", json.RawMessage(`"key"`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			usable, left, err := identity.ParseJWKS([]byte(text(map[string]any{"keys": []any{c.key, good}})), "ES256", "EdDSA", "PS256", "RS256")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]string{"good": "ES256"}, usable); diff != "" {
				t.Errorf("usable keys (-want +got):\n%s", diff)
			}
			if len(left) != 1 || !strings.Contains(left[0], c.refused) {
				t.Errorf("left out: %q, want …%s…", left, c.refused)
			}
		})
	}
}

func TestKeyOfAKidThatIsThereTwiceIsNotUsed(t *testing.T) {
	t.Parallel()
	set := text(map[string]any{"keys": []any{newECKey("a").jwk(), newECKey("b").jwk(), newECKey("a").jwk(), newECKey("a").jwk()}})
	usable, _, err := identity.ParseJWKS([]byte(set), "ES256")
	if diff := cmp.Diff(map[string]string{"b": "ES256"}, usable); diff != "" || err != nil {
		t.Errorf("usable keys (-want +got):\n%s%v", diff, err)
	}
}

func TestKeyWithoutAlgGetsTheOneThatFits(t *testing.T) {
	t.Parallel()
	ec, rsaKey := newECKey("ec").jwk(), usaKeys()["RS256"].jwk()
	delete(ec, "alg")
	delete(rsaKey, "alg")
	delete(ec, "use")
	usable, _, err := identity.ParseJWKS([]byte(text(map[string]any{"keys": []any{ec, rsaKey}})), "ES256", "PS384")
	if diff := cmp.Diff(map[string]string{"ec": "ES256", "rs256": "PS384"}, usable); diff != "" || err != nil {
		t.Errorf("usable keys (-want +got):\n%s%v", diff, err)
	}
}
