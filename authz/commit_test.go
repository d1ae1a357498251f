package authz_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
)

// memory is a log that keeps records, or fails.
type memory struct {
	records []authz.Record
	err     error
}

func (m *memory) Append(_ context.Context, r authz.Record) error {
	if m.err != nil {
		return m.err
	}
	m.records = append(m.records, r)
	return nil
}

var credential = authz.Credential{
	Set:    []authz.HeaderField{{Name: "authorization", Value: "secret"}},
	Remove: []string{"x-amz-security-token"},
}

func TestCommitOpensAGrantOnlyForADurableAllow(t *testing.T) {
	id := "0123456789abcdef0123456789abcdef"
	broken := errors.New("no space left on device")
	allow := authz.Record{DecisionID: id, Allow: true}
	for name, c := range map[string]struct {
		record  authz.Record
		sealed  authz.Sealed
		log     memory
		want    error // nil: a grant
		appends int
	}{
		"an allow with a sealed credential is granted":      {record: allow, sealed: authz.Seal(credential), appends: 1},
		"a deny is recorded and grants nothing":             {record: authz.Record{DecisionID: id}, sealed: authz.Seal(credential), want: authz.ErrNotAllowed, appends: 1},
		"a log that fails grants nothing":                   {record: allow, sealed: authz.Seal(credential), log: memory{err: broken}, want: authz.ErrNotRecorded},
		"a deny that can't be recorded says so":             {record: authz.Record{DecisionID: id}, log: memory{err: broken}, want: authz.ErrNotRecorded},
		"an allow without a credential is not even written": {record: allow, want: authz.ErrNotRecorded},
		"an allow without an id is not even written":        {record: authz.Record{Allow: true}, sealed: authz.Seal(credential), want: authz.ErrNotRecorded},
		"an allow with something unproven is not written": {
			record: authz.Record{DecisionID: id, Allow: true, Unproven: []authz.Reason{"label.missing"}}, sealed: authz.Seal(credential), want: authz.ErrNotRecorded,
		},
		"an allow with a reason to deny is not written": {
			record: authz.Record{DecisionID: id, Allow: true, Reasons: []authz.Reason{"label.missing"}}, sealed: authz.Seal(credential), want: authz.ErrNotRecorded,
		},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := authz.Commit(t.Context(), &c.log, c.record, c.sealed)
			if !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if len(c.log.records) != c.appends {
				t.Errorf("%d records appended, want %d", len(c.log.records), c.appends)
			}
			if c.want != nil {
				if g.Valid() || g.Headers() != nil || g.Remove() != nil || g.DecisionID() != "" {
					t.Errorf("a refused commit granted %v", g)
				}
				return
			}
			got := authz.Credential{Set: g.Headers(), Remove: g.Remove()}
			if diff := cmp.Diff(credential, got); diff != "" || !g.Valid() || g.DecisionID() != id {
				t.Errorf("grant of %q (-want +got):\n%s", g.DecisionID(), diff)
			}
			if c.log.records[0].GrantDigest != c.sealed.Digest() || c.sealed.Digest() == "" {
				t.Errorf("recorded digest %q, sealed %q", c.log.records[0].GrantDigest, c.sealed.Digest())
			}
		})
	}
}

func TestADigestTellsCredentialsApart(t *testing.T) {
	field := func(name, value string) []authz.HeaderField { return []authz.HeaderField{{Name: name, Value: value}} }
	seen := map[string]authz.Credential{}
	for _, c := range []authz.Credential{
		{},
		{Set: field("a", "b")},
		{Set: field("ab", "")},
		{Set: field("", "ab")},
		{Remove: []string{"ab"}},
		{Remove: []string{"a", "b"}},
		{Set: field("a", "b"), Remove: []string{"ab"}},
	} {
		d := authz.Seal(c).Digest()
		if other, ok := seen[d]; ok {
			t.Errorf("%v and %v have one digest", c, other)
		}
		seen[d] = c
	}
	if d := (authz.Sealed{}).Digest(); d != "" {
		t.Errorf("the zero Sealed has digest %q", d)
	}
}
