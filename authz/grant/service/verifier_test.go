package service_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz/grant/service"
)

// clock is a clock that a test moves.
type clock struct{ unix atomic.Int64 }

func (c *clock) now() time.Time { return time.Unix(c.unix.Load(), 0) }

// verifier returns a Verifier with the key a at the time when grants are issued.
func verifier(t testing.TB, changes ...func(*service.Config)) (*service.Verifier, *clock) {
	t.Helper()
	var c clock
	c.unix.Store(issued)
	config := service.Config{Issuer: "sallyport", Audience: "jobs", Keys: jwks(publicJWK("a")), Started: time.Unix(started, 0), Now: c.now}
	for _, change := range changes {
		change(&config)
	}
	v, err := service.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return v, &c
}

// request is the one that grants are for.
func request(grants ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/v1/jobs", nil)
	r.Host = "compute.sallyport.test"
	for _, g := range grants {
		r.Header.Add(service.Header, g)
	}
	return r
}

// numbered is the n-th of many grants, changed.
func numbered(n int, changes ...func(*service.Grant)) string {
	return grant(append(changes, func(g *service.Grant) { g.DecisionID = fmt.Sprintf("%032x", n) })...)
}

// problem returns what Verify finds wrong with a grant, "" if nothing is.
func problem(t *testing.T, v *service.Verifier, compact string) service.Problem {
	t.Helper()
	_, err := v.Verify(request(compact), []byte(body))
	var e *service.Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("%v is no *service.Error", err)
	}
	if e == nil {
		return ""
	}
	return e.Problem
}

func TestAGrantIsReturnedAsItWasSigned(t *testing.T) {
	t.Parallel()
	v, _ := verifier(t)
	got, err := v.Verify(request(grant()), []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(claims(), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAGrantIsTakenOnce(t *testing.T) {
	t.Parallel()
	v, c := verifier(t, func(c *service.Config) { c.Skew = service.MaxSkew })
	for at, want := range []service.Problem{0: "", 29: service.Replayed, 30: service.Replayed, 34: service.Replayed, 35: service.Expired} {
		if at > 0 && want == "" {
			continue
		}
		c.unix.Store(issued + int64(at))
		if got := problem(t, v, grant()); got != want {
			t.Errorf("%d s later: %q, want %q", at, got, want)
		}
	}
	c.unix.Store(issued)
	if got := problem(t, v, other(numbered(1))); got != "" {
		t.Fatal(got)
	}
	if got := problem(t, v, numbered(1)); got != service.Replayed {
		t.Errorf("with the other signature, the same grant is taken again: %q", got)
	}
}

func TestARefusedGrantIsNotUsedUp(t *testing.T) {
	t.Parallel()
	v, _ := verifier(t)
	if _, err := v.Verify(request(grant()), []byte("another body")); err == nil {
		t.Fatal("taken for another body")
	}
	if got := problem(t, v, grant()); got != "" {
		t.Errorf("refused for another body, it is refused for its own: %q", got)
	}
}

// A grant knows whole seconds only, so of the second in which the service began nobody can say which came first.
func TestAGrantOfTheStartingSecondIsRefused(t *testing.T) {
	t.Parallel()
	v, _ := verifier(t, func(c *service.Config) { c.Started = time.Unix(issued, 1) })
	if got := problem(t, v, grant()); got != service.Stale {
		t.Errorf("%q, want %q", got, service.Stale)
	}
}

func TestAFullMemoryRefusesUntilGrantsEnd(t *testing.T) {
	t.Parallel()
	v, c := verifier(t, func(c *service.Config) { c.Memory = 2 })
	for n, want := range []service.Problem{"", "", service.Full, service.Full} {
		if got := problem(t, v, numbered(n)); got != want {
			t.Errorf("grant %d: %q, want %q", n, got, want)
		}
	}
	if got := problem(t, v, numbered(0)); got != service.Replayed {
		t.Errorf("a full memory forgot what it took: %q", got)
	}
	c.unix.Store(issued + 29)
	if got := problem(t, v, numbered(2)); got != service.Full {
		t.Errorf("before the first ends: %q", got)
	}
	c.unix.Store(issued + 30)
	if got := problem(t, v, numbered(4, func(g *service.Grant) { g.IssuedAt, g.Expires = issued+30, issued+60 })); got != "" {
		t.Errorf("after the first ended: %q", got)
	}
}

func TestOfManyAtOnceOneIsTaken(t *testing.T) {
	t.Parallel()
	v, _ := verifier(t)
	compact := grant()
	var taken atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := v.Verify(request(compact), []byte(body)); err == nil {
				taken.Add(1)
			}
		})
	}
	wg.Wait()
	if n := taken.Load(); n != 1 {
		t.Errorf("taken %d times", n)
	}
}

