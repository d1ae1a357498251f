package policy_test

import (
	"encoding/json"
	"flag"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

// both are the two engines over one bundle.
func both(t testing.TB, dir string) (b *policy.Bundle, wasm, topdown *policy.Engine) {
	t.Helper()
	b, err := policy.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	open := func(engine string) *policy.Engine {
		e, err := policy.New(t.Context(), b, policy.Config{Engine: engine, Workers: 1, Timeout: time.Minute, Shadow: -1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Close)
		return e
	}
	return b, open(policy.Wasm), open(policy.Topdown)
}

var soak = flag.Bool("soak", false, "ask both engines a million odd inputs, and 10,000 of each awkward rule")

func judge(t testing.TB, e *policy.Engine, input []byte) authz.Decision {
	t.Helper()
	d, err := policy.DecideText(e, input)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestBothEnginesDecideTheGridOfTheDemoAlike(t *testing.T) {
	t.Parallel()
	b, wasm, topdown := both(t, shipped(t))
	grid := policy.Grid(b)
	reasons := map[authz.Reason]int{}
	allowed := 0
	for _, input := range grid {
		want := judge(t, topdown, input)
		if d := cmp.Diff(want, judge(t, wasm, input)); d != "" {
			t.Fatalf("%s (-topdown +wasm):\n%s", input, d)
		}
		if want.Allow {
			allowed++
		}
		for _, r := range want.Unproven {
			reasons[r]++
		}
	}
	t.Logf("%d inputs, %d allowed, %d different reasons", len(grid), allowed, len(reasons))
	if allowed < 10 || len(reasons) < 25 || reasons["system.policy_error"] > 0 {
		t.Errorf("the grid is poor: %d of %d allowed, reasons %v", allowed, len(grid), reasons)
	}
}

// mutate replaces something in v, at any depth, by something that does not belong there or by the same of another place.
func mutate(r *rand.Rand, v any) any {
	odd := []any{nil, true, false, 0, -1, 7, "", "USA", "SECRET", "x", "any", "none", []any{}, []any{"USA"}, []any{nil}, map[string]any{}, "2026-01-01T00:00:00.000000000Z"}
	switch v := v.(type) {
	case map[string]any:
		if len(v) > 0 && r.IntN(8) > 0 {
			keys := make([]string, 0, len(v))
			for k := range v {
				keys = append(keys, k)
			}
			slices.Sort(keys)
			k := keys[r.IntN(len(keys))]
			if r.IntN(30) == 0 {
				delete(v, k)
			} else {
				v[k] = mutate(r, v[k])
			}
			return v
		}
	case []any:
		if len(v) > 0 && r.IntN(4) > 0 {
			i := r.IntN(len(v))
			v[i] = mutate(r, v[i])
			return v
		} else if len(v) > 0 && r.IntN(2) == 0 {
			return append(v, v[r.IntN(len(v))])
		}
	}
	return odd[r.IntN(len(odd))]
}

// askShipped wants n mutated inputs of the grid to be decided alike. It returns how many were errors of the policy.
func askShipped(t *testing.T, wasm, topdown *policy.Engine, grid []json.RawMessage, seed uint64, n int) (failed int) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 0))
	for range n {
		var v any
		if err := json.Unmarshal(grid[r.IntN(len(grid))], &v); err != nil {
			t.Fatal(err)
		}
		for range 1 + r.IntN(3) {
			v = mutate(r, v)
		}
		input, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		want := judge(t, topdown, input)
		if d := cmp.Diff(want, judge(t, wasm, input)); d != "" {
			t.Errorf("%s (-topdown +wasm):\n%s", input, d)
			return failed
		}
		if slices.Contains(want.Reasons, authz.SystemPolicyError) {
			failed++
		}
	}
	return failed
}

func TestBothEnginesDecideOddInputsAlike(t *testing.T) {
	t.Parallel()
	b, wasm, topdown := both(t, shipped(t))
	n := 1000
	if *soak {
		n = 1_000_000
	}
	t.Logf("%d of %d are errors of the policy", askShipped(t, wasm, topdown, policy.Grid(b), 1, n), n)
}

func FuzzShippedPolicies(f *testing.F) {
	f.Add(uint64(2))
	b, wasm, topdown := both(f, shipped(f))
	grid := policy.Grid(b)
	f.Fuzz(func(t *testing.T, seed uint64) { askShipped(t, wasm, topdown, grid, seed, 5) })
}
