package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// AuditLog is the state of one decision log at a scrape.
type AuditLog struct {
	Failed   bool          // a write or flush failed: it takes nothing until the gateway is started again
	Refusing bool          // it takes no decision now: it has failed, or the disk is down to its reserve
	Queued   int           // records that wait for the disk
	Unsigned uint64        // durable lines that no checkpoint covers yet
	Flush    time.Duration // how long the last group took
	Counted  uint64        // denials that were counted instead of recorded one by one

	MaskingErrors uint64 // records of which everything is masked, since what policy asked for could not be done
	Recovered     bool   // something was cut when the log was opened
}

// AuditLogs sets what is asked, at each scrape, how the decision logs are, by name: gateway or a tenant. It may be called once.
func (m *Metrics) AuditLogs(state func() map[string]AuditLog) {
	m.registry.MustRegister(auditLogs(state))
}

// auditLogs is a collector, so that all series of a scrape are of one moment.
type auditLogs func() map[string]AuditLog

var (
	auditFailed   = auditDesc("failed", "1 if a write or flush of the log failed, so that it takes nothing until the gateway is started again.")
	auditRefusing = auditDesc("refusing", "1 if the log takes no decision now: it has failed, or the disk is down to its reserve.")
	auditQueued   = auditDesc("queued_records", "Records that wait for the disk.")
	auditUnsigned = auditDesc("unsigned_lines", "Durable lines that no checkpoint covers yet.")
	auditFlush    = auditDesc("flush_seconds", "How long the last group took to write and flush.")
	auditCounted  = auditDesc("counted_denials_total", "Denials of nobody known that were counted instead of recorded one by one.")
	auditMasking  = auditDesc("masking_errors_total", "Records of which everything is masked, since what policy asked for could not be done.")
	auditCut      = auditDesc("recovered", "1 if an unfinished line or decision was cut when the log was opened: the run before was killed.")
)

func auditDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("sallyport_audit_"+name, help, []string{"log"}, nil)
}

// Describe implements prometheus.Collector.
func (auditLogs) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{auditFailed, auditRefusing, auditQueued, auditUnsigned, auditFlush, auditCounted, auditMasking, auditCut} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (state auditLogs) Collect(to chan<- prometheus.Metric) {
	for log, s := range state() {
		gauge := func(d *prometheus.Desc, v float64) {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, log)
		}
		gauge(auditFailed, number(s.Failed))
		gauge(auditRefusing, number(s.Refusing))
		gauge(auditQueued, float64(s.Queued))
		gauge(auditUnsigned, float64(s.Unsigned))
		gauge(auditFlush, s.Flush.Seconds())
		gauge(auditCut, number(s.Recovered))
		to <- prometheus.MustNewConstMetric(auditCounted, prometheus.CounterValue, float64(s.Counted), log)
		to <- prometheus.MustNewConstMetric(auditMasking, prometheus.CounterValue, float64(s.MaskingErrors), log)
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
