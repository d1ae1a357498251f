package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/gateway/config"
)

// configFlags are the flags by which a command names the gateway's config.
type configFlags struct {
	path string
	set  []string
}

func (f *configFlags) add(c *cobra.Command) {
	c.Flags().StringVarP(&f.path, "config", "c", "", "the gateway's config file")
	c.Flags().StringArrayVar(&f.set, "set", nil, "set one key over file and environment: --set limits.accesses=100")
}

// load returns the config, valid in itself; whether this machine fits it is config.Check.
func (f *configFlags) load() (config.Config, error) {
	if f.path == "" {
		return config.Config{}, fail(exitUsage, errors.New("no config: name one with -c FILE"))
	}
	over := make(map[string]string, len(f.set))
	for _, s := range f.set {
		key, value, ok := strings.Cut(s, "=")
		if !ok {
			return config.Config{}, fail(exitUsage, fmt.Errorf("--set %q: want KEY=VALUE", s))
		}
		over[key] = value
	}
	c, err := config.Load(f.path, os.Environ(), over)
	return c, fail(exitUsage, err)
}

func newConfig() *cobra.Command {
	var flags configFlags
	validate := &cobra.Command{
		Use: "validate", Short: "Check a config file and what it names on this machine", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			loaded, err := flags.load()
			if err != nil {
				return err
			}
			if err := loaded.Check(); err != nil {
				return fail(exitUsage, err)
			}
			if wantsJSON(c) {
				return printJSON(c, map[string]any{"valid": true, "insecure": append([]string{}, loaded.Insecure()...)})
			}
			fmt.Fprintln(c.OutOrStdout(), "valid")
			for _, s := range loaded.Insecure() {
				fmt.Fprintln(c.OutOrStdout(), "insecure:", s)
			}
			return nil
		},
	}
	flags.add(validate)
	schema := &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of the config file", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := c.OutOrStdout().Write(config.Schema())
			return fail(exitInternal, err)
		},
	}
	schema.Flags().StringP("config", "c", "", "unused; taken so that both commands read alike")
	return group("config", "Check the gateway's config", validate, schema)
}
