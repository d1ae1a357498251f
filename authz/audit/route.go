package audit

import (
	"fmt"
	"slices"

	"github.com/sallyport-dev/sallyport/authz"
)

// Types of records. Only this package writes the last two.
const (
	typeDecision  = "decision"
	typeRecovered = "recovered"
	typeFlood     = "flood"
)

// check refuses a record that would say less than a record must. It is the last look at an allow.
func check(r authz.Record) error {
	switch r.Type {
	case typeDecision, "start", "stop", "activation", "disagreement":
	default:
		return fmt.Errorf("audit: record of type %q: want decision, start, stop, activation or disagreement", r.Type)
	}
	if r.DecisionID == "" {
		return fmt.Errorf("audit: %s record without a decision_id", r.Type)
	}
	if r.Time.IsZero() {
		return fmt.Errorf("audit: record %s without a time", r.DecisionID)
	}
	if !r.Allow {
		return nil
	}
	if r.Type != typeDecision || r.Subject == nil || len(r.Accesses) == 0 || len(r.Reasons) > 0 || len(r.Unproven) > 0 {
		return fmt.Errorf("audit: record %s allows without a subject, without an access or with something unproven", r.DecisionID)
	}
	for _, a := range r.Accesses {
		if !a.Allow || a.Tenant == nil {
			return fmt.Errorf("audit: record %s allows, but not its access to %q, or that has no tenant", r.DecisionID, a.Resource)
		}
	}
	return nil
}

// nameless reports whether r denies a request of nobody known: the only kind of record that strangers can make at will.
func nameless(r authz.Record) bool {
	return r.Type == typeDecision && !r.Allow && r.Subject == nil
}

// buffered reports whether policy lets the answer to a copy of a record go before it is on the disk: for each access in it.
func buffered(r authz.Record) bool {
	return len(r.Accesses) > 0 && !slices.ContainsFunc(r.Accesses, func(a authz.RecordAccess) bool {
		return !slices.ContainsFunc(a.Obligations, func(o authz.Obligation) bool { return o.ID == authz.AuditBuffered })
	})
}

// routed is the copy of a record that goes to one log.
type routed struct {
	log    string
	record authz.Record
}

// route returns a copy of r for each log that it belongs to, with only the accesses that concern that log. What is said of the
// whole request (allow, reasons, unproven, obligations, request, subject) stands in each copy.
func route(r authz.Record) []routed {
	if r.Subject == nil || len(r.Accesses) == 0 {
		return []routed{{GatewayLog, r}}
	}
	if name := logOf(r.Accesses[0]); !slices.ContainsFunc(r.Accesses, func(a authz.RecordAccess) bool { return logOf(a) != name }) {
		return []routed{{name, r}}
	}
	var copies []routed
	at := map[string]int{}
	for _, a := range r.Accesses {
		name := logOf(a)
		i, found := at[name]
		if !found {
			i = len(copies)
			at[name] = i
			c := r
			c.Accesses = nil
			copies = append(copies, routed{name, c})
		}
		copies[i].record.Accesses = append(copies[i].record.Accesses, a)
	}
	return copies
}

// logOf returns the log of an access.
func logOf(a authz.RecordAccess) string {
	if a.Tenant == nil {
		return GatewayLog
	}
	return *a.Tenant
}
