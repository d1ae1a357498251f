package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
)

// Policy says which fields of its input a record must not show, as JSON pointers in an obligation audit.mask. Each is replaced by a
// salted commitment, and so is every other member of the record that repeats it. What opens a commitment goes to the openings, a
// store of its own, before the record is written: masking loses nothing.
//
// The masks of a request are those of all its accesses together, in every copy of its record: what one tenant hides must not be read
// in the log of another. An obligation that can't be met as it stands masks everything.

// repeats are the members that say again what stands in an input: a mask of the first also masks the second.
var repeats = []struct{ input, member string }{
	{"/subject/id", "/subject/id"},
	{"/subject/properties/tenant", "/subject/tenant"},
	{"/subject", "/subject/token/claims"},
	{"/context/source/address", "/requested_by"},
	{"/context/source/principal", "/principal"},
	{"/resource/id", "/request/host"},
	{"/resource/id", "/request/path"},
	{"", "/detail"}, // free text
}

// repeatsOfAccess are the same within an access.
var repeatsOfAccess = []struct{ input, member string }{
	{"/resource/id", "/resource"},
	{"/resource/properties/row", "/row"},
}

// opening is what a commitment was made of. One opening shows one value and nothing of any other.
type opening struct {
	DecisionID string          `json:"decision_id"`
	Commitment string          `json:"commitment"`
	At         string          `json:"at"`   // JSON pointer from the object that holds the commitment
	Salt       string          `json:"salt"` // 128 random bits in hex
	Value      json.RawMessage `json:"value"`
}

const commitmentDomain = "sallyport/mask/v1\n"

// commitment returns the commitment that o opens.
func (o opening) commitment() (string, error) {
	salt, err := hex.DecodeString(o.Salt)
	if err != nil || len(salt) != 16 {
		return "", fmt.Errorf("salt %.40q: want 128 bits in hex", o.Salt)
	}
	b := append(append([]byte(commitmentDomain), salt...), o.At...)
	sum := sha256.Sum256(append(append(b, 0), o.Value...))
	return hex.EncodeToString(sum[:]), nil
}

// openings are what opens the commitments of one record, by commitment.
type openings map[string]opening

// commit makes the commitment to a value.
func (all openings) commit(id, at string, value []byte) string {
	o := opening{DecisionID: id, At: at, Salt: randomID(), Value: value}
	o.Commitment, _ = o.commitment() // the salt is ours
	all[o.Commitment] = o
	return o.Commitment
}

// lines returns the openings that one copy of a record needs, each as a line.
func (all openings) lines(r authz.Record) ([]byte, error) {
	var out []byte
	add := func(masked map[string]string) error {
		for _, commitment := range masked {
			line, err := marshal(all[commitment])
			if err == nil && len(line) > maxOpening {
				err = fmt.Errorf("audit: record %s: an opening of %d bytes: more than %d", r.DecisionID, len(line), maxOpening)
			}
			if err != nil {
				return err
			}
			out = append(append(out, line...), '\n')
		}
		return nil
	}
	err := add(r.Masked)
	for _, a := range r.Accesses {
		err = errors.Join(err, add(a.Masked))
	}
	return out, err
}

// mask returns r as policy wants it to be recorded, and what opens it. It leaves what r points to alone.
func mask(r authz.Record) (authz.Record, openings, error) {
	fields, masks, err := fieldsOf(r)
	if !masks {
		return r, nil, nil
	}
	if err == nil {
		var masked authz.Record
		var opened openings
		if masked, opened, err = maskFields(r, fields); err == nil {
			return masked, opened, nil
		}
	}
	masked, opened, all := maskFields(r, []string{""})
	if all != nil { // what can't be masked can't be encoded either
		return r, nil, fmt.Errorf("audit: record %s: %w", r.DecisionID, all)
	}
	masked.MaskingError = cut(err.Error())
	return masked, opened, nil
}

// fieldsOf returns the pointers of all obligations to mask, without those that another one covers.
func fieldsOf(r authz.Record) (fields []string, masks bool, err error) {
	for _, a := range r.Accesses {
		for _, o := range a.Obligations {
			if o.ID != authz.AuditMask {
				continue
			}
			masks = true
			if len(o.Fields) == 0 {
				err = errors.Join(err, errors.New("the obligation to mask names no field"))
			}
			fields = append(fields, o.Fields...)
		}
	}
	slices.Sort(fields)
	fields = slices.Compact(fields)
	for _, f := range fields {
		if !strings.HasPrefix(f, "/") {
			err = errors.Join(err, fmt.Errorf("field %.100q: want a JSON pointer into the policy input, such as /subject/id", f))
		}
	}
	return slices.DeleteFunc(fields, func(f string) bool {
		return slices.ContainsFunc(fields, func(g string) bool { return g != f && covers(g, f) })
	}), masks, err
}

// covers reports whether the value at g holds, or is, the value at f.
func covers(g, f string) bool { return f == g || strings.HasPrefix(f, g+"/") }

// touch reports whether a mask hides a part of what stands at a pointer.
func touch(fields []string, at string) bool {
	return slices.ContainsFunc(fields, func(f string) bool { return covers(f, at) || covers(at, f) })
}

