// Package policy loads, checks, compiles and evaluates the bundle; it is the only importer of OPA.
package policy

import (
	"encoding/json"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
)

// Bundle is a loaded and checked bundle, or a folder like policies/. It never changes.
type Bundle struct {
	dir     string
	data    map[string]any
	ref     authz.BundleRef
	expires time.Time
	tenants []string
}

// Load reads and checks a bundle folder (root/ and tenants/), or a folder like policies/, which has no manifests and no tenants
// and serves only Check, Test and Eval. The error is an *Errors with every problem found.
func Load(dir string) (*Bundle, error) {
	return nil, &Errors{Problems: []Problem{{File: dir, What: "not loaded"}}}
}

// Document returns data.<name> as canonical JSON, "null" if there is none.
func (b *Bundle) Document(name string) json.RawMessage {
	out, err := json.Marshal(b.data[name])
	if err != nil {
		return json.RawMessage("null")
	}
	return out
}

// Ref names the bundle: its revisions and the digest of its files.
func (b *Bundle) Ref() authz.BundleRef { return b.ref }

// Tenants returns the ids of the tenants that have a part, sorted.
func (b *Bundle) Tenants() []string { return b.tenants }

// Expires returns the earliest time at which a part of b expires.
func (b *Bundle) Expires() time.Time { return b.expires }
