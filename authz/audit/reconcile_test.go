package audit_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
)

func TestASorterThatSpillsSortsAsOneThatDoesNot(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	var facts []audit.Fact
	for range 1000 {
		k := [16]byte{byte(random.IntN(40)), 15: byte(random.IntN(3))}
		facts = append(facts, audit.NewFact(k, uint8(random.IntN(3)), uint16(random.IntN(1<<16)), random.IntN(2) == 0, random.Int64()-1<<62))
	}
	want := slices.Clone(facts)
	slices.SortFunc(want, func(a, b audit.Fact) int { return map[bool]int{true: -1}[a.Less(b)] + map[bool]int{true: 1}[b.Less(a)] })
	for max, runs := range map[int]int{1: 1000, 7: 142, 1000: 1, 1001: 0} {
		have, n, err := audit.Sorted(max, facts)
		if err != nil || n != runs || !slices.Equal(want, have) {
			t.Errorf("with %d in memory: %v, %d runs of %d, the same: %v", max, err, n, runs, slices.Equal(want, have))
		}
	}
}

// id is the n-th decision id.
func decisionID(n int) string { return fmt.Sprintf("%032x", n) }

func TestWhatTheLogsOfEnvoyAndStoreDisagreeOnIsListed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense", "fr-space")
	both := decision(decisionID(1), true, "us-defense", "fr-space")
	twice := decision(decisionID(4), true, "us-defense")
	late := decision(decisionID(6), true, "us-defense")
	late.Time.Time = noon.Add(time.Minute)
	mustAppend(t, l, both, decision(decisionID(2), false, "us-defense"), decision(decisionID(3), true, "us-defense"), twice, twice, late,
		decision(decisionID(8), true, "us-defense"), nobody(decisionID(9), "192.0.2.1"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	envoy := func(seconds int, id string, status int) string {
		quoted := "null"
		if id != "" {
			quoted = `"` + id + `"`
		}
		at := noon.Add(time.Duration(seconds) * time.Second).Format(time.RFC3339Nano)
		return fmt.Sprintf(`{"time":%q,"request_id":"r%d","decision_id":%s,"status":%d}`, at, seconds, quoted, status) + "\n"
	}
	good := envoy(0, decisionID(1), 200) + envoy(1, decisionID(2), 403) + envoy(2, decisionID(3), 206) + envoy(3, decisionID(4), 200) +
		envoy(4, decisionID(8), 404) + envoy(5, decisionID(9), 401) + envoy(6, "", 429) + envoy(62, decisionID(1<<20), 403)
	store := "log starts here\n" + decisionID(1) + " ok\n" + decisionID(3) + " ok\nroot - now readiness-probe GET\n"
	clean := audit.Reconciliation{Decisions: 7, Envoy: 8, Store: 0, Undecided: 1, Unfinished: 1, Uncounted: 1, // the last denial has no record
		Served: []string{}, Missing: []string{}, Repeated: []string{decisionID(4)}, NeverSeen: []string{}, StoreOnly: []string{}, DenyServed: []string{}}
	for name, test := range map[string]struct {
		envoy, store string
		change       func(*audit.Reconciliation)
	}{
		"nothing of the store": {good, "", func(r *audit.Reconciliation) {}},
		"a store that agrees":  {good, store, func(r *audit.Reconciliation) { r.Store = 2 }},
		"a request that was served without a decision": {good + envoy(61, "", 200), "", func(r *audit.Reconciliation) {
			r.Envoy, r.Served = 9, []string{"r61"}
		}},
		"a denial that was served": {strings.Replace(good, "403", "200", 1), "", func(r *audit.Reconciliation) { r.Served = []string{decisionID(2)} }},
		"a decision in no log": {good + envoy(61, decisionID(77), 200), "", func(r *audit.Reconciliation) {
			r.Envoy, r.Missing = 9, []string{decisionID(77)}
		}},
		"an id that is none": {good + envoy(61, "x", 200), "", func(r *audit.Reconciliation) { r.Envoy, r.Missing = 9, []string{"x"} }},
		"a decision that was used twice": {good + envoy(61, decisionID(3), 200), "", func(r *audit.Reconciliation) {
			r.Envoy, r.Repeated = 9, []string{decisionID(3), decisionID(4)}
		}},
		"an allow that Envoy never saw": {strings.Replace(good, envoy(2, decisionID(3), 206), "", 1), "", func(r *audit.Reconciliation) {
			r.Envoy, r.NeverSeen = 7, []string{decisionID(3)}
		}},
		"a request that only the store saw": {good, store + "us b GET " + decisionID(1234) + "\nand another\n", func(r *audit.Reconciliation) {
			r.Store, r.StoreOnly = 4, []string{"us b GET " + decisionID(1234), "and another"}
		}},
		"a denial that the store served": {good, store + decisionID(2) + "\n", func(r *audit.Reconciliation) {
			r.Store, r.DenyServed = 3, []string{decisionID(2)}
		}},
		"a line of the store with an allow and another id": {good, decisionID(2) + " " + decisionID(1) + "\n", func(r *audit.Reconciliation) { r.Store = 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			want := clean
			test.change(&want)
			have, err := audit.Reader{}.Reconcile(dir, strings.NewReader(test.envoy), strings.NewReader(test.store))
			if diff := cmp.Diff(want, have); err != nil || diff != "" {
				t.Errorf("%v (-want +have)\n%s", err, diff)
			}
		})
	}
	counts := audit.NewCounts()
	if err := audit.Read(dir, func(log string, _ []byte, r authz.Record) error { return counts.Add(log, r) }); err != nil {
		t.Fatal(err)
	}
	if err := counts.Sum(); err != nil {
		t.Fatal(err)
	}
	if counts.Decisions != 7 || counts.Allows != 5 || counts.Denies != 2 || counts.Logs["us-defense"] != 7 || counts.Reasons["clearance.level"] != 1 || counts.Subjects != 1 {
		t.Errorf("%+v", counts)
	}
}
