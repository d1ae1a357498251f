package gateway

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

func TestADisagreementIsCountedRecordedAndEndsWasm(t *testing.T) {
	t.Parallel()
	g := start(t, world)
	if e := g.engine(); e == policy.Topdown {
		t.Fatal("a gateway begins with topdown")
	}
	g.disagreed(world.Ref(), policy.Disagreement{
		Input: []byte("{}"), Wasm: authz.Decision{Allow: true},
		Topdown: authz.Decision{Reasons: []authz.Reason{"label.missing"}, Unproven: []authz.Reason{"label.missing"}},
	})
	if e := g.engine(); e != policy.Topdown {
		t.Errorf("the next generation evaluates with %q", e)
	}
	if line := "sallyport_policy_engine_disagreements_total 1"; !strings.Contains(scraped(t, g.Server), line) {
		t.Errorf("metrics have no %s", line)
	}
	var got []map[string]string
	for _, r := range g.records(t)["gateway"] {
		if r.Type == "disagreement" && r.Bundle == world.Ref() {
			got = append(got, r.Fields)
		}
	}
	want := []map[string]string{{
		"input_sha256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
		"decisions":    "wasm: allow, topdown: deny [label.missing] (unproven [label.missing])",
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("records (-want +got):\n%s", d)
	}
	if err := g.Activate(t.Context(), world); err != nil {
		t.Error(err)
	}
}
