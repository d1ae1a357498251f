// Package authz is the vocabulary that every step of a decision speaks, and the one place where an allow can come from.
//
// A request becomes a Request (what Envoy asked), a Subject (who, cut to what the issuer may say), a Resolution (every Access
// that the request would perform), one Decision an access, and a Record (what the log keeps). A Sealed credential is opened into
// a Grant only by Commit, after the Record is durable and only if the Record allows: see Commit.
//
// Invariants: zero values deny. A nil slice or pointer is marshalled as null, "unknown", and proves nothing; an empty slice is
// "known to be none"; "no rule" is written "any" (see Countries). Times are RFC 3339 in UTC with nine digits, so text order is
// time order (see Time). Countries are ISO 3166-1 alpha-3.
//
// Non-goals: no parsing of HTTP, tokens or policies, no input or output. The package imports only the standard library.
package authz

import (
	"encoding/json"
	"fmt"
	"time"
)

// TimeLayout is RFC 3339 in UTC with nine digits of a second: of two times so written the smaller text is the earlier time.
const TimeLayout = "2006-01-02T15:04:05.000000000Z"

// Time is an instant that is written in TimeLayout. The zero Time is written as null: unknown.
type Time struct{ time.Time }

// At returns t as a Time, in UTC.
func At(t time.Time) Time { return Time{t.UTC()} }

// String returns t in TimeLayout, or "" if t is zero.
func (t Time) String() string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(TimeLayout)
}

// MarshalJSON writes t in TimeLayout, the zero Time as null.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + t.String() + `"`), nil
}

// UnmarshalJSON accepts null and any RFC 3339 time.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*t = Time{}
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("time: want a string in RFC 3339, have %s", b)
	}
	v, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return fmt.Errorf("time %q: want RFC 3339, such as 2026-01-02T15:04:05Z", s)
	}
	*t = At(v)
	return nil
}

// Countries is a rule about places: "any" (no rule) or a list of ISO 3166-1 alpha-3 codes. The zero value is unknown (null) and
// proves nothing; a rule that is to allow nowhere is an empty list.
type Countries struct {
	Any  bool
	List []string
}

// MarshalJSON writes "any", the list, or null for the zero value.
func (c Countries) MarshalJSON() ([]byte, error) {
	if c.Any {
		return []byte(`"any"`), nil
	}
	return json.Marshal(c.List)
}

// UnmarshalJSON accepts "any", a list of strings, or null.
func (c *Countries) UnmarshalJSON(b []byte) error {
	if string(b) == `"any"` {
		*c = Countries{Any: true}
		return nil
	}
	var l []string
	if err := json.Unmarshal(b, &l); err != nil {
		return fmt.Errorf(`want "any" or a list of countries, have %s`, b)
	}
	*c = Countries{List: l}
	return nil
}
