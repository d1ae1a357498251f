package policy

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/sallyport-dev/sallyport/authz"
)

// entrypoint is the one thing that Go asks of Rego.
const entrypoint = "data.compliance.decision"

// The engines that can evaluate Rego.
const (
	Wasm    = "wasm"    // compiled by OPA to WebAssembly, and that to machine code; topdown is its reference
	Topdown = "topdown" // OPA's interpreter
)

// Config bounds an Engine; a zero field gets its default.
type Config struct {
	Engine  string        // Wasm or Topdown; default Wasm
	Workers int           // evaluations at a time; default: as many as CPUs
	Timeout time.Duration // of one Decide, all its accesses together; default 150 ms

	// Shadow is the share of the decisions of Wasm that topdown makes again; default 0.001, negative for none.
	Shadow float64
	// OnDisagreement is told of the first difference that the shadow finds. From then on topdown alone decides.
	OnDisagreement func(Disagreement)
}

// Outcome is what policy says of one access, and the exact bytes of the input that it saw.
type Outcome struct {
	Decision authz.Decision
	Input    json.RawMessage
}

// Engine is one bundle, compiled. It is safe for concurrent use and never changes; a new bundle is a new Engine.
type Engine struct {
	program  *program // nil: topdown only
	query    rego.PreparedEvalQuery
	reasons  map[authz.Reason]bool // the ids that an answer may hold
	readsID  bool                  // the policy may read input.resource.id
	overlays *overlays
	timeout  time.Duration
	jobs     chan *job
	workers  sync.WaitGroup // and the shadow
	stuck    atomic.Int32

	share          float64
	shadowed       chan Disagreement
	onDisagreement func(Disagreement)
	distrusted     atomic.Bool // Wasm has disagreed with topdown

	// closing is held for reading by each Decide, so that Close waits for them; it guards closed.
	closing sync.RWMutex
	closed  bool
}

// ErrClosed says that an Engine was asked after Close.
var ErrClosed = errors.New("policy: the engine is closed")

// New compiles b in strict mode against the allowed builtins and the schema of the input, runs its tests as they are compiled for
// service, and starts the workers, which Close ends. An error is an *Errors, unless ctx ended.
func New(ctx context.Context, b *Bundle, c Config) (*Engine, error) {
	if c.Engine == Topdown {
		return build(ctx, b, c)
	}
	tested := make(chan error, 1)
	go func() { tested <- b.rehearseTests(ctx) }()
	e, err := build(ctx, b, c)
	failure := <-tested
	if err == nil && failure != nil {
		e.Close()
		return nil, failure
	}
	return e, err
}

// build is New without the tests.
func build(ctx context.Context, b *Bundle, c Config) (*Engine, error) {
	e := &Engine{
		timeout: c.Timeout, reasons: map[authz.Reason]bool{}, jobs: make(chan *job),
		share: c.Shadow, shadowed: make(chan Disagreement, 16), onDisagreement: c.OnDisagreement,
	}
	if e.share == 0 {
		e.share = 0.001
	}
	if c.Workers <= 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if e.timeout <= 0 {
		e.timeout = 150 * time.Millisecond
	}
	reasons, _ := b.data["reasons"].(map[string]any)
	for id := range reasons {
		e.reasons[authz.Reason(id)] = true
	}
	compiler, err := b.compile(false)
	if err != nil {
		return nil, err
	}
	if e.overlays, err = b.newOverlays(ctx, e.timeout); err != nil {
		return nil, err
	}
	started := false
	defer func() {
		if !started {
			e.overlays.stop()
		}
	}()
	var r report
	requireDecision(compiler, &r)
	if len(reasons) == 0 {
		r.add("", 0, "no catalogue of reasons; write reasons/data.yaml")
	}
	if err := r.err(b.dir); err != nil {
		return nil, err
	}
	e.readsID = readsResourceID(compiler, entrypointRef) || e.overlays.readsID
	e.query, err = rego.New(
		rego.Query(entrypoint),
		rego.Compiler(compiler),
		rego.Store(inmem.NewFromObjectWithOpts(b.data, inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true))),
		rego.StrictBuiltinErrors(true),
		rego.GenerateJSON(unchanged),
	).PrepareForEval(ctx)
	if err != nil {
		return nil, compileFailure(b.dir, err)
	}
	if c.Engine != Topdown {
		if e.program, err = newProgram(ctx, b, false, "compliance/decision"); err != nil {
			return nil, err
		}
		if err := e.rehearse(b); err != nil {
			return nil, errors.Join(err, e.program.close())
		}
		e.workers.Add(1)
		go e.shadow()
	}
	for range c.Workers {
		e.start()
	}
	e.overlays.start()
	started = true
	return e, nil
}

