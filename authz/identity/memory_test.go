package identity_test

import (
	"context"
	"crypto/elliptic"
	"encoding/base64"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/identity"
)

// twin returns the other ECDSA signature (r, n−s) of the same token, which is as good as the first.
func twin(token string) string {
	signed, signature := token[:strings.LastIndexByte(token, '.')+1], token[strings.LastIndexByte(token, '.')+1:]
	b, err := base64.RawURLEncoding.DecodeString(signature)
	must(err)
	s := new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(b[32:]))
	s.FillBytes(b[32:])
	return signed + base64.RawURLEncoding.EncodeToString(b)
}

// forged returns the token with a signature of the right length that nobody made.
func forged(token string) string {
	return token[:strings.LastIndexByte(token, '.')+1] + b64(strings.Repeat("s", 64))
}

func subjectOf(t testing.TB, v *identity.Verifier, token string) authz.Subject {
	t.Helper()
	s, err := v.Verify(context.Background(), bearer(token))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestARememberedTokenIsTheSameSubjectButForItsAge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token("eve")
	first := subjectOf(t, w.verifier, token)
	w.now = w.now.Add(2 * time.Minute)
	second := subjectOf(t, w.verifier, token)
	if got := *second.Properties.Assurance.AgeSeconds - *first.Properties.Assurance.AgeSeconds; got != 120 {
		t.Errorf("two minutes later the token is %d s older", got)
	}
	second.Properties.Assurance.AgeSeconds = first.Properties.Assurance.AgeSeconds
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("(-first +second):\n%s", diff)
	}
	if hits, misses := w.issuerKeys.Remembered(); hits != 1 || misses != 1 {
		t.Errorf("%d hits, %d misses; want one of each", hits, misses)
	}
}

func TestARememberedTokenIsRefusedOnceTimeSaysSo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		edit  map[string]any
		later time.Duration
		want  authz.Reason
	}{
		{"when it has ended", nil, 14 * time.Minute, authz.IdentityExpired},
		{"when it ends before it is a minute old", map[string]any{"exp": noon.Unix() + 30}, 30 * time.Second, authz.IdentityExpired},
		{"when the clock goes back before its nbf", map[string]any{"nbf": noon.Unix()}, -31 * time.Second, authz.IdentityInvalid},
		{"when the clock goes back before its iat", nil, -2 * time.Minute, authz.IdentityInvalid},
		{"when the clock goes back before its auth_time", map[string]any{"auth_time": noon.Unix()}, -31 * time.Second, authz.IdentityInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			token := w.token("gina", c.edit)
			subjectOf(t, w.verifier, token)
			w.now = w.now.Add(c.later)
			if got, detail := refused(t, w.verifier, bearer(token)); got != c.want {
				t.Errorf("refused for %q (%s), want %q", got, detail, c.want)
			}
		})
	}
}

func TestATokenIsProvenAnewAfterAWhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token("sam")
	for range 3 {
		subjectOf(t, w.verifier, token)
		w.now = w.now.Add(3 * time.Minute)
	}
	if hits, misses := w.issuerKeys.Remembered(); hits != 1 || misses != 2 {
		t.Errorf("%d hits, %d misses; want the third request to be a miss", hits, misses)
	}
}

func TestAForgottenGenerationRemembersNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token("sam")
	subjectOf(t, w.verifier, token)
	next := newVerifier(t, w.base, w.issuerKeys, func() time.Time { return w.now })
	subjectOf(t, next, token)
	if hits, misses := w.issuerKeys.Remembered(); hits != 0 || misses != 2 {
		t.Errorf("%d hits, %d misses; want the new generation to prove the token itself", hits, misses)
	}
}

func TestARememberedTokenEndsWithItsKey(t *testing.T) {
	for name, next := range map[string][]signingKey{
		"the key is withdrawn":                    {newECKey("k2")},
		"another key has its kid":                 {newECKey("k1")},
		"the set is empty":                        {},
		"the key is of a kid that is there twice": {usaKeys()["ES256"], newECKey("k1")},
	} {
		t.Run(name, func(t *testing.T) {
			timed(t, func(t *testing.T, w *world, n *network, _ *identity.Keys) {
				time.Sleep(4 * time.Minute)
				w.now = time.Now()
				token := w.token("sam", map[string]any{"auth_time": absent})
				if got, _ := refused(t, w.verifier, bearer(token)); got != "" {
					t.Fatalf("refused for %q", got)
				}
				n.publish("usa", jwks(next)...)
				time.Sleep(time.Minute + time.Second) // the next fetch, before the token must be proven anew anyhow
				if got, _ := refused(t, w.verifier, bearer(token)); got != authz.IdentityInvalid {
					t.Errorf("refused for %q, want %q", got, authz.IdentityInvalid)
				}
			})
		})
	}
}

func jwks(keys []signingKey) (set []any) {
	for _, k := range keys {
		set = append(set, k.jwk())
	}
	return set
}

func TestARememberedTokenOutlivesAFetchOfTheSameKeys(t *testing.T) {
	timed(t, func(t *testing.T, w *world, n *network, keys *identity.Keys) {
		time.Sleep(4 * time.Minute)
		w.now = time.Now()
		token := w.token("sam", map[string]any{"auth_time": absent})
		subjectOf(t, w.verifier, token)
		time.Sleep(time.Minute + time.Second)
		subjectOf(t, w.verifier, token)
		if hits, misses := keys.Remembered(); hits != 1 || misses != 1 || n.asked("usa") != 2 {
			t.Errorf("%d hits, %d misses, %d fetches; want the second request to be a hit after the second fetch", hits, misses, n.asked("usa"))
		}
	})
}

func TestOnlyAllBytesOfATokenAreRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token("sam")
	first := subjectOf(t, w.verifier, token)
	for _, c := range []string{forged(token), token[:len(token)-1], token + "=", token[:strings.LastIndexByte(token, '.')]} {
		if got, _ := refused(t, w.verifier, bearer(c)); got != authz.IdentityInvalid {
			t.Errorf("%s…: refused for %q, want %q", c[len(c)-8:], got, authz.IdentityInvalid)
		}
	}
	if got, _ := refused(t, w.verifier, bearer(forged(w.token("gina")))); got != authz.IdentityInvalid {
		t.Errorf("a refused token was let in: %q", got)
	}
	second := subjectOf(t, w.verifier, twin(token))
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the twin is another subject (-token +twin):\n%s", diff)
	}
	if got := w.verifier.Held(); got != 1 {
		t.Errorf("%d tokens held, want 1: a token and its twin share a place, and no refused token has one", got)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	const most = 1 << 20
	held, size := identity.Fill(most, 5000)
	if held == 0 || held > 4999 || size > most {
		t.Errorf("%d tokens of %d bytes are held, want some, and at most %d bytes", held, size, most)
	}
}

func TestManyRequestsMayShareAToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tokens := []string{w.token("sam"), w.token("gina"), twin(w.token("sam"))}
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 50 {
				got, detail := refused(t, w.verifier, bearer(tokens[(n+i)%len(tokens)]))
				if got != "" && got != authz.SystemOverloaded { // on a busy machine, a slot may come too late
					t.Errorf("refused for %q: %s", got, detail)
				}
			}
		})
	}
	all.Wait()
}
