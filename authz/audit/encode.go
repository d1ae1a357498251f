package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/sallyport-dev/sallyport/authz"
)

// errTooLong says that a record does not fit even over several lines.
var errTooLong = errors.New("does not fit")

// encode returns the members of each line of r. It leaves what r points to alone.
func encode(r authz.Record) ([][]byte, error) {
	r = normal(r)
	r.Part = nil
	line, err := members(r)
	if err != nil {
		return nil, err
	}
	if len(line) <= maxMembers {
		return [][]byte{line}, nil
	}
	lines, err := split(r)
	if errors.Is(err, errTooLong) && !r.Allow {
		return split(shorten(r))
	}
	return lines, err
}

// normal sorts the arrays of ids, and gives arrays that must be there.
func normal(r authz.Record) authz.Record {
	r.Reasons = sorted(r.Reasons)
	r.Unproven = sorted(r.Unproven)
	r.Accesses = slices.Clone(r.Accesses)
	for i := range r.Accesses {
		a := &r.Accesses[i]
		a.Reasons = sorted(a.Reasons)
		a.Unproven = sorted(a.Unproven)
	}
	return r
}

// sorted returns a copy of ids in order, each once, never nil.
func sorted(ids []authz.Reason) []authz.Reason {
	s := append(make([]authz.Reason, 0, len(ids)), ids...)
	slices.Sort(s)
	return slices.Compact(s)
}

// split spreads the accesses of r over as many lines as it takes; everything else stands in each of them.
func split(r authz.Record) ([][]byte, error) {
	all := r.Accesses
	r.Accesses = nil
	r.Part = &[2]int{len(all), len(all)} // of the greatest length
	base, err := members(r)
	if err != nil {
		return nil, err
	}
	room := maxMembers - len(base) - len(`,"accesses":[]`)
	var parts [][]authz.RecordAccess
	from, used := 0, 0
	for i, a := range all {
		text, err := appendAccess(nil, &a)
		if err != nil {
			return nil, err
		}
		if len(text) > room {
			return nil, fmt.Errorf("record %s: the access to %.200q with %d bytes %w into a line of %d", r.DecisionID, a.Resource, len(text), errTooLong, maxLine)
		}
		if used+len(text) > room {
			parts = append(parts, all[from:i])
			from, used = i, 0
		}
		used += len(text) + 1 // and its comma
	}
	if room < 0 {
		return nil, fmt.Errorf("record %s with %d bytes %w into a line of %d", r.DecisionID, len(base), errTooLong, maxLine)
	}
	parts = append(parts, all[from:])
	lines := make([][]byte, len(parts))
	for i, p := range parts {
		r.Accesses = p
		r.Part = &[2]int{i + 1, len(parts)}
		if len(parts) == 1 {
			r.Part = nil
		}
		if lines[i], err = members(r); err != nil {
			return nil, err
		}
	}
	return lines, nil
}

const maxShort = 512 // bytes of a text in a record that was cut

// shorten cuts a denial that is too long for any line. Whoever made it so long chose the bytes, and a denial must be recorded.
func shorten(r authz.Record) authz.Record {
	inputs := 0
	for i := range r.Accesses {
		a := &r.Accesses[i]
		a.Resource = cut(a.Resource)
		if len(ascii(a.Input)) > maxLine/8 {
			a.Input = nil
			inputs++
		}
	}
	if r.Subject != nil {
		s := *r.Subject
		s.ID = cut(s.ID)
		s.Evidence.Claims = nil
		s.Evidence.KeyID = cut(s.Evidence.KeyID)
		r.Subject = &s
	}
	if r.Request != nil {
		q := *r.Request
		q.Protocol, q.Operation, q.Method = cut(q.Protocol), cut(q.Operation), cut(q.Method)
		q.Host, q.Path = cut(q.Host), cut(q.Path)
		r.Request = &q
	}
	r.RequestID, r.RequestedBy, r.Principal = cut(r.RequestID), cut(r.RequestedBy), cut(r.Principal)
	fields := make(map[string]string, len(r.Fields))
	for k, v := range r.Fields {
		fields[k] = cut(v)
	}
	r.Fields = fields
	r.Detail = cut(r.Detail) + fmt.Sprintf(" [recorded in short: texts cut to %d bytes, the token's claims and %d policy inputs left out]", maxShort, inputs)
	return r
}

// cut returns the beginning of a text that is too long, and how much is missing.
func cut(s string) string {
	if len(s) <= maxShort {
		return s
	}
	end := maxShort
	for end > maxShort-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return fmt.Sprintf("%s[%d bytes cut]", s[:end], len(s)-end)
}

// members returns the members of one line of r: a JSON object without its braces. Each line gets a salt of its own, so that
// whoever is shown one line, of this log or of another with the same decision, can guess no other from its hash.
func members(r authz.Record) ([]byte, error) {
	r.Salt = randomID()
	b, err := appendMembers(lineBuffers.Get().([]byte)[:0], &r)
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", r.DecisionID, err)
	}
	return b, nil
}

// lineBuffers are what lines are encoded into. The committer gives them back when it has copied them.
var lineBuffers = sync.Pool{New: func() any { return make([]byte, 0, 4096) }}

type encoder struct {
	buf bytes.Buffer
	enc *json.Encoder
}

var encoders = sync.Pool{New: func() any {
	e := &encoder{}
	e.enc = json.NewEncoder(&e.buf)
	e.enc.SetEscapeHTML(false)
	return e
}}

// marshal returns v as compact JSON in printable ASCII.
func marshal(v any) ([]byte, error) {
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	e.buf.Reset()
	if err := e.enc.Encode(v); err != nil {
		return nil, err
	}
	return ascii(bytes.TrimSuffix(e.buf.Bytes(), []byte("\n"))), nil
}

// ascii returns a copy of JSON text in which every character outside printable ASCII is escaped. Such characters stand only in
// strings. What is not UTF-8 becomes U+FFFD: raw values of a record were made elsewhere and are not all checked for it.
func ascii(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		i := 0
		for i < len(text) && text[i] >= ' ' && text[i] <= '~' {
			i++
		}
		out = append(out, text[:i]...)
		text = text[i:]
		if len(text) == 0 {
			break
		}
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		if r > 0xffff {
			r -= 0x10000
			out = appendEscape(out, 0xd800+r>>10)
			r = 0xdc00 + r&0x3ff
		}
		out = appendEscape(out, r)
	}
	return out
}

func appendEscape(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', hexDigits[r>>12&0xf], hexDigits[r>>8&0xf], hexDigits[r>>4&0xf], hexDigits[r&0xf])
}
