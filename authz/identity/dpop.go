package identity

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
)

const (
	proofAge  = time.Minute // how old a proof may be
	maxProofs = 1 << 18     // of one issuer's tokens that are kept in proofWindow
)

// proofWindow is how long a proof could be used again: from maxSkew before its iat until it is too old.
const proofWindow = proofAge + maxSkew

// proofAlgorithms are those that a proof may be signed with.
var proofAlgorithms = []string{"ES256", "ES384", "PS256", "EdDSA"}

// proof is a DPoP proof (RFC 9449 §4.2): a JWT by the client that names one request, under the key that it brings along.
type proof struct {
	token
	key        key
	thumbprint string // of the key (RFC 7638)
	jti        string
	method     string
	url        string
	iat        int64
	ath        string
	nonce      string // "" if there is none
}

// parseProof accepts one spelling, as parseToken does. The header is typ, alg and jwk, of which the last is a public key and no more.
func parseProof(s string) (proof, error) {
	raw, err := parseCompact(s)
	if err != nil {
		return proof{}, err
	}
	header, err := parseObject(raw[0])
	if err != nil {
		return proof{}, errors.New("header: " + err.Error())
	}
	p := proof{token: token{compact: s, payload: raw[1]}}
	var r reader
	r.closed(header, "header", "alg", "typ", "jwk")
	p.alg = r.text(header["alg"], "header alg")
	if header["typ"] != "dpop+jwt" {
		r.fail("header typ", "dpop+jwt")
	}
	jwk := r.object(header["jwk"], "header jwk")
	claims, err := parseObject(p.payload)
	if err != nil {
		return proof{}, errors.New("payload: " + err.Error())
	}
	p.jti, p.method, p.ath = r.text(claims["jti"], "jti"), r.text(claims["htm"], "htm"), r.text(claims["ath"], "ath")
	if p.url, _ = claims["htu"].(string); p.url == "" {
		r.fail("htu", "a URL")
	}
	p.iat = r.date(claims["iat"], "iat")
	if v, ok := claims["nonce"]; ok {
		p.nonce = r.text(v, "nonce")
	}
	if r.err != nil {
		return proof{}, r.err
	}
	b, err := json.Marshal(jwk)
	if err != nil {
		return proof{}, errors.New("header jwk: no JSON")
	}
	if p.key, p.thumbprint, err = parsePublic(jwk, b, proofAlgorithms); err != nil {
		return proof{}, errors.New("header jwk: " + err.Error())
	}
	if p.key.alg != p.alg {
		return proof{}, errors.New("header alg is not the key's")
	}
	return p, nil
}

// fits proves that p is about this request, this token and the key that the token is bound to, and of now. What is left is its
// signature.
func (p proof) fits(req authz.Request, token, key string, now time.Time) error {
	sum := sha256.Sum256([]byte(token))
	switch {
	case p.thumbprint != key:
		return errors.New("by another key than the token is bound to")
	case p.ath != thumbprint(sum[:]):
		return errors.New("ath: of another token")
	case p.method != req.Method:
		return errors.New("htm: another method")
	case !sameURL(p.url, req):
		return errors.New("htu: another URL")
	case p.iat > now.Add(maxSkew).Unix():
		return errors.New("iat: in the future")
	case p.iat < now.Add(-proofAge).Unix():
		return errors.New("iat: too old")
	}
	return nil
}

// name is what a proof is remembered by: the client chooses jti, so it means something only beside his key.
func (p proof) name() [sha256.Size]byte { return sha256.Sum256([]byte(p.thumbprint + "." + p.jti)) }

// sameURL compares htu with the request's URL without its query (RFC 9449 §4.3, RFC 3986 §6.2.2): scheme and host in lower case,
// without the scheme's own port, each escape in one spelling.
func sameURL(htu string, req authz.Request) bool {
	u, err := url.Parse(htu)
	if err != nil || u.User != nil || u.Opaque != "" || strings.ContainsAny(htu, "?#") {
		return false
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	want, err := url.Parse(req.Scheme + "://" + req.Host)
	return err == nil && req.Scheme != "" && u.Scheme == req.Scheme && authority(u) == authority(want) && escaped(path) == escaped(req.Path)
}

func authority(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if p := u.Port(); p == "443" && u.Scheme == "https" || p == "80" && u.Scheme == "http" {
		host = strings.TrimSuffix(host, ":"+p)
	}
	return host
}

// escaped returns a path with escapes in upper case, and none of a character that needs none.
func escaped(path string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' || i+2 >= len(path) {
			b.WriteByte(path[i])
			continue
		}
		code := strings.ToUpper(path[i+1 : i+3])
		high, low := strings.IndexByte(hex, code[0]), strings.IndexByte(hex, code[1])
		if c := byte(high<<4 | low); high >= 0 && low >= 0 && unreserved(c) {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + code)
		}
		i += 2
	}
	return b.String()
}

func unreserved(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("-._~", c) >= 0
}

// proofs remembers which proofs were used, each for at least proofWindow. It keeps two halves: when young has lasted for that
// long, it becomes old and old is forgotten. It is full rather than forget one that still counts.
type proofs struct {
	mu         sync.Mutex // guards what follows
	young, old map[[sha256.Size]byte]bool
	since      time.Time // of young
}

// first reports whether name was not seen before, and whether there is room to remember it; only then it counts.
func (p *proofs) first(name [sha256.Size]byte, now time.Time) (fresh, room bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch age := now.Sub(p.since); {
	case p.young == nil || age >= 2*proofWindow:
		p.young, p.old, p.since = map[[sha256.Size]byte]bool{}, nil, now
	case age >= proofWindow:
		p.young, p.old, p.since = map[[sha256.Size]byte]bool{}, p.young, now
	}
	if p.young[name] || p.old[name] {
		return false, true
	}
	if len(p.young) >= maxProofs {
		return false, false
	}
	p.young[name] = true
	return true, true
}
