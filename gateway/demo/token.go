package demo

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

const (
	gatewayID     = "sallyport"
	tokenLifetime = time.Hour // the longest that the demo's issuers may give
)

// Token returns a fresh token of a person of the demo in dir. Edits change the claims before they are signed, for those who want
// to see what the gateway says to a token that is not as it should be.
func Token(dir, name string, edits ...func(Claims)) (string, error) {
	p, ok := people[name]
	if !ok {
		return "", environment("nobody in the demo is called %q: choose one of %s", name, names())
	}
	set, err := readKeys(Layout{Dir: dir}.IssuerKeys(p.issuer))
	if err != nil {
		return "", err
	}
	iss, err := issuerURL(Layout{Dir: dir}, p.issuer)
	if err != nil {
		return "", err
	}
	c := p.token(name, iss, time.Now())
	for _, edit := range edits {
		edit(c)
	}
	key, _ := set.Key(0)
	return sign(key, c)
}

// token is what the issuer says about p at a time.
func (p person) token(name, iss string, now time.Time) Claims {
	c := maps.Clone(p.claims)
	c["iss"], c["sub"], c["aud"] = iss, name, gatewayID
	c["iat"], c["auth_time"], c["exp"] = now.Unix(), now.Unix(), now.Add(tokenLifetime).Unix()
	c["jti"] = randomHex(16)
	return c
}

// sign returns c as a compact JWS whose header has alg, kid and typ and nothing else.
func sign(key jwk.Key, c Claims) (string, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("claims: %w", err)
	}
	h := jws.NewHeaders()
	if err := h.Set(jws.TypeKey, "at+jwt"); err != nil {
		return "", fmt.Errorf("token header: %w", err)
	}
	b, err := jws.Sign(payload, jws.WithKey(key.Algorithm(), key, jws.WithProtectedHeaders(h)))
	if err != nil {
		return "", fmt.Errorf("signing with key %s: %w", key.KeyID(), err)
	}
	return string(b), nil
}

// readKeys reads a key set, private parts included.
func readKeys(path string) (jwk.Set, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, environment("keys: %w (start the demo once to make them)", err)
	}
	set, err := jwk.Parse(b)
	if err != nil {
		return nil, environment("keys %s: %w", path, err)
	}
	if set.Len() == 0 {
		return nil, environment("keys %s: there is no key", path)
	}
	return set, nil
}

// newKey makes a key to sign with by alg, ES256 or ES384, of an issuer or another owner.
func newKey(id string, alg jwa.SignatureAlgorithm) (jwk.Key, error) {
	raw, err := newECKey(alg)
	if err != nil {
		return nil, fmt.Errorf("key of %s: %w", id, err)
	}
	key, err := jwk.FromRaw(raw)
	if err != nil {
		return nil, fmt.Errorf("key of %s: %w", id, err)
	}
	for name, value := range map[string]any{
		jwk.KeyIDKey: id + "-" + randomHex(4), jwk.AlgorithmKey: alg, jwk.KeyUsageKey: jwk.ForSignature,
	} {
		if err := key.Set(name, value); err != nil {
			return nil, fmt.Errorf("key of %s: %w", id, err)
		}
	}
	return key, nil
}

// randomHex returns n random bytes in hex.
func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails: see crypto/rand
	return hex.EncodeToString(b)
}
