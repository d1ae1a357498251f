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

// verdict is what validate says as JSON.
type verdict struct {
	Valid    bool      `json:"valid"`
	Insecure []string  `json:"insecure"`
	Problems []problem `json:"problems"`
}

type problem struct {
	Place string `json:"place"` // FILE:LINE, a variable, or the command line
	Key   string `json:"key"`
	What  string `json:"what"`
	Do    string `json:"do"`
}

func newVerdict(c config.Config, err error) verdict {
	v := verdict{Valid: err == nil, Insecure: append([]string{}, c.Insecure()...), Problems: []problem{}}
	var all *config.Errors
	if errors.As(err, &all) {
		for _, p := range all.Problems {
			v.Problems = append(v.Problems, problem(p))
		}
	}
	return v
}

func newConfig() *cobra.Command {
	var flags configFlags
	validate := &cobra.Command{
		Use: "validate", Short: "Check a config file and what it names on this machine", Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			loaded, err := flags.load()
			if err == nil {
				err = fail(exitUsage, loaded.Check())
			}
			if wantsJSON(c) {
				return errors.Join(err, printJSON(c, newVerdict(loaded, err)))
			}
			if err != nil {
				return err
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
		Use: "schema", Short: "Print the JSON Schema of the config file", Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := c.OutOrStdout().Write(config.Schema())
			return fail(exitInternal, err)
		},
	}
	schema.Flags().StringP("config", "c", "", "unused; taken so that both commands read alike")
	return group("config", "Check the gateway's config", validate, schema)
}