// Close waits for the calls of Decide under way and stops the workers; one that is stuck ends when its evaluation does.
func (e *Engine) Close() {
	e.closing.Lock()
	defer e.closing.Unlock()
	if e.closed {
		return
	}
	e.closed = true
	close(e.jobs)
	close(e.shadowed)
	e.overlays.stop()
	if e.program != nil {
		go func() {
			e.workers.Wait()
			e.program.close() // its memory is gone, whatever it says
		}()
	}
}

// Decide judges each access and returns one Outcome an access, in the same order. Whatever goes wrong with an access (an error, no
// answer or an odd one, no time) is in its Outcome, as a deny. It returns at the latest when ctx or the time limit ends, even if
// an evaluation is stuck. The error is for calls that can't be judged at all: no accesses, or a closed Engine.
func (e *Engine) Decide(ctx context.Context, s authz.Subject, c authz.Context, accesses []authz.Access) ([]Outcome, error) {
	if len(accesses) == 0 {
		return nil, errors.New("policy: no accesses; there is nothing to judge")
	}
	inputs, err := newInputs(&s, &c)
	if err != nil {
		return nil, err
	}
	outcomes := make([]Outcome, len(accesses))
	ask, owners, answerOf := e.questions(inputs, accesses, outcomes)
	decisions, err := e.decide(ctx, ask, owners)
	if err != nil {
		return nil, err
	}
	for i := range outcomes {
		outcomes[i].Decision = decisions[answerOf[i]]
	}
	return outcomes, nil
}

// questions writes the input of each access into its outcome, and returns those inputs that policy can tell apart, the tenant that
// owns the resource of each ("" if unknown), and for each access which of them is its own: a batch of a thousand objects of one row
// is one question.
func (e *Engine) questions(inputs inputs, accesses []authz.Access, outcomes []Outcome) (ask []json.RawMessage, owners []string, answerOf []int) {
	answerOf = make([]int, len(accesses))
	if len(accesses) == 1 { // nearly always
		outcomes[0].Input, _ = inputs.of(&accesses[0])
		return []json.RawMessage{outcomes[0].Input}, []string{ownerOf(accesses[0].Resource)}, answerOf
	}
	answers := map[string]int{}
	for i := range accesses {
		input, id := inputs.of(&accesses[i])
		outcomes[i].Input = input
		key := string(input)
		if !e.readsID {
			key = string(input[:id[0]]) + string(input[id[1]:])
		}
		n, seen := answers[key]
		if !seen {
			n = len(ask)
			answers[key] = n
			ask = append(ask, input)
			owners = append(owners, ownerOf(accesses[i].Resource))
		}
		answerOf[i] = n
	}
	return ask, owners, answerOf
}

// decide evaluates each input on a worker, and then by the overlay of its owner, until ctx or the time limit ends.
func (e *Engine) decide(ctx context.Context, inputs []json.RawMessage, owners []string) ([]authz.Decision, error) {
	e.closing.RLock()
	defer e.closing.RUnlock()
	if e.closed {
		return nil, ErrClosed
	}
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	// One handle cancels all evaluations of this call. topdown looks at it between steps; a builtin that takes long does not, so
	// this goroutine does not wait for the worker either.
	stop := topdown.NewCancel()
	defer context.AfterFunc(ctx, stop.Cancel)()

	done := make(chan *job, len(inputs)) // so that a late worker never blocks on it
	var open []*job
	for i := 0; i < len(inputs) && ctx.Err() == nil; i++ {
		j := &job{index: i, input: inputs[i], stop: stop, done: done}
		select {
		case e.jobs <- j:
			open = append(open, j)
		case <-ctx.Done():
		}
	}
	late := authz.SystemTimeout
	if len(open) == 0 {
		late = authz.SystemOverloaded
	}
	decisions := make([]authz.Decision, len(inputs))
	for i := range decisions {
		decisions[i] = deny(late)
	}
	for range open {
		var j *job
		select {
		case j = <-done: // what is there counts, also at the deadline
		default:
			select {
			case j = <-done:
			case <-ctx.Done():
				e.watch(open)
				return decisions, nil
			}
		}
		decisions[j.index] = j.decision
	}
	e.sample(open)
	for i := range decisions {
		decisions[i] = e.overlays.join(ctx, owners[i], inputs[i], decisions[i])
	}
	return decisions, nil
}

// ownerOf returns the tenant that owns a resource, "" if it is unknown.
func ownerOf(r authz.Resource) string {
	if t := r.Properties.Tenant; t != nil {
		return *t
	}
	return ""
}

// deny is a Decision that denies for one reason.
func deny(r authz.Reason) authz.Decision {
	return authz.Decision{Unproven: []authz.Reason{r}, Reasons: []authz.Reason{r}, Obligations: []authz.Obligation{}}
}