// maskFields masks the values at these pointers into each input, and what repeats them.
func maskFields(r authz.Record, fields []string) (authz.Record, openings, error) {
	opened := openings{}
	r.Masked = map[string]string{}
	var errs []error
	hide := func(masked map[string]string, at string, value any) {
		text, err := marshal(value)
		errs = append(errs, err)
		if string(text) != `""` && string(text) != "null" {
			masked[at] = opened.commit(r.DecisionID, at, text)
		}
	}
	members := hideable(&r)
	for _, m := range repeats {
		if touch(fields, m.input) {
			if value, clear := members(m.member); value != nil {
				hide(r.Masked, m.member, value)
				clear()
			}
		}
	}
	r.Accesses = slices.Clone(r.Accesses)
	for i := range r.Accesses {
		a := &r.Accesses[i]
		a.Masked = map[string]string{}
		for _, m := range repeatsOfAccess {
			switch {
			case !touch(fields, m.input):
			case m.member == "/row":
				hide(a.Masked, m.member, a.Row)
				a.Row = nil
			default:
				hide(a.Masked, m.member, a.Resource)
				a.Resource = ""
			}
		}
		input, err := maskInput(a.Input, fields, func(f string, value []byte) {
			a.Masked["/input"+f] = opened.commit(r.DecisionID, "/input"+f, value)
			a.Replay = replayOpenings
		})
		if err != nil {
			return r, nil, fmt.Errorf("access %d: %w", i, err)
		}
		a.Input = input
	}
	return r, opened, errors.Join(errs...)
}

const replayOpenings = "openings"

// hideable gives the members of a record that can repeat an input, by pointer: the value, nil if there is none, and how to clear it.
// It copies what r points to before it is changed.
func hideable(r *authz.Record) func(at string) (value any, clear func()) {
	var s authz.RecordSubject
	if r.Subject != nil {
		s = *r.Subject
		r.Subject = &s
	}
	var q authz.Summary
	if r.Request != nil {
		q = *r.Request
		r.Request = &q
	}
	return func(at string) (any, func()) {
		switch at {
		case "/subject/id":
			return s.ID, func() { s.ID = "" }
		case "/subject/tenant":
			return s.Tenant, func() { s.Tenant = nil }
		case "/subject/token/claims":
			return s.Evidence.Claims, func() { s.Evidence.Claims = nil }
		case "/requested_by":
			return r.RequestedBy, func() { r.RequestedBy = "" }
		case "/principal":
			return r.Principal, func() { r.Principal = "" }
		case "/request/host":
			return q.Host, func() { q.Host = "" }
		case "/request/path":
			return q.Path, func() { q.Path = "" }
		case "/detail":
			return r.Detail, func() { r.Detail = "" }
		}
		panic("audit: no member " + at + " can be masked")
	}
}

// span is where a value stands in a text.
type span struct {
	from, to int
	at       string
}

// maskInput puts null in the place of the values at these pointers, none of which holds another, and calls hide with each.
func maskInput(raw json.RawMessage, fields []string, hide func(at string, value []byte)) (json.RawMessage, error) {
	if raw == nil {
		return nil, nil
	}
	text, err := compact(raw)
	if err != nil {
		return nil, err
	}
	var spans []span
	for _, f := range fields {
		from, to, err := locate(text, f)
		if err != nil {
			return nil, err
		}
		if to > from && string(text[from:to]) != "null" {
			spans = append(spans, span{from, to, f})
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	var out []byte
	end := 0
	for _, s := range spans {
		out = append(append(out, text[end:s.from]...), "null"...)
		hide(s.at, text[s.from:s.to:s.to])
		end = s.to
	}
	return append(out, text[end:]...), nil
}

// compact returns a value as a line has it.
func compact(raw json.RawMessage) ([]byte, error) {
	return appendRaw(nil, raw)
}

// locate returns where the value at a JSON pointer (RFC 6901) stands in a compact text; 0, 0 if it can't be there, since the pointer
// leads through null or beyond the end of an array. A member that an object lacks, or a step into a text or a number, is an error.
func locate(text []byte, pointer string) (from, to int, err error) {
	at := 0
	if pointer != "" {
		for name := range strings.SplitSeq(pointer[1:], "/") {
			name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
			if text[at] == 'n' {
				return 0, 0, nil
			}
			next, absent := step(text, at, name)
			switch {
			case next > 0:
				at = next
			case absent:
				return 0, 0, nil
			default:
				return 0, 0, fmt.Errorf("field %.100q: the policy input has no %.100q there", pointer, name)
			}
		}
	}
	return at, skipValue(text, at, maxDepth), nil
}

// step returns where the member, or the element, of that name begins in the value at a place of a compact text; 0 if there is none.
// absent says that it is an element that this array is too short for.
func step(text []byte, at int, name string) (next int, absent bool) {
	open := text[at]
	if open != '{' && open != '[' || text[at+1] == open+2 {
		return 0, open == '[' && isIndex(name)
	}
	for i, n := at+1, 0; ; n++ {
		key := fmt.Sprint(n)
		if open == '{' {
			end := skipString(text, i)
			if json.Unmarshal(text[i:end], &key) != nil {
				return 0, false
			}
			i = end + 1
		}
		if key == name {
			return i, false
		}
		if i = skipValue(text, i, maxDepth); text[i] == open+2 {
			return 0, open == '[' && isIndex(name)
		}
		i++
	}
}

func isIndex(name string) bool {
	_, rest, ok := cutNumber([]byte(name))
	return ok && len(rest) == 0
}
