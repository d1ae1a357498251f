package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/authz/policy"
	"github.com/sallyport-dev/sallyport/conformance/attacks"
	"github.com/sallyport-dev/sallyport/gateway/demo"
)

// replayTimeout is for evaluations that nobody waits for at Envoy.
const replayTimeout = 10 * time.Second

func newConformance() *cobra.Command {
	return group("conformance", "Try whether a gateway behind Envoy holds what it promises", newConformanceRun())
}

func newConformanceRun() *cobra.Command {
	var target, dir, only string
	c := &cobra.Command{
		Use:   "run --target HOST:PORT",
		Short: "Send the suite of attacks through Envoy, and say which pass",
		Long: `Sends every case of the attack suite through the Envoy at --target and holds the answer, the decision records and the store's log
against what the case says; then checks what holds of all of them. The gateway must serve the demo world in --dir.
Exit code 0: no attack passes; 4: some do, or an honest request is refused.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if target == "" {
				return errors.New("no target: name Envoy's storage listener with --target HOST:PORT")
			}
			cases, err := chosen(only)
			if err != nil {
				return err
			}
			world, stop, err := attacked(c.Context(), target, dir)
			if err != nil {
				return fail(exitUsage, err)
			}
			defer stop()
			text := !wantsJSON(c)
			report, err := attacks.Run(world, buildInfo().Version, cases, func(r attacks.Result) {
				if text && !r.Passed {
					fmt.Fprintf(c.OutOrStdout(), "FAIL %s %v\n", r.Name, r.Flags)
					for _, p := range r.Problems {
						fmt.Fprintf(c.OutOrStdout(), "     %s\n", p)
					}
				}
			})
			if err != nil {
				return fail(exitUsage, err)
			}
			if err := printAttacks(c, report); err != nil {
				return err
			}
			if !report.OK() {
				return fail(exitTests, errors.New("the gateway does not hold what it promises"))
			}
			return nil
		},
	}
	c.Flags().StringVar(&target, "target", "", "Envoy's storage listener, host:port")
	c.Flags().StringVar(&dir, "dir", ".demo", "the folder of the demo world that the gateway serves")
	c.Flags().StringVar(&only, "only", "", "only the cases that this regexp finds in feature/name")
	return c
}

// chosen returns the cases whose names only finds.
func chosen(only string) ([]attacks.Case, error) {
	find, err := regexp.Compile(only)
	if err != nil {
		return nil, fmt.Errorf("--only: %w", err)
	}
	all, err := attacks.Cases()
	if err != nil {
		return nil, err
	}
	var cases []attacks.Case
	for _, c := range all {
		if find.MatchString(c.Name) {
			cases = append(cases, c)
		}
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("--only %q: no case has such a name", only)
	}
	return cases, nil
}

// attacked is the demo world in dir as the suite sees it.
func attacked(ctx context.Context, target, dir string) (w attacks.World, stop func(), err error) {
	layout, err := demo.NewLayout(dir)
	if err != nil {
		return w, nil, err
	}
	b, err := policy.Load(layout.Bundle())
	if err != nil {
		return w, nil, err
	}
	e, err := policy.New(ctx, b, policy.Config{Timeout: replayTimeout})
	if err != nil {
		return w, nil, err
	}
	return attacks.World{
		Target: target, Dir: layout.Dir,
		Token: func(person string) (string, error) { return demo.Token(layout.Dir, person) },
		Replay: func(bundle string, input json.RawMessage) (bool, []string, error) {
			if bundle != b.Ref().Digest {
				return false, nil, fmt.Errorf("it was judged by the bundle %s, and %s has %s", bundle, layout.Bundle(), b.Ref().Digest)
			}
			o, err := e.Replay(ctx, input)
			unproven := []string{}
			for _, r := range o.Decision.Unproven {
				unproven = append(unproven, string(r))
			}
			return o.Decision.Allow, unproven, err
		},
	}, e.Close, nil
}

func printAttacks(c *cobra.Command, r attacks.Report) error {
	if wantsJSON(c) {
		return printJSON(c, r)
	}
	for _, i := range []string{"I1", "I2", "I3", "I4", "I5"} {
		for _, broken := range r.Invariants[i] {
			fmt.Fprintf(c.OutOrStdout(), "FAIL %s: %s\n", i, broken)
		}
	}
	fmt.Fprintf(c.OutOrStdout(), "%d cases as they must be, %d not; sallyport %s, %s, %s\nagain: %s\n", r.Passed, r.Failed, r.Version, r.Target,
		r.Started.Format("2006-01-02 15:04:05Z"), r.Reproduce)
	return nil
}
