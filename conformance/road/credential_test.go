package road_test

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/sallyport-dev/sallyport/gateway/demo"
)

const welcome = "/us-defense-plans/welcome.txt"

// refused is the outcome of a request whose credential proves nobody: 401, in the gateway's own log.
func refused(reason string) outcome {
	return outcome{Status: http.StatusUnauthorized, Reasons: reason, Visible: reason, Logs: []string{"gateway"}}
}

// confused is the outcome of a request that could be read in two ways, or is on no closed list.
func confused(reason string) outcome {
	return outcome{Status: http.StatusForbidden, Reasons: reason, Visible: reason, Logs: []string{"gateway"}}
}

func TestARequestWithoutOneGoodCredentialIsRefused(t *testing.T) {
	w := sharedWorld(t)
	hour := func(from, until time.Duration) func(demo.Claims) {
		return func(c demo.Claims) {
			now := time.Now()
			c["iat"], c["auth_time"], c["exp"] = now.Add(from).Unix(), now.Add(from).Unix(), now.Add(until).Unix()
		}
	}
	set := func(name string, value any) func(demo.Claims) { return func(c demo.Claims) { c[name] = value } }
	without := func(name string) func(demo.Claims) { return func(c demo.Claims) { delete(c, name) } }
	sam := func(edits ...func(demo.Claims)) string { return w.token(t, "sam", edits...) }
	honest := sam()
	header, payload, signature := split(honest)
	bearer := func(token string) map[string]string { return map[string]string{"Authorization": "Bearer " + token} }
	const sigv4 = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00"

	for _, c := range []struct {
		what   string
		header map[string]string
		want   outcome
	}{
		{"no credential", nil, refused("identity.missing")},
		{"an empty Bearer credential", bearer(""), refused("identity.missing")},
		{"a password", map[string]string{"Authorization": "Basic c2FtOnNhbQ=="}, refused("identity.invalid")},
		{"a token without a scheme", map[string]string{"Authorization": honest}, refused("identity.invalid")},
		{"a session token alone", map[string]string{"X-Amz-Security-Token": honest}, refused("identity.missing")},
		{"an S3 signature without a session token", map[string]string{"Authorization": sigv4}, refused("identity.missing")},
		{"a Bearer token and a session token", map[string]string{"Authorization": "Bearer " + honest, "X-Amz-Security-Token": honest}, confused("request.ambiguous")},
		{"two Bearer tokens in one header", bearer(honest + ", Bearer " + honest), confused("request.ambiguous")},
		{"two session tokens in one header", map[string]string{"Authorization": sigv4, "X-Amz-Security-Token": honest + "," + honest}, confused("request.ambiguous")},

		{"an expired token", bearer(sam(hour(-2*time.Hour, -time.Hour))), refused("identity.expired")},
		{"an expired session token", map[string]string{"Authorization": sigv4, "X-Amz-Security-Token": sam(hour(-2*time.Hour, -time.Hour))}, refused("identity.expired")},
		{"a token that never expires", bearer(sam(without("exp"))), refused("identity.invalid")},
		{"a token for a year", bearer(sam(hour(0, 365*24*time.Hour))), refused("identity.invalid")},
		{"a token from the future", bearer(sam(hour(time.Hour, 2*time.Hour))), refused("identity.invalid")},
		{"a token without a subject", bearer(sam(without("sub"))), refused("identity.invalid")},
		{"a token for another audience", bearer(sam(set("aud", "somebody-else"))), refused("identity.invalid")},
		{"a token for nobody", bearer(sam(without("aud"))), refused("identity.invalid")},
		{"a token of an unknown issuer", bearer(sam(set("iss", "https://issuer.invalid/usa"))), refused("identity.issuer")},
		{"a token of an issuer with a slash too many", bearer(sam(func(c demo.Claims) { c["iss"] = c["iss"].(string) + "/" })), refused("identity.issuer")},
		{"a claim of another shape", bearer(sam(set("nationalities", "USA"))), refused("identity.invalid")},
		{"a level that no scheme has", bearer(sam(set("clearances", []any{demo.Claims{"scheme": "USA", "level": "COSMIC"}}))), refused("identity.invalid")},

		{"a changed payload", bearer(header + "." + encode(edit(t, payload, "sub", "uma")) + "." + signature), refused("identity.invalid")},
		{"a changed signature", bearer(header + "." + payload + "." + flip(signature)), refused("identity.invalid")},
		{"a signature cut off", bearer(header + "." + payload + "."), refused("identity.invalid")},
		{"alg none", bearer(encode(edit(t, header, "alg", "none")) + "." + payload + "."), refused("identity.invalid")},
		{"alg none, with the old signature", bearer(encode(edit(t, header, "alg", "nOnE")) + "." + payload + "." + signature), refused("identity.invalid")},
		{"alg HS256, signed with the public key", bearer(w.confuse(t, header, payload)), refused("identity.invalid")},
		{"another issuer's key", bearer(w.forge(t, "gbr", nil, payload)), refused("identity.invalid")},
		{"its own key in the header", bearer(w.forge(t, "usa", map[string]any{"jwk": map[string]any{"kty": "EC"}}, payload)), refused("identity.invalid")},
		{"a key to be fetched", bearer(w.forge(t, "usa", map[string]any{"jku": "http://127.0.0.1:1/keys"}, payload)), refused("identity.invalid")},
		{"a critical extension", bearer(w.forge(t, "usa", map[string]any{"crit": []string{"b64"}, "b64": false}, payload)), refused("identity.invalid")},
		{"an unknown key", bearer(w.forge(t, "usa", map[string]any{"kid": "../../etc/passwd"}, payload)), refused("identity.invalid")},
		{"an identity token", bearer(w.forge(t, "usa", map[string]any{"typ": "JWT"}, payload)), refused("identity.invalid")},
		{"padding", bearer(honest + "="), refused("identity.invalid")},
		{"a token of more than 8 KiB", bearer(sam(set("jti", strings.Repeat("x", 8<<10)))), refused("identity.invalid")},
		{"a word", bearer("token"), refused("identity.invalid")},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			var shapes []shape
			for _, path := range []string{welcome, "/us-defense-plans/absent.txt", "/nobodys-bucket/absent.txt"} {
				a := w.ask(t, request{method: http.MethodGet, path: path, header: c.header})
				w.check(t, a, c.want)
				shapes = append(shapes, a.shape())
			}
			if d := cmp.Diff(slices.Repeat(shapes[:1], len(shapes)), shapes); d != "" {
				t.Errorf("the answer tells whether there is something (-existing +absent):\n%s", d)
			}
		})
	}
}

