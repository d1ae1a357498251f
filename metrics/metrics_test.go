package metrics_test

import (
	"bufio"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/metrics"
)

var reasons = map[string][]string{
	"clearance.level":          {"AC-3(3)", "AC-3(13)"},
	"category.restrictive":     {"AC-3(3)"},
	"jurisdiction.residency":   {"SA-9(5)"},
	"system.audit_unavailable": {"AU-5"},
}

// active returns Metrics with a bundle of two tenants in force.
func active() *metrics.Metrics {
	m := metrics.New("1.2.3", "abc")
	m.Activate(authz.BundleRef{Revision: "r1", Digest: "d1"}, time.Now().Add(time.Hour), []string{"us-defense", "fr-space"}, reasons, metrics.Activated)
	return m
}

func get(t *testing.T, h http.Handler, accept string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w
}

// families returns what the handler serves, by name.
func families(t *testing.T, m *metrics.Metrics) map[string]*dto.MetricFamily {
	t.Helper()
	p := expfmt.NewTextParser(model.UTF8Validation)
	f, err := p.TextToMetricFamilies(get(t, m.Handler(), "text/plain").Body)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// samples returns the values of a family that are not zero, by their labels written a=b,c=d.
func samples(t *testing.T, m *metrics.Metrics, name string) map[string]float64 {
	t.Helper()
	got := map[string]float64{}
	for _, s := range families(t, m)[name].GetMetric() {
		var labels []string
		for _, l := range s.GetLabel() {
			labels = append(labels, l.GetName()+"="+l.GetValue())
		}
		v := s.GetCounter().GetValue() + s.GetGauge().GetValue() + float64(s.GetHistogram().GetSampleCount())
		if v != 0 {
			got[strings.Join(labels, ",")] = v
		}
	}
	return got
}

func diff(t *testing.T, m *metrics.Metrics, name string, want map[string]float64) {
	t.Helper()
	if d := cmp.Diff(want, samples(t, m, name)); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}

func access(tenant, action string, reasons ...authz.Reason) authz.RecordAccess {
	a := authz.RecordAccess{Action: action, Allow: len(reasons) == 0, Reasons: reasons}
	if tenant != "" {
		a.Tenant = &tenant
	}
	return a
}

// record returns that of an S3 request with these accesses.
func record(accesses ...authz.RecordAccess) authz.Record {
	r := authz.Record{Type: "decision", Allow: true, Request: &authz.Summary{Protocol: "s3"}, Accesses: accesses}
	for _, a := range accesses {
		r.Allow = r.Allow && a.Allow
		r.Reasons = append(r.Reasons, a.Reasons...)
	}
	slices.Sort(r.Reasons)
	r.Reasons = slices.Compact(r.Reasons)
	return r
}

func refused(reason authz.Reason, accesses ...authz.RecordAccess) authz.Record {
	r := record(accesses...)
	r.Allow = false
	r.Reasons = append(r.Reasons, reason)
	return r
}

func TestADecisionIsCountedOnceUnderTheAccessThatDecided(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name                         string
		record                       authz.Record
		decisions, reasons, controls map[string]float64
	}{
		{
			"an allow proves every control", record(access("us-defense", "read")),
			map[string]float64{"action=read,outcome=allow,protocol=s3,tenant=us-defense": 1},
			map[string]float64{},
			map[string]float64{"control=AC-3(3),outcome=allow": 1, "control=AC-3(13),outcome=allow": 1, "control=SA-9(5),outcome=allow": 1, "control=AU-5,outcome=allow": 1},
		}, {
			"two reasons of one control deny it once", record(access("us-defense", "read", "clearance.level", "category.restrictive")),
			map[string]float64{"action=read,outcome=deny,protocol=s3,tenant=us-defense": 1},
			map[string]float64{"reason=clearance.level,tenant=us-defense": 1, "reason=category.restrictive,tenant=us-defense": 1},
			map[string]float64{"control=AC-3(3),outcome=deny": 1, "control=AC-3(13),outcome=deny": 1},
		}, {
			"a copy is counted under the access that denied it", record(access("us-defense", "read"), access("fr-space", "create", "jurisdiction.residency")),
			map[string]float64{"action=create,outcome=deny,protocol=s3,tenant=fr-space": 1},
			map[string]float64{"reason=jurisdiction.residency,tenant=fr-space": 1},
			map[string]float64{"control=SA-9(5),outcome=deny": 1},
		}, {
			"a reason in two tenants is counted in each, its control once",
			record(access("us-defense", "read", "clearance.level"), access("fr-space", "create", "clearance.level"), access("fr-space", "create", "clearance.level")),
			map[string]float64{"action=read,outcome=deny,protocol=s3,tenant=us-defense": 1},
			map[string]float64{"reason=clearance.level,tenant=us-defense": 1, "reason=clearance.level,tenant=fr-space": 1},
			map[string]float64{"control=AC-3(3),outcome=deny": 1, "control=AC-3(13),outcome=deny": 1},
		}, {
			"a denial after policy allowed is counted under the first access", refused(authz.SystemAuditUnavailable, access("us-defense", "read"), access("fr-space", "create")),
			map[string]float64{"action=read,outcome=deny,protocol=s3,tenant=us-defense": 1},
			map[string]float64{"reason=system.audit_unavailable,tenant=us-defense": 1},
			map[string]float64{"control=AU-5,outcome=deny": 1},
		}, {
			"a denial that was lost counts as lost only",
			authz.Record{Reasons: []authz.Reason{authz.SystemAuditUnavailable}, Accesses: []authz.RecordAccess{access("us-defense", "read", "clearance.level")}},
			map[string]float64{"action=read,outcome=deny,protocol=none,tenant=us-defense": 1},
			map[string]float64{"reason=system.audit_unavailable,tenant=us-defense": 1},
			map[string]float64{"control=AU-5,outcome=deny": 1},
		}, {
			"a row that is not there has no tenant", record(access("", "read", "label.missing")),
			map[string]float64{"action=read,outcome=deny,protocol=s3,tenant=none": 1},
			map[string]float64{"reason=other,tenant=none": 1},
			map[string]float64{},
		}, {
			"a request that could not be read has no labels", authz.Record{Reasons: []authz.Reason{authz.RequestAmbiguous}},
			map[string]float64{"action=none,outcome=deny,protocol=none,tenant=none": 1},
			map[string]float64{"reason=request.ambiguous,tenant=none": 1},
			map[string]float64{},
		}, {
			"the zero record is a denial", authz.Record{},
			map[string]float64{"action=none,outcome=deny,protocol=none,tenant=none": 1},
			map[string]float64{},
			map[string]float64{},
		}, {
			"what is outside a set makes no series",
			authz.Record{Request: &authz.Summary{Protocol: "gopher"}, Accesses: []authz.RecordAccess{access("\xff", "steal", "a.b", "c.d")}, Reasons: []authz.Reason{"a.b", "c.d"}},
			map[string]float64{"action=other,outcome=deny,protocol=other,tenant=other": 1},
			map[string]float64{"reason=other,tenant=other": 1},
			map[string]float64{},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := active()
			m.Decision(tt.record)
			diff(t, m, "sallyport_decisions_total", tt.decisions)
			diff(t, m, "sallyport_decision_reasons_total", tt.reasons)
			diff(t, m, "sallyport_controls_total", tt.controls)
		})
	}
}

