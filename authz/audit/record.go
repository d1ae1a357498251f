package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
)

// required are the members that every line has beside those of its frame.
var required = []string{"type", "decision_id", "salt", "timestamp", "clock", "gateway", "marking", "allow", "reasons", "unproven", "bundle"}

// parseRecord reads the members of a line, as strictly as FORMAT.md says. Members that it does not know are left alone: a later
// gateway may have written them.
func parseRecord(members []byte) (authz.Record, error) {
	var r authz.Record
	for i, c := range members {
		if c < ' ' || c > '~' {
			return r, fmt.Errorf("byte %d of the record is %#x, not printable ASCII", i, c)
		}
	}
	text := slices.Concat([]byte("{"), members, []byte("}"))
	if err := json.Unmarshal(text, &r); err != nil {
		return r, err
	}
	values := map[string][]byte{}
	for _, m := range topMembers(text) {
		switch {
		case m.name == "n" || m.name == "g" || m.name == "c" || values[m.name] != nil:
			return r, fmt.Errorf("member %q is there twice", m.name)
		case strings.Trim(m.name, "abcdefghijklmnopqrstuvwxyz_") != "":
			return r, fmt.Errorf("member %q: names are lower-case letters and underscores", m.name)
		}
		values[m.name] = m.value
	}
	for _, name := range required {
		if values[name] == nil {
			return r, fmt.Errorf("member %q is missing", name)
		}
	}
	if want := `"` + r.Time.String() + `"`; r.Time.IsZero() || string(values["timestamp"]) != want {
		return r, fmt.Errorf("timestamp %s: want the form %s", values["timestamp"], authz.TimeLayout)
	}
	return r, judge(r)
}

// judge says what is wrong with a record whose members have the right types.
func judge(r authz.Record) error {
	switch {
	case r.Type == "" || r.DecisionID == "" || r.Salt == "":
		return errors.New("type, decision_id or salt is empty")
	case r.Reasons == nil || r.Unproven == nil:
		return errors.New("reasons or unproven is null")
	case !strictlySorted(r.Reasons) || !strictlySorted(r.Unproven):
		return errors.New("reasons or unproven is not sorted, or names one twice")
	case r.Part != nil && (r.Part[0] < 1 || r.Part[0] > r.Part[1] || r.Part[1] < 2):
		return fmt.Errorf("part %v: want [k,n] with 1 ≤ k ≤ n and 2 ≤ n", *r.Part)
	case !r.Allow:
		return nil
	case r.Type != typeDecision || r.Subject == nil || len(r.Accesses) == 0 || len(r.Reasons) > 0 || len(r.Unproven) > 0:
		return errors.New("it allows without a subject, without an access or with something unproven")
	}
	return nil
}

func strictlySorted(ids []authz.Reason) bool {
	for i := 1; i < len(ids); i++ {
		if ids[i-1] >= ids[i] {
			return false
		}
	}
	return true
}

// member is a member of an object as it is written.
type member struct {
	name  string
	value []byte
}

// topMembers returns the members of a valid JSON object without spaces, those of the same name too.
func topMembers(object []byte) []member {
	var all []member
	depth, start := 0, 1 // start of the member's name or value
	for i := 0; i < len(object); i++ {
		switch c := object[i]; {
		case c == '"':
			for i++; object[i] != '"'; i++ {
				if object[i] == '\\' {
					i++
				}
			}
		case c == '{' || c == '[':
			depth++
		case c == ':' && depth == 1:
			all = append(all, member{name: string(object[start+1 : i-1])})
			start = i + 1
		case (c == ',' || c == '}') && depth == 1:
			if len(all) > 0 {
				all[len(all)-1].value = object[start:i]
			}
			start = i + 1
			if c == '}' {
				depth--
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return all
}
