package road_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/sallyport-dev/sallyport/authz"
)

// get asks one of the world's own addresses.
func (w *world) get(t *testing.T, port int, path string) answer {
	t.Helper()
	return ask(t, w.url(port), request{method: http.MethodGet, path: path})
}

func TestReadyJSONNamesEveryPart(t *testing.T) {
	w := sharedWorld(t)
	r, err := w.ready()
	if err != nil {
		t.Fatal(err)
	}
	local := func(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
	want := map[string]string{
		"storage": local(w.ports.Storage), "compute": local(w.ports.Compute), "admin": local(w.ports.Admin),
		"http": local(w.ports.HTTP), "issuers": local(w.ports.Issuers),
	}
	if d := cmp.Diff(want, r.Addresses); d != "" {
		t.Errorf("addresses (-want +have):\n%s", d)
	}
	programs := map[string]string{"sallyport": "serve", "issuers": "issuers", "envoy": "--config-path", "storage": "posix", "jobs": "jobs"}
	for part, word := range programs {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", r.PIDs[part]))
		if err != nil || !slices.Contains(strings.Split(string(line), "\x00"), word) {
			t.Errorf("%s is process %d, which was started as %q: %v", part, r.PIDs[part], line, err)
		}
	}
}

func TestTheDemosFolderHoldsWhatIsPromised(t *testing.T) {
	w := sharedWorld(t)
	for path, mode := range map[string]fs.FileMode{
		"ready.json": 0o600, "sallyport.yaml": 0o600, "envoy/envoy.yaml": 0o600, "run": fs.ModeDir | 0o700, "keys": fs.ModeDir | 0o700, "keys/mark": 0o600,
		"bundle/root/manifest.yaml": 0o600, "bundle/tenants/us-defense/manifest.yaml": 0o600, "audit/gateway": fs.ModeDir | 0o700,
		"audit/us-defense": fs.ModeDir | 0o700, "audit/fr-space": fs.ModeDir | 0o700, "audit/nz-fire": fs.ModeDir | 0o700, "audit/ca-housing": fs.ModeDir | 0o700,
		"storage/us-defense-plans": fs.ModeDir | 0o700, "logs/envoy-access.jsonl": 0o600, "logs/storage-access.log": 0o600,
	} {
		fi, err := os.Stat(filepath.Join(w.Dir, path))
		if err != nil {
			t.Error(err)
			continue
		}
		if fi.Mode() != mode {
			t.Errorf("%s: mode %v, want %v", path, fi.Mode(), mode)
		}
	}
	for _, id := range []string{"usa", "gbr", "fra", "deu", "nzl", "can", "provider"} {
		k := w.key(t, id)
		if k.KeyType() != "EC" || k.KeyID() == "" || k.Algorithm().String() == "" {
			t.Errorf("issuer %s signs with a key of type %s, id %q and algorithm %q", id, k.KeyType(), k.KeyID(), k.Algorithm())
		}
		served := w.get(t, w.ports.Issuers, "/"+id+"/jwks")
		set, err := jwk.Parse([]byte(served.body))
		if err != nil {
			t.Fatalf("issuer %s: %v", id, err)
		}
		if public, ok := set.LookupKeyID(k.KeyID()); !ok || strings.Contains(served.body, `"d":`) {
			t.Errorf("issuer %s serves %v, want the public half of %s alone", id, public, k.KeyID())
		}
		var discovery map[string]any
		if err := json.Unmarshal([]byte(w.get(t, w.ports.Issuers, "/"+id+"/.well-known/openid-configuration").body), &discovery); err != nil {
			t.Fatal(err)
		}
		if iss := w.url(w.ports.Issuers) + "/" + id; discovery["issuer"] != iss || discovery["jwks_uri"] != iss+"/jwks" {
			t.Errorf("issuer %s says it is %v", id, discovery)
		}
	}
}

func TestHealthAndReadiness(t *testing.T) {
	w := sharedWorld(t)
	if a := w.get(t, w.ports.HTTP, "/healthz"); a.status != http.StatusOK || a.body != "ok\n" {
		t.Errorf("/healthz: %d %q", a.status, a.body)
	}
	a := w.get(t, w.ports.HTTP, "/readyz")
	type readiness struct {
		Ready    bool
		Checks   map[string]string
		Bundle   map[string]string
		Insecure []string
	}
	var got readiness
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != http.StatusOK {
		t.Fatalf("/readyz: %d, %v: %s", a.status, err, a.body)
	}
	records, _, err := w.traces.of(w.ask(t, samReads).decision())
	if err != nil || len(records) != 1 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	want := readiness{true, map[string]string{"policy": "ok", "issuers": "ok", "grants": "ok", "logs": "ok"},
		map[string]string{"revision": records[0].Bundle.Revision, "digest": records[0].Bundle.Digest}, []string{"bundle.unsigned"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +have):\n%s", d)
	}
}

// series is a line of /metrics.
var series = regexp.MustCompile(`(?m)^(sallyport_[a-z_]+(?:\{[^}]*\})?) ([0-9.e+-]+)$`)

func (w *world) metrics(t *testing.T) (values map[string]float64, text string) {
	t.Helper()
	a := w.get(t, w.ports.HTTP, "/metrics")
	values = map[string]float64{}
	for _, m := range series.FindAllStringSubmatch(a.body, -1) {
		v, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		values[m[1]] = v
	}
	return values, a.body
}

func TestMetricsCountWhatIsDecided(t *testing.T) {
	w := sharedWorld(t)
	before, _ := w.metrics(t)
	w.check(t, w.ask(t, samReads), served)
	w.check(t, w.ask(t, request{who: "luc", method: http.MethodGet, path: "/fr-space-missions/welcome.txt"}), denied("category.restrictive", "fr-space"))
	after, text := w.metrics(t)
	for _, name := range []string{
		`sallyport_decisions_total{action="read",outcome="allow",protocol="s3",tenant="us-defense"}`,
		`sallyport_decisions_total{action="read",outcome="deny",protocol="s3",tenant="fr-space"}`,
		`sallyport_decision_reasons_total{reason="category.restrictive",tenant="fr-space"}`,
		`sallyport_controls_total{control="AC-3(3)",outcome="deny"}`,
		`sallyport_check_duration_seconds_count{step="total"}`,
		"sallyport_audit_append_duration_seconds_count",
		"sallyport_audit_records_total",
	} {
		if after[name] <= before[name] {
			t.Errorf("%s was %v and is %v", name, before[name], after[name])
		}
	}
	for name, want := range map[string]float64{
		"sallyport_audit_lost_total": 0, `sallyport_policy_activations_total{result="activated"}`: 1, "sallyport_insecure_settings": 1,
	} {
		if have, ok := after[name]; !ok || have != want {
			t.Errorf("%s is %v, want %v", name, have, want)
		}
	}
	for _, name := range []string{"sallyport_policy_info{", "sallyport_policy_expires_seconds ", `sallyport_issuer_keys_age_seconds{issuer="usa"}`, "sallyport_build_info{"} {
		if !strings.Contains(text, "\n"+name) {
			t.Errorf("there is no series %s", name)
		}
	}
	for _, word := range []string{"welcome", "|sam", "missions", "127.0.0.1"} {
		if strings.Contains(text, word) {
			t.Errorf("a label tells of %q", word)
		}
	}
}

func TestEnvoysLogAndTheRecordsAreOne(t *testing.T) {
	w := sharedWorld(t)
	t.Parallel()
	ids := map[string]bool{}
	for _, r := range []request{samReads, {who: "uma", method: http.MethodGet, path: welcome}, {method: http.MethodGet, path: welcome}} {
		r.header = map[string]string{"X-Request-Id": "of-the-client", "X-Forwarded-For": "10.0.0.1"}
		a := w.ask(t, r)
		records, _, err := w.traces.of(a.decision())
		if err != nil || len(records) != 1 {
			t.Fatalf("%d records of %s, %v", len(records), a.decision(), err)
		}
		type source struct{ RequestID, Address string }
		if d := cmp.Diff(source{a.header.Get("X-Request-Id"), "127.0.0.1"}, source{records[0].RequestID, records[0].RequestedBy}); d != "" {
			t.Errorf("(-want +have):\n%s", d)
		}
		if records[0].RequestID == "of-the-client" {
			t.Error("the client chose its request id")
		}
		ids[a.decision()] = true
	}
	for deadline := time.Now().Add(15 * time.Second); len(ids) > 0; time.Sleep(50 * time.Millisecond) { // Envoy writes now and then
		b, err := os.ReadFile(w.EnvoyAccessLog())
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			var l struct {
				ID     string `json:"decision_id"`
				Status int
			}
			if err := json.Unmarshal([]byte(line), &l); err == nil { // the last line may not be whole
				delete(ids, l.ID)
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("decisions that are not in Envoy's log: %v", slices.Collect(maps.Keys(ids)))
		}
	}
}

func TestNoRequestPassedEnvoyByAFailure(t *testing.T) {
	w := sharedWorld(t)
	w.check(t, w.ask(t, samReads), served)
	stats := w.get(t, w.ports.Admin, "/stats?filter=ext_authz").body
	for line := range strings.Lines(stats) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		for _, never := range []string{".disabled", ".failure_mode_allowed", ".shadow_denied", ".shadow_error"} {
			if strings.HasSuffix(name, never) && value != "0" {
				t.Errorf("%s is %s", name, value)
			}
		}
	}
	if !strings.Contains(stats, "ext_authz.ok: ") {
		t.Errorf("Envoy counts no ext_authz:\n%s", stats)
	}
}

