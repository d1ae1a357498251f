package policy

import (
	"encoding/json"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
)

// HasEnclave reports whether the bundle describes the enclave id.
func (b *Bundle) HasEnclave(id string) bool {
	var enclaves map[string]json.RawMessage
	return json.Unmarshal(b.Document("enclaves"), &enclaves) == nil && enclaves[id] != nil
}

// Controls returns the ids of the catalogue of reasons, each with the controls that it is evidence for.
func (b *Bundle) Controls() map[string][]string {
	var reasons map[string]struct{ Controls []string }
	if json.Unmarshal(b.Document("reasons"), &reasons) != nil {
		return nil
	}
	out := make(map[string][]string, len(reasons))
	for id, r := range reasons {
		out[id] = r.Controls
	}
	return out
}

// Masks returns the tenants whose records hide something.
func (b *Bundle) Masks() map[string]bool {
	var tenants map[string]struct {
		Tenant struct {
			Audit struct{ Mask []json.RawMessage }
		}
	}
	masks := map[string]bool{}
	if json.Unmarshal(b.Document("tenants"), &tenants) != nil {
		return masks
	}
	for id, t := range tenants {
		masks[id] = len(t.Tenant.Audit.Mask) > 0
	}
	return masks
}

// RevocationsIssued returns when the list of revocations in force was issued, zero if it does not say so.
func (b *Bundle) RevocationsIssued() time.Time { return b.revoked.Issued.Time }

// revocations are what the bundle says of the age of its revocations; what it does not say is unknown.
type revocations struct {
	Serial *int64
	Issued authz.Time
}

// readAges reads once what Freshness needs for each request.
func (b *Bundle) readAges() {
	var manifests struct {
		Root struct {
			NotBefore authz.Time `json:"not_before"`
		}
	}
	if json.Unmarshal(b.Document("bundle"), &manifests) == nil {
		b.begins = manifests.Root.NotBefore
	}
	var r revocations
	if json.Unmarshal(b.Document("revocations"), &r) == nil {
		b.revoked = r
	}
}

// Freshness returns the ages of the bundle and of its revocations at now, in seconds: the bundle's since the root's not_before,
// the revocations' since they were issued. What the bundle does not say is nil, unknown. Clock is left to the caller.
func (b *Bundle) Freshness(now time.Time) authz.Freshness {
	return authz.Freshness{
		BundleAge: age(b.begins, now), RevocationSerial: b.revoked.Serial, RevocationAge: age(b.revoked.Issued, now),
	}
}

func age(since authz.Time, now time.Time) *int64 {
	if since.IsZero() {
		return nil
	}
	seconds := int64(now.Sub(since.Time) / time.Second)
	return &seconds
}
