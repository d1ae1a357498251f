package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
)

func newAuditOpen() *cobra.Command {
	var record, openings string
	c := &cobra.Command{
		Use: "open DIR ID | open --record FILE --openings FILE", Short: "Show a record with what is masked in it, as far as there are openings, each checked",
		Long: "DIR is one log or a folder of logs, with the folder of openings beside it. With --record and --openings it needs neither: the first is a line\n" +
			"as audit show --output json prints it, the second holds those openings of it that were given away, a line each.",
		Args: cobra.MaximumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if (record == "") != (openings == "") || (record == "") != (len(args) == 2) {
				return fail(exitUsage, errors.New("name a folder of logs and a decision's id, or --record and --openings"))
			}
			var lines [][]byte
			var opened []byte
			var err error
			if record != "" {
				lines, opened, err = recordFiles(record, openings)
			} else {
				lines, opened, err = maskedDecision(args[0], args[1])
			}
			if err != nil {
				return err
			}
			for _, line := range lines {
				r, err := audit.Reveal(line, opened)
				if err != nil {
					return fail(exitLog, err)
				}
				if err := printRevealed(c, r); err != nil {
					return fail(exitInternal, err)
				}
			}
			return nil
		},
	}
	c.Flags().StringVar(&record, "record", "", "a file with one line of a log")
	c.Flags().StringVar(&openings, "openings", "", "a file with openings, one a line")
	return c
}

func recordFiles(record, openings string) ([][]byte, []byte, error) {
	line, err := os.ReadFile(record)
	if err != nil {
		return nil, nil, fail(exitUsage, err)
	}
	opened, err := os.ReadFile(openings)
	if err != nil {
		return nil, nil, fail(exitUsage, err)
	}
	return [][]byte{bytes.TrimSuffix(line, []byte("\n"))}, opened, nil
}

// maskedDecision returns the lines of a decision, and the openings that lie beside the logs.
func maskedDecision(dir, id string) ([][]byte, []byte, error) {
	var lines [][]byte
	err := audit.Read(dir, func(_ string, line []byte, r authz.Record) error {
		if r.DecisionID == id {
			lines = append(lines, bytes.Clone(line))
		}
		return nil
	})
	if err == nil && len(lines) == 0 {
		return nil, nil, fail(exitUsage, fmt.Errorf("%s: no record has the id %q", dir, id))
	}
	if err != nil {
		return nil, nil, unreadable(err)
	}
	opened, err := audit.FindOpenings(dir, id)
	return lines, opened, fail(exitUsage, err)
}

func printRevealed(c *cobra.Command, r audit.Revealed) error {
	if wantsJSON(c) {
		return printJSON(c, r)
	}
	var text bytes.Buffer
	if err := json.Indent(&text, r.Record, "", "  "); err != nil {
		return err
	}
	fmt.Fprintf(&text, "\nopened and checked: %s\n", listOr(r.Opened, "nothing was masked that is opened"))
	if len(r.Closed) > 0 {
		fmt.Fprintf(&text, "still masked: %s\n", strings.Join(r.Closed, " "))
		if strings.Contains(strings.Join(r.Closed, " "), "/input") {
			fmt.Fprintln(&text, "the decision does not replay without them")
		}
	}
	_, err := text.WriteTo(c.OutOrStdout())
	return err
}

func listOr(all []string, none string) string {
	if len(all) == 0 {
		return none
	}
	return strings.Join(all, " ")
}
