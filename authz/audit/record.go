package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
)

// required are the members that every line has beside those of its frame.
var required = []string{"type", "decision_id", "salt", "timestamp", "gateway", "bundle", "allow", "reasons", "unproven"}

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
	if !json.Valid(text) {
		return r, errors.New("the line is not one JSON object")
	}
	names := memberNames(text)
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		switch {
		case name == "n" || name == "g" || name == "c" || seen[name]:
			return r, fmt.Errorf("member %q is there twice", name)
		case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "":
			return r, fmt.Errorf("member %q: names are lower-case letters and underscores", name)
		}
		seen[name] = true
	}
	for _, name := range required {
		if !seen[name] {
			return r, fmt.Errorf("member %q is missing", name)
		}
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, err
	}
	return r, judge(r, text)
}

// judge says what is wrong with a record whose members have the right types.
func judge(r authz.Record, text []byte) error {
	var stamp struct {
		Time string `json:"timestamp"`
	}
	if err := json.Unmarshal(text, &stamp); err != nil {
		return err
	}
	if t, err := time.Parse(authz.TimeLayout, stamp.Time); err != nil || authz.At(t).String() != stamp.Time {
		return fmt.Errorf("timestamp %q: want the form %s", stamp.Time, authz.TimeLayout)
	}
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

// memberNames returns the names of the members of a valid JSON object, as they are written, in their order.
func memberNames(object []byte) []string {
	var names []string
	depth, name := 0, true
	for i := 0; i < len(object); i++ {
		switch object[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',':
			name = true
		case ':':
			name = false
		case '"':
			end := i + 1
			for object[end] != '"' {
				if object[end] == '\\' {
					end++
				}
				end++
			}
			if depth == 1 && name {
				names = append(names, string(bytes.Clone(object[i+1:end])))
			}
			i = end
		}
	}
	return names
}
