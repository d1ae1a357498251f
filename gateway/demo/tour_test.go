package demo

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
)

func TestTheTourHasEveryPersonAndEveryKindOfDecision(t *testing.T) {
	reasons, askers, allowed := map[authz.Reason]bool{}, map[string]bool{}, map[string]bool{}
	for _, q := range questions("run") {
		askers[q.who] = true
		for _, r := range q.reasons {
			reasons[r] = true
		}
		if len(q.reasons) == 0 {
			verb, _, _ := strings.Cut(q.what, " ")
			allowed[verb] = true
		}
		if n := utf8.RuneCountInString(q.what); n > whatWidth {
			t.Errorf("%q has %d letters, and its column %d", q.what, n, whatWidth)
		}
		if !slices.IsSorted(q.reasons) {
			t.Errorf("%s, %s: the record sorts reasons, so they must be: %v", q.who, q.what, q.reasons)
		}
	}
	everybody := append(slices.Collect(maps.Keys(people)), stranger)
	slices.Sort(everybody)
	if diff := cmp.Diff(everybody, slices.Sorted(maps.Keys(askers))); diff != "" {
		t.Errorf("who asks (-want +have):\n%s", diff)
	}
	want := []authz.Reason{"action.not_granted", "category.restrictive", "clearance.issuer", "clearance.level", "enclave.ceiling",
		"export.foreign_person", "flow.write_down", "identity.expired", "identity.issuer", "identity.missing", "jurisdiction.legal_control",
		"jurisdiction.processing", "jurisdiction.residency", "personnel.eligibility", "personnel.unapproved", "release.nation", "tenant.mismatch"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(reasons))); diff != "" {
		t.Errorf("reasons (-want +have):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ask", "copy", "list", "read", "run", "write"}, slices.Sorted(maps.Keys(allowed))); diff != "" {
		t.Errorf("what is allowed (-want +have):\n%s", diff)
	}
}

func TestAnAnswerThatIsNotAsItMustBeIsFound(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef"
	refused := question{reasons: []authz.Reason{"clearance.level"}}
	record := func(allow bool, reasons ...authz.Reason) *authz.Record {
		return &authz.Record{DecisionID: id, Allow: allow, Reasons: reasons}
	}
	for _, c := range []struct {
		what   string
		answer answer
		want   string // in the error; "" is none
	}{
		{"allowed as it must", answer{question{}, 200, "", id, record(true)}, ""},
		{"denied as it must", answer{refused, 403, "", id, record(false, "clearance.level")}, ""},
		{"allowed what must be denied", answer{refused, 200, "", id, record(true)}, "want clearance.level, have allow"},
		{"denied for another reason", answer{refused, 403, "", id, record(false, "tenant.mismatch")}, "want clearance.level, have tenant.mismatch"},
		{"denied for a reason too many", answer{refused, 403, "", id, record(false, "clearance.level", "tenant.mismatch")}, "have clearance.level + tenant.mismatch"},
		{"no answer of the gateway", answer{question{}, 503, "", "", nil}, "503, names no decision"},
		{"no record", answer{question{}, 200, "", id, nil}, "there is no record of decision " + id},
		{"served though the log says no", answer{refused, 200, "", id, record(false, "clearance.level")}, "the client got status 200"},
		{"an answer that says something else", answer{question{says: "yes"}, 200, "no", id, record(true)}, "the answer does not say yes: no"},
		{"refused by the store", answer{question{}, 404, "", id, record(true)}, "the client got status 404"},
	} {
		err := c.answer.check()
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.what, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: want %q, have %v", c.what, c.want, err)
		}
	}
}

func TestWhatReachedTheStoreIsWhatWasAllowed(t *testing.T) {
	const one, two = "11111111111111111111111111111111", "22222222222222222222222222222222"
	line := func(referer string) string {
		return "us-defense b [now] 0.0.0.0 us-defense REQ s3_GetObject a key /b/k 200 - 1 1 1 1 " + referer + " curl"
	}
	answers := func(stored int) []answer {
		q := question{stored: stored}
		return []answer{{question: q, record: &authz.Record{Allow: true}, decisionID: one}, {question: q, record: &authz.Record{}, decisionID: two}}
	}
	for _, c := range []struct {
		what   string
		stored int
		lines  []string
		want   string
	}{
		{"the allowed request", 1, []string{line(one)}, ""},
		{"a job's two requests", 2, []string{line(one), line(one)}, ""},
		{"a denied one", 1, []string{line(one), line(two)}, "a request that no decision allowed"},
		{"one without a decision", 1, []string{line(one), line("-")}, "a request that no decision allowed"},
		{"one that leads nowhere", 0, []string{line(one)}, "a request that no decision allowed"},
		{"the allowed one twice", 1, []string{line(one), line(one)}, "was used 2 times at the store, and is good for 1"},
		{"a job's second request alone", 2, []string{line(one)}, "2 requests were allowed to reach the store and 1 did"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "access.log")
			if err := os.WriteFile(path, []byte("before\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			tr, err := newTrace("the store", path, func(q question) int { return q.stored })
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("before\n"+strings.Join(c.lines, "\n")+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			err = tr.check(answers(c.stored))
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("want %q, have %v", c.want, err)
			}
		})
	}
}

func TestTheTableFitsAndTellsEveryReason(t *testing.T) {
	q := questions("run")
	answers := []answer{
		{q[0], 200, "", strings.Repeat("a", 32), &authz.Record{Allow: true}},
		{q[10], 403, "", strings.Repeat("b", 32), &authz.Record{Reasons: q[10].reasons}},
		{q[3], 503, "", "", nil},
	}
	have := table(answers)
	want := `
  # who    what                                    reasons                    decision id
  1 sam    read us-defense-plans/            allow                            aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
  2 gina   read us-defense-parts/            deny  export.foreign_person      bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
                                                   release.nation
  3 sam    copy us-defense-plans/ → noforn/  503   (no record)
`
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), have); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
	for _, line := range strings.Split(have, "\n") {
		if utf8.RuneCountInString(line) > 120 {
			t.Errorf("wider than 120 columns: %q", line)
		}
	}
}

func TestASummaryShowsADamagedLog(t *testing.T) {
	report := audit.Report{Logs: []audit.LogReport{{Log: "us-defense", Records: 2}, {Log: "gateway", Records: 1, Damage: &audit.Damage{}}}}
	have := summary(nil, 0, 0, report, time.Second)
	if !strings.Contains(have, "logged   3 records: gateway 1 DAMAGED, us-defense 2\n") {
		t.Errorf("have %s", have)
	}
}

func TestRunRefusesATourThatItDoesNotKnowBeforeItMakesAnything(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	wantEnvironment(t, Run(t.Context(), Options{Dir: dir, Tour: "twice"}), `tour "twice"`)
	if _, err := os.Stat(dir); err == nil {
		t.Error("the folder was made")
	}
}
