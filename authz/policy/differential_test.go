package policy_test

import (
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