func TestBeforeABundleOnlyTheGatewaysOwnReasonsAreKnown(t *testing.T) {
	t.Parallel()
	m := metrics.New("", "")
	m.Decision(record(access("us-defense", "read", authz.SystemPolicyError, "clearance.level")))
	diff(t, m, "sallyport_decision_reasons_total", map[string]float64{
		"reason=other,tenant=other": 1, "reason=system.policy_error,tenant=other": 1,
	})
	for _, name := range []string{"sallyport_policy_info", "sallyport_policy_expires_seconds", "sallyport_controls_total"} {
		if f := families(t, m)[name]; f != nil {
			t.Errorf("%s is served before any bundle is in force: %v", name, f)
		}
	}
}

func TestARefusedBundleChangesNothingButItsCount(t *testing.T) {
	t.Parallel()
	m := active()
	m.Activate(authz.BundleRef{Revision: "r2", Digest: "d2"}, time.Now(), nil, nil, metrics.Refused)
	m.Activate(authz.BundleRef{Revision: "r3", Digest: "d3"}, time.Now(), nil, nil, "sideways")
	m.Decision(record(access("us-defense", "read", "clearance.level")))
	diff(t, m, "sallyport_policy_info", map[string]float64{"digest=d1,revision=r1": 1})
	diff(t, m, "sallyport_policy_activations_total", map[string]float64{"result=activated": 1, "result=refused": 1, "result=other": 1})
	diff(t, m, "sallyport_decision_reasons_total", map[string]float64{"reason=clearance.level,tenant=us-defense": 1})
}

