package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/sys"

	"github.com/sallyport-dev/sallyport/authz"
)

// Overlays are Rego of tenants, which nobody but the tenant has to trust. So each is evaluated apart: on a goroutine of its own, one
// input at a time, in a memory of its own that holds the facts of its tenant and no other's, by code that can be stopped. What comes of
// it can only take from the root's decision on an access to the tenant's own resources, and nobody else's evaluation waits for it.
//
// It always runs in Wasm, whichever engine decides: topdown bounds no memory. Where wazero has no compiler it interprets.
const (
	overlayPages  = 32               // of memory beside the data: what it may do before overlay.objected, the same on every machine
	overlayFree   = time.Millisecond // of an evaluation is not counted: an honest one takes a tenth of that
	overlayCredit = time.Second      // of evaluations beyond what is free, in a burst, before system.timeout
	overlayShare  = 8                // and then one part in so many of the time
)

// overlay is a tenant's objections.
type overlay struct {
	program    *program
	entrypoint int
	limit      time.Duration // of an evaluation, before system.timeout
	jobs       chan *objection

	mu     sync.Mutex    // guards the rest
	credit time.Duration // what it may still take
	at     time.Time     // when that was known
}

// objection is one input to look at, and where what comes of it goes.
type objection struct {
	input []byte
	done  chan<- verdict
}

// verdict is what an overlay says of an input: the zero verdict objects to nothing.
type verdict struct {
	Texts  []string     `json:"texts"`            // of its objections
	Failed string       `json:"failed,omitempty"` // why there is no answer, which counts as an objection
	reason authz.Reason // why the access is denied, "" if it is not
}

func (b *Bundle) overlayModules() map[string]*ast.Module {
	modules := map[string]*ast.Module{}
	for _, m := range b.modules {
		if m.overlay != "" && !m.test && len(m.parsed.Rules) > 0 {
			modules[m.file] = m.parsed
		}
	}
	return modules
}

func overlayBuiltins() *ast.Capabilities { return builtins("") }

// compileOverlays compiles the overlays of b by themselves, nil if there are none. An error is an *Errors.
func (b *Bundle) compileOverlays() (*ast.Compiler, error) {
	modules := b.overlayModules()
	if len(modules) == 0 {
		return nil, nil
	}
	return b.compileWith(compilerFor(overlayBuiltins(), false), modules, true)
}

// overlayData is what the overlay of a tenant sees as data.
func (b *Bundle) overlayData(tenant string) map[string]any {
	data := map[string]any{"tenants": map[string]any{}}
	if tenants, _ := b.data["tenants"].(map[string]any); tenants[tenant] != nil {
		data["tenants"] = map[string]any{tenant: tenants[tenant]}
	}
	for _, shared := range []string{"schemes", "enclaves"} {
		if v, ok := b.data[shared]; ok {
			data[shared] = v
		}
	}
	return data
}

// overlays are those of a bundle, by tenant.
type overlays struct {
	of      map[string]*overlay
	code    *program // nil if there are none
	readsID bool
	workers sync.WaitGroup
}

func (b *Bundle) newOverlays(ctx context.Context, limit time.Duration) (*overlays, error) {
	o := &overlays{of: map[string]*overlay{}}
	compiler, err := b.compileOverlays()
	if err != nil || compiler == nil {
		return o, err
	}
	o.readsID = readsResourceID(compiler, ast.MustParseRef("data.overlay"))
	tenants := map[string]bool{}
	for _, m := range b.modules {
		if m.overlay != "" && !m.test && len(m.parsed.Rules) > 0 {
			tenants[m.overlay] = true
		}
	}
	ordered := slices.Sorted(maps.Keys(tenants))
	var entrypoints []string
	for _, t := range ordered {
		entrypoints = append(entrypoints, "overlay/"+t+"/object")
	}
	// Code that looks at the end of a context costs several times the evaluation, and can be stopped.
	config := wazero.NewRuntimeConfig().WithCloseOnContextDone(true)
	if o.code, err = compileProgram(ctx, config, b.overlayModules(), overlayBuiltins(), entrypoints); err != nil {
		return nil, err
	}
	for i, t := range ordered {
		p, err := o.code.with(ctx, encoded(b.overlayData(t)), overlayPages)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("overlay of %s: %w", t, err), o.code.close())
		}
		v := &overlay{program: p, entrypoint: i, limit: limit, jobs: make(chan *objection), credit: overlayCredit, at: time.Now()}
		if err := v.rehearse(ctx, b, t, compiler); err != nil {
			return nil, errors.Join(err, o.code.close())
		}
		o.of[t] = v
	}
	return o, nil
}

// start starts the workers, which stop ends.
func (o *overlays) start() {
	for _, v := range o.of {
		o.workers.Add(1)
		go func() {
			defer o.workers.Done()
			v.work()
		}()
	}
}

