package identity_test

import (
	"context"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/authz"
)

func TestAPurposeIsReadInOneWayOrNotAtAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		name   string
		values []string
		want   authz.Reason
	}{
		{"a word and a code", []string{"break_glass:PRODUCTION_ALERT"}, ""},
		{"a word", []string{"audit"}, ""},
		{"two fields", []string{"break_glass:A", "break_glass:A"}, authz.RequestAmbiguous},
		{"two purposes in one field", []string{"audit, break_glass:A"}, authz.RequestAmbiguous},
		{"an empty field", []string{""}, authz.RequestAmbiguous},
		{"a code in lower case", []string{"break_glass:alert"}, authz.RequestAmbiguous},
		{"a word in upper case", []string{"BREAK_GLASS:ALERT"}, authz.RequestAmbiguous},
		{"white space", []string{"break_glass: ALERT"}, authz.RequestAmbiguous},
		{"no code behind the colon", []string{"break_glass:"}, authz.RequestAmbiguous},
		{"two codes", []string{"break_glass:A:B"}, authz.RequestAmbiguous},
		{"a line break", []string{"audit\n"}, authz.RequestAmbiguous},
		{"a code of 64 characters", []string{"break_glass:" + strings.Repeat("A", 64)}, authz.RequestAmbiguous},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := bearer(w.token("sam"))
			for _, v := range c.values {
				req.Headers = append(req.Headers, authz.HeaderField{Name: "x-sallyport-purpose", Value: v})
			}
			if reason, detail := refused(t, w.verifier, req); reason != c.want {
				t.Errorf("refused for %q: %s; want %q", reason, detail, c.want)
			}
			if s, err := w.verifier.Verify(context.Background(), req); err == nil && (s.Purpose == nil || *s.Purpose != c.values[0]) {
				t.Errorf("purpose %v, want %s", s.Purpose, c.values[0])
			}
		})
	}
	if s := subjectOf(t, w.verifier, w.token("sam")); s.Purpose != nil {
		t.Errorf("without the header: purpose %q", *s.Purpose)
	}
}