func TestASessionTokenOfAnS3ClientIsACredential(t *testing.T) {
	w := sharedWorld(t)
	w.check(t, w.ask(t, request{method: http.MethodGet, path: welcome, header: map[string]string{
		"Authorization":        "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00",
		"X-Amz-Security-Token": w.token(t, "sam"),
		"X-Amz-Date":           "20260101T000000Z",
	}}), allowed(http.StatusOK, "us-defense"))
}

func TestARefusalDoesNotTellWhetherTheObjectExists(t *testing.T) {
	w := sharedWorld(t)
	for _, c := range []struct {
		who   string
		paths []string // the first exists
	}{
		{"gina", []string{"/us-defense-plans/noforn/welcome.txt", "/us-defense-plans/noforn/absent.txt"}},
		{"uma", []string{"/us-defense-plans/welcome.txt", "/us-defense-plans/absent.txt"}},
		{"luc", []string{"/fr-space-missions/welcome.txt", "/fr-space-missions/absent.txt"}},
		{"otto", []string{"/us-defense-plans/welcome.txt", "/us-defense-plans/absent.txt"}},
		{"claire", []string{"/us-defense-plans/welcome.txt", "/us-defense-plans/absent.txt", "/us-defense-plans/noforn/welcome.txt",
			"/ca-housing-loans/welcome.txt", "/us-defense-nothing/absent.txt", "/nobodys-bucket/absent.txt"}},
		{"eve", []string{"/us-defense-plans/welcome.txt", "/us-defense-plans/absent.txt", "/nobodys-bucket/absent.txt"}},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodPut} {
			t.Run(c.who+" "+method, func(t *testing.T) {
				t.Parallel()
				var shapes []shape
				for _, path := range c.paths {
					shapes = append(shapes, w.ask(t, request{who: c.who, method: method, path: path}).shape())
				}
				if d := cmp.Diff(slices.Repeat(shapes[:1], len(shapes)), shapes); d != "" {
					t.Errorf("(-existing +absent):\n%s", d)
				}
				if shapes[0].Status != http.StatusForbidden {
					t.Errorf("status %d, want 403", shapes[0].Status)
				}
			})
		}
	}
}

