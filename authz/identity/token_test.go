package identity_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	jwa3 "github.com/lestrrat-go/jwx/v3/jwa"
	jws3 "github.com/lestrrat-go/jwx/v3/jws"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/identity"
)

const maxDepth = 16

const goodHeader = `{"alg":"ES256","kid":"k1","typ":"at+jwt"}`

// form is a token that is wrong in its form, and a part of what is said of it.
type form struct{ name, token, detail string }

// forms takes sam's good token, changes one thing in its form and signs it again where that is possible. Rows with a J number are those
// of the attack list (RFC 8725 and what broke other verifiers); * marks what jwx accepts by itself.
func forms(w *world) []form {
	k := w.keys["usa"]
	claims := text(w.claims("sam"))
	good := w.token("sam")
	part := strings.Split(good, ".")
	header := func(h string) string { return k.sign(h, claims) }
	payload := func(p string) string { return k.sign(goodHeader, p) }
	extra := func(member string) string { return header(strings.TrimSuffix(goodHeader, "}") + "," + member + "}") }
	hs256 := func() string {
		input := b64(`{"alg":"HS256","kid":"k1","typ":"at+jwt"}`) + "." + b64(claims)
		mac := hmac.New(sha256.New, []byte(text(k.jwk())))
		mac.Write([]byte(input))
		return input + "." + b64(string(mac.Sum(nil)))
	}
	nested := func(depth int) string { return nested(w, depth) }
	return []form{
		{"J05 alg none without signature", b64(`{"alg":"none","kid":"k1","typ":"at+jwt"}`) + "." + part[1] + ".", "part 3"},
		{"J05 alg nOnE with a signature", header(`{"alg":"nOnE","kid":"k1","typ":"at+jwt"}`), "alg is none of the issuer's"},
		{"J05 alg HS256 with the public key as secret", hs256(), "alg is none of the issuer's"},
		{"J07 another listed alg than the key's *", header(`{"alg":"ES384","kid":"k1","typ":"at+jwt"}`), "alg is not the key's"},
		{"J07 PS256 token that names an ES256 key", usaKeys()["PS256"].sign(`{"alg":"PS256","kid":"k1","typ":"at+jwt"}`, claims), "alg is not the key's"},
		{"J07 no alg *", header(`{"kid":"k1","typ":"at+jwt"}`), "header alg"},
		{"J07 alg in lower case", header(`{"alg":"es256","kid":"k1","typ":"at+jwt"}`), "alg is none of the issuer's"},
		{"J09 kid that walks a path", header(`{"alg":"ES256","kid":"../../x","typ":"at+jwt"}`), "unknown kid"},
		{"J09 kid that is SQL", header(`{"alg":"ES256","kid":"k1' OR '1'='1","typ":"at+jwt"}`), "unknown kid"},
		{"J09 kid of 10 KiB", header(`{"alg":"ES256","kid":"` + strings.Repeat("k", 10<<10) + `","typ":"at+jwt"}`), "longer than"},
		{"J09 kid of 129 characters", header(`{"alg":"ES256","kid":"` + strings.Repeat("k", 129) + `","typ":"at+jwt"}`), "header kid"},
		{"J09 kid with a line break", header(`{"alg":"ES256","kid":"k1\n","typ":"at+jwt"}`), "header kid"},
		{"J09 kid that is a number", header(`{"alg":"ES256","kid":1,"typ":"at+jwt"}`), "header kid"},
		{"no kid", header(`{"alg":"ES256","typ":"at+jwt"}`), "header kid"},
		{"J11 jwk in the header", extra(`"jwk":` + text(k.jwk())), "only the members"},
		{"J11 jku in the header", extra(`"jku":"` + w.base + `/usa/jwks"`), "only the members"},
		{"J11 x5u in the header", extra(`"x5u":"https://a.test/cert"`), "only the members"},
		{"J11 x5c in the header", extra(`"x5c":["AA"]`), "only the members"},
		{"J13 b64 false without crit *", extra(`"b64":false`), "only the members"},
		{"crit that nobody knows *", extra(`"crit":["x"],"x":1`), "only the members"},
		{"zip in the header", extra(`"zip":"DEF"`), "only the members"},
		{"J15 alg twice *", header(`{"alg":"none","alg":"ES256","kid":"k1","typ":"at+jwt"}`), `name "alg" twice`},
		{"J15 kid twice *", header(`{"alg":"ES256","kid":"x","kid":"k1","typ":"at+jwt"}`), `name "kid" twice`},
		{"J15 kid twice, once escaped *", header(`{"alg":"ES256","\u006bid":"x","kid":"k1","typ":"at+jwt"}`), `name "kid" twice`},
		{"J15 iss twice *", payload(`{"iss":"` + w.base + `/fra",` + claims[1:]), `name "iss" twice`},
		{"J15 exp twice *", payload(`{"exp":99999999999,` + claims[1:]), `name "exp" twice`},
		{"J15 a name twice in a nested object *", payload(`{"x":[{"a":1,"a":2}],` + claims[1:]), `name "a" twice`},
		{"no typ *", header(`{"alg":"ES256","kid":"k1"}`), "header typ"},
		{"typ of an ID token *", header(`{"alg":"ES256","kid":"k1","typ":"JWT"}`), "typ is none of the issuer's"},
		{"typ of a logout token *", header(`{"alg":"ES256","kid":"k1","typ":"logout+jwt"}`), "typ is none of the issuer's"},
		{"typ in upper case *", header(`{"alg":"ES256","kid":"k1","typ":"AT+JWT"}`), "typ is none of the issuer's"},
		{"typ in its long form *", header(`{"alg":"ES256","kid":"k1","typ":"application/at+jwt"}`), "typ is none of the issuer's"},
		{"header name in another case", header(`{"ALG":"ES256","kid":"k1","typ":"at+jwt"}`), "only the members"},
		{"J31 token of 1 MiB", strings.Repeat("a", 1<<20), "longer than"},
		{"JWE in five parts", good + ".AA.AA", "compact JWS"},
		{"two parts", part[0] + "." + part[1], "compact JWS"},
		{"empty header", "." + part[1] + "." + part[2], "part 1"},
		{"empty payload", part[0] + ".." + part[2], "part 2"},
		{"white space before *", " " + good, "part 1"},
		{"line break after *", good + "\n", "part 3"},
		{"line break inside base64 *", part[0] + "." + part[1][:8] + "\n" + part[1][8:] + "." + part[2], "part 2"},
		{"padded base64 *", part[0] + "." + part[1] + "." + part[2] + "==", "part 3"},
		{"base64 with unused bits set *", part[0] + "." + part[1] + "." + part[2][:85] + string(part[2][85]+1), "part 3"},
		{"standard alphabet of base64", part[0] + "." + base64.RawStdEncoding.EncodeToString([]byte(`{"a":"???>>>"}`)) + "." + part[2], "part 2"},
		{"bytes after the payload's JSON *", payload(claims + "{}"), "not one JSON value"},
		{"payload that is an array", payload("[" + claims + "]"), "not a JSON object"},
		{"payload that is no UTF-8 *", payload(strings.Replace(claims, "sam", "s\xffm", 1)), "not UTF-8"},
		{"half a surrogate pair *", payload(strings.Replace(claims, "sam", `s\ud800m`, 1)), "not Unicode"},
		{"payload of 17 levels", nested(maxDepth + 1), "nested deeper"},
		{"claim name in another case: ISS", payload(strings.Replace(claims, `"iss"`, `"ISS"`, 1)), "iss"},
		{"claim name in another case: Exp", payload(strings.Replace(claims, `"exp"`, `"Exp"`, 1)), "exp"},
		{"iss that is null *", payload(text(w.claims("sam", map[string]any{"iss": nil}))), "iss"},
		{"no signature's worth of signature", part[0] + "." + part[1] + ".AA", "signature"},
		{"signature in DER", part[0] + "." + part[1] + "." + der(part[2]), "signature"},
		{"signature of another payload", part[0] + "." + part[1] + "." + strings.Split(w.token("sam", map[string]any{"jti": "x"}), ".")[2], "signature"},
		{"payload changed under the signature", part[0] + "." + b64(strings.Replace(claims, "sam", "uma", 1)) + "." + part[2], "signature"},
		{"header changed under the signature", b64(`{"alg":"ES256","typ":"at+jwt","kid":"k1"}`) + "." + part[1] + "." + part[2], "signature"},
	}
}

