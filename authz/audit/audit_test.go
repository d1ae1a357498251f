package audit_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
)

// TestMain runs the process that the crash tests kill, or the tests.
func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		victim(dir)
	}
	goleak.VerifyTestMain(m)
}

var signingKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// decision is a plausible record; tests change what they are about.
func decision(id string, allow bool, tenants ...string) authz.Record {
	r := authz.Record{
		Type: "decision", DecisionID: id, Time: authz.At(noon), Clock: "trusted",
		Gateway: authz.Gateway{ID: "sallyport", Enclaves: []string{"iad-1"}}, Marking: "UNCLASSIFIED",
		RequestID: "5f1c", RequestedBy: "192.0.2.7",
		Request: &authz.Summary{Protocol: "s3", Operation: "GetObject", Method: "GET", Host: "storage.sallyport.test", Path: "/b/k"},
		Subject: &authz.RecordSubject{Type: "person", ID: "usa|alice", Evidence: authz.Evidence{Issuer: "https://usa.test", KeyID: "k1"}},
		Allow:   allow, Bundle: authz.BundleRef{Revision: "r1", Digest: "ab"},
	}
	for _, t := range tenants {
		r.Accesses = append(r.Accesses, access(t, allow))
	}
	if !allow {
		r.Reasons = []authz.Reason{"release.nation", "clearance.level"}
		r.Unproven = r.Reasons
	}
	return r
}

func access(tenant string, allow bool) authz.RecordAccess {
	a := authz.RecordAccess{Action: "read", Resource: "s3://" + tenant + "-plans/k", Tenant: &tenant, Allow: allow,
		Input: json.RawMessage(`{"subject":{"id":"usa|alice"},"resource":{"properties":{"labels":[{"scheme":"USA","level":"SECRET"}]}}}`)}
	row := tenant + "-plans/"
	a.Row = &row
	if tenant == "" {
		a.Tenant, a.Row = nil, nil
	}
	return a
}

// nobody is a denial before a subject is known.
func nobody(id, address string) authz.Record {
	r := decision(id, false)
	r.Subject = nil
	r.RequestedBy = address
	r.Reasons = []authz.Reason{"identity.missing"}
	r.Unproven = r.Reasons
	return r
}

// openLogs opens logs of these tenants and closes them at the test's end.
func openLogs(t testing.TB, c audit.Config, tenants ...string) *audit.Logs {
	t.Helper()
	l, err := audit.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := l.Use(tenants); err != nil {
		t.Fatal(err)
	}
	return l
}

func mustAppend(t testing.TB, l *audit.Logs, records ...authz.Record) {
	t.Helper()
	for _, r := range records {
		if err := l.Append(t.Context(), r); err != nil {
			t.Fatalf("append of %s: %v", r.DecisionID, err)
		}
	}
}

