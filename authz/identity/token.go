package identity

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// maxToken is the longest token that is looked at.
const maxToken = 8 << 10

// token is a compact JWS (RFC 7515 §7.1) whose form has been checked and whose signature has not: nothing in it is true yet.
type token struct {
	compact       string
	alg, typ, kid string
	iss           string         // as claimed: says only whose keys to try
	payload       []byte         // what the signature must turn out to cover
	claims        map[string]any // payload, parsed
}

// parseToken accepts exactly one spelling of a token, before any library sees it. The JSON forms, padded or non-canonical base64,
// and header members that carry a key, point to one, or change how the rest is read (jwk, jku, x5u, x5c, crit, b64, zip) have all
// let forged tokens pass elsewhere, so the header is alg, typ and kid and nothing else.
func parseToken(s string) (token, error) {
	raw, err := parseCompact(s)
	if err != nil {
		return token{}, err
	}
	header, err := parseObject(raw[0])
	if err != nil {
		return token{}, fmt.Errorf("header: %w", err)
	}
	t := token{compact: s, payload: raw[1]}
	var r reader
	r.closed(header, "header", "alg", "typ", "kid")
	t.alg, t.typ, t.kid = r.text(header["alg"], "header alg"), r.text(header["typ"], "header typ"), r.text(header["kid"], "header kid")
	if r.err != nil {
		return token{}, r.err
	}
	if !validKeyID(t.kid) {
		return token{}, errors.New("header kid: want at most 128 printable ASCII characters")
	}
	if t.claims, err = parseObject(t.payload); err != nil {
		return token{}, fmt.Errorf("payload: %w", err)
	}
	if t.iss = r.text(t.claims["iss"], "iss"); r.err != nil {
		return token{}, r.err
	}
	return t, nil
}

// parseCompact returns header, payload and signature of a compact JWS in its one spelling.
func parseCompact(s string) (raw [3][]byte, err error) {
	if len(s) > maxToken {
		return raw, fmt.Errorf("longer than %d bytes", maxToken)
	}
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return raw, errors.New("not a compact JWS of three parts")
	}
	for i, p := range parts {
		b, err := base64.RawURLEncoding.Strict().DecodeString(p)
		// Go's decoder skips line breaks also when strict, so only the way back proves that the spelling is the one.
		if err != nil || len(b) == 0 || base64.RawURLEncoding.EncodeToString(b) != p {
			return raw, fmt.Errorf("part %d is not canonical base64url", i+1)
		}
		raw[i] = b
	}
	return raw, nil
}

// signed is what the signature is over. It names the token in the log where there is no jti: of one ECDSA signature anybody can
// make a second, so a digest of the whole would not be one name.
func (t token) signed() string { return t.compact[:strings.LastIndexByte(t.compact, '.')] }

func validKeyID(kid string) bool {
	return kid != "" && len(kid) <= 128 && strings.IndexFunc(kid, func(c rune) bool { return c < ' ' || c > '~' }) < 0
}
