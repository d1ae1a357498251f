package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/sallyport-dev/sallyport/authz"
)

// appendRecord appends r as compact JSON in printable ASCII, byte for byte as encoding/json and ascii would have it (a test holds them
// together). It is written out by hand because encoding was half of what a record cost.
func appendRecord(b []byte, r *authz.Record) ([]byte, error) {
	b, err := appendMembers(append(b, '{'), r)
	return append(b, '}'), err
}

// appendMembers is appendRecord without the braces.
func appendMembers(b []byte, r *authz.Record) ([]byte, error) {
	b = appendText(append(b, `"type":`...), r.Type)
	b = appendText(append(b, `,"decision_id":`...), r.DecisionID)
	b = appendText(append(b, `,"salt":`...), r.Salt)
	b = appendTime(append(b, `,"timestamp":`...), r.Time)
	b = appendText(append(b, `,"clock":`...), r.Clock)
	b = appendText(append(b, `,"gateway":{"id":`...), r.Gateway.ID)
	b = appendTexts(append(b, `,"enclaves":`...), r.Gateway.Enclaves)
	b = appendText(append(b, `},"marking":`...), r.Marking)
	b = appendOptional(b, `,"req_id":`, r.RequestID)
	b = appendOptional(b, `,"requested_by":`, r.RequestedBy)
	b = appendOptional(b, `,"principal":`, r.Principal)
	if q := r.Request; q != nil {
		b = appendText(append(b, `,"request":{"protocol":`...), q.Protocol)
		b = appendText(append(b, `,"operation":`...), q.Operation)
		b = appendText(append(b, `,"method":`...), q.Method)
		b = appendText(append(b, `,"host":`...), q.Host)
		b = appendText(append(b, `,"path":`...), q.Path)
		b = append(appendOptional(b, `,"purpose":`, q.Purpose), '}')
	}
	var err error
	if r.Subject != nil {
		if b, err = appendSubject(append(b, `,"subject":`...), r.Subject); err != nil {
			return nil, err
		}
	}
	if len(r.Accesses) > 0 {
		b = append(b, `,"accesses":`...)
		for i := range r.Accesses {
			if b, err = appendAccess(append(b, separator(i)), &r.Accesses[i]); err != nil {
				return nil, err
			}
		}
		b = append(b, ']')
	}
	b = strconv.AppendBool(append(b, `,"allow":`...), r.Allow)
	b = appendTexts(append(b, `,"reasons":`...), r.Reasons)
	b = appendTexts(append(b, `,"unproven":`...), r.Unproven)
	b = appendObligations(b, r.Obligations)
	if len(r.Controls) > 0 {
		b = appendTexts(append(b, `,"controls":`...), r.Controls)
	}
	b = appendOptional(b, `,"detail":`, r.Detail)
	b = appendText(append(b, `,"bundle":{"revision":`...), r.Bundle.Revision)
	b = append(appendText(append(b, `,"digest":`...), r.Bundle.Digest), '}')
	b = appendFacts(b, r.Facts)
	b = appendOptional(b, `,"grant_digest":`, r.GrantDigest)
	if r.Latency != 0 {
		b = strconv.AppendInt(append(b, `,"latency_ns":`...), int64(r.Latency), 10)
	}
	b = appendMap(b, `,"fields":`, r.Fields)
	b = appendMap(b, `,"masked":`, r.Masked)
	b = appendOptional(b, `,"masking_error":`, r.MaskingError)
	if p := r.Part; p != nil {
		b = strconv.AppendInt(append(b, `,"part":[`...), int64(p[0]), 10)
		b = append(strconv.AppendInt(append(b, ','), int64(p[1]), 10), ']')
	}
	return b, nil
}

func appendSubject(b []byte, s *authz.RecordSubject) ([]byte, error) {
	b = appendText(append(b, `{"type":`...), s.Type)
	b = appendText(append(b, `,"id":`...), s.ID)
	b = appendPointer(append(b, `,"tenant":`...), s.Tenant)
	e := &s.Evidence
	b = appendText(append(b, `,"token":{"issuer":`...), e.Issuer)
	b = appendText(append(b, `,"kid":`...), e.KeyID)
	b = appendText(append(b, `,"token_digest":`...), e.TokenDigest)
	b = appendTime(append(b, `,"iat":`...), e.IssuedAt)
	b = appendTime(append(b, `,"exp":`...), e.Expires)
	b, err := appendRaw(append(b, `,"claims":`...), e.Claims)
	return append(b, "}}"...), err
}

