package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
)

const maxOpening = 1 << 20 // bytes of one opening

// FindOpenings returns the openings of a decision that the store beside the logs in dir has, each as a line. dir is one log or the folder
// of logs.
func FindOpenings(dir, decisionID string) ([]byte, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	top, logs := dir+OpeningsSuffix, "*"
	if entries, err := os.ReadDir(dir); err == nil && isLog(entries) {
		top = filepath.Dir(dir) + OpeningsSuffix
		logs, _, _ = strings.Cut(filepath.Base(dir), ".")
	}
	files, err := filepath.Glob(filepath.Join(top, logs, "open-*.jsonl"))
	if err != nil {
		return nil, err
	}
	id, err := json.Marshal(decisionID)
	if err != nil {
		return nil, err
	}
	begin := slices.Concat([]byte(`{"decision_id":`), id, []byte(","))
	var found []byte
	for _, path := range files {
		if found, err = openingsIn(path, begin, found); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return found, nil
}

// openingsIn adds the lines of a file that begin so to found.
func openingsIn(path string, begin, found []byte) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(nil, maxOpening+1)
	for in.Scan() {
		if bytes.HasPrefix(in.Bytes(), begin) {
			found = append(append(found, in.Bytes()...), '\n')
		}
	}
	return found, in.Err()
}

// Revealed is a record with its commitments opened, as far as there was what opens them.
type Revealed struct {
	Record json.RawMessage `json:"record"` // without its line's frame; each value that was opened stands in its place
	Opened []string        `json:"opened"` // JSON pointers into the record
	Closed []string        `json:"closed"` // likewise: nothing that was given opens these, so where they are of an input, that does not replay
}

// Reveal opens the commitments of a line with openings, one a line. An opening that does not open what it says is an error; those of
// other records are left alone.
func Reveal(line, lines []byte) (Revealed, error) {
	v := Revealed{Opened: []string{}, Closed: []string{}}
	f, err := parseLine(line)
	if err != nil {
		return v, err
	}
	r, err := parseRecord(f.members)
	if err != nil {
		return v, err
	}
	all, err := parseOpenings(lines)
	if err != nil {
		return v, err
	}
	open := func(prefix string, masked map[string]string, put func(at string, value []byte) error) error {
		for at, commitment := range masked {
			o, found := all[commitment]
			if !found || o.At != at {
				v.Closed = append(v.Closed, prefix+at)
				continue
			}
			if err := put(at, o.Value); err != nil {
				return fmt.Errorf("opening of %s%s: %w", prefix, at, err)
			}
			v.Opened = append(v.Opened, prefix+at)
			delete(masked, at)
		}
		return nil
	}
	errs := []error{open("", r.Masked, func(at string, value []byte) error { return putMember(&r, at, value) })}
	for i := range r.Accesses {
		a := &r.Accesses[i]
		errs = append(errs, open(fmt.Sprintf("/accesses/%d", i), a.Masked, func(at string, value []byte) error { return putInAccess(a, at, value) }))
		if !slices.ContainsFunc(v.Closed, func(at string) bool { return strings.HasPrefix(at, fmt.Sprintf("/accesses/%d/input", i)) }) {
			a.Replay = ""
		}
	}
	if err := errors.Join(errs...); err != nil {
		return v, err
	}
	slices.Sort(v.Opened)
	slices.Sort(v.Closed)
	v.Record, err = appendRecord(nil, &r)
	return v, err
}

// parseOpenings reads openings and checks that each opens the commitment it names.
func parseOpenings(lines []byte) (openings, error) {
	all := openings{}
	number := 0
	for line := range bytes.Lines(lines) {
		number++
		var o opening
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&o); err != nil {
			return nil, fmt.Errorf("opening %d: %w", number, err)
		}
		made, err := o.commitment()
		if err == nil && made != o.Commitment {
			err = fmt.Errorf("it does not open the commitment %.64q", o.Commitment)
		}
		if err != nil {
			return nil, fmt.Errorf("opening %d, of %.100q: %w", number, o.At, err)
		}
		all[o.Commitment] = o
	}
	return all, nil
}

// putMember puts a value back into a record.
func putMember(r *authz.Record, at string, value []byte) error {
	var to any
	switch at {
	case "/requested_by":
		to = &r.RequestedBy
	case "/principal":
		to = &r.Principal
	case "/detail":
		to = &r.Detail
	}
	if q := r.Request; q != nil {
		switch at {
		case "/request/host":
			to = &q.Host
		case "/request/path":
			to = &q.Path
		}
	}
	if s := r.Subject; s != nil {
		switch at {
		case "/subject/id":
			to = &s.ID
		case "/subject/tenant":
			to = &s.Tenant
		case "/subject/token/claims":
			to = &s.Evidence.Claims
		}
	}
	if to == nil {
		return errors.New("the record has no such member")
	}
	return json.Unmarshal(value, to)
}

// putInAccess puts a value back into an access.
func putInAccess(a *authz.RecordAccess, at string, value []byte) error {
	switch at {
	case "/resource":
		return json.Unmarshal(value, &a.Resource)
	case "/row":
		return json.Unmarshal(value, &a.Row)
	}
	pointer, ok := strings.CutPrefix(at, "/input")
	if !ok || pointer != "" && pointer[0] != '/' {
		return errors.New("the access has no such member")
	}
	text, err := compact(a.Input)
	if err != nil {
		return err
	}
	from, to, err := locate(text, pointer)
	if err == nil && string(text[from:to]) != "null" {
		err = errors.New("what stands there is not null")
	}
	if err != nil {
		return err
	}
	a.Input = slices.Concat(text[:from], value, text[to:])
	return nil
}
