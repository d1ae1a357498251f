package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
)

func newAuditShow() *cobra.Command {
	return &cobra.Command{
		Use: "show DIR ID|N", Short: "Print all of one decision, by its id, or line N of one log", Args: two("DIR", "ID|N"),
		RunE: func(c *cobra.Command, args []string) error {
			if n, err := strconv.ParseUint(args[1], 10, 56); err == nil && len(args[1]) < 32 {
				a, err := audit.OpenArchive(args[0])
				if err != nil {
					return unreadable(err)
				}
				line, err := a.Line(n)
				if err != nil {
					return unreadable(err)
				}
				return printLine(c, line)
			}
			found := 0
			err := audit.Read(args[0], func(_ string, line []byte, r authz.Record) error {
				if r.DecisionID != args[1] {
					return nil
				}
				found++
				return printLine(c, line)
			})
			if err == nil && found == 0 {
				return fail(exitUsage, fmt.Errorf("%s: no record has the id %q", args[0], args[1]))
			}
			return unreadable(err)
		},
	}
}

// printLine prints a line as it is, or as text with a member a line.
func printLine(c *cobra.Command, line []byte) error {
	out := bytes.NewBuffer(nil)
	if wantsJSON(c) {
		out.Write(line)
	} else if err := json.Indent(out, line, "", "  "); err != nil {
		return fail(exitInternal, err)
	}
	_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", out)
	return fail(exitInternal, err)
}

func newAuditProve() *cobra.Command {
	return &cobra.Command{
		Use: "prove DIR N", Short: "Print the proof that line N is in the log, as a C2SP tlog-proof; DIR is one log", Args: two("DIR", "N"),
		RunE: func(c *cobra.Command, args []string) error {
			n, err := strconv.ParseUint(args[1], 10, 56)
			if err != nil {
				return fail(exitUsage, fmt.Errorf("%q: want the number of a line, its member n", args[1]))
			}
			a, err := audit.OpenArchive(args[0])
			if err != nil {
				return unreadable(err)
			}
			line, err := a.Line(n)
			if err != nil {
				return fail(auditCode(err), err)
			}
			p, err := a.Prove(n)
			if err != nil {
				return fail(auditCode(err), err)
			}
			proof := p.Marshal()
			if key, err := audit.ParsePublicKey([]byte(a.VerifierKey())); err != nil {
				return fail(exitInternal, err)
			} else if _, _, err := audit.VerifyProof(proof, line, key); err != nil {
				return fail(exitLog, err)
			}
			if wantsJSON(c) {
				return printJSON(c, map[string]any{"index": n, "line": string(line), "proof": string(proof)})
			}
			_, err = c.OutOrStdout().Write(proof)
			return fail(exitInternal, err)
		},
	}
}

func newAuditVerifyProof() *cobra.Command {
	var record string
	var keyFiles []string
	c := &cobra.Command{
		Use: "verify-proof PROOF --record FILE --key FILE", Short: "Show that a line is in a log, from the proof and the log's public key alone", Args: one("PROOF"),
		RunE: func(c *cobra.Command, args []string) error {
			if record == "" || len(keyFiles) != 1 {
				return fail(exitUsage, errors.New("name the file of the line with --record, and that of the log's public key with --key"))
			}
			keys, err := publicKeys(keyFiles)
			if err != nil {
				return err
			}
			proof, err := os.ReadFile(args[0])
			if err != nil {
				return fail(exitUsage, err)
			}
			line, err := os.ReadFile(record)
			if err != nil {
				return fail(exitUsage, err)
			}
			p, checkpoint, err := audit.VerifyProof(proof, bytes.TrimSuffix(line, []byte("\n")), keys[0])
			if err != nil {
				return fail(exitLog, err)
			}
			if wantsJSON(c) {
				return printJSON(c, map[string]any{"index": p.Index, "origin": checkpoint.Origin, "size": checkpoint.Size})
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "verified: line %d of %s, signed when it had %d lines\n", p.Index, checkpoint.Origin, checkpoint.Size)
			return fail(exitInternal, err)
		},
	}
	c.Flags().StringVar(&record, "record", "", "a file with the line, as audit show --output json prints it")
	c.Flags().StringArrayVar(&keyFiles, "key", nil, "a file with the log's public key: its key.pub, or PEM")
	return c
}

// two refuses all but two arguments.
func two(first, second string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 2 {
			return nil
		}
		return fmt.Errorf("want %s and %s, have %d arguments: %s", first, second, len(args), c.UseLine())
	}
}
