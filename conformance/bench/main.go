// Command bench measures the gateway beside an ext_authz server that decides nothing and always allows, each behind an Envoy of its
// own with the demo's configuration, in one run on one machine: `make bench`. Rounds are interleaved and the medians are compared,
// because machines are shared and noisy; only the ratios mean something.
//
// Both Envoys forward to the same trivial upstream, so that what differs is what Envoy asks. The gateway's side is complete: it
// verifies the token, evaluates the policy afresh and waits until its record is on disk.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/sallyport-dev/sallyport/gateway/demo"
)

const usage = "run me with `make bench`"

func main() {
	root := flag.String("root", ".", "the repository, with bin/sallyport built")
	out := flag.String("json", "", "also write the figures to this file")
	rounds := flag.Int("rounds", 3, "rounds; the median counts")
	each := flag.Duration("each", 3*time.Second, "how long one measurement lasts")
	null := flag.String("null", "", "be the server that always allows, on this socket (internal)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if *null != "" {
		err = serveNull(ctx, *null, os.Getenv("NULL_MARK"))
	} else {
		err = run(ctx, *root, *out, *rounds, *each)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// side is one of the two servers that are compared.
type side struct {
	name string
	port int // of its Envoy
	pid  int // of the server that Envoy asks
}

// result is what one side did at one number of requests in flight.
type result struct {
	Server   string  `json:"server"`
	InFlight int     `json:"in_flight"`
	RPS      float64 `json:"requests_per_second"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	CPU      float64 `json:"server_cpu_us_per_request"`
}

func run(ctx context.Context, root, out string, rounds int, each time.Duration) error {
	dir, err := os.MkdirTemp("/tmp", "sallyport-bench")
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
		ended <- demo.Run(ctx, demo.Options{
			Dir: world, Tour: "none", Out: os.Stderr, Ports: ports,
			Binary: filepath.Join(root, "bin", "sallyport"), ToolsDir: filepath.Join(root, ".tools"),
		})
	}()
	defer func() { stop(); <-ended }()
	gateway, err := waitReady(ctx, filepath.Join(world, "ready.json"), ended)
	if err != nil {
		return err
	}
	sides, closeSides, err := start(ctx, dir, world, filepath.Join(root, ".tools"), gateway)
	if err != nil {
		return err
	}
	defer closeSides()
	token, err := demo.Token(world, "sam")
	if err != nil {
		return err
	}
	results, err := measure(ctx, sides, token, rounds, each)
	if err != nil {
		return err
	}
	print(os.Stdout, results)
	if out == "" {
		return nil
	}
	b, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(out, append(b, '\n'), 0o644)
}

// waitReady returns the gateway's process id once the demo runs.
func waitReady(ctx context.Context, path string, ended <-chan error) (pid int, err error) {
	for {
		b, err := os.ReadFile(path)
		if err == nil {
			var ready struct{ Pids map[string]int }
			if err := json.Unmarshal(b, &ready); err != nil {
				return 0, err
			}
			return ready.Pids["sallyport"], nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case err := <-ended:
			return 0, errors.Join(errors.New("the demo ended"), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// measure runs the rounds, the order of the sides reversed in every other one, and returns the medians.
func measure(ctx context.Context, sides []side, token string, rounds int, each time.Duration) ([]result, error) {
	var results []result
	for _, inFlight := range []int{1, 16, 64} {
		seen := map[string][]result{}
		for round := range rounds {
			order := slices.Clone(sides)
			if round%2 == 1 {
				slices.Reverse(order)
			}
			for _, s := range order {
				fmt.Fprintf(os.Stderr, "%d in flight, round %d of %d: %s\n", inFlight, round+1, rounds, s.name)
				r, err := load(ctx, s, token, inFlight, each)
				if err != nil {
					return nil, fmt.Errorf("%s, %d in flight: %w", s.name, inFlight, err)
				}
				seen[s.name] = append(seen[s.name], r)
			}
		}
		for _, s := range sides {
			results = append(results, median(seen[s.name]))
		}
	}
	return results, nil
}

// median is the round whose requests per second are in the middle.
func median(rounds []result) result {
	slices.SortFunc(rounds, func(a, b result) int { return int(a.RPS - b.RPS) })
	return rounds[len(rounds)/2]
}

func print(w io.Writer, results []result) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "in flight\tserver\trequests/s\tp50 ms\tp99 ms\tserver CPU µs/request\trequests/s against null\t")
	base := map[int]float64{}
	for _, r := range results {
		if r.Server == nullName {
			base[r.InFlight] = r.RPS
		}
	}
	for _, r := range results {
		fmt.Fprintf(t, "%d\t%s\t%.0f\t%.1f\t%.1f\t%.0f\t%.2f\t\n", r.InFlight, r.Server, r.RPS, r.P50, r.P99, r.CPU, r.RPS/base[r.InFlight])
	}
	t.Flush()
}

// load keeps inFlight requests under way for a while and reports how it went. Any answer but 200 is an error: a server that refuses
// is fast.
func load(ctx context.Context, s side, token string, inFlight int, each time.Duration) (result, error) {
	client := &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: inFlight, DialContext: (&net.Dialer{}).DialContext},
		Timeout:   5 * time.Second,
	}
	defer client.CloseIdleConnections()
	url := fmt.Sprintf("http://127.0.0.1:%d/us-defense-plans/welcome.txt", s.port)
	ask := func() error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Host = "storage.sallyport.test"
		resp, err := client.Do(r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("status %s", resp.Status)
		}
		return nil
	}
	if err := ask(); err != nil { // warm
		return result{}, err
	}
	before, err := cpu(s.pid)
	if err != nil {
		return result{}, err
	}
	start := time.Now()
	type done struct {
		times []time.Duration
		err   error
	}
	results := make(chan done, inFlight)
	for range inFlight {
		go func() {
			var d done
			for time.Since(start) < each && d.err == nil {
				t := time.Now()
				d.err = ask()
				d.times = append(d.times, time.Since(t))
			}
			results <- d
		}()
	}
	var times []time.Duration
	for range inFlight {
		d := <-results
		if d.err != nil {
			err = d.err
		}
		times = append(times, d.times...)
	}
	took := time.Since(start)
	if err != nil {
		return result{}, err
	}
	after, err := cpu(s.pid)
	if err != nil {
		return result{}, err
	}
	slices.Sort(times)
	n := len(times)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return result{
		Server: s.name, InFlight: inFlight, RPS: float64(n) / took.Seconds(),
		P50: ms(times[n/2]), P99: ms(times[n*99/100]),
		CPU: float64((after-before)/time.Microsecond) / float64(n),
	}, nil
}
