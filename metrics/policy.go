package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport-dev/sallyport/authz"
)

// policy is what the bundle in force says about labels. It is never changed.
type policy struct {
	ref      authz.BundleRef // zero before the first activation
	expires  time.Time
	tenants  map[string]bool
	byReason map[string][]string  // reason id → controls
	proven   []prometheus.Counter // allow of every control: resolved once, since each allow moves them all
}

// ownReasons are those that the gateway itself gives, and so before any bundle is in force.
var ownReasons = []authz.Reason{
	authz.IdentityMissing, authz.IdentityInvalid, authz.IdentityIssuer, authz.IdentityExpired, authz.IdentityRevoked,
	authz.IdentityBinding, authz.FreshnessRevocation,
	authz.RequestAmbiguous, authz.RequestUnsupported, authz.ObligationUnsupported,
	authz.SystemInternal, authz.SystemPolicyError, authz.SystemAuditUnavailable, authz.SystemGrantUnavailable,
	authz.SystemTimeout, authz.SystemOverloaded,
}

func (m *Metrics) newPolicy(ref authz.BundleRef, expires time.Time, tenants []string, reasons map[string][]string) *policy {
	p := &policy{ref: ref, expires: expires, tenants: map[string]bool{}, byReason: map[string][]string{}}
	for _, t := range tenants {
		p.tenants[t] = true
	}
	for _, r := range ownReasons {
		p.byReason[string(r)] = nil
	}
	all := map[string]bool{}
	for id, controls := range reasons {
		p.byReason[id] = slices.Clone(controls)
		for _, c := range controls {
			all[c] = true
		}
	}
	for c := range all {
		p.proven = append(p.proven, m.controls.WithLabelValues(c, "allow"))
		m.controls.WithLabelValues(c, "deny") // shown from the start, at zero
	}
	return p
}

func (p *policy) tenant(t *string) string {
	switch {
	case t == nil || *t == "":
		return none
	case p.tenants[*t]:
		return *t
	}
	return other
}

func (p *policy) reason(id authz.Reason) string {
	if _, ok := p.byReason[string(id)]; ok {
		return string(id)
	}
	return other
}

// Activate counts an attempt to activate a bundle. If result is Activated, the bundle is in force from now on: expires is the
// earliest end of its parts, tenants and reasons (id → controls) are the label values that are known. Series of a tenant or reason
// that is gone stay until the process ends, since a counter must not vanish.
func (m *Metrics) Activate(b authz.BundleRef, expires time.Time, tenants []string, reasons map[string][]string, result string) {
	m.activations.WithLabelValues(within(result, activations)).Inc()
	if result == Activated {
		m.policy.Store(m.newPolicy(b, expires, tenants, reasons))
	}
}

// scrape collects what is known only at the time of asking.
type scrape struct{ m *Metrics }

var (
	policyInfo = prometheus.NewDesc("sallyport_policy_info",
		"Always 1: which bundle is in force.", []string{"revision", "digest"}, nil)
	policyExpires = prometheus.NewDesc("sallyport_policy_expires_seconds",
		"Seconds until the first part of the bundle in force expires; negative afterwards.", nil, nil)
	issuerKeysAge = prometheus.NewDesc("sallyport_issuer_keys_age_seconds",
		"Seconds since an issuer's keys were last fetched; of one that never answered, since it was first asked.", []string{"issuer"}, nil)
	issuerKeys = prometheus.NewDesc("sallyport_issuer_keys",
		"Keys that an issuer publishes or the bundle pins, by whether they are used or left out.", []string{"issuer", "state"}, nil)
	issuerFetches = prometheus.NewDesc("sallyport_issuer_fetches_total",
		"Attempts to fetch an issuer's keys.", []string{"issuer", "result"}, nil)
	cacheRequests = prometheus.NewDesc("sallyport_cache_requests_total",
		"Look-ups in a cache, by whether it had the answer (hit) or the work was done (miss).", []string{"cache", "result"}, nil)
)

func (scrape) Describe(ch chan<- *prometheus.Desc) {
	ch <- policyInfo
	ch <- policyExpires
	ch <- issuerKeysAge
	ch <- issuerKeys
	ch <- issuerFetches
	ch <- cacheRequests
}

func (s scrape) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if p := s.m.policy.Load(); p.ref != (authz.BundleRef{}) {
		gauge(policyInfo, 1, p.ref.Revision, p.ref.Digest)
		gauge(policyExpires, time.Until(p.expires).Seconds())
	}
	if keys := s.m.keys.Load(); keys != nil {
		for issuer, k := range (*keys)() {
			gauge(issuerKeysAge, k.Age.Seconds(), issuer)
			gauge(issuerKeys, float64(k.Usable), issuer, "usable")
			gauge(issuerKeys, float64(k.Refused), issuer, "refused")
			ch <- prometheus.MustNewConstMetric(issuerFetches, prometheus.CounterValue, float64(k.Fetches-k.Failed), issuer, "ok")
			ch <- prometheus.MustNewConstMetric(issuerFetches, prometheus.CounterValue, float64(k.Failed), issuer, "failed")
		}
	}
	if tokens := s.m.tokens.Load(); tokens != nil {
		hits, misses := (*tokens)()
		ch <- prometheus.MustNewConstMetric(cacheRequests, prometheus.CounterValue, float64(hits), "token", "hit")
		ch <- prometheus.MustNewConstMetric(cacheRequests, prometheus.CounterValue, float64(misses), "token", "miss")
	}
}
