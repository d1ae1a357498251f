package road_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/gateway/demo"
)

// ownIssuer is issuer usa as a test wants it: what it publishes and how it answers.
type ownIssuer struct {
	w      *world
	keys   map[string]*ecdsa.PrivateKey // by kid
	asked  atomic.Int64
	mu     sync.Mutex // guards answer
	answer http.HandlerFunc
}

// own puts an issuer of ours into usa's place in w's bundle, and starts the gateway again with other times for issuers.
func (w *world) own(t *testing.T, times string) *ownIssuer {
	t.Helper()
	i := &ownIssuer{w: w, keys: map[string]*ecdsa.PrivateKey{}}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		answer := i.answer
		i.mu.Unlock()
		i.asked.Add(1)
		answer(rw, r)
	}))
	t.Cleanup(server.Close)
	for _, kid := range []string{"k1", "k2", "k3"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		i.keys[kid] = key
	}
	i.publish(i.jwk("k1"))
	edit := func(path string, was *regexp.Regexp, is string) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(was.FindAll(b, -1)) != 1 {
			t.Fatalf("%s: %s is not there once", path, was)
		}
		if err := os.WriteFile(path, was.ReplaceAll(b, []byte(is)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	edit(filepath.Join(w.Bundle(), "tenants", usDefense, "issuers", "data.yaml"), regexp.MustCompile(`(?m)^  jwks_uri: ".*/usa/jwks"$`), `  jwks_uri: "`+server.URL+`/keys"`)
	edit(w.Config(), regexp.MustCompile(`(?m)^limits:$`), "issuers: "+times+"\nlimits:")
	w.back(t, "sallyport", w.signal(t, "sallyport", syscall.SIGTERM))
	return i
}

func (i *ownIssuer) answers(h http.HandlerFunc) {
	i.mu.Lock()
	i.answer = h
	i.mu.Unlock()
}

// publish answers with a key set.
func (i *ownIssuer) publish(keys ...any) {
	i.answers(func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(map[string]any{"keys": keys}) })
}

// seen waits until the gateway has asked for the keys, and has read the answer: it asks again only then.
func (i *ownIssuer) seen(t *testing.T) {
	t.Helper()
	first := i.asked.Load()
	for deadline := time.Now().Add(30 * time.Second); i.asked.Load() < first+2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the gateway has asked %d times, and no more", i.asked.Load())
		}
	}
}

func (i *ownIssuer) jwk(kid string, edits ...map[string]any) map[string]any {
	k := i.keys[kid]
	m := map[string]any{"kty": "EC", "crv": "P-256", "kid": kid, "alg": "ES256", "use": "sig",
		"x": encode(k.X.FillBytes(make([]byte, 32))), "y": encode(k.Y.FillBytes(make([]byte, 32)))}
	for _, e := range edits {
		maps.Copy(m, e)
	}
	return m
}

// reads is sam's request for welcome.txt, with a token that is signed by one key under the kid of another.
func (i *ownIssuer) reads(t testing.TB, key, kid string, edits ...func(demo.Claims)) request {
	_, payload, _ := split(i.w.token(t, "sam", edits...))
	token := signES256(t, i.keys[key], map[string]any{"alg": "ES256", "typ": "at+jwt", "kid": kid}, payload)
	return bearing(token)
}

func bearing(token string) request {
	return request{method: http.MethodGet, path: welcome, header: map[string]string{"Authorization": "Bearer " + token}}
}