// nested is sam's token with a claim of that many levels.
func nested(w *world, depth int) string {
	claims := text(w.claims("sam"))
	return w.keys["usa"].sign(goodHeader, strings.TrimSuffix(claims, "}")+`,"x":`+strings.Repeat("[", depth-1)+strings.Repeat("]", depth-1)+"}")
}

func TestForgedFormsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	part := strings.Split(w.token("sam"), ".")
	for _, c := range forms(w) {
		t.Run(c.name, func(t *testing.T) {
			reason, detail := refused(t, w.verifier, bearer(c.token))
			if reason != authz.IdentityInvalid || !strings.Contains(detail, c.detail) {
				t.Errorf("refused for %q: %s; want identity.invalid: …%s…", reason, detail, c.detail)
			}
			for _, p := range part {
				if strings.Contains(detail, p) {
					t.Errorf("the detail holds a part of the token: %s", detail)
				}
			}
		})
	}
	for _, depth := range []int{2, maxDepth} {
		if reason, detail := refused(t, w.verifier, bearer(nested(w, depth))); reason != "" {
			t.Errorf("%d levels of nesting are refused: %s", depth, detail)
		}
	}
}

// TestJSONFormsAreRefused: jwx v2's jwt.Parse verifies the inner JWS of the first and returns the unsigned members beside it as
// claims. Their commas make them ambiguous as a header; the form check must refuse them by itself.
func TestJSONFormsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	part := strings.Split(w.token("sam"), ".")
	for name, token := range map[string]string{
		"J01 flattened JSON with unsigned outer claims *": `{"payload":"` + part[1] + `","protected":"` + part[0] + `","signature":"` + part[2] + `","sub":"eve"}`,
		"J03 general JSON with two signatures *":          `{"payload":"` + part[1] + `","signatures":[{"protected":"` + part[0] + `","signature":"` + part[2] + `"},{"protected":"` + part[0] + `","signature":"AA"}]}`,
		"flattened JSON whose payload has dots":           `{"payload":"a.b.c"}`,
	} {
		t.Run(name, func(t *testing.T) {
			if reason, _ := refused(t, w.verifier, bearer(token)); reason == "" {
				t.Error("verifies")
			}
			if _, _, err := identity.FrontEnd(token); err == nil {
				t.Error("passes the form check")
			}
		})
	}
}