// stop ends the workers. Nobody may ask any more.
func (o *overlays) stop() {
	for _, v := range o.of {
		close(v.jobs)
	}
	if o.code != nil {
		go func() {
			o.workers.Wait()
			o.code.close() // its memory is gone, whatever it says
		}()
	}
}

// join takes from a decision what the overlay of the resource's tenant objects to. A decision that is not of policy it leaves.
func (o *overlays) join(ctx context.Context, tenant string, input []byte, d authz.Decision) authz.Decision {
	v := o.of[tenant]
	if v == nil || slices.ContainsFunc(d.Reasons, func(r authz.Reason) bool {
		return r == authz.SystemTimeout || r == authz.SystemOverloaded || r == authz.SystemPolicyError
	}) {
		return d
	}
	return v.ask(ctx, input).join(d)
}

// join is d without what the verdict takes.
func (v verdict) join(d authz.Decision) authz.Decision {
	if v.reason == "" {
		return d
	}
	d.Allow = false
	d.Unproven = with(d.Unproven, v.reason)
	d.Reasons = with(d.Reasons, v.reason) // it stands alone, so nothing is before it
	return d
}

// with returns a sorted copy of list that holds r.
func with(list []authz.Reason, r authz.Reason) []authz.Reason {
	list = append(slices.Clone(list), r)
	slices.Sort(list)
	return slices.Compact(list)
}

var late = verdict{Failed: "it took longer than it may", reason: authz.SystemTimeout}

// ask waits for a verdict until ctx ends.
func (v *overlay) ask(ctx context.Context, input []byte) verdict {
	if !v.mayAsk() {
		return late
	}
	done := make(chan verdict, 1) // so that a late worker never blocks on it
	select {
	case v.jobs <- &objection{input: input, done: done}:
	case <-ctx.Done():
		return late
	}
	select {
	case said := <-done:
		return said
	case <-ctx.Done():
		return late
	}
}

// mayAsk reports whether the overlay has not taken more than its share of the time.
func (v *overlay) mayAsk() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	v.credit = min(overlayCredit, v.credit+now.Sub(v.at)/overlayShare)
	v.at = now
	return v.credit > 0
}

func (v *overlay) charge(took time.Duration) {
	if took > overlayFree {
		v.mu.Lock()
		v.credit -= took - overlayFree
		v.mu.Unlock()
	}
}

func (v *overlay) work() {
	var in *instance
	for j := range v.jobs {
		begin := time.Now()
		var said verdict
		said, in = v.evaluate(in, j.input)
		v.charge(time.Since(begin))
		j.done <- said
		runtime.Gosched()
	}
	if in != nil {
		in.close() // nothing of it is left, whatever it says
	}
}

// evaluate looks at one input, with the instance in if it can, and returns the one for the next. Only an empty list of objections is none;
// whatever else comes is one, or system.timeout where it was time alone that ended it: what was measured by a clock can't be decided
// again, and the record must not look as if it could.
func (v *overlay) evaluate(in *instance, input []byte) (said verdict, next *instance) {
	defer func() {
		if r := recover(); r != nil {
			said, next = unanswered(fmt.Errorf("%v", r)), nil
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), v.limit)
	defer cancel()
	stop := topdown.NewCancel()
	defer context.AfterFunc(ctx, stop.Cancel)()
	if in == nil {
		var err error
		if in, err = v.program.instantiate(); err != nil {
			return unanswered(err), nil
		}
	}
	results, err := in.evaluateUntil(context.WithValue(ctx, instanceKey{}, in), v.entrypoint, input, stop, asJSON)
	if err != nil {
		if exit := (*sys.ExitError)(nil); errors.As(err, &exit) || stop.Cancelled() || errors.Is(err, errStopped) {
			said = late
		} else {
			said = unanswered(err)
		}
		in.close() // it is not used again, whatever it says
		return said, nil
	}
	if bytes.Equal(results, []byte(`[{"result":[]}]`)) {
		return verdict{}, in
	}
	var answer []struct{ Result []any }
	if err := json.Unmarshal(results, &answer); err != nil || len(answer) != 1 {
		return unanswered(fmt.Errorf("it says %.100q", results)), in
	}
	return objecting(answer[0].Result), in
}

// objecting is the verdict of objections.
func objecting(list []any) verdict {
	v := verdict{reason: authz.OverlayObjected}
	for _, text := range list {
		v.Texts = append(v.Texts, fmt.Sprint(text))
	}
	slices.Sort(v.Texts)
	return v
}

const exhausted = "it takes more memory than it may"

func unanswered(err error) verdict {
	why := "it fails: " + err.Error()
	if errors.Is(err, errExhausted) {
		why = exhausted
	}
	return verdict{Failed: why, reason: authz.OverlayObjected}
}
