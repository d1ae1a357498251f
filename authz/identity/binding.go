package identity

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/url"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
)

// confirmation is to whom a token is bound (RFC 7800, cnf): to the holder of a client certificate, of a key, or to nobody. Each is a
// SHA-256 in base64url, "" if it is not the one.
type confirmation struct {
	certificate string // x5t#S256 (RFC 8705)
	key         string // jkt (RFC 9449)
}

// readConfirmation reads cnf. A member that is not understood refuses the token: it may be the binding that counts. Keycloak adds
// kc-jkt-type, which repeats what jkt says.
func readConfirmation(r *reader, o map[string]any) confirmation {
	v, ok := o["cnf"]
	if !ok {
		return confirmation{}
	}
	cnf := r.object(v, "cnf")
	r.closed(cnf, "cnf", "x5t#S256", "jkt", "kc-jkt-type")
	certificate, bound := cnf["x5t#S256"]
	key, held := cnf["jkt"]
	if bound == held {
		r.fail("cnf", "either x5t#S256 or jkt")
		return confirmation{}
	}
	if kind, ok := cnf["kc-jkt-type"]; ok && (!held || kind != "DPoP") {
		r.fail("cnf.kc-jkt-type", "DPoP, beside jkt")
	}
	if bound {
		return confirmation{certificate: r.thumbprint(certificate, "cnf.x5t#S256")}
	}
	return confirmation{key: r.thumbprint(key, "cnf.jkt")}
}

// thumbprint returns a SHA-256 in base64url, in its one spelling.
func (r *reader) thumbprint(v any, at string) string {
	s, _ := v.(string)
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != sha256.Size || thumbprint(b) != s {
		r.fail(at, "a SHA-256 in base64url")
		return ""
	}
	return s
}

func thumbprint(sum []byte) string { return base64.RawURLEncoding.EncodeToString(sum) }

// bound proves that whoever sent the request holds what t is bound to, and returns how: none, mtls or dpop. A bound token without that
// proof is a stolen one.
func (t *verified) bound(ctx context.Context, req authz.Request, c presented, now time.Time) (string, *authz.Refusal) {
	unbound := func(why string) (string, *authz.Refusal) {
		return "", authz.Refuse(authz.IdentityBinding, t.issuer.names(t.kid)+why)
	}
	cnf := t.reg.cnf
	if c.dpop != (cnf.key != "") {
		if c.dpop {
			return unbound("sent as DPoP, but bound to no key")
		}
		return unbound("bound to a key: send it as DPoP, with a proof")
	}
	switch {
	case cnf.certificate != "":
		sum, err := peerCertificate(req.Peer.Certificate)
		if err != nil {
			return unbound(err.Error())
		}
		if sum != cnf.certificate {
			return unbound("bound to another certificate than the client's")
		}
		return "mtls", nil
	case cnf.key != "":
		p, err := parseProof(c.proof)
		if err == nil {
			err = p.fits(req, c.token, cnf.key, now)
		}
		if err != nil {
			return unbound("DPoP proof: " + err.Error())
		}
		if nonces := &t.issuer.keys.keys.nonces; t.issuer.entry.DPoPNonce && !nonces.holds(p.nonce, now) {
			_, refusal := unbound("DPoP proof: nonce: want a recent one of this gateway")
			refusal.Nonce = nonces.at(now)
			return "", refusal
		}
		if !t.issuer.keys.slots.take(ctx) {
			return "", authz.Refuse(authz.SystemOverloaded, t.issuer.names(t.kid)+"too many tokens of this issuer are being verified")
		}
		err = p.signedBy(p.key)
		t.issuer.keys.slots.give()
		if err != nil {
			return unbound("DPoP proof: " + err.Error())
		}
		switch fresh, room := t.issuer.keys.proofs.first(p.name(), now); {
		case !room:
			return "", authz.Refuse(authz.SystemOverloaded, t.issuer.names(t.kid)+"too many DPoP proofs")
		case !fresh:
			return unbound("DPoP proof: was used before")
		}
		return "dpop", nil
	}
	return "none", nil
}

// peerCertificate returns the thumbprint of the certificate that Envoy verified, which it passes as URL-encoded PEM.
func peerCertificate(encoded string) (string, error) {
	if encoded == "" {
		return "", errors.New("bound to a certificate, but the client showed none")
	}
	text, err := url.PathUnescape(encoded)
	if err != nil {
		return "", errors.New("the client's certificate can't be read")
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return "", errors.New("the client's certificate can't be read")
	}
	sum := sha256.Sum256(block.Bytes)
	return thumbprint(sum[:]), nil
}
