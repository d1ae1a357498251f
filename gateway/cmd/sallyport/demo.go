package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/authz/audit"
	"github.com/sallyport-dev/sallyport/gateway/demo"
	"github.com/sallyport-dev/sallyport/gateway/demo/jobs/sandbox"
)

func newDemo() *cobra.Command {
	var o demo.Options
	c := &cobra.Command{
		Use: "demo", Args: command,
		Short: "Run the demo world on loopback: issuers, a store, Envoy and the gateway, and a tour of requests",
		RunE: func(c *cobra.Command, _ []string) error {
			binary, err := os.Executable()
			if err != nil {
				return fail(exitInternal, err)
			}
			o.Binary, o.Out = binary, c.OutOrStdout()
			return demoFailure(demo.Run(c.Context(), o))
		},
	}
	dir := c.PersistentFlags().String("dir", ".demo", "the folder that holds everything")
	c.Flags().StringVar(&o.Tour, "tour", "", "once: exit after the tour; none: only serve")
	c.PersistentPreRunE = func(c *cobra.Command, args []string) error {
		o.Dir = *dir
		return c.Root().PersistentPreRunE(c, args)
	}
	token := &cobra.Command{
		Use: "token NAME", Short: "Print a fresh token of a demo person", Args: one("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			t, err := demo.Token(*dir, args[0])
			if err != nil {
				return demoFailure(err)
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), t)
			return fail(exitInternal, err)
		},
	}
	var address string
	issuers := &cobra.Command{
		Use: "issuers", Short: "Serve the demo nations' issuers", Args: none, Hidden: true,
		RunE: func(c *cobra.Command, _ []string) error {
			return demoFailure(demo.ServeIssuers(c.Context(), *dir, address))
		},
	}
	issuers.Flags().StringVar(&address, "address", "127.0.0.1:9400", "where to listen")
	jobs := &cobra.Command{
		Use: "jobs", Short: "Serve the demo's jobs", Args: none, Hidden: true,
		RunE: func(c *cobra.Command, _ []string) error {
			binary, err := os.Executable()
			if err != nil {
				return fail(exitInternal, err)
			}
			return demoFailure(demo.ServeJobs(c.Context(), *dir, []string{binary, "demo", "sandbox"}))
		},
	}
	sandbox := &cobra.Command{
		Use: "sandbox", Short: "Run one module of a job", Args: none, Hidden: true,
		RunE: func(c *cobra.Command, _ []string) error { return fail(exitInternal, sandbox.Main(os.Stdin, os.Stdout)) },
	}
	c.AddCommand(token, issuers, jobs, sandbox)
	return c
}

// demoFailure gives an error of the demo its exit code.
func demoFailure(err error) error {
	var part *demo.PartError
	var environment *demo.EnvironmentError
	var damage *audit.Damage
	switch {
	case errors.As(err, &part) && (part.ExitCode() == exitPolicy || part.ExitCode() == exitLog):
		return fail(part.ExitCode(), err) // the gateway's own verdict on bundle or logs
	case errors.As(err, &environment):
		return fail(exitUsage, err)
	case errors.As(err, &damage):
		return fail(exitLog, err)
	}
	return fail(exitInternal, err)
}
