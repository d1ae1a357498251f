package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
	"github.com/sallyport-dev/sallyport/authz/audit/tlog"
)

func newAudit() *cobra.Command {
	return group("audit", "Read, verify and prove decision logs, also while the gateway runs; DIR is one log or a folder of logs",
		newAuditVerify(), newAuditCat(), newAuditShow(), newAuditProve(), newAuditVerifyProof(), newAuditExport(), newAuditStats(),
		newAuditReconcile(), newAuditOpen(), newAuditIncarnation())
}

func newAuditVerify() *cobra.Command {
	var keyFiles, keptFiles, witnessFiles []string
	c := &cobra.Command{
		Use: "verify DIR…", Short: "Show that no record is missing, damaged or out of order, and that the gateway signed them",
		Long: "Each DIR is a log, a log exported as tiles, or a folder of these. It needs nothing but them and, to trust who signed, --key.",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return one("DIR")(c, args)
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			keys, err := publicKeys(keyFiles)
			if err != nil {
				return err
			}
			var report audit.Report
			reader := audit.Reader{Keys: keys, Progress: progress(c.ErrOrStderr())}
			if reader.Kept, reader.Witnesses, err = kept(keptFiles, witnessFiles); err != nil {
				return err
			}
			for _, dir := range args {
				r, e := reader.Verify(dir)
				if e != nil && len(r.Logs) == 0 {
					return unreadable(e)
				}
				report.Logs, err = append(report.Logs, r.Logs...), errors.Join(err, e)
			}
			err = errors.Join(err, reader.Unclaimed(report))
			if wantsJSON(c) {
				report.Logs = append([]audit.LogReport{}, report.Logs...)
				return errors.Join(printJSON(c, report), unreadable(err))
			}
			return errors.Join(fail(exitInternal, printReport(c.OutOrStdout(), report, err == nil, len(keys) > 0)), unreadable(err))
		},
	}
	c.Flags().StringArrayVar(&keyFiles, "key", nil, "a file with the public key that must have signed: a log's key.pub, kept elsewhere, or PEM")
	c.Flags().StringArrayVar(&keptFiles, "checkpoint", nil, "a checkpoint that was kept elsewhere: its log must go on from it")
	c.Flags().StringArrayVar(&witnessFiles, "witness", nil, "a file with the verifier key of a witness who must have cosigned each --checkpoint")
	return c
}

// kept reads the checkpoints that were kept elsewhere, and the keys of the witnesses.
func kept(files, witnessFiles []string) (checkpoints [][]byte, witnesses []*tlog.Witness, err error) {
	if len(witnessFiles) > 0 && len(files) == 0 {
		return nil, nil, fail(exitUsage, errors.New("--witness: name a checkpoint that it cosigned with --checkpoint"))
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil {
			_, err = tlog.ParseCheckpoint(b)
		}
		if err != nil {
			return nil, nil, fail(exitUsage, fmt.Errorf("%s: %w", f, err))
		}
		checkpoints = append(checkpoints, b)
	}
	for _, f := range witnessFiles {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, nil, fail(exitUsage, err)
		}
		w, err := tlog.ParseWitness(strings.TrimSpace(string(b)))
		if err != nil {
			return nil, nil, fail(exitUsage, fmt.Errorf("%s: %w", f, err))
		}
		witnesses = append(witnesses, w)
	}
	return checkpoints, witnesses, nil
}

func printReport(out io.Writer, report audit.Report, good, pinned bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LOG\tRECORDS\tALLOW\tDENY\tFIRST\tLAST\tSIGNED")
	for _, l := range report.Logs {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%s\t%d/%d\n", l.Log, l.Records, l.Allows, l.Denies, l.First, l.Last, min(l.Signed, l.Lines), l.Lines)
	}
	if err := w.Flush(); err != nil || !good {
		return err
	}
	if !pinned {
		fmt.Fprintln(out, "signed by the public keys in the folders themselves; pin one that you keep elsewhere with --key")
	}
	_, err := fmt.Fprintln(out, "verified")
	return err
}

// publicKeys reads the files that --key names.
func publicKeys(files []string) ([]ed25519.PublicKey, error) {
	var keys []ed25519.PublicKey
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, fail(exitUsage, err)
		}
		k, err := audit.ParsePublicKey(b)
		if err != nil {
			return nil, fail(exitUsage, fmt.Errorf("%s: %w", f, err))
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func newAuditCat() *cobra.Command {
	var filter filterFlags
	var follow bool
	c := &cobra.Command{
		Use: "cat DIR", Short: "Print the records; with --output json the lines of the log as they are", Args: one("DIR"),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := filter.parse()
			if err != nil {
				return err
			}
			asJSON, out := wantsJSON(c), c.OutOrStdout()
			show := func(log string, line []byte, r authz.Record) error {
				if !f.Match(r) {
					return nil
				}
				if asJSON {
					_, err := fmt.Fprintf(out, "%s\n", line)
					return err
				}
				_, err := fmt.Fprintln(out, describe(log, r))
				return err
			}
			if follow {
				return unreadable(audit.Follow(c.Context(), args[0], show))
			}
			return unreadable(audit.Read(args[0], show))
		},
	}
	filter.add(c)
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with records as they are added, until interrupted")
	return c
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
		who = orMasked(r.Subject.ID)
	}
	if len(r.Accesses) > 0 {
		what = r.Accesses[0].Action + " " + orMasked(r.Accesses[0].Resource)
		if n := len(r.Accesses); n > 1 {
			what += fmt.Sprintf(" (+%d)", n-1)
		}
	}
	return fmt.Sprintf("%s %s %s %s %q %s %s", r.Time, log, outcome, who, what, list(r.Reasons), r.DecisionID)
}

// orMasked is a text that only a mask leaves empty.
func orMasked(s string) string {
	if s == "" {
		return "[masked]"
	}
	return s
}
