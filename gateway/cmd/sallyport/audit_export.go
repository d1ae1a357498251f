package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
)

func newAuditExport() *cobra.Command {
	var filter filterFlags
	var format, to string
	c := &cobra.Command{
		Use: "export DIR --format jsonl|csv|ocsf|tiles [--to PATH]", Short: "Write records in another form, or one log as static tlog-tiles", Args: one("DIR"),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := filter.parse()
			if err != nil {
				return err
			}
			if format == "tiles" {
				return exportTiles(c, args[0], to, f)
			}
			out := c.OutOrStdout()
			if to != "" {
				file, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
				if err != nil {
					return fail(exitUsage, err)
				}
				defer file.Close()
				out = file
			}
			buffered := bufio.NewWriter(out)
			e, err := audit.NewExporter(format, buffered)
			if err != nil {
				return fail(exitUsage, err)
			}
			err = working(c).Read(args[0], func(log string, line []byte, r authz.Record) error {
				if !f.Match(r) {
					return nil
				}
				return e.Write(log, line, r)
			})
			return errors.Join(unreadable(err), fail(exitInternal, errors.Join(e.Flush(), buffered.Flush())))
		},
	}
	filter.add(c)
	c.Flags().StringVar(&format, "format", "jsonl", "jsonl, csv, ocsf or tiles")
	c.Flags().StringVar(&to, "to", "", "the new file, or with tiles the new folder, to write")
	return c
}

func exportTiles(c *cobra.Command, dir, to string, f audit.Filter) error {
	if to == "" || f != (audit.Filter{}) {
		return fail(exitUsage, errors.New("--format tiles: name a new folder with --to, and no filter: a tree has all its leaves"))
	}
	return unreadable(audit.ExportTiles(dir, to, progress(c.ErrOrStderr())))
}

func newAuditStats() *cobra.Command {
	var filter filterFlags
	c := &cobra.Command{
		Use: "stats DIR", Short: "Count records by outcome and root cause", Args: one("DIR"),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := filter.parse()
			if err != nil {
				return err
			}
			counts := audit.NewCounts()
			err = working(c).Read(args[0], func(log string, _ []byte, r authz.Record) error {
				if f.Match(r) {
					return counts.Add(log, r)
				}
				return nil
			})
			if err == nil {
				err = fail(exitInternal, counts.Sum())
			}
			if err != nil {
				return unreadable(err)
			}
			if wantsJSON(c) {
				return printJSON(c, counts)
			}
			return fail(exitInternal, printCounts(c.OutOrStdout(), counts))
		},
	}
	filter.add(c)
	return c
}

func printCounts(out io.Writer, counts *audit.Counts) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "decisions\t%d\nallow\t%d\ndeny\t%d\ncounted in floods\t%d\nsubjects\t%d\n", counts.Decisions, counts.Allows, counts.Denies, counts.Counted, counts.Subjects)
	for _, part := range []struct {
		title  string
		counts map[string]uint64
	}{{"RECORDS BY LOG", counts.Logs}, {"RECORDS BY TYPE", counts.Types}, {"DENIALS BY ROOT CAUSE", counts.Reasons}} {
		fmt.Fprintf(w, "\n%s\n", part.title)
		names := make([]string, 0, len(part.counts))
		for n := range part.counts {
			names = append(names, n)
		}
		slices.SortFunc(names, func(a, b string) int {
			return cmp.Or(cmp.Compare(part.counts[b], part.counts[a]), cmp.Compare(a, b))
		})
		for _, n := range names {
			fmt.Fprintf(w, "%s\t%d\n", n, part.counts[n])
		}
	}
	return w.Flush()
}

func newAuditReconcile() *cobra.Command {
	var envoyLog, storeLog string
	c := &cobra.Command{
		Use: "reconcile DIR --envoy-log FILE [--store-log FILE]", Short: "Compare the logs with what Envoy and the store saw", Args: one("DIR"),
		RunE: func(c *cobra.Command, args []string) error {
			if envoyLog == "" {
				return fail(exitUsage, errors.New("name Envoy's access log with --envoy-log"))
			}
			envoy, err := os.Open(envoyLog)
			if err != nil {
				return fail(exitUsage, err)
			}
			defer envoy.Close()
			var store io.ReadSeeker
			if storeLog != "" {
				f, err := os.Open(storeLog)
				if err != nil {
					return fail(exitUsage, err)
				}
				defer f.Close()
				store = f
			}
			r, err := working(c).Reconcile(args[0], envoy, store)
			if err != nil {
				return unreadable(err)
			}
			if wantsJSON(c) {
				err = printJSON(c, r)
			} else {
				err = fail(exitInternal, printReconciliation(c.OutOrStdout(), r))
			}
			if err == nil && !r.Well() {
				err = fail(exitLog, errors.New("the logs don't agree"))
			}
			return err
		},
	}
	c.Flags().StringVar(&envoyLog, "envoy-log", "", "Envoy's access log, in the form of deploy/envoy")
	c.Flags().StringVar(&storeLog, "store-log", "", "the store's access log, with the decision id (Referer) as a field")
	return c
}

func printReconciliation(out io.Writer, r audit.Reconciliation) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "decisions in the logs\t%d\ndenials counted in floods\t%d\nrequests that Envoy saw\t%d\n  of these refused by itself\t%d\nallows not ended yet\t%d\nrequests that the store saw\t%d\n",
		r.Decisions, r.Counted, r.Envoy, r.Undecided, r.Unfinished, r.Store)
	for _, part := range []struct {
		what string
		ids  []string
	}{
		{"served by Envoy without an allow", r.Served}, {"let through and in no log", r.Missing}, {"more than once", r.Repeated},
		{"allowed and never seen by Envoy", r.NeverSeen}, {"served by the store without a decision", r.StoreOnly}, {"denied and served by the store", r.DenyServed},
	} {
		fmt.Fprintf(w, "%s\t%d\n", part.what, len(part.ids))
		for _, id := range part.ids {
			fmt.Fprintf(w, "  %s\n", id)
		}
	}
	fmt.Fprintf(w, "denied, in no log and not counted\t%d\n", r.Uncounted)
	return w.Flush()
}

func newAuditIncarnation() *cobra.Command {
	var flags configFlags
	var why string
	c := &cobra.Command{
		Use: "new-incarnation LOG -c FILE --why TEXT", Short: "End a log that can't go on and begin it anew, linked to the old one; the gateway must not run", Args: one("LOG"),
		RunE: func(c *cobra.Command, args []string) error {
			loaded, err := flags.load()
			if err != nil {
				return err
			}
			key, err := signingKey(loaded)
			if err != nil {
				return err
			}
			old, err := audit.NewIncarnation(audit.Config{
				Dir: loaded.Audit.Directory, Key: key, Gateway: authz.Gateway{ID: loaded.ID, Enclaves: loaded.Enclaves},
			}, args[0], why)
			if err != nil {
				return fail(exitUsage, err)
			}
			if wantsJSON(c) {
				return printJSON(c, map[string]string{"log": args[0], "old": old})
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s begins anew; the old log is kept in %s\n", args[0], old)
			return fail(exitInternal, err)
		},
	}
	flags.add(c)
	c.Flags().StringVar(&why, "why", "", "what happened, for the auditor; it is signed with the log")
	return c
}