func TestARecordHoldsWhatIsNeededToJudgeAgain(t *testing.T) {
	w := sharedWorld(t)
	records, _, err := w.traces.of(w.ask(t, samReads).decision())
	if err != nil || len(records) != 1 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	r := records[0]
	var input authz.Input
	if len(r.Accesses) != 1 || r.Subject == nil || json.Unmarshal(r.Accesses[0].Input, &input) != nil {
		t.Fatalf("%+v", r)
	}
	type essence struct {
		Subject, Marking, Action, Resource, Row, Tenant, Operation, InputSubject, InputRow, Location string
		Grant, Bundle                                                                                int
	}
	want := essence{"usa|sam", "USA SECRET", "read", "s3://us-defense-plans/welcome.txt", "us-defense-plans/", usDefense, "GetObject",
		"usa|sam", "us-defense-plans/", "USA", 64, 64}
	have := essence{r.Subject.ID, r.Marking, r.Accesses[0].Action, r.Accesses[0].Resource, *r.Accesses[0].Row, *r.Accesses[0].Tenant, r.Request.Operation,
		input.Subject.ID, *input.Resource.Properties.Row, *input.Context.Source.Country, len(r.GrantDigest), len(r.Bundle.Digest)}
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("(-want +have):\n%s", d)
	}
	// The recorded input, judged again by the command that a security engineer has.
	path := filepath.Join(t.TempDir(), "input.json")
	if err := os.WriteFile(path, r.Accesses[0].Input, 0o600); err != nil {
		t.Fatal(err)
	}
	again := sallyport(t, "policy", "eval", w.Bundle(), "--input", path, "--output", "json")
	var decision authz.Decision
	if err := json.Unmarshal([]byte(again.stdout), &decision); err != nil || !decision.Allow {
		t.Errorf("policy eval: exit code %d, %v: %s%s", again.code, err, again.stdout, again.stderr)
	}
}
