package service

import (
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/sallyport-dev/sallyport/authz/strictjson"
)

// header is the whole protected header. Members that carry a key, point to one, or change how the rest is read are not among them.
type header struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Type      string `json:"typ"`
}

// token is a grant whose form has been checked and whose signature has not: nothing in it is true yet.
type token struct {
	header header
	grant  Grant
}

// maxID bounds what is remembered of a grant; a decision id has 32 bytes.
const maxID = 128

// parse accepts exactly one spelling, before any library sees it.
func parse(compact string) (token, error) {
	if len(compact) > MaxSize {
		return token{}, refuse(Malformed, fmt.Sprintf("it is longer than %d bytes", MaxSize))
	}
	parts := strings.Split(compact, ".")
	if len(parts) != 3 {
		return token{}, refuse(Malformed, "it is no compact JWS of three parts")
	}
	var raw [3][]byte
	for i, p := range parts {
		b, err := base64.RawURLEncoding.Strict().DecodeString(p)
		// Go's decoder skips line breaks also when strict, so only the way back proves that the spelling is the one.
		if err != nil || base64.RawURLEncoding.EncodeToString(b) != p {
			return token{}, refuse(Malformed, fmt.Sprintf("part %d is not canonical base64url", i+1))
		}
		raw[i] = b
	}
	var t token
	if err := strictjson.Unmarshal(raw[0], &t.header); err != nil {
		return token{}, refuse(Malformed, "header: "+err.Error())
	}
	if t.header.Type != Type {
		return token{}, refuse(WrongType, "typ is not "+Type)
	}
	if t.header.Algorithm != Algorithm {
		return token{}, refuse(WrongAlgorithm, "alg is not "+Algorithm)
	}
	if err := strictjson.Unmarshal(raw[1], &t.grant); err != nil {
		return token{}, refuse(Malformed, "claims: "+err.Error())
	}
	if n := len(t.grant.DecisionID); n < 1 || n > maxID {
		return token{}, refuse(Malformed, fmt.Sprintf("claims: jti: want 1 to %d bytes", maxID))
	}
	return t, nil
}

const (
	maxKeySet = 64 << 10
	maxKeys   = 16
)

// private are the members that only a private or symmetric key has (RFC 7518 §6).
var private = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// parseKeys reads a JWK set (RFC 7517) of P-256 keys for ES256, each with a kid of its own. One bad key refuses the whole set: this
// set is the operator's own file, where a mistake is to be seen.
func parseKeys(jwks []byte) (map[string]*ecdsa.PublicKey, error) {
	if len(jwks) > maxKeySet {
		return nil, fmt.Errorf("longer than %d bytes", maxKeySet)
	}
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(jwks, &set); err != nil {
		return nil, errors.New(`no JWK set: want {"keys": [...]}`)
	}
	if n := len(set.Keys); n < 1 || n > maxKeys {
		return nil, fmt.Errorf("%d keys: want 1 to %d", n, maxKeys)
	}
	keys := map[string]*ecdsa.PublicKey{}
	for i, members := range set.Keys {
		kid, key, err := parseKey(members)
		if err != nil {
			return nil, fmt.Errorf("keys[%d]: %w", i, err)
		}
		if _, taken := keys[kid]; taken {
			return nil, fmt.Errorf("keys[%d]: kid is that of another key too", i)
		}
		keys[kid] = key
	}
	return keys, nil
}

func parseKey(members map[string]any) (string, *ecdsa.PublicKey, error) {
	kid, _ := members["kid"].(string)
	if kid == "" || len(kid) > 128 {
		return "", nil, errors.New("kid: want a text of 1 to 128 bytes")
	}
	for name := range members {
		if slices.Contains(private, name) {
			return "", nil, fmt.Errorf("it has the private member %s: give services public keys only, and replace this one", name)
		}
	}
	if members["alg"] != Algorithm {
		return "", nil, errors.New("alg is not " + Algorithm)
	}
	if use, ok := members["use"]; ok && use != "sig" {
		return "", nil, errors.New("use is not sig")
	}
	b, err := json.Marshal(members)
	if err != nil {
		return "", nil, err
	}
	parsed, err := jwk.ParseKey(b)
	if err != nil {
		return "", nil, errors.New("no well-formed key")
	}
	var key ecdsa.PublicKey
	if err := parsed.Raw(&key); err != nil {
		return "", nil, errors.New("no EC key")
	}
	if _, err := key.ECDH(); err != nil || key.Curve.Params().Name != "P-256" {
		return "", nil, errors.New("no point of P-256")
	}
	return kid, &key, nil
}
