package identity_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/authz/identity"
)

// FuzzFrontEnd holds that what the form check accepts has one spelling: encoding its parts again gives the same token, and a naive
// reader of the header sees the same three members.
func FuzzFrontEnd(f *testing.F) {
	claims := b64(`{"iss":"https://a.test","sub":"sam"}`)
	for _, header := range []string{goodHeader, `{"alg":"none","typ":"at+jwt"}`, `{"alg":"ES256","alg":"none","kid":"k","typ":"t"}`, `{"alg":"ES256","kid":"k","typ":"t","crit":["b64"]}`, `{"Alg":"ES256","kid":"k","typ":"t"}`} {
		f.Add(b64(header) + "." + claims + ".AAAA")
	}
	for _, token := range []string{"", "..", "a.b.c", b64(goodHeader) + "." + claims + ".AAA=", b64(goodHeader) + ".\n" + claims + ".AAAA", b64(goodHeader) + "." + claims + ".AAB", `{"payload":"","signatures":[]}`} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		payload, header, err := identity.FrontEnd(token)
		if err != nil {
			return
		}
		parts := strings.Split(token, ".")
		if len(token) > 8<<10 || len(parts) != 3 || base64.RawURLEncoding.EncodeToString(payload) != parts[1] {
			t.Fatalf("accepted, and encodes to something else: %q", token)
		}
		raw, err := base64.RawURLEncoding.DecodeString(parts[0])
		if err != nil || b64(string(raw)) != parts[0] {
			t.Fatalf("header %q: %v", parts[0], err)
		}
		naive := map[string]string{}
		if err := json.Unmarshal(raw, &naive); err != nil || len(naive) != 3 || [3]string{naive["alg"], naive["typ"], naive["kid"]} != header {
			t.Fatalf("header %s read as %q: %v", raw, header, err)
		}
		var claims map[string]any
		if err := json.Unmarshal(payload, &claims); err != nil || claims["iss"] == "" {
			t.Fatalf("payload %q: %v", payload, err)
		}
	})
}

// FuzzJWKS holds that no key set, however hostile, gives a key of an algorithm that is not asked for.
func FuzzJWKS(f *testing.F) {
	f.Add([]byte(text(map[string]any{"keys": []any{newECKey("k").jwk()}})))
	f.Add([]byte(`{"keys":[{"kty":"oct","kid":"k","alg":"HS256","k":"AAAA"},{"kty":"RSA","kid":"r","n":"AQ","e":"AQAB"},{"kty":"OKP","crv":"Ed25519","kid":"o","x":"AA"}]}`))
	f.Add([]byte(`{"keys":[null,1,"",[],{}]}`))
	f.Fuzz(func(t *testing.T, set []byte) {
		usable, _, err := identity.ParseJWKS(set, "ES256", "EdDSA", "PS256")
		if err != nil && len(usable) > 0 {
			t.Fatalf("keys from a set that is none: %v", usable)
		}
		for kid, alg := range usable {
			if kid == "" || alg != "ES256" && alg != "EdDSA" && alg != "PS256" {
				t.Fatalf("kid %q of %s", kid, alg)
			}
		}
	})
}
