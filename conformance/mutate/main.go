// Command mutate asks whether every condition of the shipped Rego matters to somebody: it takes each away, or turns it round, one at
// a time, and reports which of these mutants no Rego test and no guardrail notices (`make mutate`).
//
// Changed are, in every rule but tests and explain, which decides nothing: an expression of a body (taken away, or negated), also within every and comprehensions; a
// comparison; an element of a literal set or list; a number, text or boolean that is compared; and the rule as a whole. A mutant is killed by
// the first test that fails, its own topic's first, or else by the first invariant that does not hold. One that the compiler refuses is
// none.
//
// equivalent.yaml lists the mutants that change no decision, each with the reason. The command fails on a survivor that is not listed,
// and on a listed mutant that is killed or does not exist any more.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"
)

func main() {
	dir := flag.String("dir", "policies", "the folder of policies")
	listed := flag.String("equivalent", "conformance/mutate/equivalent.yaml", "the reviewed list of mutants that change nothing")
	only := flag.String("only", "", "mutate only files whose path contains this")
	quick := flag.Bool("quick", false, "stop at what the tests let live under topdown: no Wasm, no guardrails")
	flag.Parse()
	report, err := run(context.Background(), *dir, *listed, *only, !*quick, func(line string) { fmt.Println(line) })
	if report.mutants > 0 {
		fmt.Println(report)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// report counts what became of the mutants.
type report struct {
	mutants, refused, byTests, byGuardrails, equivalent int
	survivors                                           []string // not listed
	stale                                               []string // listed, and killed or gone
	took                                                time.Duration
}

func (r report) String() string {
	return fmt.Sprintf("%d mutants in %v: %d killed by tests, %d by guardrails, %d equivalent, %d survive (and the compiler refused %d more)",
		r.mutants, r.took.Round(time.Second), r.byTests, r.byGuardrails, r.equivalent, len(r.survivors), r.refused)
}

// run mutates the files of dir, says of each mutant that lives that it does, and fails as the package says.
func run(ctx context.Context, dir, listed, only string, whole bool, say func(string)) (report, error) {
	begun := time.Now()
	equivalent, err := readEquivalent(listed)
	if err != nil {
		return report{}, err
	}
	c, err := open(dir)
	if err != nil {
		return report{}, err
	}
	if killer, err := c.kill(ctx, c.modules, ""); err != nil || killer != "" {
		return report{}, errors.Join(fmt.Errorf("%s: before any change: %s", dir, killer), err)
	}
	mutants := c.mutants(only)
	say(fmt.Sprintf("%d mutants", len(mutants)))
	if len(mutants) == 0 {
		return report{}, fmt.Errorf("%s: nothing to mutate in files named *%s*", dir, only)
	}
	var r report
	var mu sync.Mutex // guards r, equivalent and errs
	var errs []error
	queue := make(chan mutant)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for m := range queue {
				verdict, err := c.judge(ctx, m, whole)
				mu.Lock()
				_, known := equivalent[m.name]
				switch {
				case err != nil:
					errs = append(errs, fmt.Errorf("%s: %w", m.name, err))
				case verdict == refused:
					r.refused++
				case verdict == survived && known:
					r.equivalent++
					r.mutants++
					delete(equivalent, m.name)
				case verdict == survived:
					r.mutants++
					r.survivors = append(r.survivors, m.name)
					say("survives: " + m.name)
				case verdict == byTest:
					r.mutants++
					r.byTests++
				default:
					r.mutants++
					r.byGuardrails++
				}
				mu.Unlock()
			}
		})
	}
	for _, m := range mutants {
		queue <- m
	}
	close(queue)
	workers.Wait()
	r.took = time.Since(begun)
	if len(errs) > 0 {
		return r, errors.Join(errs...)
	}
	for _, name := range slices.Sorted(maps.Keys(equivalent)) {
		if file, _, _ := strings.Cut(name, ": "); strings.Contains(file, only) && whole {
			r.stale = append(r.stale, name)
			say("listed as equivalent, and killed or gone: " + name)
		}
	}
	if len(r.survivors)+len(r.stale) > 0 {
		return r, fmt.Errorf("%d mutants survive and %d are listed wrongly: write a test for each, or correct %s", len(r.survivors), len(r.stale), listed)
	}
	return r, nil
}

// readEquivalent reads the list: name of the mutant → why it changes no decision.
func readEquivalent(file string) (map[string]string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	list := map[string]string{}
	if err := yaml.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for name, why := range list {
		if strings.TrimSpace(why) == "" {
			return nil, fmt.Errorf("%s: %q has no reason; say why it changes no decision", file, name)
		}
	}
	return list, nil
}
