package identity

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/strictjson"
)

// maxDepth bounds the nesting of JSON in tokens and keys; a label in a claim needs six levels.
const maxDepth = 16

// parseObject reads one JSON object and refuses whatever two parsers could read in two ways.
func parseObject(b []byte) (map[string]any, error) { return strictjson.Object(b, maxDepth) }

// reader takes typed members out of parsed JSON. It keeps the first one that had another shape, so that a caller reads everything
// and asks once. Errors name the member and never hold its value: they end in the record.
type reader struct{ err error }

func (r *reader) fail(at, want string) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: want %s", at, want)
	}
}

// closed fails unless every member of o is one of names.
func (r *reader) closed(o map[string]any, at string, names ...string) {
	for n := range o {
		if !slices.Contains(names, n) {
			r.fail(at, "only the members "+strings.Join(names, ", "))
			return
		}
	}
}

// maxText bounds one text; a claim that is longer names nothing in a bundle.
const maxText = 256

// text returns a printable, non-empty text.
func (r *reader) text(v any, at string) string {
	s, ok := v.(string)
	if !ok || s == "" || len(s) > maxText || !printable(s) {
		r.fail(at, "a printable text of 1 to 256 bytes")
		return ""
	}
	return s
}

// printable refuses control, format and invisible characters, by which two names could look the same in a log.
func printable(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) < 0
}

// country returns an ISO 3166-1 alpha-3 code.
func (r *reader) country(v any, at string) string {
	s, _ := v.(string)
	if !isCountry(s) {
		r.fail(at, "a country as three upper-case letters")
		return ""
	}
	return s
}

func isCountry(s string) bool {
	return len(s) == 3 && strings.IndexFunc(s, func(c rune) bool { return c < 'A' || c > 'Z' }) < 0
}

// list returns nil for an absent member, else one T an item.
func list[T any](r *reader, o map[string]any, name, at string, item func(any, string) T) []T {
	v, ok := o[name]
	if !ok {
		return nil
	}
	l, ok := v.([]any)
	if !ok {
		r.fail(at+name, "a list")
		return nil
	}
	out := make([]T, 0, len(l))
	for i, e := range l {
		out = append(out, item(e, at+name+"["+strconv.Itoa(i)+"]"))
	}
	return out
}

func (r *reader) object(v any, at string) map[string]any {
	o, ok := v.(map[string]any)
	if !ok {
		r.fail(at, "an object")
	}
	return o
}

// maxDate is the last second of the year 9999, which RFC 3339 can still write.
const maxDate = 253402300799

// date returns a NumericDate that is a whole number: 1e20, 1.5, "1" and 0 ("never expires" to some) are none.
func (r *reader) date(v any, at string) int64 {
	n, ok := v.(json.Number)
	if ok {
		if i, err := strconv.ParseInt(string(n), 10, 64); err == nil && i > 0 && i <= maxDate {
			return i
		}
	}
	r.fail(at, "a positive whole number of seconds")
	return 0
}

// time returns an RFC 3339 time, zero for an absent member.
func (r *reader) time(o map[string]any, name, at string) (t authz.Time) {
	v, ok := o[name]
	if !ok {
		return t
	}
	s, ok := v.(string)
	if !ok || t.UnmarshalJSON([]byte(strconv.Quote(s))) != nil {
		r.fail(at+name, "a time in RFC 3339")
	}
	return t
}

// categories returns values by tag set, empty for an absent member.
func (r *reader) categories(o map[string]any, at string) map[string][]string {
	out := map[string][]string{}
	v, ok := o["categories"]
	if !ok {
		return out
	}
	sets := r.object(v, at+"categories")
	for set := range sets {
		out[set] = list(r, sets, set, at+"categories.", r.text)
	}
	return out
}

// quote makes what a stranger wrote safe for a log line, and short.
func quote(s string) string {
	const most = 64
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "…"
	}
	return strconv.QuoteToASCII(s)
}