func appendAccess(b []byte, a *authz.RecordAccess) ([]byte, error) {
	b = appendText(append(b, `{"action":`...), a.Action)
	b = appendText(append(b, `,"resource":`...), a.Resource)
	b = appendPointer(append(b, `,"row":`...), a.Row)
	b = appendPointer(append(b, `,"tenant":`...), a.Tenant)
	b = strconv.AppendBool(append(b, `,"allow":`...), a.Allow)
	b = appendTexts(append(b, `,"reasons":`...), a.Reasons)
	b = appendTexts(append(b, `,"unproven":`...), a.Unproven)
	b = appendObligations(b, a.Obligations)
	b, err := appendRaw(append(b, `,"input":`...), a.Input)
	b = appendMap(b, `,"masked":`, a.Masked)
	return append(appendOptional(b, `,"replay":`, a.Replay), '}'), err
}

func appendFacts(b []byte, f *authz.Facts) []byte {
	if f == nil {
		return b
	}
	b = appendNumber(append(b, `,"facts":{"bundle_age":`...), f.BundleAge)
	b = appendNumber(append(b, `,"revocation_serial":`...), f.RevocationSerial)
	b = appendNumber(append(b, `,"revocation_age":`...), f.RevocationAge)
	b = appendNumber(append(b, `,"keys_age":`...), f.KeysAge)
	b = append(b, `,"clock_floor":`...)
	if f.ClockFloor == nil {
		return append(b, "null}"...)
	}
	b = appendTime(append(b, `{"time":`...), f.ClockFloor.Time)
	return append(appendText(append(b, `,"source":`...), f.ClockFloor.Source), "}}"...)
}

func appendNumber(b []byte, n *int64) []byte {
	if n == nil {
		return append(b, "null"...)
	}
	return strconv.AppendInt(b, *n, 10)
}

// appendMap appends texts by name, in the order of the names, if there are any.
func appendMap(b []byte, member string, texts map[string]string) []byte {
	if len(texts) == 0 {
		return b
	}
	b = append(b, member...)
	for i, name := range slices.Sorted(maps.Keys(texts)) {
		b = appendText(append(b, "{,"[min(i, 1)]), name)
		b = appendText(append(b, ':'), texts[name])
	}
	return append(b, '}')
}

// separator is what stands before element i of an array.
func separator(i int) byte { return "[,"[min(i, 1)] }

func appendObligations(b []byte, all []authz.Obligation) []byte {
	if len(all) == 0 {
		return b
	}
	b = append(b, `,"obligations":`...)
	for i, o := range all {
		b = appendText(append(append(b, separator(i)), `{"id":`...), o.ID)
		if len(o.Fields) > 0 {
			b = appendTexts(append(b, `,"fields":`...), o.Fields)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

func appendTexts[S ~string](b []byte, all []S) []byte {
	switch {
	case all == nil:
		return append(b, "null"...)
	case len(all) == 0:
		return append(b, "[]"...)
	}
	for i, s := range all {
		b = appendText(append(b, separator(i)), string(s))
	}
	return append(b, ']')
}

func appendPointer(b []byte, s *string) []byte {
	if s == nil {
		return append(b, "null"...)
	}
	return appendText(b, *s)
}

func appendOptional(b []byte, name, s string) []byte {
	if s == "" {
		return b
	}
	return appendText(append(b, name...), s)
}

func appendTime(b []byte, t authz.Time) []byte {
	if t.IsZero() {
		return append(b, "null"...)
	}
	return append(t.UTC().AppendFormat(append(b, '"'), authz.TimeLayout), '"')
}

// appendRaw appends a value that was made elsewhere, if it is JSON.
func appendRaw(b []byte, raw json.RawMessage) ([]byte, error) {
	if raw == nil {
		return append(b, "null"...), nil
	}
	if skipValue(raw, 0, maxDepth) == len(raw) { // as it must be already
		return append(b, raw...), nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return nil, fmt.Errorf("value that is no JSON: %w", err)
	}
	return append(b, ascii(compact.Bytes())...), nil
}

// appendText appends s as a JSON string in printable ASCII. What is not UTF-8 becomes U+FFFD.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		if plain[s[i]] {
			i++
			continue
		}
		b = append(b, s[from:i]...)
		r, size := utf8.DecodeRuneInString(s[i:])
		b = appendEscaped(b, r)
		i += size
		from = i
	}
	return append(append(b, s[from:]...), '"')
}

func appendEscaped(b []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	if r > 0xffff {
		r -= 0x10000
		b = appendEscape(b, 0xd800+r>>10)
		r = 0xdc00 + r&0x3ff
	}
	return appendEscape(b, r)
}