func TestANewBundleReplacesTheOldOne(t *testing.T) {
	t.Parallel()
	m := active()
	m.Activate(authz.BundleRef{Revision: "r2", Digest: "d2"}, time.Now().Add(-time.Minute), []string{"nz-fire"}, reasons, metrics.Activated)
	m.Decision(record(access("nz-fire", "list")))
	m.Decision(record(access("us-defense", "list")))
	diff(t, m, "sallyport_policy_info", map[string]float64{"digest=d2,revision=r2": 1})
	diff(t, m, "sallyport_decisions_total", map[string]float64{
		"action=list,outcome=allow,protocol=s3,tenant=nz-fire": 1, "action=list,outcome=allow,protocol=s3,tenant=other": 1,
	})
	if left := samples(t, m, "sallyport_policy_expires_seconds")[""]; left > -60 || left < -120 {
		t.Errorf("a minute after its end a bundle expires in %v s", left)
	}
}

func TestTimesRecordsAgesAndSettingsAreServed(t *testing.T) {
	t.Parallel()
	m := active()
	m.Step("decide", 30*time.Microsecond)
	m.Step("decide", time.Millisecond)
	m.Step("dream", time.Second)
	m.Append(time.Millisecond, true)
	m.Append(time.Millisecond, true)
	m.Append(time.Second, false)
	m.Issuers(func() map[string]metrics.IssuerKeys {
		return map[string]metrics.IssuerKeys{"usa": {Age: 90 * time.Second, Usable: 2, Refused: 1, Fetches: 5, Failed: 3}}
	})
	m.RememberedTokens(func() (hits, misses uint64) { return 7, 2 })
	m.Insecure([]string{"listen.insecure", "bundle.unsigned"})

	diff(t, m, "sallyport_check_duration_seconds", map[string]float64{"step=decide": 2, "step=other": 1})
	diff(t, m, "sallyport_audit_append_duration_seconds", map[string]float64{"": 3})
	diff(t, m, "sallyport_audit_records_total", map[string]float64{"": 2})
	diff(t, m, "sallyport_audit_lost_total", map[string]float64{"": 1})
	diff(t, m, "sallyport_issuer_keys_age_seconds", map[string]float64{"issuer=usa": 90})
	diff(t, m, "sallyport_issuer_keys", map[string]float64{"issuer=usa,state=usable": 2, "issuer=usa,state=refused": 1})
	diff(t, m, "sallyport_issuer_fetches_total", map[string]float64{"issuer=usa,result=ok": 2, "issuer=usa,result=failed": 3})
	diff(t, m, "sallyport_cache_requests_total", map[string]float64{"cache=token,result=hit": 7, "cache=token,result=miss": 2})
	diff(t, m, "sallyport_insecure_settings", map[string]float64{"": 2})
	if left := samples(t, m, "sallyport_policy_expires_seconds")[""]; math.Abs(left-3600) > 60 {
		t.Errorf("a bundle with an hour left expires in %v s", left)
	}
	for _, s := range families(t, m)["sallyport_check_duration_seconds"].GetMetric() {
		if s.GetLabel()[0].GetValue() != "decide" {
			continue
		}
		b := s.GetHistogram().GetBucket()
		if b[0].GetUpperBound() != 20e-6 || b[0].GetCumulativeCount() != 0 || b[1].GetCumulativeCount() != 1 {
			t.Errorf("30 µs and 1 ms in buckets from 20 µs: %v", b)
		}
	}
}

