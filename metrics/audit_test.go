package metrics_test

import (
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/metrics"
)

func TestTheStateOfEachDecisionLogIsShown(t *testing.T) {
	t.Parallel()
	m := metrics.New("v", "r")
	m.AuditLogs(func() map[string]metrics.AuditLog {
		return map[string]metrics.AuditLog{
			"gateway":    {Queued: 3, Unsigned: 7, Flush: 250 * time.Millisecond, Counted: 12},
			"us-defense": {Failed: true, Refusing: true, MaskingErrors: 2, Recovered: true},
		}
	})
	for name, want := range map[string]map[string]float64{
		"failed":                {"log=us-defense": 1},
		"refusing":              {"log=us-defense": 1},
		"queued_records":        {"log=gateway": 3},
		"unsigned_lines":        {"log=gateway": 7},
		"flush_seconds":         {"log=gateway": 0.25},
		"counted_denials_total": {"log=gateway": 12},
		"masking_errors_total":  {"log=us-defense": 2},
		"recovered":             {"log=us-defense": 1},
	} {
		diff(t, m, "sallyport_audit_"+name, want)
	}
}
