package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
)

// result is what a server did at one number of requests in flight: the medians of the rounds, each for itself.
type result struct {
	Road     string  `json:"road"`
	Server   string  `json:"server"`
	InFlight int     `json:"in_flight"`
	RPS      float64 `json:"requests_per_second"`
	Least    float64 `json:"requests_per_second_least"`
	Most     float64 `json:"requests_per_second_most"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	CPU      float64 `json:"server_cpu_us_per_request"`
	EnvoyCPU float64 `json:"envoy_cpu_us_per_request"` // 0 on the direct road
}

func summary(t target, inFlight int, rounds []sample) result {
	median := func(of func(sample) float64) float64 { return sorted(rounds, of)[len(rounds)/2] }
	rps := sorted(rounds, func(s sample) float64 { return s.rps })
	return result{
		Road: t.road, Server: t.server, InFlight: inFlight,
		RPS: rps[len(rps)/2], Least: rps[0], Most: rps[len(rps)-1],
		P50: median(func(s sample) float64 { return s.p50 }), P99: median(func(s sample) float64 { return s.p99 }),
		CPU: median(func(s sample) float64 { return s.server }), EnvoyCPU: median(func(s sample) float64 { return s.proxies }),
	}
}

func sorted(rounds []sample, of func(sample) float64) []float64 {
	var all []float64
	for _, s := range rounds {
		all = append(all, of(s))
	}
	slices.Sort(all)
	return all
}

// report prints the table, and writes the figures to a file if there shall be one.
func report(w io.Writer, o options, results []result) error {
	of := func(r result, server string) float64 { // its requests a second where r is
		i := slices.IndexFunc(results, func(b result) bool { return b.Road == r.Road && b.InFlight == r.InFlight && b.Server == server })
		if i < 0 {
			return 0
		}
		return results[i].RPS
	}
	ratio := func(rps, base float64) string {
		if base == 0 {
			return "-"
		}
		return fmt.Sprintf("%.2f", rps/base)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "road\tin flight\tserver\treq/s\tmin–max\tof null\tof peer\tp50 ms\tp99 ms\tserver CPU µs\tEnvoy CPU µs\t")
	for _, r := range results {
		proxy := "-"
		if r.Road == envoy {
			proxy = fmt.Sprintf("%.0f", r.EnvoyCPU)
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%.0f\t%.0f–%.0f\t%s\t%s\t%.2f\t%.2f\t%.0f\t%s\t\n", r.Road, r.InFlight, r.Server,
			r.RPS, r.Least, r.Most, ratio(r.RPS, of(r, null)), ratio(r.RPS, of(r, peer)), r.P50, r.P99, r.CPU, proxy)
	}
	if err := t.Flush(); err != nil || o.out == "" {
		return err
	}
	b, err := json.MarshalIndent(struct {
		CPUs    int      `json:"cpus"`
		Go      string   `json:"go"`
		Rounds  int      `json:"rounds"`
		Seconds float64  `json:"seconds"`
		Denied  bool     `json:"denied"`
		Results []result `json:"results"`
	}{runtime.NumCPU(), runtime.Version(), o.rounds, o.seconds, o.denied, results}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.out, append(b, '\n'), 0o644)
}
