package tlog

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint says that the tree of a log has this root at this size.
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   Hash
}

// text returns the body of the note.
func (c Checkpoint) text() string {
	return c.Origin + "\n" + strconv.FormatUint(c.Size, 10) + "\n" + base64.StdEncoding.EncodeToString(c.Root[:]) + "\n"
}

// Sign returns c as a signed note.
func (c Checkpoint) Sign(key ed25519.PrivateKey) ([]byte, error) {
	s, err := newSigner(c.Origin, key)
	if err != nil {
		return nil, err
	}
	b, err := note.Sign(&note.Note{Text: c.text()}, s)
	if err != nil {
		return nil, fmt.Errorf("checkpoint of %q: %w", c.Origin, err)
	}
	return b, nil
}

// signer is a key under the name of an origin: note's own text form of a private key binds it to one name.
type signer struct {
	note.Verifier
	key ed25519.PrivateKey
}

func newSigner(origin string, key ed25519.PrivateKey) (*signer, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, errors.New("no Ed25519 key to sign with")
	}
	text, err := VerifierKey(origin, key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	v, err := note.NewVerifier(text)
	if err != nil {
		return nil, fmt.Errorf("origin %q: %w", origin, err)
	}
	return &signer{v, key}, nil
}

// Sign implements note.Signer.
func (s *signer) Sign(text []byte) ([]byte, error) { return ed25519.Sign(s.key, text), nil }

// VerifierKey returns a public key under the name of an origin, as a signed-note's verifiers read it.
func VerifierKey(origin string, key ed25519.PublicKey) (string, error) {
	text, err := note.NewEd25519VerifierKey(origin, key)
	if err != nil {
		return "", fmt.Errorf("origin %q: %w", origin, err)
	}
	return text, nil
}

const maxCheckpoint = 4096

// OpenCheckpoint reads a signed note that must have exactly one signature, by the key of the verifier key text, whose name must be
// the checkpoint's origin. Base64 that decodes to the same bytes but is written otherwise is refused.
func OpenCheckpoint(signed []byte, verifierKey string) (Checkpoint, error) {
	v, err := note.NewVerifier(verifierKey)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("verifier key %.200q: %w", verifierKey, err)
	}
	c, err := ParseCheckpoint(signed)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Origin != v.Name() {
		return Checkpoint{}, fmt.Errorf("the checkpoint is of %q, the key of %q", c.Origin, v.Name())
	}
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint of %q: %w", c.Origin, err)
	}
	id := binary.BigEndian.AppendUint32(nil, v.KeyHash())
	sig, err := base64.StdEncoding.DecodeString(n.Sigs[0].Base64)
	if err != nil || len(n.Sigs)+len(n.UnverifiedSigs) != 1 {
		return Checkpoint{}, fmt.Errorf("checkpoint of %q: want one signature", c.Origin)
	}
	again := c.text() + "\n— " + c.Origin + " " + base64.StdEncoding.EncodeToString(append(id, sig[len(id):]...)) + "\n"
	if again != string(signed) {
		return Checkpoint{}, fmt.Errorf("checkpoint of %q is not in the form that was signed", c.Origin)
	}
	return c, nil
}

// ParseCheckpoint reads what a checkpoint says, without looking at its signatures.
func ParseCheckpoint(signed []byte) (Checkpoint, error) {
	var c Checkpoint
	if len(signed) > maxCheckpoint {
		return c, fmt.Errorf("a checkpoint of %d bytes: more than %d", len(signed), maxCheckpoint)
	}
	body, _, ok := bytes.Cut(signed, []byte("\n\n"))
	lines := strings.Split(string(body), "\n")
	if !ok || len(lines) != 3 {
		return c, errors.New("not a checkpoint: want origin, size, root, an empty line and signatures")
	}
	size, err := strconv.ParseUint(lines[1], 10, 56)
	if err != nil {
		return c, fmt.Errorf("checkpoint: size %.50q: want a decimal number", lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return c, fmt.Errorf("checkpoint: root %.100q: want 32 bytes in base64", lines[2])
	}
	c = Checkpoint{Origin: lines[0], Size: size, Root: root}
	if c.text() != string(body)+"\n" {
		return Checkpoint{}, errors.New("checkpoint: size or root is not in its shortest form")
	}
	return c, nil
}
