package gateway

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

// TestEachDecisionRestsOnExactlyOneBundle activates two laws in turn while requests run: of the one sam may read, of the other not.
func TestEachDecisionRestsOnExactlyOneBundle(t *testing.T) {
	t.Parallel()
	other := edited(t, notContracted)
	g := start(t, world)
	c := client(t, g.Server, nil)
	tok := token(t, "SECRET")

	var done atomic.Bool
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for !done.Load() {
				check(t, c, ask("GET", plans, tok))
			}
		})
	}
	for i := range 6 {
		next := []*policy.Bundle{other, world}[i%2]
		if err := g.Activate(t.Context(), next); err != nil {
			t.Error(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	done.Store(true)
	asking.Wait()

	count := map[bool]int{}
	for _, r := range g.decisions(t)["us-defense"] {
		count[r.Allow]++
		want := other.Ref()
		if r.Allow {
			want = world.Ref()
		}
		if r.Bundle != want {
			t.Errorf("allow is %v by bundle %s, which says otherwise", r.Allow, r.Bundle.Digest)
		}
	}
	if count[true] == 0 || count[false] == 0 {
		t.Errorf("the requests saw one bundle only: %v", count)
	}
	var activations []authz.BundleRef
	for _, r := range g.records(t)["gateway"] {
		if r.Type == "activation" {
			activations = append(activations, r.Bundle)
		}
	}
	a, b := world.Ref(), other.Ref()
	if diff := cmp.Diff([]authz.BundleRef{a, b, a, b, a, b, a}, activations); diff != "" {
		t.Errorf("activations on record (-want +got):\n%s", diff)
	}
}

func TestARefusedActivationLeavesEverythingAsItWas(t *testing.T) {
	t.Parallel()
	gone := edit{"tenants/us-defense/issuers/data.yaml", `jwks_uri: "` + issuers.URL + `/usa/jwks"`, `jwks_uri: "http://127.0.0.1:1/jwks"`}
	does := edit{"root/compliance/compliance.rego", "count(unproven) == 0", "count(unprovn) == 0"}
	logFails := errors.New("read-only file system")
	for name, c := range map[string]struct {
		bundle *policy.Bundle
		log    func(*Config)
		want   string
		law    bool // the bundle is to blame
	}{
		"a bundle without an enclave of this gateway": {edited(t, noEnclave, gone), nil, `no enclave "edge-7"`, false},
		"revocations that would be taken back":        {edited(t, edit{"root/revocations/data.yaml", "serial: 1", "serial: 0"}, gone), nil, "older than serial 1", true},
		"Rego that does not compile":                  {edited(t, does, gone), nil, "unprovn", true},
		"logs that can't be opened": {edited(t, gone), func(c *Config) {
			c.Log = &useless{Logs: c.Log.(*audit.Logs), use: logFails}
		}, logFails.Error(), false},
		"an activation that is not recorded": {edited(t, gone), func(c *Config) {
			c.Log = &useless{Logs: c.Log.(*audit.Logs), append: logFails}
		}, logFails.Error(), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var changes []func(*Config)
			if c.log != nil {
				changes = append(changes, c.log)
			}
			g := start(t, world, changes...)
			if l, ok := g.c.Log.(*useless); ok {
				l.broken.Store(true)
			}
			err := g.Activate(t.Context(), c.bundle)
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrBundle) != c.law {
				t.Errorf("Activate = %v, want …%s… (the bundle's fault: %v)", err, c.want, c.law)
			}
			if l, ok := g.c.Log.(*useless); ok {
				l.broken.Store(false)
			}
			st := g.Status(t.Context())
			if !st.Ready || st.Bundle["digest"] != world.Ref().Digest {
				t.Errorf("readiness is not as before: %+v", st)
			}
			got, _ := check(t, client(t, g.Server, nil), ask("GET", plans, token(t, "SECRET")))
			if diff := cmp.Diff(passes, got); diff != "" {
				t.Errorf("the old bundle no longer judges (-want +got):\n%s", diff)
			}
			text := scraped(t, g.Server)
			for _, line := range []string{`sallyport_policy_activations_total{result="refused"} 1`, `sallyport_policy_activations_total{result="activated"} 1`} {
				if !strings.Contains(text, line) {
					t.Errorf("metrics have no %s", line)
				}
			}
		})
	}
}

// useless is a log that can't open others, or take records, while it is broken.
type useless struct {
	*audit.Logs
	broken      atomic.Bool
	use, append error
}

func (l *useless) Use(tenants []string) error {
	if l.broken.Load() && l.use != nil {
		return l.use
	}
	return l.Logs.Use(tenants)
}

func (l *useless) Append(ctx context.Context, r authz.Record) error {
	if l.broken.Load() && l.append != nil {
		return l.append
	}
	return l.Logs.Append(ctx, r)
}

func TestAClosedServerDenies(t *testing.T) {
	t.Parallel()
	g := start(t, world)
	if err := g.Activate(t.Context(), world); err != nil { // so that there is a retired engine too
		t.Fatal(err)
	}
	c := client(t, g.Server, nil)
	g.Close()
	g.Close()
	got, _ := check(t, c, ask("GET", plans, token(t, "SECRET")))
	if diff := cmp.Diff(denied(403, "system.internal"), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOnlyAWholeAnswerOfPolicyIsNoDenial(t *testing.T) {
	t.Parallel()
	allow := policy.Outcome{Decision: authz.Decision{Allow: true}}
	deny := policy.Outcome{Decision: authz.Decision{Reasons: reasons("clearance.level")}}
	obliged := policy.Outcome{Decision: authz.Decision{Allow: true, Obligations: []authz.Obligation{{ID: "view-only"}}}}
	logged := policy.Outcome{Decision: authz.Decision{Allow: true, Obligations: []authz.Obligation{{ID: "audit.buffered"}, {ID: "audit.mask", Fields: []string{"/subject/id"}}, {ID: "display_only"}}}}
	two := make([]authz.Access, 2)
	for name, c := range map[string]struct {
		accesses []authz.Access
		outcomes []policy.Outcome
		want     string
	}{
		"each access is allowed":        {two, []policy.Outcome{allow, allow}, ""},
		"nothing was decided":           {nil, nil, "system.policy_error: not every access was decided"},
		"no outcome for an access":      {two[:1], nil, "system.policy_error: not every access was decided"},
		"fewer outcomes than accesses":  {two, []policy.Outcome{allow}, "system.policy_error: not every access was decided"},
		"more outcomes than accesses":   {two[:1], []policy.Outcome{allow, allow}, "system.policy_error: not every access was decided"},
		"one access of two is denied":   {two, []policy.Outcome{allow, deny}, errDenied.Error()},
		"a zero outcome":                {two[:1], make([]policy.Outcome, 1), errDenied.Error()},
		"an obligation that is unknown": {two, []policy.Outcome{allow, obliged}, "obligation.unsupported: obligation view-only"},
		"obligations that are met":      {two, []policy.Outcome{allow, logged}, ""},
		"a denial before an obligation": {two, []policy.Outcome{obliged, deny}, errDenied.Error()},
	} {
		d := decision{resolution: authz.Resolution{Accesses: c.accesses}, outcomes: c.outcomes}
		got := ""
		if err := d.denied(); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: denied() = %q, want %q", name, got, c.want)
		}
	}
}
