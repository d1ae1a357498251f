package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/authz/policy"
	"github.com/sallyport-dev/sallyport/authz/policy/guardrail"
)

// maxInput bounds the input of one decision; real ones are a few KiB.
const maxInput = 1 << 20

func newPolicy() *cobra.Command {
	return group("policy", "Check, test and try policies; DIR is a folder like policies/, or a bundle (root/ and tenants/)",
		newPolicyCheck(), newPolicyTest(), newPolicyEval(), newPolicyScheme())
}

func newPolicyCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check DIR", Short: "Say what is wrong with a policy before it is used", Args: one("DIR"),
		RunE: func(c *cobra.Command, args []string) error {
			begun := time.Now()
			err := policy.Check(args[0])
			var guardrails guardrail.Report
			if err == nil {
				guardrails, err = checkGuardrails(c, args[0])
			}
			if err != nil && policy.ExitCode(err) != 3 && !errors.Is(err, guardrail.ErrBroken) {
				return fail(policy.ExitCode(err), err)
			}
			if wantsJSON(c) {
				var problems *policy.Errors
				list := []policy.Problem{}
				if errors.As(err, &problems) {
					list = problems.Problems
				}
				invariants := append([]guardrail.Result{}, guardrails.Invariants...)
				if e := printJSON(c, map[string]any{"ok": err == nil, "problems": list, "guardrails": invariants}); e != nil {
					return e
				}
			} else if guardrails.Decisions > 0 {
				printGuardrails(c.OutOrStdout(), guardrails, time.Since(begun))
			}
			if errors.Is(err, guardrail.ErrBroken) {
				return fail(exitTests, err)
			}
			return fail(policy.ExitCode(err), err)
		},
	}
}

func checkGuardrails(c *cobra.Command, dir string) (guardrail.Report, error) {
	b, err := policy.Load(dir)
	if err != nil {
		return guardrail.Report{}, err
	}
	return guardrail.Check(c.Context(), b)
}

// printGuardrails prints the invariants that are broken, each with its counterexample, or that there are none.
func printGuardrails(w io.Writer, r guardrail.Report, took time.Duration) {
	broken := 0
	for _, v := range r.Invariants {
		if v.Counterexample == nil {
			continue
		}
		broken++
		fmt.Fprintf(w, "%s  %s\n      %s (the first of %d)\n\n%s\n", v.ID, v.Says, v.Counterexample.What, v.Broken, v.Counterexample.Test)
	}
	if broken == 0 {
		fmt.Fprintln(w, "ok")
	} else {
		fmt.Fprintln(w, "Put a counterexample into a file *_test.rego beside the policies: it fails until the hole is closed.")
	}
	fmt.Fprintf(w, "%d of %d guardrails hold, on %d decisions in %.1f s\n", len(r.Invariants)-broken, len(r.Invariants), r.Decisions, took.Seconds())
	if r.LeftOut > 0 {
		fmt.Fprintf(w, "%d rows were left out: there are many\n", r.LeftOut)
	}
}

func newPolicyTest() *cobra.Command {
	return &cobra.Command{
		Use: "test DIR", Short: "Run the Rego tests of a policy", Args: one("DIR"),
		RunE: func(c *cobra.Command, args []string) error {
			report, err := policy.Test(c.Context(), args[0])
			if err != nil && !errors.Is(err, policy.ErrTests) {
				return fail(policy.ExitCode(err), err)
			}
			if wantsJSON(c) {
				report.Tests = append([]policy.TestResult{}, report.Tests...)
				if err := printJSON(c, report); err != nil {
					return err
				}
			} else {
				printTests(c.OutOrStdout(), report)
			}
			return fail(policy.ExitCode(err), err)
		},
	}
}

func printTests(w io.Writer, report policy.TestReport) {
	failed := 0
	for _, t := range report.Tests {
		if !t.Pass {
			failed++
			fmt.Fprintf(w, "FAIL %s.%s (%s)\n%s\n", t.Package, t.Name, t.Location, t.Output)
		}
	}
	fmt.Fprintf(w, "%d passed, %d failed\n", len(report.Tests)-failed, failed)
}

func newPolicyEval() *cobra.Command {
	var inputPath string
	var explain bool
	c := &cobra.Command{
		Use: "eval DIR --input FILE", Short: "Decide one input and print the decision with its reasons", Args: one("DIR"),
		RunE: func(c *cobra.Command, args []string) error {
			if inputPath == "" {
				return fail(exitUsage, errors.New("no input: name one with --input FILE, or --input - for standard input"))
			}
			input, err := readInput(c, inputPath)
			if err != nil {
				return fail(exitUsage, err)
			}
			if explain {
				x, err := policy.Explain(c.Context(), args[0], input)
				if err != nil {
					return fail(policy.ExitCode(err), naming(err, inputPath))
				}
				if wantsJSON(c) {
					return printJSON(c, x)
				}
				_, err = io.WriteString(c.OutOrStdout(), x.Text())
				return fail(exitInternal, err)
			}
			o, err := policy.Eval(c.Context(), args[0], input)
			if err != nil {
				return fail(policy.ExitCode(err), naming(err, inputPath))
			}
			if wantsJSON(c) {
				return printJSON(c, o.Decision)
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintf(w, "decision\t%s\n", map[bool]string{true: "allow", false: "deny"}[o.Decision.Allow])
			fmt.Fprintf(w, "reasons\t%s\n", list(o.Decision.Reasons))
			fmt.Fprintf(w, "unproven\t%s\n", list(o.Decision.Unproven))
			return fail(exitInternal, w.Flush())
		},
	}
	c.Flags().BoolVar(&explain, "explain", false, "say of each check what proved it or what was missing")
	c.Flags().StringVar(&inputPath, "input", "", "the policy input, JSON; - is standard input")
	return c
}

// naming puts the path of the input into an error about it, which only knows that it is the input.
func naming(err error, path string) error {
	var problems *policy.Errors
	if !errors.As(err, &problems) || problems.Dir != "" {
		return err
	}
	for i := range problems.Problems {
		problems.Problems[i].File = path
	}
	return problems
}

func readInput(c *cobra.Command, path string) ([]byte, error) {
	var r io.Reader = c.InOrStdin()
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("--input: %w", err)
		}
		defer f.Close()
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err != nil {
		return nil, fmt.Errorf("--input %s: %w", path, err)
	}
	if len(b) > maxInput {
		return nil, fmt.Errorf("--input %s: larger than %d bytes", path, maxInput)
	}
	return b, nil
}

// list joins ids for people; "-" is none.
func list[S ~string](ids []S) string {
	if len(ids) == 0 {
		return "-"
	}
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = string(id)
	}
	return strings.Join(words, " ")
}
