package audit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
)

// facts are what a verifier needs of a record. Slices are parts of the line.
type facts struct {
	kind, id []byte // type and decision_id as they are written, without quotes
	time     time.Time
	part     [2]int // 0, 0: there is none
	allow    bool
}

// quickRecord returns the parts of a record that a verifier counts, and judges all of it. Where texts matter it is parseRecord.
func quickRecord(members []byte) (authz.Record, error) {
	f, err := scan(members)
	if err != nil {
		return authz.Record{}, err
	}
	if string(f.kind) != typeDecision || f.part[1] > 0 {
		return parseRecord(members)
	}
	return authz.Record{Type: typeDecision, Time: authz.Time{Time: f.time}, Allow: f.allow}, nil
}

// known are the members that a scan looks into, in no order. The first ones are required.
const (
	memberType = iota
	memberID
	memberSalt
	memberTime
	memberClock
	memberGateway
	memberMarking
	memberAllow
	memberReasons
	memberUnproven
	memberBundle
	memberSubject
	memberAccesses
	memberPart
	memberCount
	memberRequired = memberBundle + 1
)

var memberNames = [memberCount]string{"type", "decision_id", "salt", "timestamp", "clock", "gateway", "marking", "allow", "reasons", "unproven", "bundle",
	"subject", "accesses", "part"}

// memberOf is a switch and not a map: it runs for each member of each line that is verified.
func memberOf(name []byte) int {
	switch string(name) {
	case "type":
		return memberType
	case "decision_id":
		return memberID
	case "salt":
		return memberSalt
	case "timestamp":
		return memberTime
	case "clock":
		return memberClock
	case "gateway":
		return memberGateway
	case "marking":
		return memberMarking
	case "allow":
		return memberAllow
	case "reasons":
		return memberReasons
	case "unproven":
		return memberUnproven
	case "bundle":
		return memberBundle
	case "subject":
		return memberSubject
	case "accesses":
		return memberAccesses
	case "part":
		return memberPart
	}
	return -1
}

// scan judges the members of a line as FORMAT.md says, without building a record: it accepts all that parseRecord accepts, and refuses
// what is no JSON, has spaces or bytes outside printable ASCII, or a member twice.
func scan(members []byte) (facts, error) {
	var values [memberCount][]byte
	var room [32][]byte
	others := room[:0] // names that it does not know
	for i := 0; ; {
		start := i
		if i >= len(members) || members[i] != '"' {
			return facts{}, fmt.Errorf("byte %d of the record: want a name", i)
		}
		for i++; i < len(members) && (members[i] >= 'a' && members[i] <= 'z' || members[i] == '_'); i++ {
		}
		if i+1 >= len(members) || members[i] != '"' || members[i+1] != ':' {
			return facts{}, fmt.Errorf("member at byte %d: names are lower-case letters and underscores", start)
		}
		name := members[start+1 : i]
		end := skipValue(members, i+2, maxDepth)
		if end < 0 {
			return facts{}, fmt.Errorf("member %q: not compact JSON in printable ASCII", name)
		}
		if m := memberOf(name); m >= 0 {
			if values[m] != nil {
				return facts{}, fmt.Errorf("member %q is there twice", name)
			}
			values[m] = members[i+2 : end]
		} else {
			for _, o := range others {
				if bytes.Equal(o, name) {
					return facts{}, fmt.Errorf("member %q is there twice", name)
				}
			}
			others = append(others, name)
		}
		if i = end; i == len(members) {
			break
		}
		if members[i] != ',' {
			return facts{}, fmt.Errorf("byte %d of the record: want a comma", i)
		}
		i++
	}
	for m := range memberRequired {
		if values[m] == nil {
			return facts{}, fmt.Errorf("member %q is missing", memberNames[m])
		}
	}
	for _, o := range others {
		switch string(o) {
		case "n", "g", "c":
			return facts{}, fmt.Errorf("member %q is there twice", o)
		}
	}
	return judgeValues(values)
}

func judgeValues(v [memberCount][]byte) (facts, error) {
	var f facts
	f.kind, f.id = unquote(v[memberType]), unquote(v[memberID])
	if len(f.kind) == 0 || len(f.id) == 0 || len(unquote(v[memberSalt])) == 0 {
		return f, errors.New("type, decision_id or salt is empty")
	}
	var good bool
	if f.time, good = parseTime(unquote(v[memberTime])); !good {
		return f, fmt.Errorf("timestamp %s: want the form %s", v[memberTime], authz.TimeLayout)
	}
	reasons, err1 := countSorted(v[memberReasons])
	unproven, err2 := countSorted(v[memberUnproven])
	if err := errors.Join(err1, err2); err != nil {
		return f, fmt.Errorf("reasons or unproven %w", err)
	}
	switch string(v[memberAllow]) {
	case "true":
		f.allow = true
	case "false":
	default:
		return f, errors.New("allow is neither true nor false")
	}
	if p := v[memberPart]; p != nil && string(p) != "null" {
		k, n, ok := bytes.Cut(bytes.TrimSuffix(bytes.TrimPrefix(p, []byte("[")), []byte("]")), []byte(","))
		var err, err2 error
		f.part[0], err = strconv.Atoi(string(k))
		f.part[1], err2 = strconv.Atoi(string(n))
		if !ok || err != nil || err2 != nil || f.part[0] < 1 || f.part[0] > f.part[1] || f.part[1] < 2 {
			return f, fmt.Errorf("part %s: want [k,n] with 1 ≤ k ≤ n and 2 ≤ n", p)
		}
	}
	if f.allow && (string(f.kind) != typeDecision || !object(v[memberSubject]) || !filled(v[memberAccesses]) || reasons+unproven > 0) {
		return f, errors.New("it allows without a subject, without an access or with something unproven")
	}
	return f, nil
}

