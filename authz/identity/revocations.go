package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/sallyport-dev/sallyport/authz"
)

// revocations are what counts no more: subjects, single tokens, issuers' keys, and whatever was issued to a subject before a
// time, as when his clearance was lowered and tokens of before still say the old one. They only deny.
type revocations struct {
	subjects, tokens, keys map[string]bool
	reissued               map[string]authz.Time // subject → since when tokens count again
	stale                  error                 // why the list may lack something; nil if it does not
}

func newRevocations() revocations {
	return revocations{subjects: map[string]bool{}, tokens: map[string]bool{}, keys: map[string]bool{}, reissued: map[string]authz.Time{}}
}

// parseRevocations reads data.revocations. Issued and max_age_seconds are for policy; without a document nothing is revoked here, and
// policy denies. Its entries are numbered without a gap up to the document's serial, or it is stale: what is missing could be about anybody.
func parseRevocations(doc json.RawMessage) (revocations, error) {
	r := newRevocations()
	if len(doc) == 0 {
		return r, nil
	}
	var d struct {
		Serial                 int64
		Subjects, Tokens, Keys []string
		Reissued               []reissue
		Entries                []json.RawMessage
	}
	if err := json.Unmarshal(doc, &d); err != nil {
		return r, err
	}
	for _, l := range []struct {
		name string
		form *regexp.Regexp
		from []string
		into map[string]bool
	}{{"subjects", subjectForm, d.Subjects, r.subjects}, {"tokens", tokenForm, d.Tokens, r.tokens}, {"keys", keyForm, d.Keys, r.keys}} {
		for n, v := range l.from {
			if err := r.add(fmt.Sprintf("%s[%d]", l.name, n), l.form, l.into, v); err != nil {
				return r, err
			}
		}
	}
	for n, e := range d.Reissued {
		if err := r.reissue(e); err != nil {
			return r, fmt.Errorf("reissued[%d]: %w", n, err)
		}
	}
	numbered := denials{list: r}
	for n, e := range d.Entries {
		serial, err := numbered.add(e)
		if err != nil {
			return r, fmt.Errorf("entries[%d]: %w", n, err)
		}
		if n > 0 && serial != numbered.serial+1 {
			r.stale = fmt.Errorf("the bundle's list of revocations has %d after %d", serial, numbered.serial)
		}
		numbered.serial = serial
	}
	if r.stale == nil && len(d.Entries) > 0 && numbered.serial != d.Serial {
		r.stale = fmt.Errorf("the bundle's list of revocations ends with %d, and its serial is %d", numbered.serial, d.Serial)
	}
	return r, nil
}

// reissue says that what was issued to a subject before a time counts no more.
type reissue struct {
	Subject   string     `json:"subject"`
	NotBefore authz.Time `json:"not_before"`
}

var (
	subjectForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}\|.{1,256}$`)     // issuer|sub
	tokenForm   = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}\|[0-9a-f]{64}$`) // issuer|token_digest of a record
	keyForm     = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}\|.{1,128}$`)     // issuer|kid
)

func (r revocations) add(at string, form *regexp.Regexp, to map[string]bool, v string) error {
	if !form.MatchString(v) {
		return fmt.Errorf("%s: %s has the wrong form, want %s", at, quote(v), form)
	}
	to[v] = true
	return nil
}

func (r revocations) reissue(e reissue) error {
	if !subjectForm.MatchString(e.Subject) || e.NotBefore.IsZero() {
		return errors.New("want a subject, issuer|sub, and a time as not_before")
	}
	if e.NotBefore.After(r.reissued[e.Subject].Time) { // the later of two restricts more
		r.reissued[e.Subject] = e.NotBefore
	}
	return nil
}

// why says what of t is revoked, "" if nothing is.
func (r revocations) why(t *verified) string {
	subject, evidence := t.subject.ID, t.subject.Evidence
	for _, a := range t.subject.Properties.Via {
		if r.subjects[a.ID] || evidence.IssuedAt.Before(r.reissued[a.ID].Time) {
			return "an actor is revoked"
		}
	}
	switch {
	case r.subjects[subject]:
		return "the subject is revoked"
	case len(r.tokens) > 0 && r.tokens[t.issuer.id+"|"+evidence.TokenDigest]:
		return "the token is revoked"
	case len(r.keys) > 0 && r.keys[t.issuer.id+"|"+t.kid]:
		return "the key is revoked"
	case evidence.IssuedAt.Before(r.reissued[subject].Time):
		return "issued before " + r.reissued[subject].String() + ", since when the subject needs another"
	}
	return ""
}