// shape is what an answer tells apart from ids and times.
type shape struct {
	Status  int
	Headers []string
	Body    string
}

func (a answer) shape() shape {
	var headers []string
	for _, name := range slices.Sorted(maps.Keys(a.header)) {
		value := a.header.Get(name)
		switch name {
		case "Date", "X-Request-Id", "X-Sallyport-Decision-Id":
			value = "*"
		}
		headers = append(headers, name+": "+value)
	}
	return shape{a.status, headers, anyID.ReplaceAllString(a.body, "*")}
}

var anyID = regexp.MustCompile(`[0-9a-f]{32}`)

// split takes a compact token apart.
func split(token string) (header, payload, signature string) {
	parts := strings.Split(token, ".")
	return parts[0], parts[1], parts[2]
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// edit changes a member of a part of a token.
func edit(t *testing.T, part, name string, value any) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	var o map[string]any
	if err := json.Unmarshal(b, &o); err != nil {
		t.Fatal(err)
	}
	o[name] = value
	return marshal(t, o)
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// flip changes the first character of a part.
func flip(part string) string {
	if part[0] == 'A' {
		return "B" + part[1:]
	}
	return "A" + part[1:]
}

// key returns the key that an issuer signs with.
func (w *world) key(t *testing.T, issuer string) jwk.Key {
	t.Helper()
	b, err := os.ReadFile(w.IssuerKeys(issuer))
	if err != nil {
		t.Fatal(err)
	}
	set, err := jwk.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	key, ok := set.Key(0)
	if !ok {
		t.Fatalf("issuer %s has no key", issuer)
	}
	return key
}

// forge signs a payload with an issuer's ES256 key, below a header that the issuer would not write.
func (w *world) forge(t *testing.T, issuer string, header map[string]any, payload string) string {
	t.Helper()
	key := w.key(t, issuer)
	var private ecdsa.PrivateKey
	if err := key.Raw(&private); err != nil {
		t.Fatal(err)
	}
	h := map[string]any{"alg": "ES256", "typ": "at+jwt", "kid": key.KeyID()}
	maps.Copy(h, header)
	return signES256(t, &private, h, payload)
}

// signES256 signs a payload below a header, whatever is in them.
func signES256(t testing.TB, private *ecdsa.PrivateKey, header map[string]any, payload string) string {
	t.Helper()
	signed := encode(marshal(t, header)) + "." + payload
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + encode(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// confuse signs a payload with the issuer's public key as an HMAC secret.
func (w *world) confuse(t *testing.T, header, payload string) string {
	t.Helper()
	public, err := w.key(t, "usa").PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	pem, err := jwk.EncodePEM(public)
	if err != nil {
		t.Fatal(err)
	}
	signed := encode(edit(t, header, "alg", "HS256")) + "." + payload
	mac := hmac.New(sha256.New, pem)
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil))
}

// TestForgedTokensAreGoodButForTheirFault shows that what the tests above change is what is refused: the same road with nothing
// changed is allowed.
func TestForgedTokensAreGoodButForTheirFault(t *testing.T) {
	w := sharedWorld(t)
	_, payload, _ := split(w.token(t, "sam"))
	w.check(t, w.ask(t, request{method: "GET", path: welcome, header: map[string]string{
		"Authorization": "Bearer " + w.forge(t, "usa", nil, payload),
	}}), allowed(200, "us-defense"))
}