// der is an ECDSA signature as X.509 writes it, where a JWS has r and s side by side.
func der(signature string) string {
	raw, err := base64.RawURLEncoding.DecodeString(signature)
	must(err)
	b, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])})
	must(err)
	return b64(string(b))
}

// claim is a change of the claims of sam's good token, signed as his issuer does, and why it is refused.
type claim struct {
	name   string
	edit   map[string]any
	reason authz.Reason
	detail string
}

func wrongClaims(w *world) []claim {
	now := noon.Unix()
	type m = map[string]any
	clearance := func(v any) m { return m{"clearances": []any{v}} }
	label := func(v any) m { return m{"high_water": []any{v}} }
	return []claim{
		{"J17 no exp *", m{"exp": absent}, authz.IdentityInvalid, "exp"},
		{"no iat *", m{"iat": absent}, authz.IdentityInvalid, "iat"},
		{"no sub *", m{"sub": absent}, authz.IdentityInvalid, "sub"},
		{"J23 no aud *", m{"aud": absent}, authz.IdentityInvalid, "aud"},
		{"J23 aud of somebody else", m{"aud": "storage"}, authz.IdentityInvalid, "aud"},
		{"J23 aud in another case", m{"aud": "Sallyport"}, authz.IdentityInvalid, "aud"},
		{"J23 aud list without us", m{"aud": []any{"storage", "sallyport.test"}}, authz.IdentityInvalid, "aud"},
		{"J23 empty aud list", m{"aud": []any{}}, authz.IdentityInvalid, "aud"},
		{"J23 aud list with a number", m{"aud": []any{"sallyport", 1}}, authz.IdentityInvalid, "aud[1]"},
		{"J23 aud that is an object", m{"aud": m{"sallyport": true}}, authz.IdentityInvalid, "aud"},
		{"J19 exp 1e20 *", m{"exp": 1e20}, authz.IdentityInvalid, "exp: want a positive whole number"},
		{"J19 exp that is a text *", m{"exp": "1795522440"}, authz.IdentityInvalid, "exp"},
		{"J19 negative exp", m{"exp": -1}, authz.IdentityInvalid, "exp: want a positive whole number"},
		{"J19 exp 0, which never expires to some *", m{"exp": 0}, authz.IdentityInvalid, "exp: want a positive whole number"},
		{"J19 exp that is a fraction", m{"exp": float64(now) + 60.5}, authz.IdentityInvalid, "exp: want a positive whole number"},
		{"J19 exp that is null *", m{"exp": nil}, authz.IdentityInvalid, "exp"},
		{"J19 exp after the year 9999", m{"exp": int64(253402300800)}, authz.IdentityInvalid, "exp: want a positive whole number"},
		{"exp that is now", m{"exp": now}, authz.IdentityExpired, "ended"},
		{"exp that was a second ago", m{"exp": now - 1}, authz.IdentityExpired, "ended"},
		{"J21 iat 31 s ahead", m{"iat": now + 31, "exp": now + 60}, authz.IdentityInvalid, "iat"},
		{"nbf 31 s ahead", m{"nbf": now + 31}, authz.IdentityInvalid, "nbf"},
		{"nbf that is a text", m{"nbf": "0"}, authz.IdentityInvalid, "nbf"},
		{"life of a second more than the issuer's maximum", m{"exp": now - 60 + 3601}, authz.IdentityInvalid, "more than 3600 s"},
		{"exp before iat", m{"iat": now - 10, "exp": now - 20}, authz.IdentityInvalid, "exp"},
		{"auth_time ahead", m{"auth_time": now + 31}, authz.IdentityInvalid, "auth_time"},
		{"J27 iss with a slash more", m{"iss": w.base + "/usa/"}, authz.IdentityIssuer, "no issuer"},
		{"iss in another case", m{"iss": strings.ToUpper(w.base) + "/usa"}, authz.IdentityIssuer, "no issuer"},
		{"iss that the bundle does not have", m{"iss": "https://evil.test"}, authz.IdentityIssuer, `no issuer "https://evil.test"`},
		{"sub with the sign that parts issuer and sub", m{"sub": "x|sam"}, authz.IdentityInvalid, "sub"},
		{"empty sub", m{"sub": ""}, authz.IdentityInvalid, "sub"},
		{"sub of 257 bytes", m{"sub": strings.Repeat("s", 257)}, authz.IdentityInvalid, "sub"},
		{"sub with a control character", m{"sub": "sam\x1b[2J"}, authz.IdentityInvalid, "sub"},
		{"sub with an invisible character", m{"sub": "sam\u200b"}, authz.IdentityInvalid, "sub"},
		{"sub that is a number", m{"sub": 7}, authz.IdentityInvalid, "sub"},
		{"jti that is a number", m{"jti": 7}, authz.IdentityInvalid, "jti"},
		{"no subject_type", m{"subject_type": absent}, authz.IdentityInvalid, "subject_type"},
		{"subject_type that nobody knows", m{"subject_type": "admin"}, authz.IdentityInvalid, "subject_type"},
		{"tenant that is a list", m{"tenant": []any{"us-defense"}}, authz.IdentityInvalid, "tenant"},
		{"affiliation that is a text", m{"affiliation": "tenant"}, authz.IdentityInvalid, "affiliation"},
		{"affiliation without country", m{"affiliation": m{"kind": "tenant", "organization": "us-defense"}}, authz.IdentityInvalid, "affiliation.country"},
		{"affiliation with a member more", m{"affiliation": m{"kind": "tenant", "organization": "us-defense", "country": "USA", "Kind": "provider"}}, authz.IdentityInvalid, "affiliation"},
		{"affiliation of a kind that nobody knows", m{"affiliation": m{"kind": "owner", "organization": "us-defense", "country": "USA"}}, authz.IdentityInvalid, "affiliation.kind"},
		{"J43 two nations in one text", m{"nationalities": []any{"USA,GBR"}}, authz.IdentityInvalid, "nationalities[0]"},
		{"J43 nation with a space", m{"nationalities": []any{"US "}}, authz.IdentityInvalid, "nationalities[0]"},
		{"J43 nation with a Greek letter that looks Latin", m{"nationalities": []any{"USΑ"}}, authz.IdentityInvalid, "nationalities[0]"},
		{"nationalities that are one text", m{"nationalities": "USA"}, authz.IdentityInvalid, "nationalities"},
		{"communities that are null", m{"communities": nil}, authz.IdentityInvalid, "communities"},
		{"roles with a number", m{"roles": []any{"planner", 1}}, authz.IdentityInvalid, "roles[1]"},
		{"location in lower case", m{"location": "usa"}, authz.IdentityInvalid, "location"},
		{"acr that is a number", m{"acr": 2}, authz.IdentityInvalid, "acr"},
		{"amr that is a text", m{"amr": "pin"}, authz.IdentityInvalid, "amr"},
		{"clearances that are an object", m{"clearances": m{"scheme": "USA", "level": "SECRET"}}, authz.IdentityInvalid, "clearances"},
		{"clearance of an unknown scheme", clearance(m{"scheme": "XYZ", "level": "SECRET"}), authz.IdentityInvalid, "clearances[0].scheme"},
		{"clearance of an unknown level", clearance(m{"scheme": "USA", "level": "Secret"}), authz.IdentityInvalid, "level"},
		{"clearance of an unknown native word", clearance(m{"scheme": "NZL", "native": "TRUSTED"}), authz.IdentityInvalid, "native"},
		{"clearance with level and native word", clearance(m{"scheme": "NZL", "level": "RESTRICTED", "native": "PERSONNEL-CHECK"}), authz.IdentityInvalid, "either a level or"},
		{"clearance without level and native word", clearance(m{"scheme": "USA"}), authz.IdentityInvalid, "either a level or"},
		{"clearance with an unknown tag set", clearance(m{"scheme": "USA", "level": "SECRET", "categories": m{"x": []any{}}}), authz.IdentityInvalid, "tag set"},
		{"clearance with an unknown category", clearance(m{"scheme": "USA", "level": "SECRET", "categories": m{"sci": []any{"HCS"}}}), authz.IdentityInvalid, "category"},
		{"clearance with a category that is no list", clearance(m{"scheme": "USA", "level": "SECRET", "categories": m{"sci": "TK"}}), authz.IdentityInvalid, "categories.sci"},
		{"clearance with a member more", clearance(m{"scheme": "USA", "level": "SECRET", "sponsor": "usa"}), authz.IdentityInvalid, "clearances[0]"},
		{"clearance that ends at no time", clearance(m{"scheme": "USA", "level": "SECRET", "not_after": "never"}), authz.IdentityInvalid, "not_after"},
		{"clearance that begins at null", clearance(m{"scheme": "USA", "level": "SECRET", "not_before": nil}), authz.IdentityInvalid, "not_before"},
		{"high_water of an unknown scheme", label(m{"scheme": "XYZ", "level": "SECRET"}), authz.IdentityInvalid, "high_water[0].scheme"},
		{"high_water with an alternative of an unknown level", label(m{"scheme": "USA", "level": "SECRET", "alternatives": []any{m{"scheme": "USA", "level": "X"}}}), authz.IdentityInvalid, "high_water[0].alternatives[0]"},
		{"high_water with a member more", label(m{"scheme": "USA", "level": "SECRET", "owner": "USA"}), authz.IdentityInvalid, "high_water[0]"},
		{"high_water that is a text", m{"high_water": "SECRET"}, authz.IdentityInvalid, "high_water"},
	}
}

func TestTokensThatClaimTooMuchAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range wrongClaims(w) {
		t.Run(c.name, func(t *testing.T) {
			reason, detail := refused(t, w.verifier, bearer(w.token("sam", c.edit)))
			if reason != c.reason || !strings.Contains(detail, c.detail) {
				t.Errorf("refused for %q: %s; want %s: …%s…", reason, detail, c.reason, c.detail)
			}
		})
	}
}

// limits are changes of sam's claims that leave them good.
func limits() map[string]map[string]any {
	now := noon.Unix()
	return map[string]map[string]any{
		"aud list that names an enclave among others": {"aud": []any{"storage", "iad-1"}},
		"exp a second ahead":                          {"exp": now + 1},
		"iat 30 s ahead":                              {"iat": now + 30},
		"nbf 30 s ahead":                              {"nbf": now + 30},
		"life of exactly the maximum":                 {"exp": now - 60 + 3600},
		"claims that nobody maps":                     {"scope": "openid", "x": 1.5},
		"tenant and affiliation that are null":        {"tenant": nil, "affiliation": nil, "high_water": nil},
		"no claim but those required":                 {"tenant": absent, "affiliation": absent, "nationalities": absent, "clearances": absent, "location": absent, "jti": absent},
	}
}

func TestTokensAtTheirLimitsAreAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, edit := range limits() {
		t.Run(name, func(t *testing.T) {
			if reason, detail := refused(t, w.verifier, bearer(w.token("sam", edit))); reason != "" {
				t.Errorf("refused for %s: %s", reason, detail)
			}
		})
	}
}

