package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TLS is the state of the listener that Envoy reaches over TCP, at a scrape.
type TLS struct {
	Expires   time.Time // of the certificate in use
	Stale     bool      // the files hold something else that can't be used
	Reloaded  uint64    // times that new files were taken
	Rejected  uint64    // times that new files could not be used
	Strangers uint64    // connections that were refused
}

// TLSListener sets what is asked, at each scrape, how that listener is. It may be called once, and is not where there is none.
func (m *Metrics) TLSListener(state func() TLS) { m.registry.MustRegister(tlsListener(state)) }

type tlsListener func() TLS

var (
	tlsExpires = prometheus.NewDesc("sallyport_tls_certificate_expires_seconds",
		"Seconds until the certificate that Envoy is shown expires; negative afterwards.", nil, nil)
	tlsStale = prometheus.NewDesc("sallyport_tls_files_stale",
		"1 if the files of certificate, key and authorities were replaced by what can't be used, so that those before them serve on.", nil, nil)
	tlsReloads = prometheus.NewDesc("sallyport_tls_reloads_total",
		"Times that the files were replaced, by whether they could be used.", []string{"result"}, nil)
	tlsRefused = prometheus.NewDesc("sallyport_tls_refused_connections_total",
		"Connections whose peer did not prove to be Envoy.", nil, nil)
)

// Describe implements prometheus.Collector.
func (tlsListener) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{tlsExpires, tlsStale, tlsReloads, tlsRefused} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (state tlsListener) Collect(to chan<- prometheus.Metric) {
	s := state()
	send := func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, t, v, labels...)
	}
	send(tlsExpires, prometheus.GaugeValue, time.Until(s.Expires).Seconds())
	send(tlsStale, prometheus.GaugeValue, number(s.Stale))
	send(tlsReloads, prometheus.CounterValue, float64(s.Reloaded), Activated)
	send(tlsReloads, prometheus.CounterValue, float64(s.Rejected), Refused)
	send(tlsRefused, prometheus.CounterValue, float64(s.Strangers))
}
