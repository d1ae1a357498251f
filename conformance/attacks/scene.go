package attacks

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"
)

// scene is what the template of a request may use:
//
//	{{port}} {{unique}}         of Envoy's storage listener; a name that nothing else has
//	{{repeat "x" 2048}} {{byte 233}} {{crlf}} {{count 1001}}
//	{{token "sam" edit…}}       a token of a person, signed again by his issuer after the edits:
//	  (claim "aud" "x") (json "exp" "1e20") (seconds "exp" -3600) (without "exp")   of its claims
//	  (header "alg" "none") (rawheader `"crit":["b64"]`) (rawclaim `"sub":"uma"`)  of its header; members appended as they stand, which may be twice
//	  (by "gbr") (by "none") (by "hmac") (by "same")    whose key signs: another issuer's, nobody's, the public key as a secret, the signature as it was
//	  (behind "=")              what stands after it
type scene struct {
	world  World
	unique string
}

// edit changes a token before it is signed.
type edit func(*forged)

// forged is a token in the making.
type forged struct {
	header, claims             map[string]any
	moreHeader, moreClaims     string
	signer, end, lastSignature string
}

func (s scene) render(request string) (string, error) {
	t, err := template.New("request").Option("missingkey=error").Funcs(template.FuncMap{
		"port":      func() string { return s.world.Target[strings.LastIndexByte(s.world.Target, ':')+1:] },
		"unique":    func() string { return s.unique },
		"repeat":    strings.Repeat,
		"byte":      func(n int) string { return string([]byte{byte(n)}) },
		"crlf":      func() string { return "\r\n" },
		"count":     func(n int) []struct{} { return make([]struct{}, n) },
		"token":     s.token,
		"claim":     func(name string, v any) edit { return func(f *forged) { f.claims[name] = v } },
		"json":      func(name, v string) edit { return func(f *forged) { f.claims[name] = json.RawMessage(v) } },
		"seconds":   func(name string, n int64) edit { return func(f *forged) { f.claims[name] = time.Now().Unix() + n } },
		"without":   func(name string) edit { return func(f *forged) { delete(f.claims, name) } },
		"header":    func(name string, v any) edit { return func(f *forged) { f.header[name] = v } },
		"noheader":  func(name string) edit { return func(f *forged) { delete(f.header, name) } },
		"rawheader": func(v string) edit { return func(f *forged) { f.moreHeader += "," + v } },
		"rawclaim":  func(v string) edit { return func(f *forged) { f.moreClaims += "," + v } },
		"by":        func(name string) edit { return func(f *forged) { f.signer = name } },
		"behind":    func(v string) edit { return func(f *forged) { f.end = v } },
	}).Parse(request)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, nil)
	return b.String(), err
}

// token returns a token of a person, forged as the edits say.
func (s scene) token(who string, edits ...edit) (string, error) {
	honest, err := s.world.Token(who)
	if err != nil || len(edits) == 0 {
		return honest, err
	}
	parts := strings.Split(honest, ".")
	if len(parts) != 3 {
		return "", fmt.Errorf("the token of %s is no compact JWS", who)
	}
	f := forged{header: map[string]any{}, claims: map[string]any{}, lastSignature: parts[2]}
	for i, into := range []any{&f.header, &f.claims} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return "", err
		}
		d := json.NewDecoder(strings.NewReader(string(b)))
		d.UseNumber()
		if err := d.Decode(into); err != nil {
			return "", err
		}
	}
	iss, _ := f.claims["iss"].(string)
	f.signer = iss[strings.LastIndexByte(iss, '/')+1:]
	for _, e := range edits {
		e(&f)
	}
	return f.sign(filepath.Join(s.world.Dir, "issuers"), iss[strings.LastIndexByte(iss, '/')+1:])
}

// sign puts the token together. keys is the folder of the issuers' key sets; own is the id of the person's issuer.
func (f *forged) sign(keys, own string) (string, error) {
	part := func(members map[string]any, more string) (string, error) {
		b, err := json.Marshal(members)
		if err != nil {
			return "", err
		}
		text := strings.TrimSuffix(string(b), "}") + more + "}"
		return base64.RawURLEncoding.EncodeToString([]byte(text)), nil
	}
	header, err := part(f.header, f.moreHeader)
	if err != nil {
		return "", err
	}
	claims, err := part(f.claims, f.moreClaims)
	if err != nil {
		return "", err
	}
	signed := header + "." + claims
	signature := ""
	switch f.signer {
	case "none":
	case "same":
		signature = f.lastSignature
	case "hmac":
		key, err := readKey(keys, own)
		if err != nil {
			return "", err
		}
		public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		if err != nil {
			return "", err
		}
		mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
		mac.Write([]byte(signed))
		signature = base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	default:
		key, err := readKey(keys, f.signer)
		if err != nil {
			return "", err
		}
		digest := sha256.Sum256([]byte(signed))
		hash := digest[:]
		if key.Curve == elliptic.P384() {
			long := sha512.Sum384([]byte(signed))
			hash = long[:]
		}
		r, s, err := ecdsa.Sign(rand.Reader, key, hash)
		if err != nil {
			return "", err
		}
		size := key.Curve.Params().BitSize / 8
		signature = base64.RawURLEncoding.EncodeToString(append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...))
	}
	return signed + "." + signature + f.end, nil
}

// readKey reads the key that an issuer signs with, keys[0] of its private JWKS (RFC 7517), which is of the curve P-256 or P-384.
func readKey(dir, issuer string) (*ecdsa.PrivateKey, error) {
	b, err := os.ReadFile(filepath.Join(dir, issuer+".jwks.json"))
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []struct{ Crv, X, Y, D string }
	}
	if err := json.Unmarshal(b, &set); err != nil || len(set.Keys) == 0 {
		return nil, fmt.Errorf("issuer %s: no keys: %v", issuer, err)
	}
	k := set.Keys[0]
	key := &ecdsa.PrivateKey{}
	switch k.Crv {
	case "P-256":
		key.Curve = elliptic.P256()
	case "P-384":
		key.Curve = elliptic.P384()
	default:
		return nil, fmt.Errorf("issuer %s: a key of curve %q", issuer, k.Crv)
	}
	for text, into := range map[string]**big.Int{k.X: &key.X, k.Y: &key.Y, k.D: &key.D} {
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("issuer %s: its key: %w", issuer, err)
		}
		*into = new(big.Int).SetBytes(b)
	}
	return key, nil
}

func newUnique() string {
	b := make([]byte, 8)
	rand.Read(b) // never fails, see crypto/rand
	return hex.EncodeToString(b)
}