// contents returns the records of each log in dir, with what is random taken out.
func contents(t testing.TB, dir string) map[string][]authz.Record {
	t.Helper()
	all := map[string][]authz.Record{}
	err := audit.Read(dir, func(log string, _ []byte, r authz.Record) error {
		if len(r.Salt) != 32 {
			t.Errorf("%s: salt %q", r.DecisionID, r.Salt)
		}
		r.Salt = ""
		all[log] = append(all[log], r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// ids returns the decision ids of each log in dir.
func ids(t testing.TB, dir string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for log, records := range contents(t, dir) {
		for _, r := range records {
			all[log] = append(all[log], r.DecisionID)
		}
	}
	return all
}

func mustVerify(t testing.TB, dir string) audit.Report {
	t.Helper()
	report, err := audit.Verify(dir)
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	return report
}

func segment(dir, log string, first int) string {
	return filepath.Join(dir, log, fmt.Sprintf("seg-%020d.jsonl", first))
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAnAppendedRecordReadsBackAsItWas(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
	want := decision("d1", false, "us-defense")
	want.Accesses[0].Reasons = []authz.Reason{"b", "a", "b"}
	want.Fields = map[string]string{"odd": "\x00\u2028\x7f\u009b<é\U0001f512>\xff\n"}
	mustAppend(t, l, want)
	if want.Accesses[0].Reasons[0] != "b" || want.Reasons[0] != "release.nation" {
		t.Error("Append changed the caller's record")
	}

	want.Reasons = []authz.Reason{"clearance.level", "release.nation"}
	want.Unproven = want.Reasons
	want.Accesses[0].Reasons = []authz.Reason{"a", "b"}
	want.Accesses[0].Unproven = []authz.Reason{}
	want.Subject.Evidence.Claims = json.RawMessage("null")
	want.Fields["odd"] = "\x00\u2028\x7f\u009b<é\U0001f512>\ufffd\n"
	if diff := cmp.Diff(map[string][]authz.Record{"us-defense": {want}}, contents(t, dir)); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	line := readFile(t, segment(dir, "us-defense", 0))
	for i, b := range line[:len(line)-1] {
		if b < ' ' || b > '~' {
			t.Fatalf("byte %d of the line is %#x", i, b)
		}
	}
	if !bytes.HasPrefix(line, []byte(`{"n":0,"g":0,"type":"decision","decision_id":"d1","salt":"`)) || line[len(line)-1] != '\n' {
		t.Errorf("line is %s", line)
	}
}

func TestARecordGoesToEachLogThatItConcerns(t *testing.T) {
	t.Parallel()
	mixed := decision("mixed", false, "us-defense", "", "fr-space", "us-defense")
	noRow := decision("no-row", false, "")
	noAccess := decision("no-access", false)
	start := authz.Record{Type: "start", DecisionID: "start", Time: authz.At(noon)}
	dir := t.TempDir()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense", "fr-space")
	mustAppend(t, l, mixed, noRow, noAccess, nobody("nobody", "192.0.2.1"), start)

	if diff := cmp.Diff(map[string][]string{
		"us-defense": {"mixed"}, "fr-space": {"mixed"},
		"gateway": {"mixed", "no-row", "no-access", "nobody", "start"},
	}, ids(t, dir)); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	all := contents(t, dir)
	for log, want := range map[string][]string{
		"us-defense": {"s3://us-defense-plans/k", "s3://us-defense-plans/k"}, "fr-space": {"s3://fr-space-plans/k"}, "gateway": {"s3://-plans/k"},
	} {
		var have []string
		for _, a := range all[log][0].Accesses {
			have = append(have, a.Resource)
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("accesses in log %s (-want +have)\n%s", log, diff)
		}
		if len(all[log][0].Reasons) != 2 {
			t.Errorf("log %s: the reasons of the whole request are missing", log)
		}
	}
}

func TestEachCopyHasASaltOfItsOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense", "fr-space")
	mustAppend(t, l, decision("d", true, "us-defense", "fr-space"))
	salts := map[string]bool{}
	if err := audit.Read(dir, func(_ string, _ []byte, r authz.Record) error { salts[r.Salt] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if len(salts) != 2 {
		t.Errorf("salts: %v", salts)
	}
}

func TestAppendRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	with := func(change func(*authz.Record)) authz.Record {
		r := decision("d", true, "us-defense")
		change(&r)
		return r
	}
	for name, test := range map[string]struct {
		ctx    context.Context
		record authz.Record
		want   string
	}{
		"the zero record":                     {record: authz.Record{}, want: `type ""`},
		"a type that only the logs write":     {record: with(func(r *authz.Record) { r.Type = "flood" }), want: `type "flood"`},
		"a record without an id":              {record: with(func(r *authz.Record) { r.DecisionID = "" }), want: "without a decision_id"},
		"a record without a time":             {record: with(func(r *authz.Record) { r.Time = authz.Time{} }), want: "without a time"},
		"an event that allows":                {record: with(func(r *authz.Record) { r.Type = "start" }), want: "allows without"},
		"an allow without a subject":          {record: with(func(r *authz.Record) { r.Subject = nil }), want: "allows without"},
		"an allow without an access":          {record: with(func(r *authz.Record) { r.Accesses = nil }), want: "allows without"},
		"an allow with something unproven":    {record: with(func(r *authz.Record) { r.Unproven = []authz.Reason{"x"} }), want: "allows without"},
		"an allow of a denied access":         {record: with(func(r *authz.Record) { r.Accesses[0].Allow = false }), want: "not its access"},
		"an allow of an access with no owner": {record: with(func(r *authz.Record) { r.Accesses[0].Tenant = nil }), want: "no tenant"},
		"a tenant whose log is not open":      {record: decision("d", true, "us-defense", "fr-space"), want: "log fr-space is not open"},
		"a policy input that is not JSON":     {record: with(func(r *authz.Record) { r.Accesses[0].Input = json.RawMessage("{") }), want: "record d"},
		"a context that has ended":            {ctx: ended, record: decision("d", true, "us-defense"), want: "context canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := test.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			err := l.Append(ctx, test.record)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if have := ids(t, dir); len(have) != 0 {
		t.Errorf("refused records are in the logs: %v", have)
	}
}

func TestUseRefusesWhatIsNoTenant(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir})
	for _, name := range []string{"", "a", "gateway", "root", "..", "../x", "a/b", "A1", "1a", "a_b", "a.b", strings.Repeat("a", 64)} {
		if err := l.Use([]string{name}); err == nil {
			t.Errorf("Use(%q) did not fail", name)
		}
	}
	if err := l.Use([]string{"../x", "us-defense"}); err == nil {
		t.Error("Use with one wrong name did not fail")
	}
	mustAppend(t, l, decision("d", true, "us-defense")) // the right one is open all the same
}

func TestUseAgainKeepsTheOpenLogs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
	mustAppend(t, l, decision("d1", true, "us-defense"))
	if err := l.Use([]string{"us-defense", "fr-space"}); err != nil {
		t.Fatal(err)
	}
	if err := l.Use(nil); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, decision("d2", true, "us-defense", "fr-space"))
	if diff := cmp.Diff(map[string][]string{"us-defense": {"d1", "d2"}, "fr-space": {"d2"}}, ids(t, dir)); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	asFile := filepath.Join(t.TempDir(), "file")
	writeFile(t, asFile, nil)
	for name, test := range map[string]struct {
		config audit.Config
		want   string
	}{
		"no directory":         {audit.Config{Key: signingKey}, "no directory"},
		"no key":               {audit.Config{Dir: t.TempDir()}, "no key"},
		"a directory's a file": {audit.Config{Key: signingKey, Dir: asFile}, "not a directory"},
		"another durability":   {audit.Config{Key: signingKey, Dir: t.TempDir(), Durability: "maybe"}, `durability "maybe"`},
		"a negative limit":     {audit.Config{Key: signingKey, Dir: t.TempDir(), MaxQueue: -1}, "negative"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := audit.Open(test.config); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestOpenRefusesAFolderThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		if os.Getuid() == 0 { // root may write everywhere; this thread, which ends with the goroutine, becomes nobody
			runtime.LockOSThread()
			if err := unix.Setfsuid(65534); err != nil {
				t.Log(err)
			}
			os.Chown(dir, 65534, 65534)
		}
		_, err := audit.Open(audit.Config{Key: signingKey, Dir: dir})
		done <- err
	}()
	if err := <-done; !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v, want one of permission that names the folder", err)
	}
}

func TestASecondOpenIsRefusedUntilTheFirstIsClosed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir})
	if _, err := audit.Open(audit.Config{Key: signingKey, Dir: dir}); err == nil || !strings.Contains(err.Error(), "locked by another process") {
		t.Fatalf("error %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	openLogs(t, audit.Config{Key: signingKey, Dir: dir})
}

func TestManyAppendersAreGroupedWithoutAGap(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
	const appenders, each = 64, 20
	var wg sync.WaitGroup
	for a := range appenders {
		wg.Go(func() {
			for i := range each {
				if err := l.Append(context.Background(), decision(fmt.Sprintf("%d/%d", a, i), true, "us-defense")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	stat := l.Stats()["us-defense"]
	if stat.Records != appenders*each || stat.Groups == 0 || stat.Groups >= stat.Records || stat.LastFlush <= 0 {
		t.Errorf("stats: %+v", stat)
	}
	if have := mustVerify(t, dir).Logs[1]; have.Lines != appenders*each || have.Allows != appenders*each {
		t.Errorf("report: %+v", have)
	}
	next := map[string]int{}
	for _, id := range ids(t, dir)["us-defense"] {
		a, i, _ := strings.Cut(id, "/")
		if fmt.Sprint(next[a]) != i {
			t.Fatalf("appender %s: record %s where %d must come", a, i, next[a])
		}
		next[a]++
	}
}

func TestAClockThatGoesBackChangesNoOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
	for i := range 3 {
		r := decision(fmt.Sprint(i), true, "us-defense")
		r.Time = authz.At(noon.Add(-time.Duration(i) * time.Hour))
		mustAppend(t, l, r)
	}
	report := mustVerify(t, dir).Logs[1]
	if report.Lines != 3 || !report.First.Equal(noon) || !report.Last.Equal(noon.Add(-2*time.Hour)) {
		t.Errorf("report: %+v", report)
	}
}

func TestTheLatestTrustedTimeIsKnownToTheNextStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
	if !l.Last().IsZero() {
		t.Errorf("a new log knows %s", l.Last())
	}
	for i, clock := range []string{"trusted", "floor", "trusted", "unknown", "trusted"} {
		r := nobody(fmt.Sprint(i), "192.0.2.1")
		r.Clock, r.Time = clock, authz.At(noon.Add([]time.Duration{0, time.Hour, time.Minute, 9 * time.Hour, -time.Hour}[i]))
		mustAppend(t, l, r)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLogs(t, audit.Config{Key: signingKey, Dir: dir})
	if want := noon.Add(time.Hour); !l.Last().Equal(want) {
		t.Errorf("it knows %s, want %s", l.Last(), want)
	}
}