// The way to a new key, step by step: at no point is a good grant refused.
func TestAKeyIsChangedWithoutAGap(t *testing.T) {
	t.Parallel()
	v, _ := verifier(t)
	n := 0
	signed := func(name string) string {
		n++
		return sign(keyOf(name), strings.Replace(headerA, `"a"`, `"`+name+`"`, 1), payload(func(g *service.Grant) { g.DecisionID = fmt.Sprint(n) }))
	}
	expect := func(when string, want map[string]service.Problem) {
		t.Helper()
		got := map[string]service.Problem{}
		for name := range want {
			got[name] = problem(t, v, signed(name))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	set := func(names ...string) {
		t.Helper()
		var keys []string
		for _, name := range names {
			keys = append(keys, publicJWK(name))
		}
		if err := v.SetKeys(jwks(keys...)); err != nil {
			t.Fatal(err)
		}
	}
	expect("before", map[string]service.Problem{"a": "", "b": service.UnknownKey})
	old := signed("a")
	set("a", "b")
	expect("the new key is published, the old one signs", map[string]service.Problem{"a": "", "b": ""})
	set("b", "a")
	expect("the new key signs, grants of the old one are under way", map[string]service.Problem{"a": "", "b": ""})
	if got := problem(t, v, old); got != "" {
		t.Errorf("a grant from before the change: %q", got)
	}
	if got := problem(t, v, old); got != service.Replayed {
		t.Errorf("a change of keys forgot what was taken: %q", got)
	}
	set("b")
	expect("the old key is gone", map[string]service.Problem{"a": service.UnknownKey, "b": ""})
}

func TestKeysThatAreRefusedChangeNothing(t *testing.T) {
	t.Parallel()
	v, _ := verifier(t)
	a := publicJWK("a")
	change := func(old, new string) []byte { return jwks(edited(a, old, new)) }
	many := make([]string, 17)
	for i := range many {
		many[i] = publicJWK(fmt.Sprint(i))
	}
	for want, keys := range map[string][]byte{
		`no JWK set: want {"keys": [...]}`:            []byte("x"),
		"0 keys: want 1 to 16":                        []byte("{}"),
		"17 keys: want 1 to 16":                       jwks(many...),
		"longer than 65536 bytes":                     []byte(strings.Repeat(" ", 64<<10+1)),
		"keys[1]: kid is that of another key too":     jwks(a, edited(publicJWK("b"), `"kid":"b"`, `"kid":"a"`)),
		"keys[0]: kid: want a text of 1 to 128 bytes": change(`"kid":"a"`, `"kid":""`),
		"keys[0]: it has the private member d: give services public keys only, and replace this one": change(`"kid"`, `"d":"AA","kid"`),
		"keys[0]: it has the private member k: give services public keys only, and replace this one": jwks(`{"kty":"oct","k":"AA","alg":"ES256","kid":"a"}`),
		"keys[0]: alg is not ES256":   change(`"ES256"`, `"ES384"`),
		"keys[0]: use is not sig":     change(`"sig"`, `"enc"`),
		"keys[0]: no well-formed key": change(`"EC"`, `"XX"`),
		"keys[0]: no EC key":          jwks(`{"kty":"RSA","n":"AQAB","e":"AQAB","alg":"ES256","kid":"a"}`),
		"keys[0]: no ":                change(`"x":"`, `"x":"AA`), // jwx says it
		"keys[0]: no point of P-256":  jwks(edited(p384(), `"ES384"`, `"ES256"`)),
	} {
		err := v.SetKeys(keys)
		if err == nil || !strings.HasPrefix(err.Error(), "service: keys: "+want) {
			t.Errorf("error %v, want service: keys: %s", err, want)
		}
	}
	if got := problem(t, v, grant()); got != "" {
		t.Errorf("after them the old keys are gone: %q", got)
	}
}

// p384 returns a JWK of another curve.
func p384() string {
	k, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		panic(err)
	}
	point, err := k.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	return `{"kty":"EC","crv":"P-384","x":"` + encode(string(point[1:49])) + `","y":"` + encode(string(point[49:])) + `","alg":"ES384","kid":"a"}`
}

func TestAConfigThatWouldTakeTooMuchIsRefused(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*service.Config){
		"service: issuer and audience are required":       func(c *service.Config) { c.Audience = "" },
		"service: started is required":                    func(c *service.Config) { c.Started = time.Time{} },
		"service: skew 6s: want 0 to 5s":                  func(c *service.Config) { c.Skew = 6 * time.Second },
		"service: skew -1s: want 0 to 5s":                 func(c *service.Config) { c.Skew = -time.Second },
		"service: memory -1: want a number of grants":     func(c *service.Config) { c.Memory = -1 },
		`service: keys: no JWK set: want {"keys": [...]}`: func(c *service.Config) { c.Keys = nil },
	} {
		c := service.Config{Issuer: "sallyport", Audience: "jobs", Keys: jwks(publicJWK("a")), Started: time.Unix(started, 0)}
		change(&c)
		if v, err := service.New(c); v != nil || err == nil || err.Error() != want {
			t.Errorf("%v, error %v, want %s", v, err, want)
		}
	}
}

// FuzzVerify holds whatever comes as a grant to this: it is refused with a short error, unless it is one that we signed.
func FuzzVerify(f *testing.F) {
	for _, x := range makeVectors().Vectors {
		if len(x.Headers) == 1 && len(x.Headers[0]) < 4096 {
			f.Add(x.Headers[0])
		}
	}
	v, _ := verifier(f)
	good := strings.Split(grant(), ".")
	f.Fuzz(func(t *testing.T, compact string) {
		g, err := v.Verify(request(compact), []byte(body))
		if err == nil {
			if parts := strings.Split(compact, "."); parts[1] != good[1] {
				t.Fatalf("taken: %+v", g)
			}
			return
		}
		var e *service.Error
		if !errors.As(err, &e) || len(e.Detail) > 300 || strings.ContainsAny(e.Detail, "\n\r\x00") {
			t.Fatalf("%v: want a *service.Error of one short line", err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	v, _ := verifier(b, func(c *service.Config) { c.Memory = 1 << 30 })
	grants := make([]string, 1000)
	for i := range grants {
		grants[i] = numbered(i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		v.Verify(request(grants[i%len(grants)]), []byte(body)) // replayed after the first thousand, which is the last check
	}
}
