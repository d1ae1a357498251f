package tlog

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// algCosignature is the type of a witness's Ed25519 key in C2SP's tlog-cosignature.
const algCosignature = 4

// Witness is the public key of a witness: somebody who has seen a checkpoint, and signed that it goes on from those that he saw before.
type Witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

// ParseWitness reads a witness's public key in the form of verifier keys: its name, the key's hash, and type 4 and key in base64.
func ParseWitness(text string) (*Witness, error) {
	name, rest, _ := strings.Cut(text, "+")
	hash, encoded, ok := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || name == "" || len(raw) != 1+ed25519.PublicKeySize || raw[0] != algCosignature {
		return nil, errors.New("not the key of a witness: want name+hash+base64 of 0x04 and an Ed25519 public key (c2sp.org/tlog-cosignature)")
	}
	sum := sha256.Sum256(append([]byte(name+"\n"), raw...))
	w := &Witness{name: name, hash: binary.BigEndian.Uint32(sum[:]), key: raw[1:]}
	if fmt.Sprintf("%s+%08x+%s", name, w.hash, base64.StdEncoding.EncodeToString(raw)) != text {
		return nil, fmt.Errorf("the key of witness %q: its hash is not %s, or it is not in its one form", name, hash)
	}
	return w, nil
}

// Name implements note.Verifier.
func (w *Witness) Name() string { return w.name }

// KeyHash implements note.Verifier.
func (w *Witness) KeyHash() uint32 { return w.hash }

// Verify implements note.Verifier.
func (w *Witness) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	seen := binary.BigEndian.Uint64(sig)
	return ed25519.Verify(w.key, []byte("cosignature/v1\ntime "+strconv.FormatUint(seen, 10)+"\n"+string(msg)), sig[8:])
}

// Cosignature says that a witness saw a checkpoint.
type Cosignature struct {
	Witness string
	Time    time.Time
}

// OpenKept reads a checkpoint that was kept outside of its log. The log's key, of the verifier key text, and each witness must have
// signed it; what others signed is left alone.
func OpenKept(signed []byte, verifierKey string, witnesses []*Witness) (Checkpoint, []Cosignature, error) {
	v, err := note.NewVerifier(verifierKey)
	if err != nil {
		return Checkpoint{}, nil, fmt.Errorf("verifier key %.200q: %w", verifierKey, err)
	}
	c, err := ParseCheckpoint(signed)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	if c.Origin != v.Name() {
		return Checkpoint{}, nil, fmt.Errorf("the checkpoint is of %q, the key of %q", c.Origin, v.Name())
	}
	known := []note.Verifier{v}
	for _, w := range witnesses {
		known = append(known, w)
	}
	n, err := note.Open(signed, note.VerifierList(known...))
	if err != nil {
		return Checkpoint{}, nil, fmt.Errorf("checkpoint of %q: %w", c.Origin, err)
	}
	if _, ok := signature(n, v); !ok {
		return Checkpoint{}, nil, fmt.Errorf("checkpoint of %q: the log has not signed it", c.Origin)
	}
	var seen []Cosignature
	for _, w := range witnesses {
		sig, ok := signature(n, w)
		if !ok {
			return Checkpoint{}, nil, fmt.Errorf("checkpoint of %q: the witness %s has not signed it", c.Origin, w.name)
		}
		seen = append(seen, Cosignature{w.name, time.Unix(int64(binary.BigEndian.Uint64(sig)), 0).UTC()})
	}
	return c, seen, nil
}

// signature returns the signature by v, which note.Open has verified, without the key's hash before it.
func signature(n *note.Note, v note.Verifier) ([]byte, bool) {
	for _, s := range n.Sigs {
		if s.Name == v.Name() && s.Hash == v.KeyHash() {
			b, err := base64.StdEncoding.DecodeString(s.Base64)
			return b[min(4, len(b)):], err == nil
		}
	}
	return nil, false
}
