package road_test

import (
	"encoding/json"
	"testing"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
	"github.com/sallyport-dev/sallyport/conformance/attacks"
	"github.com/sallyport-dev/sallyport/gateway/demo"
)

func TestNoAttackPasses(t *testing.T) {
	w := sharedWorld(t)
	cases, err := attacks.Cases()
	if err != nil {
		t.Fatal(err)
	}
	b, err := policy.Load(w.Bundle())
	if err != nil {
		t.Fatal(err)
	}
	e, err := policy.New(t.Context(), b, policy.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	report, err := attacks.Run(attacks.World{
		Target: w.storage(), Dir: w.Dir,
		Token: func(person string) (string, error) { return demo.Token(w.Dir, person) },
		Replay: func(_ string, input json.RawMessage) (bool, []string, error) {
			o, err := e.Replay(t.Context(), input)
			return o.Decision.Allow, names(o.Decision.Unproven), err
		},
	}, "test", cases, func(r attacks.Result) {
		if !r.Passed {
			t.Errorf("%s: %s", r.Name, r.Problems)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, broken := range report.Invariants {
		for _, b := range broken {
			t.Errorf("%s: %s", i, b)
		}
	}
	t.Logf("%d cases passed, %d failed", report.Passed, report.Failed)
	if !report.OK() || report.Passed < 150 {
		t.Error("the suite did not pass whole")
	}
}

func names(reasons []authz.Reason) []string {
	out := []string{}
	for _, r := range reasons {
		out = append(out, string(r))
	}
	return out
}
