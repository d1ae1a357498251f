package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
)

// Filter says which records somebody wants to see. What is not set matches all.
type Filter struct {
	Since, Until time.Time // of the record's time: from Since on, and before Until
	Person       string    // the subject's id (issuer|sub), or its part after the bar
	Object       string    // a resource; one that ends with / means everything below it too
	Tenant       string    // of an access
	Reason       string    // a root cause
	Outcome      string    // allow or deny
}

// Match reports whether r is one of those.
func (f Filter) Match(r authz.Record) bool {
	if !f.Since.IsZero() && r.Time.Before(f.Since) || !f.Until.IsZero() && !r.Time.Before(f.Until) {
		return false
	}
	if f.Outcome != "" && (r.Type != typeDecision || r.Allow != (f.Outcome == "allow")) {
		return false
	}
	if f.Reason != "" && !slices.Contains(r.Reasons, authz.Reason(f.Reason)) {
		return false
	}
	if f.Person != "" && !f.person(r.Subject) {
		return false
	}
	return f.Object == "" && f.Tenant == "" || slices.ContainsFunc(r.Accesses, f.access)
}

func (f Filter) person(s *authz.RecordSubject) bool {
	if s == nil {
		return false
	}
	_, sub, _ := strings.Cut(s.ID, "|")
	return f.Person == s.ID || f.Person == sub
}

func (f Filter) access(a authz.RecordAccess) bool {
	return (f.Object == "" || a.Resource == f.Object || strings.HasSuffix(f.Object, "/") && strings.HasPrefix(a.Resource, f.Object)) &&
		(f.Tenant == "" || a.Tenant != nil && *a.Tenant == f.Tenant)
}

// Check says what is wrong with a filter.
func (f Filter) Check() error {
	if f.Outcome != "" && f.Outcome != "allow" && f.Outcome != "deny" {
		return fmt.Errorf("outcome %q: want allow or deny", f.Outcome)
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until) {
		return fmt.Errorf("nothing is since %s and before %s", authz.At(f.Since), authz.At(f.Until))
	}
	return nil
}

// followEvery is how often Follow looks for new lines.
const followEvery = 200 * time.Millisecond

// Follow is Read, and then goes on with each line that is added, until ctx ends, which is no error. What it reads first is checked as
// by Read; a line that is added later is checked by itself, since no checkpoint covers it yet. Logs that appear later are followed too.
func Follow(ctx context.Context, dir string, f func(log string, line []byte, r authz.Record) error) error {
	ends := map[string]uint64{} // lines that f had, by log
	pass := func(log string, line []byte, r authz.Record) error {
		ends[log]++
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return f(log, line, r)
	}
	if err := Read(dir, pass); err != nil {
		return ended(ctx, err)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followEvery):
		}
		err := eachLog(dir, func(dir, name string) error {
			if err := added(dir, name, ends[name], pass); err != nil {
				return stopped{err}
			}
			return nil
		})
		if err != nil {
			return ended(ctx, err)
		}
	}
}

func ended(ctx context.Context, err error) error {
	if errors.Is(err, context.Cause(ctx)) && ctx.Err() != nil {
		return nil
	}
	return err
}

// added calls f with the whole lines of a log from line n on.
func added(dir, name string, n uint64, f func(log string, line []byte, r authz.Record) error) error {
	for {
		first := n / segmentLines * segmentLines
		file, err := os.Open(segmentPath(dir, first))
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		n, err = addedTo(file, name, n, f)
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
		if n < first+segmentLines {
			return nil
		}
	}
}

func addedTo(file *os.File, name string, n uint64, f func(log string, line []byte, r authz.Record) error) (uint64, error) {
	at, err := int64(0), error(nil)
	if n%segmentLines > 0 {
		if at, err = find(file, n-1); err != nil {
			return n, fmt.Errorf("%s: line %d: %w", file.Name(), n-1, err)
		}
	}
	in := newLines(io.NewSectionReader(file, at, 1<<62-at))
	for skip := n%segmentLines > 0; ; skip = false {
		c, err := in.next()
		if errors.Is(err, io.EOF) || c.torn {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if skip {
			continue
		}
		parsed, err := parseLine(c.text)
		if err == nil && parsed.n != n {
			err = fmt.Errorf("the line has index %d", parsed.n)
		}
		var r authz.Record
		if err == nil {
			r, err = parseRecord(parsed.members)
		}
		if err != nil {
			return n, &Damage{Log: name, File: file.Name(), Line: int(n%segmentLines) + 1, Index: n, Cause: err.Error()}
		}
		n++
		if err := f(name, c.text, r); err != nil {
			return n, err
		}
	}
}

// LogPath returns the folder of one log of dir, which is that log itself or a folder of logs.
func LogPath(dir, log string) string {
	if entries, err := os.ReadDir(dir); err == nil && isLog(entries) {
		return dir
	}
	return filepath.Join(dir, log)
}
