package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/sallyport-dev/sallyport/authz"
)

// entrypoint is the one thing that Go asks of Rego.
const entrypoint = "data.compliance.decision"

// Config bounds an Engine; a zero field gets its default.
type Config struct {
	Workers int           // evaluations at a time; default: as many as CPUs
	Timeout time.Duration // of one Decide, all its accesses together; default 150 ms
}

// Outcome is what policy says of one access, and the exact bytes of the input that it saw.
type Outcome struct {
	Decision authz.Decision
	Input    json.RawMessage
}

// Engine is one bundle, compiled. It is safe for concurrent use and never changes; a new bundle is a new Engine.
type Engine struct {
	query   rego.PreparedEvalQuery
	reasons map[authz.Reason]bool // the ids that an answer may hold
	readsID bool                  // the policy may read input.resource.id
	timeout time.Duration
	jobs    chan job

	// closing is held for reading by each Decide, so that Close waits for them; it guards closed.
	closing sync.RWMutex
	closed  bool
}

// ErrClosed says that an Engine was asked after Close.
var ErrClosed = errors.New("policy: the engine is closed")

// New compiles b in strict mode against the allowed builtins and the schema of the input, and starts the workers, which Close ends.
// An error is an *Errors, unless ctx ended.
func New(ctx context.Context, b *Bundle, c Config) (*Engine, error) {
	e := &Engine{timeout: c.Timeout, reasons: map[authz.Reason]bool{}, jobs: make(chan job)}
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
	var r report
	requireDecision(compiler, &r)
	if len(reasons) == 0 {
		r.add("", 0, "no catalogue of reasons; write reasons/data.yaml")
	}
	if err := r.err(b.dir); err != nil {
		return nil, err
	}
	e.readsID = readsResourceID(compiler)
	e.query, err = rego.New(
		rego.Query(entrypoint),
		rego.Compiler(compiler),
		rego.Store(inmem.NewFromObjectWithOpts(b.data, inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true))),
		rego.StrictBuiltinErrors(true),
		rego.GenerateJSON(asValue),
	).PrepareForEval(ctx)
	if err != nil {
		return nil, compileFailure(b.dir, err)
	}
	for range c.Workers {
		go work(e.jobs)
	}
	return e, nil
}

// Close waits for the calls of Decide under way and stops the workers; one that is stuck ends when its evaluation does.
func (e *Engine) Close() {
	e.closing.Lock()
	defer e.closing.Unlock()
	if !e.closed {
		e.closed = true
		close(e.jobs)
	}
}

// Decide judges each access and returns one Outcome an access, in the same order. Whatever goes wrong with an access (an error, no
// answer or an odd one, no time) is in its Outcome, as a deny. It returns at the latest when ctx or the time limit ends, even if
// an evaluation is stuck. The error is for calls that can't be judged at all: no accesses, or a closed Engine.
func (e *Engine) Decide(ctx context.Context, s authz.Subject, c authz.Context, accesses []authz.Access) ([]Outcome, error) {
	if len(accesses) == 0 {
		return nil, errors.New("policy: no accesses; there is nothing to judge")
	}
	inputs, err := newInputs(s, c)
	if err != nil {
		return nil, err
	}
	outcomes := make([]Outcome, len(accesses))
	var ask []json.RawMessage // inputs to evaluate
	answers := map[string]int{}
	answerOf := make([]int, len(accesses)) // index in ask
	for i, a := range accesses {
		if outcomes[i].Input, err = inputs.of(a); err != nil {
			return nil, err
		}
		key := string(outcomes[i].Input)
		if !e.readsID {
			a.Resource.ID = ""
			same, err := inputs.of(a)
			if err != nil {
				return nil, err
			}
			key = string(same)
		}
		n, seen := answers[key]
		if !seen {
			n = len(ask)
			answers[key] = n
			ask = append(ask, outcomes[i].Input)
		}
		answerOf[i] = n
	}
	decisions, err := e.decide(ctx, ask)
	if err != nil {
		return nil, err
	}
	for i := range outcomes {
		outcomes[i].Decision = decisions[answerOf[i]]
	}
	return outcomes, nil
}

// decide evaluates each input on a worker, until ctx or the time limit ends.
func (e *Engine) decide(ctx context.Context, inputs []json.RawMessage) ([]authz.Decision, error) {
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

	answers := make(chan answer, len(inputs)) // so that a late worker never blocks on it
	begun := 0
	for i := 0; i < len(inputs) && ctx.Err() == nil; i++ {
		select {
		case e.jobs <- job{engine: e, index: i, input: inputs[i], stop: stop, answers: answers}:
			begun++
		case <-ctx.Done():
		}
	}
	late := authz.SystemTimeout
	if begun == 0 {
		late = authz.SystemOverloaded
	}
	decisions := make([]authz.Decision, len(inputs))
	for i := range decisions {
		decisions[i] = deny(late)
	}
	for range begun {
		var a answer
		select {
		case a = <-answers: // what is there counts, also at the deadline
		default:
			select {
			case a = <-answers:
			case <-ctx.Done():
				return decisions, nil
			}
		}
		decisions[a.index] = a.decision
	}
	return decisions, nil
}

// deny is a Decision that denies for one reason.
func deny(r authz.Reason) authz.Decision {
	return authz.Decision{Unproven: []authz.Reason{r}, Reasons: []authz.Reason{r}, Obligations: []authz.Obligation{}}
}

// inputs makes the policy inputs of one request: they differ in the access only.
type inputs struct{ subject, context []byte }

func newInputs(s authz.Subject, c authz.Context) (in inputs, err error) {
	if in.subject, err = json.Marshal(s); err != nil {
		return in, fmt.Errorf("policy: subject: %w", err)
	}
	if in.context, err = json.Marshal(c); err != nil {
		return in, fmt.Errorf("policy: context: %w", err)
	}
	return in, nil
}

// of returns json.Marshal(authz.Input{…}) of an access.
func (in inputs) of(a authz.Access) (json.RawMessage, error) {
	action, err := json.Marshal(a.Action)
	if err != nil {
		return nil, fmt.Errorf("policy: action: %w", err)
	}
	resource, err := json.Marshal(a.Resource)
	if err != nil {
		return nil, fmt.Errorf("policy: resource: %w", err)
	}
	b := make([]byte, 0, len(in.subject)+len(action)+len(resource)+len(in.context)+64)
	for _, p := range [][]byte{[]byte(`{"subject":`), in.subject, []byte(`,"action":`), action, []byte(`,"resource":`), resource,
		[]byte(`,"context":`), in.context, []byte(`}`)} {
		b = append(b, p...)
	}
	return b, nil
}
