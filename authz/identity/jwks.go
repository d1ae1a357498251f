package identity

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

const (
	maxJWKS    = 256 << 10
	maxKeys    = 50
	minRSABits = 2048
	maxRSABits = 8192 // a longer one only costs time
)

// key is one usable public key and the one algorithm that it is for.
type key struct {
	alg    string
	public any // *ecdsa.PublicKey, *rsa.PublicKey or ed25519.PublicKey
}

func (k key) equal(o key) bool {
	p, ok := k.public.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.alg == o.alg && p.Equal(o.public)
}

// parseJWKS reads a JWK set (RFC 7517) key by key: one that is hostile or of a kind that we don't know is left out and told about,
// the rest is used. jwx would fail the whole set for one of unknown kty, and accept secrets and short RSA keys.
func parseJWKS(b []byte, algorithms []string) (keys map[string]key, refused []string, err error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(b, &set); err != nil || set.Keys == nil {
		return nil, nil, errors.New("not a JWK set")
	}
	if len(set.Keys) > maxKeys {
		return nil, nil, fmt.Errorf("%d keys, at most %d are read", len(set.Keys), maxKeys)
	}
	keys = map[string]key{}
	twice := map[string]bool{}
	for n, raw := range set.Keys {
		kid, k, err := parseKey(raw, algorithms)
		if _, ok := keys[kid]; ok && err == nil {
			twice[kid] = true
			err = errors.New("kid twice in the set, neither counts")
		}
		if err != nil {
			refused = append(refused, fmt.Sprintf("keys[%d] %s: %v", n, quote(kid), err))
			continue
		}
		keys[kid] = k
	}
	for _, kid := range slices.Sorted(maps.Keys(twice)) {
		delete(keys, kid)
		refused = append(refused, "the first "+quote(kid)+": kid twice in the set, neither counts")
	}
	return keys, refused, nil
}

// private are the members that only a private or symmetric key has (RFC 7518 §6). Who publishes one has lost the key.
var private = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

func parseKey(raw []byte, algorithms []string) (kid string, k key, err error) {
	o, err := parseObject(raw)
	if err != nil {
		return "", key{}, err
	}
	kid, _ = o["kid"].(string)
	if !validKeyID(kid) {
		return kid, key{}, errors.New("kid: want 1 to 128 printable ASCII characters")
	}
	k, _, err = parsePublic(o, raw, algorithms)
	return kid, k, err
}

// parsePublic reads one public key of a JWK, o, whose JSON is raw. It also returns the key's thumbprint (RFC 7638).
func parsePublic(o map[string]any, raw []byte, algorithms []string) (k key, thumb string, err error) {
	for _, p := range private {
		if _, ok := o[p]; ok {
			return key{}, "", fmt.Errorf("holds the private member %s", p)
		}
	}
	if use, ok := o["use"]; ok && use != "sig" {
		return key{}, "", errors.New("use is not sig")
	}
	if ops, ok := o["key_ops"]; ok {
		if l, _ := ops.([]any); !slices.Contains(l, any("verify")) {
			return key{}, "", errors.New("key_ops has no verify")
		}
	}
	if k.alg, err = keyAlgorithm(o, algorithms); err != nil {
		return key{}, "", err
	}
	parsed, err := jwk.ParseKey(raw)
	if err != nil {
		return key{}, "", errors.New("no well-formed key of its kty")
	}
	if err := parsed.Raw(&k.public); err != nil {
		return key{}, "", errors.New("no well-formed key of its kty")
	}
	if err := checkPublic(k); err != nil {
		return key{}, "", err
	}
	sum, err := parsed.Thumbprint(crypto.SHA256)
	if err != nil {
		return key{}, "", errors.New("no thumbprint")
	}
	return k, thumbprint(sum), nil
}

// signedBy proves that k has signed t.
func (t token) signedBy(k key) error {
	payload, err := jws.Verify([]byte(t.compact), jws.WithKey(jwa.SignatureAlgorithm(k.alg), k.public), jws.WithCompact())
	if err != nil {
		return errors.New("signature does not hold")
	}
	if !bytes.Equal(payload, t.payload) {
		return errors.New("signature is over something else")
	}
	return nil
}

// keyAlgorithm returns the algorithm that the issuer lists and the key's kty and crv fit. A key without alg gets it only if there
// is exactly one: PS256 and RS256 take the same keys.
func keyAlgorithm(o map[string]any, algorithms []string) (string, error) {
	kty, _ := o["kty"].(string)
	crv, _ := o["crv"].(string)
	var fits []string
	switch kty + "/" + crv {
	case "EC/P-256":
		fits = []string{"ES256"}
	case "EC/P-384":
		fits = []string{"ES384"}
	case "OKP/Ed25519":
		fits = []string{"EdDSA"}
	case "RSA/":
		fits = []string{"PS256", "PS384", "RS256"}
	default:
		return "", fmt.Errorf("kty %s with crv %s is not supported", quote(kty), quote(crv))
	}
	fits = slices.DeleteFunc(fits, func(a string) bool { return !slices.Contains(algorithms, a) })
	if alg, ok := o["alg"]; ok {
		s, _ := alg.(string)
		if !slices.Contains(fits, s) {
			return "", fmt.Errorf("alg %s does not fit the key and the issuer's algorithms", quote(s))
		}
		return s, nil
	}
	if len(fits) != 1 {
		return "", fmt.Errorf("no alg, and %d of the issuer's algorithms fit", len(fits))
	}
	return fits[0], nil
}

func checkPublic(k key) error {
	switch p := k.public.(type) {
	case *ecdsa.PublicKey:
		if _, err := p.ECDH(); err != nil {
			return errors.New("no point of its curve")
		}
	case *rsa.PublicKey:
		if n := p.N.BitLen(); n < minRSABits || n > maxRSABits {
			return fmt.Errorf("RSA of %d bits, want %d to %d", n, minRSABits, maxRSABits)
		}
		if p.E < 65537 || p.E%2 == 0 {
			return errors.New("RSA exponent is even or below 65537")
		}
	case ed25519.PublicKey:
		if len(p) != ed25519.PublicKeySize {
			return errors.New("Ed25519 key of another length")
		}
	default:
		return errors.New("no public signature key")
	}
	return nil
}
