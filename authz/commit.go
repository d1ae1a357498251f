package authz

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// Log keeps records. Append returns nil only when r is durable in every log that it belongs to. It must not keep r.
type Log interface {
	Append(ctx context.Context, r Record) error
}

// Credential is what an upstream wants to see: header fields to set and headers of the client to remove.
type Credential struct {
	Set    []HeaderField
	Remove []string
}

// Sealed is a prepared credential that nobody can read before Commit opens it. The zero Sealed is empty: it has no digest, and
// Commit refuses to allow with it.
type Sealed struct {
	c    Credential
	made bool
}

// Seal closes a credential. Only authz/grant calls it.
func Seal(c Credential) Sealed { return Sealed{c: c, made: true} }

// Digest returns the hex SHA-256 over the credential's fields, each with its length before it; "" of the zero Sealed.
func (s Sealed) Digest() string {
	if !s.made {
		return ""
	}
	h := sha256.New()
	add := func(v string) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(v)))
		h.Write(n[:])
		h.Write([]byte(v))
	}
	for _, f := range s.c.Set {
		add(f.Name)
		add(f.Value)
	}
	add("")
	for _, n := range s.c.Remove {
		add(n)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Grant is an opened credential: the proof that a record which allows is durable. The zero value grants nothing.
type Grant struct {
	c           Credential
	decisionID  string
	displayOnly bool
	ok          bool
}

// Valid reports whether g came from a Commit that allowed.
func (g Grant) Valid() bool { return g.ok }

// Headers returns the header fields to set on the request that goes upstream.
func (g Grant) Headers() []HeaderField { return g.c.Set }

// Remove returns the names of the client's headers that must not go upstream.
func (g Grant) Remove() []string { return g.c.Remove }

// DecisionID returns the id of the record behind g.
func (g Grant) DecisionID() string { return g.decisionID }

// DisplayOnly reports whether what g gives access to may be shown only, and not kept.
func (g Grant) DisplayOnly() bool { return g.displayOnly }

// ErrNotAllowed says that a record was appended and denies, so there is no grant.
var ErrNotAllowed = errors.New("authz: the record does not allow")

// ErrNotRecorded says that the log did not take a record, so nothing may follow from it.
var ErrNotRecorded = errors.New("authz: not recorded")

// Commit appends r, with the digest of s, and opens s if and only if r is then durable and allows. It returns ErrNotAllowed for
// a durable record that denies, and an error that wraps ErrNotRecorded if the log failed.
//
// This is the only place in the program from which an allow can come.
func Commit(ctx context.Context, log Log, r Record, s Sealed) (Grant, error) {
	r.GrantDigest = s.Digest()
	if r.Allow && (!s.made || r.DecisionID == "" || len(r.Unproven) > 0 || len(r.Reasons) > 0) {
		return Grant{}, fmt.Errorf("%w: an allow without a grant, with no id or with something unproven", ErrNotRecorded)
	}
	if err := log.Append(ctx, r); err != nil {
		return Grant{}, fmt.Errorf("%w: %w", ErrNotRecorded, err)
	}
	if !r.Allow {
		return Grant{}, ErrNotAllowed
	}
	shown := slices.ContainsFunc(r.Obligations, func(o Obligation) bool { return o.ID == DisplayOnly })
	return Grant{c: s.c, decisionID: r.DecisionID, displayOnly: shown, ok: true}, nil
}
