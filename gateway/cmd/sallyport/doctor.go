package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/gateway/doctor"
)

func newDoctor() *cobra.Command {
	var admin string
	c := &cobra.Command{
		Use:   "doctor FILE | --admin URL",
		Short: "Find what in an Envoy configuration lets requests slip past",
		Long: `Reads an Envoy bootstrap or config dump, YAML or JSON, or asks a running Envoy by its admin interface, and lists by file and line
what would let a request past the gateway, or be read differently by gateway and upstream. FILE may be -, for standard input.
Exit code 0: nothing found; 2: something, or no Envoy configuration. --output takes sarif too.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if (len(args) == 0) == (admin == "") {
				return errors.New("want either FILE or --admin URL")
			}
			found, err := examine(c, args, admin)
			if err != nil {
				return fail(exitUsage, err)
			}
			if err := printFindings(c, found); err != nil {
				return err
			}
			if len(found) > 0 {
				return fail(exitUsage, fmt.Errorf("%d findings", len(found)))
			}
			return nil
		},
	}
	c.Flags().StringVar(&admin, "admin", "", "of a running Envoy: http://host:port or unix:/path")
	return c
}

func examine(c *cobra.Command, args []string, admin string) ([]doctor.Finding, error) {
	if admin != "" {
		return doctor.Live(c.Context(), admin)
	}
	if args[0] == "-" {
		return doctor.Examine("<stdin>", c.InOrStdin(), doctor.Measured{})
	}
	f, err := os.Open(args[0])
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return doctor.Examine(args[0], f, doctor.Measured{})
}

func printFindings(c *cobra.Command, found []doctor.Finding) error {
	switch output, _ := c.Flags().GetString("output"); output {
	case "json":
		return printJSON(c, map[string]any{"ok": len(found) == 0, "findings": append([]doctor.Finding{}, found...)})
	case "sarif":
		text, err := doctor.SARIF(found, buildInfo().Version)
		if err == nil {
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", text)
		}
		return err
	}
	if len(found) == 0 {
		fmt.Fprintln(c.OutOrStdout(), "ok")
	}
	for _, f := range found {
		place := f.File
		if f.Line > 0 {
			place = fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		fmt.Fprintf(c.OutOrStdout(), "%s: %s (%s): %s\n    at  %s\n    why %s\n    fix %s\n", place, f.ID, f.Risk, f.Detail, f.At, f.Why, f.Fix)
	}
	return nil
}