// TestKidsOfTwoIssuersNeverMix: every issuer of the world has a key of the same kid.
func TestKidsOfTwoIssuersNeverMix(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		name, claims, key string
		want              authz.Reason
	}{
		{"J29 each issuer's kid k1 finds its own key: usa", "sam", "usa", ""},
		{"J29 each issuer's kid k1 finds its own key: fra", "eve", "fra", ""},
		{"J25 iss usa signed by fra's key of the same kid", "sam", "fra", authz.IdentityInvalid},
		{"J25 iss fra signed by usa's key of the same kid", "eve", "usa", authz.IdentityInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, detail := refused(t, w.verifier, bearer(w.keys[c.key].sign(goodHeader, text(w.claims(c.claims))))); got != c.want {
				t.Errorf("refused for %q (%s), want %q", got, detail, c.want)
			}
		})
	}
}

// TestEveryAlgorithmVerifies also asks jwx/v3, which still gets fixes, for the same verdict: the day they differ is the day to look.
func TestEveryAlgorithmVerifies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for alg, k := range usaKeys() {
		good := k.sign(text(map[string]any{"alg": alg, "kid": k.kid, "typ": "at+jwt"}), text(w.claims("sam")))
		dot := strings.LastIndexByte(good, '.')
		signature, err := base64.RawURLEncoding.DecodeString(good[dot+1:])
		must(err)
		signature[len(signature)/2] ^= 1
		for name, token := range map[string]string{"good": good, "with one bit of the signature flipped": good[:dot+1] + b64(string(signature))} {
			t.Run(alg+" "+name, func(t *testing.T) {
				_, detail := refused(t, w.verifier, bearer(token))
				alg3, _ := jwa3.LookupSignatureAlgorithm(alg)
				_, err := jws3.Verify([]byte(token), jws3.WithKey(alg3, public(k)), jws3.WithCompact())
				if diff := cmp.Diff([]bool{name == "good", name == "good"}, []bool{detail == "", err == nil}); diff != "" {
					t.Errorf("accepted by us and by jwx/v3 (-want +got):\n%s%s %v", diff, detail, err)
				}
			})
		}
	}
}