func TestTheTLSListenerIsServedAsItIsAtTheScrape(t *testing.T) {
	t.Parallel()
	m := active()
	m.TLSListener(func() metrics.TLS {
		return metrics.TLS{Expires: time.Now().Add(time.Hour), Stale: true, Reloaded: 3, Rejected: 2, Strangers: 7}
	})
	diff(t, m, "sallyport_tls_files_stale", map[string]float64{"": 1})
	diff(t, m, "sallyport_tls_reloads_total", map[string]float64{"result=activated": 3, "result=refused": 2})
	diff(t, m, "sallyport_tls_refused_connections_total", map[string]float64{"": 7})
	if left := samples(t, m, "sallyport_tls_certificate_expires_seconds")[""]; math.Abs(left-3600) > 60 {
		t.Errorf("a certificate with an hour left expires in %v s", left)
	}
}

func TestTheHandlerSpeaksOpenMetricsAndNativeHistograms(t *testing.T) {
	t.Parallel()
	m := active()
	m.Step("total", time.Millisecond)
	text := get(t, m.Handler(), "application/openmetrics-text; version=1.0.0")
	if c := text.Header().Get("Content-Type"); !strings.HasPrefix(c, "application/openmetrics-text") {
		t.Errorf("Content-Type %q", c)
	}
	if !strings.HasSuffix(text.Body.String(), "# EOF\n") {
		t.Error("OpenMetrics text must end with # EOF")
	}
	const proto = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
	w := get(t, m.Handler(), proto)
	dec := expfmt.NewDecoder(bufio.NewReader(w.Body), expfmt.ResponseFormat(w.Header()))
	for {
		var f dto.MetricFamily
		if err := dec.Decode(&f); err != nil {
			t.Fatalf("no native histogram of a check: %v", err)
		}
		if f.GetName() == "sallyport_check_duration_seconds" {
			if f.GetMetric()[0].GetHistogram().Schema == nil {
				t.Error("the histogram is not native")
			}
			return
		}
	}
}

// row is a line of the catalogue's table: | `name` | type | unit | labels | meaning | controls |
var row = regexp.MustCompile("(?m)^\\| `(sallyport_[a-z_]+)` \\| ([a-z]+) \\| [^|]+ \\| ([^|]+) \\| [^|]+ \\| [^|]+ \\|$")

func TestTheCatalogueAndTheRegistryHaveTheSameSeries(t *testing.T) {
	t.Parallel()
	type series struct {
		Type   string
		Labels []string
	}
	text, err := os.ReadFile("CATALOGUE.md")
	if err != nil {
		t.Fatal(err)
	}
	catalogue := map[string]series{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		var labels []string
		for l := range strings.FieldsFuncSeq(m[3], func(r rune) bool { return strings.ContainsRune("`, –", r) }) {
			labels = append(labels, l)
		}
		slices.Sort(labels)
		catalogue[m[1]] = series{m[2], labels}
	}
	if n := strings.Count(string(text), "\n| `sallyport_"); n != len(catalogue) {
		t.Errorf("the catalogue has %d rows, of which %d have the form of one", n, len(catalogue))
	}

	m := active()
	m.Decision(record(access("us-defense", "read", "clearance.level")))
	m.Issuers(func() map[string]metrics.IssuerKeys { return map[string]metrics.IssuerKeys{"usa": {}} })
	m.RememberedTokens(func() (hits, misses uint64) { return 1, 1 })
	m.AuditLogs(func() map[string]metrics.AuditLog { return map[string]metrics.AuditLog{"gateway": {}} })
	m.TLSListener(func() metrics.TLS { return metrics.TLS{} })
	live := map[string]series{}
	for name, f := range families(t, m) {
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		slices.Sort(labels)
		live[name] = series{strings.ToLower(f.GetType().String()), labels}
	}
	if d := cmp.Diff(catalogue, live); d != "" {
		t.Errorf("(-catalogue +registry):\n%s", d)
	}
}
