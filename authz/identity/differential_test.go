package identity_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	jwa3 "github.com/lestrrat-go/jwx/v3/jwa"
	jwk3 "github.com/lestrrat-go/jwx/v3/jwk"
	jws3 "github.com/lestrrat-go/jwx/v3/jws"
	jwt3 "github.com/lestrrat-go/jwx/v3/jwt"
)

// jwx3 is how an application that trusts the library would read issuer usa's tokens: every check that jwx/v3 has is asked for.
func jwx3(w *world) func(token string) error {
	set := jwk3.NewSet()
	for alg, k := range usaKeys() {
		key, err := jwk3.Import(public(k))
		must(err)
		known, ok := jwa3.LookupSignatureAlgorithm(alg)
		if !ok {
			panic(alg)
		}
		must(key.Set(jwk3.KeyIDKey, k.kid))
		must(key.Set(jwk3.AlgorithmKey, known))
		must(set.AddKey(key))
	}
	return func(token string) error {
		_, err := jwt3.Parse([]byte(token), jwt3.WithKeySet(set, jws3.WithRequireKid(true)), jwt3.WithValidate(true),
			jwt3.WithClock(jwt3.ClockFunc(func() time.Time { return w.now })), jwt3.WithAcceptableSkew(30*time.Second),
			jwt3.WithIssuer(w.base+"/usa"), jwt3.WithAudience("sallyport"), jwt3.WithRequiredClaim("exp"), jwt3.WithRequiredClaim("iat"), jwt3.WithRequiredClaim("sub"))
		return err
	}
}

// Why we refuse what jwx/v3 takes.
const (
	keysAlg   = "jwx verifies by the key's algorithm, whatever the header says"
	pointers  = "jwx ignores header members by which others choose the key or the reading; here nobody can"
	lastName  = "jwx, as encoding/json, takes the last of two names, and other readers the first"
	anyType   = "jwx does not look at typ"
	oneForm   = "jwx decodes more than one spelling, so one token would have many names"
	repaired  = "jwx, as encoding/json, repairs broken text: two names would be one"
	oneSecond = "jwx gives exp and nbf the same skew; a token that has ended has ended"
	looseDate = "jwx reads more than whole numbers of seconds as a date"
	ours      = "jwx knows nothing of what we ask beyond RFC 7519"
)

// explained is each row of the corpus that jwx/v3 accepts. A row that is missing here, or here for nothing, fails: then one of the two
// has changed its mind, and somebody must look.
var explained = map[string]string{
	"J07 another listed alg than the key's *": keysAlg, "J07 no alg *": keysAlg,
	"J11 jwk in the header": pointers, "J11 jku in the header": pointers, "J11 x5u in the header": pointers, "crit that nobody knows *": pointers,
	"zip in the header": pointers, "header name in another case": pointers,
	"J15 alg twice *": lastName, "J15 kid twice *": lastName, "J15 kid twice, once escaped *": lastName, "J15 iss twice *": lastName,
	"J15 exp twice *": lastName, "J15 a name twice in a nested object *": lastName,
	"no typ *": anyType, "typ of an ID token *": anyType, "typ of a logout token *": anyType, "typ in upper case *": anyType,
	"typ in its long form *": anyType,
	"white space before *":   oneForm, "line break after *": oneForm, "line break inside base64 *": oneForm, "padded base64 *": oneForm,
	"base64 with unused bits set *": oneForm, "bytes after the payload's JSON *": oneForm, "payload of 17 levels": ours,
	"payload that is no UTF-8 *": repaired, "half a surrogate pair *": repaired,
	"J19 exp that is a text *": looseDate, "J19 exp that is a fraction": looseDate, "J19 exp after the year 9999": looseDate, "nbf that is a text": looseDate,
	"exp that is now": oneSecond, "exp that was a second ago": oneSecond,
	"life of a second more than the issuer's maximum": ours, "exp before iat": ours, "auth_time ahead": ours,
	"sub with the sign that parts issuer and sub": ours, "empty sub": ours, "sub of 257 bytes": ours, "sub with a control character": ours,
	"sub with an invisible character": ours,
	"the twin of a good token":        "both take it; it is one token with one name, see TestOnlyAllBytesOfATokenAreRemembered",
}

// TestEachDisagreementWithJwxV3IsExplained runs the corpus of refused tokens, and those at their limits, through both.
func TestEachDisagreementWithJwxV3IsExplained(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := jwx3(w)
	found := map[string]bool{}
	compare := func(name, token, why string) {
		t.Helper()
		reason, detail := refused(t, w.verifier, bearer(token))
		err := other(token)
		switch {
		case reason == "" && err != nil:
			t.Errorf("%s: we accept what jwx/v3 refuses: %v", name, err)
		case reason != "" && err == nil && why == "":
			t.Errorf("%s: jwx/v3 accepts what we refuse for %s: explain it", name, detail)
		case (reason == "") == (err == nil) && why != "" && name != "the twin of a good token":
			t.Errorf("%s: explained by %q, but both say the same: %v", name, why, err)
		}
		found[name] = true
	}
	for _, f := range forms(w) {
		compare(f.name, f.token, explained[f.name])
	}
	for _, c := range wrongClaims(w) {
		why := explained[c.name]
		if why == "" && !slices.ContainsFunc(slices.Collect(maps.Keys(c.edit)), func(n string) bool {
			return slices.Contains([]string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}, n)
		}) {
			why = ours // what a claim of ours may be, jwx can't know
		}
		compare(c.name, w.token("sam", c.edit), why)
	}
	for name, edit := range limits() {
		if name != "aud list that names an enclave among others" { // one audience is what jwx can be asked for
			compare(name, w.token("sam", edit), "")
		}
	}
	compare("the twin of a good token", twin(w.token("sam")), explained["the twin of a good token"])
	for name := range explained {
		if !found[name] {
			t.Errorf("%q is explained and not in the corpus", name)
		}
	}
	t.Logf("%d tokens", len(found))
}
