// Command sallyport is an Envoy external-authorization gateway: it decides, in Rego, whether this person, cleared by this nation,
// may do this to data with this label in this place.
//
// Exit codes of every subcommand: 0 ok, 1 internal, 2 usage, config or environment, 3 policy does not compile or lint, 4 policy
// tests or guardrails fail, 5 decisions would change, 6 log verification failed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitInternal = 1
	exitUsage    = 2
	exitPolicy   = 3
	exitTests    = 4
	exitLog      = 6
)

// failure is an error with the exit code that it means.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// fail gives err an exit code; nil stays nil.
func fail(code int, err error) error {
	if err == nil {
		return nil
	}
	return &failure{code: code, err: err}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintln(stderr, "sallyport:", strings.TrimSuffix(line, "\n"))
	}
	var f *failure
	if errors.As(err, &f) {
		return f.code
	}
	return exitUsage // cobra's own errors: unknown command, flag or argument
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "sallyport",
		Short:         "An Envoy external-authorization gateway for classified, sovereign data",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          command,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentFlags().String("output", "text", "text or json")
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		if o, _ := c.Flags().GetString("output"); o != "text" && o != "json" && (o != "sarif" || c.Name() != "doctor") {
			return fmt.Errorf("--output %q: want text or json", o)
		}
		return nil
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return fmt.Errorf("%w; see %s --help", err, c.CommandPath()) })
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(newServe(), newDemo(), newConfig(), newPolicy(), newAudit(), newDoctor(), newConformance(), newHealthcheck(), newVersion())
	return root
}

// group is a command that only holds others.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Args: command,
		RunE: func(c *cobra.Command, _ []string) error {
			return fmt.Errorf("no command; see %s --help", c.CommandPath())
		},
	}
	c.AddCommand(children...)
	return c
}

// command refuses what is no command of c, and says which may be meant.
func command(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	do := "see " + c.CommandPath() + " --help"
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		do = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return fmt.Errorf("%s has no command %q; %s", c.CommandPath(), args[0], do)
}

// none refuses arguments.
func none(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%q is too much: %s takes no argument; see %s --help", args[0], c.CommandPath(), c.CommandPath())
}

// one refuses all but one argument, which usage calls by a name.
func one(name string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return fmt.Errorf("want one %s, have %d: %s", name, len(args), c.UseLine())
	}
}

func wantsJSON(c *cobra.Command) bool {
	o, _ := c.Flags().GetString("output")
	return o == "json"
}

// printJSON writes v as one line.
func printJSON(c *cobra.Command, v any) error {
	e := json.NewEncoder(c.OutOrStdout())
	e.SetEscapeHTML(false)
	return fail(exitInternal, e.Encode(v))
}
