package oracle_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

var soak = flag.Bool("soak", false, "compare millions of points instead of the smaller grid")

// An axis is one attribute and the values that it takes; a value is written over the point it is given.
type axis []func(*authz.Input)

// A family is every combination of the values of its axes, over one point.
type family struct {
	name string
	from func() authz.Input
	axes []axis
}

func (f family) size() int {
	n := 1
	for _, a := range f.axes {
		n *= len(a)
	}
	return n
}

// point returns the i-th combination.
func (f family) point(i int) authz.Input {
	in := f.from()
	for _, a := range f.axes {
		a[i%len(a)](&in)
		i /= len(a)
	}
	return in
}

// tally counts what the grid has seen, so that one which decides nothing is found out.
type tally struct {
	points, allowed atomic.Int64
	differences     atomic.Int64
	reasons         sync.Map // reason → true
}

// compare asks an engine and the oracle about each stride-th point of a family.
func (w *world) compare(t *testing.T, engine string, f family, stride int, sum *tally) {
	t.Helper()
	started := time.Now()
	n := f.size()
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for sum.differences.Load() < 20 {
				i := int(next.Add(1)-1) * stride
				if i >= n {
					return
				}
				w.check(t, engine, fmt.Sprintf("%s, point %d", f.name, i), f.point(i), sum)
			}
		})
	}
	workers.Wait()
	t.Logf("%9d points, %s: %s, %s", (n+stride-1)/stride, engine, f.name, time.Since(started).Round(time.Millisecond))
}

// check compares what the engine and the oracle say of one input.
func (w *world) check(t *testing.T, engine, name string, in authz.Input, sum *tally) {
	got, want := w.ask(t, engine, in), w.oracle.Decide(in)
	sum.points.Add(1)
	if want.Allow {
		sum.allowed.Add(1)
	}
	for _, r := range want.Reasons {
		sum.reasons.LoadOrStore(r, true)
	}
	if d := cmp.Diff(want, got); d != "" {
		if sum.differences.Add(1) <= 5 {
			text, _ := json.Marshal(in)
			t.Errorf("%s: %s differs from the oracle (-oracle +policy):\n%s\n%s", name, engine, d, text)
		}
	}
}

func (w *world) ask(t rapid.TB, engine string, in authz.Input) authz.Decision {
	o, err := w.engines[engine].Decide(context.Background(), in.Subject, in.Context, []authz.Access{{Action: in.Action, Resource: in.Resource}})
	if err != nil {
		t.Error(err)
		return authz.Decision{}
	}
	return o[0].Decision
}

// reference is how many points the interpreter is spared: the compiled engine answers every one, the interpreter one in so many.
const reference = 97

// TestPolicyAgreesWithTheOracleOnEveryPoint is the grid: no difference between the policy and the oracle, in any of what is unproven.
func TestPolicyAgreesWithTheOracleOnEveryPoint(t *testing.T) {
	w := open(t, gridWorld)
	families := w.families()
	if *soak {
		families = append(families, w.soakFamilies()...)
	}
	sum := &tally{}
	for _, f := range families {
		w.compare(t, policy.Wasm, f, 1, sum)
		w.compare(t, policy.Topdown, f, reference, sum)
	}
	t.Logf("%d points, %d allowed, %d differences", sum.points.Load(), sum.allowed.Load(), sum.differences.Load())
	for _, id := range strings.Fields(reachable) {
		if _, ok := sum.reasons.Load(authz.Reason(id)); !ok {
			t.Errorf("no point of the grid is denied for %s", id)
		}
	}
	if sum.allowed.Load() == 0 {
		t.Error("no point of the grid is allowed")
	}
}

// reachable are the reasons that the grid must find.
const reachable = `label.missing label.unknown label.invalid label.unbound scheme.unknown equivalence.absent agreement.absent
	clearance.missing clearance.issuer clearance.expired clearance.level category.restrictive category.permissive release.nation
	release.originator tenant.mismatch action.not_granted community.missing jurisdiction.residency jurisdiction.processing
	jurisdiction.legal_control jurisdiction.egress export.foreign_person export.destination enclave.ceiling enclave.mismatch
	flow.write_down flow.relabel personnel.eligibility personnel.unapproved personnel.justification personnel.dual_control
	service.not_contracted identity.issuer identity.revoked identity.binding freshness.bundle freshness.revocation freshness.clock
	resource.held`
