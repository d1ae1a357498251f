// Package metrics is every Prometheus series of the gateway, and the only importer of client_golang. CATALOGUE.md explains the
// series to auditors; a test holds it and the live registry together.
//
// Invariants: each name begins with sallyport_. Each label is a closed set: outcomes, steps, actions and protocols are fixed here,
// tenants, reasons and controls are those of the bundle in force, and a value outside its set becomes "other". So a request can't
// make a series, and no user, path or resource is ever a label. Each decision is counted exactly once in decisions_total.
//
// Non-goals: no policy, no thresholds, and no proof. A counter restarts at zero with the process; the decision logs are what
// counts, and these series are how somebody notices that he must look.
package metrics

import (
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sallyport-dev/sallyport/authz"
)

// Results of an activation of a bundle.
const (
	Activated = "activated"
	Refused   = "refused"
)

const (
	none  = "none"  // a label that does not apply
	other = "other" // a label whose value is outside its set
)

var (
	actions     = []string{"read", "list", "create", "update", "delete", "relabel", "execute", "administer"}
	protocols   = []string{"s3", "kubernetes", "jobs", "http", "grpc"}
	steps       = []string{"parse", "verify", "resolve", "decide", "labels", "prepare", "commit", "total"}
	activations = []string{Activated, Refused}
)

// Metrics holds the series. Its methods may be called at the same time from everywhere.
type Metrics struct {
	registry *prometheus.Registry

	decisions   *prometheus.CounterVec
	reasons     *prometheus.CounterVec
	controls    *prometheus.CounterVec
	steps       *prometheus.HistogramVec
	appends     prometheus.Histogram
	records     prometheus.Counter
	lost        prometheus.Counter
	activations *prometheus.CounterVec
	disagreed   prometheus.Counter
	insecure    prometheus.Gauge

	policy atomic.Pointer[policy]                       // the bundle in force, swapped whole
	keys   atomic.Pointer[func() map[string]IssuerKeys] // set once by Issuers
	tokens atomic.Pointer[func() (hits, misses uint64)] // set once by RememberedTokens
}

// New makes the series, with those of the Go runtime and the process, in a registry of their own. version and revision are the
// program's.
func New(version, revision string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sallyport_decisions_total",
			Help: "Decisions, by the tenant, protocol and action of the access that decided.",
		}, []string{"outcome", "tenant", "protocol", "action"}),
		reasons: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sallyport_decision_reasons_total",
			Help: "Denials by root cause and by the tenant of the access that it denied.",
		}, []string{"reason", "tenant"}),
		controls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sallyport_controls_total",
			Help: "Decisions in which a control was proven (allow) or denied by one of its reasons (deny).",
		}, []string{"control", "outcome"}),
		steps: prometheus.NewHistogramVec(histogram("sallyport_check_duration_seconds",
			"Time of one step of a check, and of the whole (total)."), []string{"step"}),
		appends: prometheus.NewHistogram(histogram("sallyport_audit_append_duration_seconds",
			"Time until a record was durable or the log gave up, failures included.")),
		records: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sallyport_audit_records_total",
			Help: "Records that became durable.",
		}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sallyport_audit_lost_total",
			Help: "Records that did not become durable, whatever the cause; each was answered with a denial.",
		}),
		activations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sallyport_policy_activations_total",
			Help: "Attempts to activate a bundle.",
		}, []string{"result"}),
		disagreed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sallyport_policy_engine_disagreements_total",
			Help: "Decisions that topdown made again and otherwise; after the first, topdown alone decides.",
		}),
		insecure: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sallyport_insecure_settings",
			Help: "Settings in force that give up a protection; /readyz names them.",
		}),
	}
	m.policy.Store(m.newPolicy(authz.BundleRef{}, time.Time{}, nil, nil))
	for _, s := range steps {
		m.steps.WithLabelValues(s)
	}
	for _, r := range activations {
		m.activations.WithLabelValues(r)
	}
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "sallyport_build_info",
		Help:        "Always 1: which program this is.",
		ConstLabels: prometheus.Labels{"version": version, "revision": revision, "goversion": runtime.Version()},
	}, func() float64 { return 1 })
	m.registry.MustRegister(m.decisions, m.reasons, m.controls, m.steps, m.appends, m.records, m.lost, m.activations, m.disagreed, m.insecure,
		build, scrape{m}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// histogram has classic buckets from 20 µs, where a decision begins, to 10 s, beyond any deadline, and native ones beside them.
func histogram(name, help string) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: name,
		Help: help,
		Buckets: []float64{20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3, 200e-3, 500e-3,
			1, 2, 5, 10},
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  100,
		NativeHistogramMinResetDuration: time.Hour,
	}
}

// Handler serves the series as OpenMetrics or Prometheus text, or as protobuf, which alone carries the native histograms.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: 4})
}

// Step counts the time of one step of a check.
func (m *Metrics) Step(step string, d time.Duration) {
	m.steps.WithLabelValues(within(step, steps)).Observe(d.Seconds())
}

// Append counts one record: how long the log took, and whether the record is durable.
func (m *Metrics) Append(d time.Duration, ok bool) {
	m.appends.Observe(d.Seconds())
	if ok {
		m.records.Inc()
	} else {
		m.lost.Inc()
	}
}

// Disagreement counts one decision on which the policy engines differ.
func (m *Metrics) Disagreement() { m.disagreed.Inc() }

// Insecure sets which settings give up a protection.
func (m *Metrics) Insecure(settings []string) { m.insecure.Set(float64(len(settings))) }

// IssuerKeys is the state of one issuer's keys at a scrape.
type IssuerKeys struct {
	Age             time.Duration // since they were fetched
	Usable, Refused int           // of those that it publishes
	Fetches, Failed uint64
}

// Issuers sets what is asked, at each scrape, how the keys of each issuer are.
func (m *Metrics) Issuers(keys func() map[string]IssuerKeys) { m.keys.Store(&keys) }

// RememberedTokens sets what is asked, at each scrape, how many requests came with a token that was remembered, and how many with
// one that was not.
func (m *Metrics) RememberedTokens(counts func() (hits, misses uint64)) { m.tokens.Store(&counts) }
