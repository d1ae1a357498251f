package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// nonceLife is how long a nonce is given out. It is taken for once as long again, so a client always has that much time.
const nonceLife = 2 * time.Minute

// nonces are what a DPoP proof must hold where the issuer's entry asks for it (RFC 9449 §9), so that a proof can't have been made
// long before it is used, not even by who held the key then. A nonce is a MAC of its time under a key of this process: there is
// nothing to remember, and nobody can fill it. After a restart, or at another gateway, a client is told a new one.
type nonces struct{ key [sha256.Size]byte }

func newNonces() (n nonces) {
	rand.Read(n.key[:]) // never fails, see crypto/rand
	return n
}

// at returns the nonce of a time.
func (n *nonces) at(now time.Time) string { return n.of(now.Unix() / int64(nonceLife/time.Second)) }

func (n *nonces) of(period int64) string {
	mac := hmac.New(sha256.New, n.key[:])
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(period))
	mac.Write(b[:])
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

// holds reports whether nonce is that of now or the one before.
func (n *nonces) holds(nonce string, now time.Time) bool {
	period := now.Unix() / int64(nonceLife/time.Second)
	return hmac.Equal([]byte(nonce), []byte(n.of(period))) || hmac.Equal([]byte(nonce), []byte(n.of(period-1)))
}
