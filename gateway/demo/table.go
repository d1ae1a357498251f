package demo

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sallyport-dev/sallyport/authz/audit"
)

// tableFormat fits 109 columns; a decision with several reasons takes a line for each. Behind an allow
// stands what it obliges to.
const tableFormat = "%3s %-6s %s %-5s %-26s %s\n"

// whatWidth is the width of the column that fmt can't pad, since it counts bytes.
const whatWidth = 33

// table shows who asked what and what was decided, as the log has it.
func table(answers []answer) string {
	var b strings.Builder
	line := func(n, who, what, decision, reason, id string) {
		what += strings.Repeat(" ", max(0, whatWidth-utf8.RuneCountInString(what)))
		b.WriteString(strings.TrimRight(fmt.Sprintf(tableFormat, n, who, what, decision, reason, id), " \n") + "\n")
	}
	line("#", "who", "what", "", "reasons", "decision id")
	for i, a := range answers {
		decision, reasons := fmt.Sprint(a.status), []string{"(no record)"}
		if a.record != nil {
			decision, reasons = "deny", strings.Split(join(a.record.Reasons), " + ")
			if a.record.Allow {
				decision = "allow"
				for _, o := range a.record.Obligations {
					reasons = []string{"(" + o.ID + ")"}
				}
			}
		}
		line(fmt.Sprint(i+1), a.who, a.what, decision, reasons[0], a.decisionID)
		for _, r := range reasons[1:] {
			line("", "", "", "", r, "")
		}
	}
	return b.String()
}

// summary tells in three lines what was checked after the tour.
func summary(answers []answer, stored, served int, report audit.Report, took time.Duration) string {
	var allowed int
	for _, a := range answers {
		if a.record != nil && a.record.Allow {
			allowed++
		}
	}
	var records uint64
	var logs []string
	slices.SortFunc(report.Logs, func(a, b audit.LogReport) int { return cmp.Compare(a.Log, b.Log) })
	for _, l := range report.Logs {
		records += l.Records
		state := ""
		if l.Damage != nil {
			state = " DAMAGED"
		}
		logs = append(logs, fmt.Sprintf("%s %d%s", l.Log, l.Records, state))
	}
	return fmt.Sprintf(`
asked    %d requests in %.1f s, %d allowed and %d denied
reached  %d requests got to the store, and %d to the job service
logged   %d records: %s

`, len(answers), took.Seconds(), allowed, len(answers)-allowed, stored, served, records, strings.Join(logs, ", "))
}
