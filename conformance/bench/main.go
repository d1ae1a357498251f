// Command bench measures the gateway beside two other ext_authz servers, in one run on one machine: `make bench`. Null, a stock
// grpc-go server, always allows; the peer's way is the same server with OPA's interpreter, which verifies the token and evaluates
// the same bundle for every request. README.md says what is measured, and what it does not show.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"time"

	"github.com/sallyport-dev/sallyport/gateway/demo"
)

func main() {
	var o options
	flag.StringVar(&o.root, "root", ".", "the repository, with bin/sallyport built")
	flag.StringVar(&o.out, "json", "", "also write the figures to this `file`")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds; the medians count")
	flag.Float64Var(&o.seconds, "seconds", 2, "how long one measurement lasts")
	flag.BoolVar(&o.denied, "denied", false, "let a third of the requests be ones that policy denies")
	only := flag.String("only", "", "measure only what this `regexp` finds in road/server/in-flight, such as envoy/(null|sallyport)/64$")
	serve := flag.String("serve", "", "be the server null or peer (internal)")
	socket := flag.String("socket", "", "of that server (internal)")
	folder := flag.String("folder", "", "that the server peer loads (internal)")
	flag.StringVar(&o.plugin, "plugin", "", "let this `binary` of OPA's Envoy plugin be the peer, instead of the model of it")
	world := flag.String("world", "", "the demo's folder (internal)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch *serve {
	case "":
		if o.only, err = regexp.Compile(*only); err == nil {
			err = bench(ctx, o)
		}
	case null, peer:
		err = serveOther(ctx, *serve, *socket, *world, *folder)
	default:
		err = fmt.Errorf("-serve %q: want %s or %s", *serve, null, peer)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	root, out string
	plugin    string
	rounds    int
	seconds   float64
	denied    bool
	only      *regexp.Regexp
}

func bench(ctx context.Context, o options) error {
	if o.rounds < 1 || o.seconds <= 0 {
		return errors.New("-rounds and -seconds: want more than nothing")
	}
	dir, err := os.MkdirTemp("/tmp", "bench") // short: sockets live in it
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	world := filepath.Join(dir, "demo")
	ports, err := demo.FreePorts()
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() {
		defer close(ended) // whoever asks after the error gets nil, and does not wait
		ended <- demo.Run(ctx, demo.Options{
			Dir: world, Tour: "none", Out: os.Stderr, Ports: ports,
			Binary: filepath.Join(o.root, "bin", "sallyport"), ToolsDir: filepath.Join(o.root, ".tools"),
		})
	}()
	defer func() { stop(); <-ended }()
	gateway, err := waitReady(ctx, filepath.Join(world, "ready.json"), ended)
	if err != nil {
		return err
	}
	targets, closeAll, err := start(ctx, dir, world, filepath.Join(o.root, ".tools"), o.plugin, gateway)
	defer closeAll()
	if err != nil {
		return err
	}
	questions, err := ask(world, o.denied)
	if err != nil {
		return err
	}
	results, err := measure(ctx, o, targets, questions)
	if err != nil {
		return err
	}
	return report(os.Stdout, o, results)
}

// measure runs the rounds, the order of the servers reversed in every other one, and returns the medians.
func measure(ctx context.Context, o options, targets []target, questions []question) ([]result, error) {
	var results []result
	for _, road := range []string{direct, envoy} {
		for _, inFlight := range []int{1, 16, 64} {
			var chosen []target
			for _, t := range targets {
				if t.road == road && o.only.MatchString(fmt.Sprintf("%s/%s/%d", road, t.server, inFlight)) {
					chosen = append(chosen, t)
				}
			}
			seen := map[string][]sample{}
			for round := range o.rounds {
				order := slices.Clone(chosen)
				if round%2 == 1 {
					slices.Reverse(order)
				}
				for _, t := range order {
					s, err := load(ctx, t, questions, inFlight, time.Duration(o.seconds*float64(time.Second)))
					if err != nil {
						return nil, fmt.Errorf("%s/%s/%d: %w", road, t.server, inFlight, err)
					}
					fmt.Fprintf(os.Stderr, "%s/%s/%d round %d of %d: %.0f/s\n", road, t.server, inFlight, round+1, o.rounds, s.rps)
					seen[t.server] = append(seen[t.server], s)
				}
			}
			for _, t := range chosen {
				results = append(results, summary(t, inFlight, seen[t.server]))
			}
		}
	}
	return results, nil
}
