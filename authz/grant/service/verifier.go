package service

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// defaultMemory is how many grants are remembered: 64 Ki are 1,800 requests a second, for the longest life and skew.
const defaultMemory = 64 << 10

// Config says whose grants are taken, and for whom. Issuer, Audience, Keys and Started are required.
type Config struct {
	Issuer   string    // the gateway's grants.services.issuer
	Audience string    // this service, as the route names it
	Keys     []byte    // the gateway's public keys as a JWK set; see SetKeys
	Started  time.Time // when this process began; what was issued before, or in that second, is refused: it may have been taken

	// Skew is how far the gateway's clock may be from this one, at most MaxSkew; zero where they share one. For so long after
	// Started nothing is taken, or a gateway whose clock is ahead could have issued before what it dates after.
	Skew time.Duration
	// Memory is how many grants are remembered to refuse them the second time; zero is 65,536. When it is full, grants are refused.
	Memory int
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Verifier verifies grants. It is safe for concurrent use.
type Verifier struct {
	c      Config
	keys   atomic.Pointer[map[string]*ecdsa.PublicKey] // by kid; swapped whole by SetKeys
	replay *replay
}

// New returns a Verifier, or says what of c can't be used.
func New(c Config) (*Verifier, error) {
	switch {
	case c.Issuer == "" || c.Audience == "":
		return nil, errors.New("service: issuer and audience are required")
	case c.Started.IsZero():
		return nil, errors.New("service: started is required")
	case c.Skew < 0 || c.Skew > MaxSkew:
		return nil, fmt.Errorf("service: skew %v: want 0 to %v", c.Skew, MaxSkew)
	case c.Memory < 0:
		return nil, fmt.Errorf("service: memory %d: want a number of grants", c.Memory)
	}
	if c.Memory == 0 {
		c.Memory = defaultMemory
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	v := &Verifier{c: c, replay: newReplay(c.Memory)}
	if err := v.SetKeys(c.Keys); err != nil {
		return nil, err
	}
	return v, nil
}

// SetKeys replaces the keys by those of a JWK set, or changes nothing and says what is wrong with it. To change the gateway's key
// without a gap, publish the new one here beside the old, then let the gateway sign with it, then leave out the old after MaxLife.
func (v *Verifier) SetKeys(jwks []byte) error {
	keys, err := parseKeys(jwks)
	if err != nil {
		return fmt.Errorf("service: keys: %w", err)
	}
	v.keys.Store(&keys)
	return nil
}

// Verify returns the grant of r, whose whole body is body. Its error is an *Error. A grant that it has returned it never returns
// again, so what the caller does not do then can be asked for only with a new one.
func (v *Verifier) Verify(r *http.Request, body []byte) (Grant, error) {
	now := v.c.Now()
	fields := r.Header.Values(Header)
	if len(fields) == 0 {
		return Grant{}, refuse(Missing, "the request has no header "+Header)
	}
	if len(fields) > 1 {
		return Grant{}, refuse(Malformed, "the request has more than one header "+Header)
	}
	g, err := v.signed(fields[0])
	if err != nil {
		return Grant{}, err
	}
	if g.Issuer != v.c.Issuer {
		return Grant{}, refuse(OtherIssuer, "iss is another than this service's gateway")
	}
	if g.Audience != v.c.Audience {
		return Grant{}, refuse(OtherAudience, "aud is another service")
	}
	if err := v.inTime(g, now); err != nil {
		return Grant{}, err
	}
	if err := covers(g, r, body); err != nil {
		return Grant{}, err
	}
	if err := v.replay.take(g.DecisionID, time.Unix(g.Expires, 0).Add(v.c.Skew), now); err != nil {
		return Grant{}, err
	}
	return g, nil
}

// signed returns what one of the keys has signed.
func (v *Verifier) signed(compact string) (Grant, error) {
	t, err := parse(compact)
	if err != nil {
		return Grant{}, err
	}
	key, ok := (*v.keys.Load())[t.header.KeyID]
	if !ok {
		return Grant{}, refuse(UnknownKey, "kid names none of this service's keys")
	}
	if _, err := jws.Verify([]byte(compact), jws.WithKey(jwa.ES256, key)); err != nil {
		return Grant{}, refuse(BadSignature, "it does not fit the key that kid names")
	}
	return t.grant, nil
}

// inTime holds g to its life, this clock and this process.
func (v *Verifier) inTime(g Grant, now time.Time) error {
	issued, expires := time.Unix(g.IssuedAt, 0), time.Unix(g.Expires, 0)
	switch {
	case g.IssuedAt <= 0 || g.Expires <= g.IssuedAt || expires.Sub(issued) > MaxLife:
		return refuse(WrongLife, fmt.Sprintf("exp is not 1 s to %v after iat", MaxLife))
	case issued.After(now.Add(v.c.Skew)):
		return refuse(Early, "iat is in the future: compare the clocks of gateway and service")
	case !now.Before(expires.Add(v.c.Skew)):
		return refuse(Expired, "exp has passed")
	case issued.Before(v.c.Started.Add(v.c.Skew)):
		return refuse(Stale, "it was issued before this service started")
	}
	return nil
}

// covers compares g with the request that carries it.
func covers(g Grant, r *http.Request, body []byte) error {
	sum := sha256.Sum256(body)
	switch {
	case g.Method != r.Method:
		return refuse(OtherRequest, "it is for another method")
	case g.Authority != r.Host:
		return refuse(OtherRequest, "it is for another authority")
	case g.Path != r.RequestURI:
		return refuse(OtherRequest, "it is for another path or query")
	case g.BodySHA256 != hex.EncodeToString(sum[:]):
		return refuse(OtherBody, "it is for another body")
	}
	return nil
}
