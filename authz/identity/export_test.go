package identity

import (
	"crypto/sha256"
	"strconv"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
)

// FrontEnd is what the form check makes of a token: the payload that a signature must turn out to cover, and the header's members.
func FrontEnd(compact string) (payload []byte, header [3]string, err error) {
	t, err := parseToken(compact)
	return t.payload, [3]string{t.alg, t.typ, t.kid}, err
}

// ParseJWKS is the filter of key sets: the algorithm of each usable key by kid, and what was left out and why.
func ParseJWKS(b []byte, algorithms ...string) (usable map[string]string, refused []string, err error) {
	keys, refused, err := parseJWKS(b, algorithms)
	usable = map[string]string{}
	for kid, k := range keys {
		usable[kid] = k.alg
	}
	return usable, refused, err
}

// Held is how many tokens v remembers.
func (v *Verifier) Held() (n int) {
	for i := range v.memory.shards {
		n += len(v.memory.shards[i].young) + len(v.memory.shards[i].old)
	}
	return n
}

// Fill puts tokens into a memory of most bytes and returns how many it still holds, and what they cost.
func Fill(most, tokens int) (held, size int) {
	m := newMemory(most)
	t := &verified{}
	for i := range tokens {
		m.put("e30."+strconv.Itoa(i)+".c2ln", t)
		m.get("e30.0.c2ln") // in use, so never forgotten
	}
	for i := range m.shards {
		for _, half := range []map[string]remembered{m.shards[i].young, m.shards[i].old} {
			for signed, r := range half {
				held, size = held+1, size+r.token.cost(signed)
			}
		}
	}
	if _, ok := m.get("e30.0.c2ln"); !ok {
		return 0, 0
	}
	return held, size
}

// Forget empties v's memory.
func (v *Verifier) Forget() {
	for i := range v.memory.shards {
		s := &v.memory.shards[i]
		s.mu.Lock()
		s.young, s.old, s.size = map[string]remembered{}, nil, 0
		s.mu.Unlock()
	}
}

// Occupy takes all slots of an issuer until the function that it returns is called.
func (v *Verifier) Occupy(iss string) (free func()) {
	slots := v.issuers[iss].keys.slots
	for range cap(slots) {
		slots <- struct{}{}
	}
	return func() {
		for range cap(slots) {
			<-slots
		}
	}
}

// Look reads d's file now.
func (d *Denials) Look() { d.look() }

// ReadsDenial reports whether a line of a list of denials can be read.
func ReadsDenial(line []byte) bool {
	d := &denials{list: newRevocations()}
	_, err := d.add(line)
	return err == nil
}

// ForgetsProof reports whether a proof that was first used start after the memory of proofs began is forgotten later after that.
func ForgetsProof(start, later time.Duration) bool {
	var p proofs
	began := time.Unix(0, 0)
	p.first([32]byte{1}, began)
	p.first([32]byte{2}, began.Add(start))
	for d := time.Duration(0); d < later; d += time.Second {
		p.first([32]byte{1}, began.Add(start+d))
	}
	fresh, _ := p.first([32]byte{2}, began.Add(start+later))
	return fresh
}

// FloodProofs uses n proofs at once.
func FloodProofs(n int) (kept, refused int) {
	var p proofs
	for i := range n {
		if _, room := p.first(sha256.Sum256([]byte(strconv.Itoa(i))), time.Unix(0, 0)); room {
			kept++
		} else {
			refused++
		}
	}
	return kept, refused
}

// ReadProof is the form check of DPoP proofs.
func ReadProof(s string) (jti, method, url, thumbprint string, ok bool) {
	p, err := parseProof(s)
	return p.jti, p.method, p.url, p.thumbprint, err == nil
}

// Nonce is the nonce that k gives out at a time.
func (k *Keys) Nonce(now time.Time) string { return k.nonces.at(now) }

// SPIFFE takes a SPIFFE ID apart.
func SPIFFE(id string) (domain, path string, ok bool) { return parseSPIFFE(id) }

// Claimed is what v makes of a token's payload once its signature holds.
func (v *Verifier) Claimed(payload []byte) (authz.Subject, bool) {
	o, err := parseObject(payload)
	if err != nil {
		return authz.Subject{}, false
	}
	iss, _ := o["iss"].(string)
	i, ok := v.issuers[iss]
	if !ok {
		return authz.Subject{}, false
	}
	t, refusal := v.claimed(i, token{claims: o, iss: iss, kid: "k1", compact: "e30.e30.e30"})
	if refusal != nil {
		return authz.Subject{}, false
	}
	return t.subject, true
}