// TestAKeyIsRotatedWithoutAGap: an issuer that publishes the next key before it signs with it is never refused.
func TestAKeyIsRotatedWithoutAGap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	i := w.own(t, "{refresh: 1s, min_refresh: 1s, max_stale: 1m}")
	w.check(t, w.ask(t, i.reads(t, "k1", "k1")), served)
	var signing atomic.Pointer[string]
	use := func(kid string) { signing.Store(&kid) }
	use("k1")
	stop, clients := make(chan struct{}), sync.WaitGroup{}
	var asked, refusals atomic.Int64
	clients.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			kid := *signing.Load()
			if a := w.ask(t, i.reads(t, kid, kid)); a.status != http.StatusOK {
				refusals.Add(1)
				t.Errorf("under %s: status %d: %s", kid, a.status, a.body)
			}
			asked.Add(1)
		}
	})
	for _, step := range []struct{ old, next string }{{"k1", "k2"}, {"k2", "k3"}, {"k3", "k1"}} {
		i.publish(i.jwk(step.next), i.jwk(step.old))
		i.seen(t)
		use(step.next)
		time.Sleep(300 * time.Millisecond)
		i.publish(i.jwk(step.next))
		i.seen(t)
		w.check(t, w.ask(t, i.reads(t, step.old, step.old)), refused("identity.invalid"))
	}
	close(stop)
	clients.Wait()
	t.Logf("%d requests over three rotations, %d refused", asked.Load(), refusals.Load())
	// An issuer that signs at once is refused until its key is fetched, and then no more.
	i.publish(i.jwk("k2"), i.jwk("k1"))
	for deadline := time.Now().Add(10 * time.Second); w.ask(t, i.reads(t, "k2", "k2")).status != http.StatusOK; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a key that was published late never counts")
		}
	}
}

// TestAnOutageOfAnyLengthDeniesOneIssuerAndEndsByItself: keys count until they are too old, then nobody of this issuer gets in, whoever
// says what under its name; others do; and when the issuer is back so are its people.
func TestAnOutageOfAnyLengthDeniesOneIssuerAndEndsByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	i := w.own(t, "{refresh: 1s, min_refresh: 1s, max_stale: 4s}")
	gina := request{who: "gina", method: http.MethodGet, path: welcome}
	good := i.reads(t, "k1", "k1")
	w.check(t, w.ask(t, good), served)
	for name, away := range map[string]http.HandlerFunc{
		"it answers with an error": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusServiceUnavailable) },
		"it hangs up":              func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		i.answers(away)
		i.seen(t)
		w.check(t, w.ask(t, good), served)
		began := time.Now()
		for w.ask(t, good).status == http.StatusOK {
			if time.Since(began) > 20*time.Second {
				t.Fatalf("%s: sam still gets in after %v", name, time.Since(began))
			}
			time.Sleep(20 * time.Millisecond)
		}
		for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
			w.check(t, w.ask(t, good), refused("identity.invalid"))
			w.check(t, w.ask(t, i.reads(t, "k2", "k1")), refused("identity.invalid"))
			w.check(t, w.ask(t, gina), served)
		}
		i.publish(i.jwk("k1"))
		for deadline := time.Now().Add(10 * time.Second); w.ask(t, good).status != http.StatusOK; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: sam does not get in again", name)
			}
		}
	}
	w.verify(t, 0)
}