// parseTime reads a time in authz.TimeLayout, which has one form only. time.Parse would take a third of what judging a record costs.
func parseTime(text []byte) (time.Time, bool) {
	if len(text) != len(authz.TimeLayout) || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':' || text[19] != '.' || text[29] != 'Z' {
		return time.Time{}, false
	}
	good := true
	number := func(from, to int) (n int) {
		for _, c := range text[from:to] {
			good = good && c >= '0' && c <= '9'
			n = 10*n + int(c-'0')
		}
		return n
	}
	year, month, day := number(0, 4), time.Month(number(5, 7)), number(8, 10)
	hour, minute, second := number(11, 13), number(14, 16), number(17, 19)
	t := time.Date(year, month, day, hour, minute, second, number(20, 29), time.UTC)
	y, m, d := t.Date() // another day than was written was none of that month
	return t, good && hour < 24 && minute < 60 && second < 60 && y == year && m == month && d == day && !t.IsZero()
}

func object(v []byte) bool { return len(v) > 0 && v[0] == '{' }
func filled(v []byte) bool { return len(v) > 2 && v[0] == '[' }

// unquote returns what stands in a string, nil if v is none.
func unquote(v []byte) []byte {
	if len(v) < 2 || v[0] != '"' {
		return nil
	}
	return v[1 : len(v)-1]
}

// countSorted counts the strings of an array that must be sorted, each once. Reasons have no escapes, so text order is the order of
// their bytes.
func countSorted(v []byte) (int, error) {
	if len(v) < 2 || v[0] != '[' {
		return 0, errors.New("is null or no array")
	}
	if len(v) == 2 {
		return 0, nil
	}
	var before []byte
	count := 0
	for rest, more := v[1:len(v)-1], true; more; {
		var one []byte
		one, rest, more = bytes.Cut(rest, []byte(","))
		id := unquote(one)
		if id == nil || bytes.IndexByte(id, '\\') >= 0 {
			return 0, errors.New("is no array of plain texts")
		}
		if count > 0 && bytes.Compare(before, id) >= 0 {
			return 0, errors.New("is not sorted, or names one twice")
		}
		before = id
		count++
	}
	return count, nil
}

const maxDepth = 1000 // of arrays and objects in each other

// plain are the bytes that stand in a string for themselves.
var plain = func() (t [256]bool) {
	for c := ' '; c <= '~'; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// skipValue returns where the JSON value that begins at i ends, -1 if there is none of RFC 8259, compact and in printable ASCII.
func skipValue(b []byte, i, depth int) int {
	if i >= len(b) || depth == 0 {
		return -1
	}
	switch c := b[i]; {
	case c == '"':
		return skipString(b, i)
	case c == '{' || c == '[':
		return skipContainer(b, i, depth)
	case c == 't':
		return skipWord(b, i, "true")
	case c == 'f':
		return skipWord(b, i, "false")
	case c == 'n':
		return skipWord(b, i, "null")
	}
	return skipNumber(b, i)
}

func skipContainer(b []byte, i, depth int) int {
	object := b[i] == '{'
	last := b[i] + 2 // ASCII: } is two after {, ] two after [
	if i++; i < len(b) && b[i] == last {
		return i + 1
	}
	for {
		if object {
			if i >= len(b) || b[i] != '"' {
				return -1
			}
			if i = skipString(b, i); i < 0 || i >= len(b) || b[i] != ':' {
				return -1
			}
			i++
		}
		if i = skipValue(b, i, depth-1); i < 0 || i >= len(b) {
			return -1
		}
		if b[i] == last {
			return i + 1
		}
		if b[i] != ',' {
			return -1
		}
		i++
	}
}

func skipString(b []byte, i int) int {
	for i++; ; {
		if i = skipPlain(b, i); i >= len(b) {
			return -1
		}
		if b[i] == '"' {
			return i + 1
		}
		if b[i] != '\\' || i+1 >= len(b) {
			return -1
		}
		switch b[i+1] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			i += 2
		case 'u':
			if i+6 > len(b) {
				return -1
			}
			for _, c := range b[i+2 : i+6] {
				if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
					return -1
				}
			}
			i += 6
		default:
			return -1
		}
	}
}

// skipPlain returns where the first byte is, from i on, that does not stand in a string for itself. It looks at eight at a time: most
// of a record is in strings.
func skipPlain(b []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		quote, slash, del := x^('"'*ones), x^('\\'*ones), x^(0x7f*ones)
		// The high bit of each byte that is not plain; of a byte after such a one perhaps too.
		odd := (x | (x - ' '*ones) | (quote-ones) & ^quote | (slash-ones) & ^slash | (del-ones) & ^del) & highs
		if odd != 0 {
			return i + bits.TrailingZeros64(odd)/8
		}
	}
	for i < len(b) && plain[b[i]] {
		i++
	}
	return i
}

func skipWord(b []byte, i int, word string) int {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return -1
	}
	return i + len(word)
}

func skipNumber(b []byte, i int) int {
	if i < len(b) && b[i] == '-' {
		i++
	}
	from := i
	if i = skipDigits(b, i); i == from || b[from] == '0' && i > from+1 {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		if from, i = i+1, skipDigits(b, i+1); i == from {
			return -1
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if from, i = i, skipDigits(b, i); i == from {
			return -1
		}
	}
	return i
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i
}
