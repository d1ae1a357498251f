package main

import (
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
)

func newAudit() *cobra.Command {
	return group("audit", "Read and verify decision logs, also while the gateway runs; DIR is one log or a folder of logs",
		newAuditVerify(), newAuditCat())
}

func newAuditVerify() *cobra.Command {
	return &cobra.Command{
		Use: "verify DIR", Short: "Show that no record is missing, damaged or out of order", Args: one("DIR"),
		RunE: func(c *cobra.Command, args []string) error {
			report, err := audit.Verify(args[0])
			if err != nil && len(report.Logs) == 0 {
				return unreadable(err)
			}
			if wantsJSON(c) {
				report.Logs = append([]audit.LogReport{}, report.Logs...)
				return errors.Join(printJSON(c, report), unreadable(err))
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "LOG\tRECORDS\tALLOW\tDENY\tFIRST\tLAST")
			for _, l := range report.Logs {
				fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%s\n", l.Log, l.Records, l.Allows, l.Denies, l.First, l.Last)
			}
			if err == nil {
				fmt.Fprintln(w, "verified")
			}
			return errors.Join(fail(exitInternal, w.Flush()), unreadable(err))
		},
	}
}

func newAuditCat() *cobra.Command {
	return &cobra.Command{
		Use: "cat DIR", Short: "Print the records; with --output json the lines of the log as they are", Args: one("DIR"),
		RunE: func(c *cobra.Command, args []string) error {
			asJSON, out := wantsJSON(c), c.OutOrStdout()
			err := audit.Read(args[0], func(log string, line []byte, r authz.Record) error {
				if asJSON {
					_, err := fmt.Fprintf(out, "%s\n", line)
					return err
				}
				_, err := fmt.Fprintln(out, describe(log, r))
				return err
			})
			return unreadable(err)
		},
	}
}

// unreadable says what to do about a folder that can't be read as logs; damage says itself what it is.
func unreadable(err error) error {
	if code := auditCode(err); code == exitUsage && err != nil {
		return fail(code, fmt.Errorf("%w; name one log or a folder of logs", err))
	}
	return fail(auditCode(err), err)
}

// describe is one record on one line: when, which log, what came out, who, what, why, id.
func describe(log string, r authz.Record) string {
	if r.Type != "decision" {
		return fmt.Sprintf("%s %s %s %v %s", r.Time, log, r.Type, r.Fields, r.DecisionID)
	}
	outcome, who, what := "deny ", "-", "-"
	if r.Allow {
		outcome = "allow"
	}
	if r.Subject != nil {
		who = r.Subject.ID
	}
	if len(r.Accesses) > 0 {
		what = r.Accesses[0].Action + " " + r.Accesses[0].Resource
		if n := len(r.Accesses); n > 1 {
			what += fmt.Sprintf(" (+%d)", n-1)
		}
	}
	return fmt.Sprintf("%s %s %s %s %q %s %s", r.Time, log, outcome, who, what, list(r.Reasons), r.DecisionID)
}