// TestAHostileKeySetLetsNobodyInAndHurtsNobody publishes, beside a good key or in its place, what a broken or a hostile issuer could.
func TestAHostileKeySetLetsNobodyInAndHurtsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	i := w.own(t, "{refresh: 1s, min_refresh: 1s, max_stale: 10m}")
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	secret := []byte("a secret that everybody can read")
	_, payload, _ := split(w.token(t, "sam"))
	hs256 := func(kid string) request {
		signed := encode(marshal(t, map[string]any{"alg": "HS256", "typ": "at+jwt", "kid": kid})) + "." + payload
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(signed))
		return bearing(signed + "." + encode(mac.Sum(nil)))
	}
	bad := func(kid string, edits map[string]any) map[string]any {
		return i.jwk("k2", edits, map[string]any{"kid": kid})
	}
	good := i.reads(t, "k1", "k1")
	i.publish(
		map[string]any{"kty": "oct", "kid": "oct", "alg": "HS256", "k": encode(secret)},
		bad("enc", map[string]any{"use": "enc"}), bad("foo", map[string]any{"use": "foo"}),
		bad("private", map[string]any{"d": encode(i.keys["k2"].D.FillBytes(make([]byte, 32)))}),
		bad("other-alg", map[string]any{"alg": "ES384"}), bad("none", map[string]any{"alg": "none"}),
		bad("off-curve", map[string]any{"x": encode(make([]byte, 32))}),
		map[string]any{"kty": "RSA", "kid": "weak", "alg": "PS256", "n": encode(weak.N.Bytes()), "e": encode(big.NewInt(int64(weak.E)).Bytes())},
		map[string]any{"kty": "AKP", "kid": "new", "alg": "ML-DSA-44", "pub": "AAAA"},
		bad("twice", nil), bad("twice", nil), bad("", nil), 7, nil, "key",
		i.jwk("k1"),
	)
	i.seen(t)
	w.check(t, w.ask(t, good), served)
	for _, kid := range []string{"enc", "foo", "private", "other-alg", "none", "off-curve", "twice", "new", "weak", "k2"} {
		w.check(t, w.ask(t, i.reads(t, "k2", kid)), refused("identity.invalid"))
	}
	w.check(t, w.ask(t, hs256("oct")), refused("identity.invalid"))
	if values, _ := w.metrics(t); values[`sallyport_issuer_keys{issuer="usa",state="refused"}`] != 15 || values[`sallyport_issuer_keys{issuer="usa",state="usable"}`] != 1 {
		t.Errorf("keys by state: %v", values)
	}

	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"keys": []any{i.jwk("k2")}})
	}))
	t.Cleanup(evil.Close)
	for name, answer := range map[string]http.HandlerFunc{
		"a redirect to somebody else's keys": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, evil.URL, http.StatusFound) },
		"10 MiB before the keys": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"padding": "%s", "keys": [%s]}`, strings.Repeat("x", 10<<20), marshal(t, i.jwk("k2")))
		},
		"no JSON":             func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
		"JSON that is no set": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"key": %s}`, marshal(t, i.jwk("k2"))) },
		"51 keys": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"keys": [%s]}`, strings.TrimSuffix(strings.Repeat(string(marshal(t, i.jwk("k2")))+",", 51), ","))
		},
		"keys with status 500": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			json.NewEncoder(w).Encode(map[string]any{"keys": []any{i.jwk("k2")}})
		},
		"a body cut short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "4000")
			fmt.Fprintf(w, `{"keys": [%s]}`, marshal(t, i.jwk("k2")))
		},
		"a body that comes byte after byte": func(w http.ResponseWriter, r *http.Request) {
			for _, b := range marshal(t, map[string]any{"keys": []any{i.jwk("k2")}}) {
				if r.Context().Err() != nil {
					return
				}
				w.Write([]byte{b})
				w.(http.Flusher).Flush()
				time.Sleep(100 * time.Millisecond)
			}
		},
	} {
		i.answers(answer)
		i.seen(t)
		if a := w.ask(t, good); a.status != http.StatusOK {
			t.Errorf("%s: sam, under the key from before: status %d: %s", name, a.status, a.body)
		}
		if a := w.ask(t, i.reads(t, "k2", "k2")); a.status != http.StatusUnauthorized || a.visible() != "identity.invalid" {
			t.Errorf("%s: under the key that came so: status %d: %s", name, a.status, a.body)
		}
	}
	i.publish(i.jwk("k2"))
	i.seen(t)
	w.check(t, w.ask(t, i.reads(t, "k2", "k2")), served)
	w.check(t, w.ask(t, good), refused("identity.invalid"))
}

// TestAnIssuersClockMayBeAheadAndNeverBehind: 30 s ahead is forgiven, a token that has ended is not.
func TestAnIssuersClockMayBeAheadAndNeverBehind(t *testing.T) {
	w := sharedWorld(t)
	shifted := func(by, life time.Duration) func(demo.Claims) {
		return func(c demo.Claims) {
			now := time.Now().Add(by)
			c["iat"], c["auth_time"], c["exp"] = now.Unix(), now.Unix(), now.Add(life).Unix()
		}
	}
	for _, c := range []struct {
		name string
		edit func(demo.Claims)
		want outcome
	}{
		{"25 s ahead", shifted(25*time.Second, time.Minute), served},
		{"40 s ahead", shifted(40*time.Second, time.Minute), refused("identity.invalid")},
		{"an hour behind, so that the token has ended", shifted(-time.Hour, time.Minute), refused("identity.expired")},
		{"an hour behind, a token of an hour that ends now", shifted(-time.Hour, time.Hour), refused("identity.expired")},
		{"half an hour behind, a token that has not ended", shifted(-30*time.Minute, time.Hour), served},
		{"not before 40 s from now", func(c demo.Claims) { c["nbf"] = time.Now().Add(40 * time.Second).Unix() }, refused("identity.invalid")},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.check(t, w.ask(t, bearing(w.token(t, "sam", c.edit))), c.want)
		})
	}
}
