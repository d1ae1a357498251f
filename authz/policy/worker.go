package policy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/sallyport-dev/sallyport/authz"
)

// Evaluations can't be stopped from outside: topdown looks at a cancellation between steps only, and Wasm would pay five times its
// time to look at one. So nobody waits for them: Decide returns at its deadline, and an evaluation that is still running as long again
// after it is taken for stuck, and another worker starts in the place of its. It ends by itself, at the latest where it has filled
// its memory (evaluationPages). So many may be stuck before no more are replaced and the engine is not ready.
const maxStuck = 3

// States of a job. Its worker and the watchdog race for the way out of running.
const (
	running  int32 = iota
	finished       // by its worker
	stuck          // its worker goes on when it ends
	replaced       // its worker ends when it does, since another has its place
)

// job is one input to evaluate, and where its decision goes.
type job struct {
	index int
	input []byte
	stop  topdown.Cancel
	done  chan<- *job
	state atomic.Int32

	decision authz.Decision // of a finished job
}

// start starts a worker.
func (e *Engine) start() {
	e.workers.Add(1)
	go e.work()
}

// work evaluates jobs until there are no more. topdown recurses deep, and growing the small stack of a fresh goroutine costs a
// third of an evaluation; so workers live long, and keep enough of their stack in use that the collector never halves it.
func (e *Engine) work() {
	defer e.workers.Done()
	var a, b [96 << 10]byte // two, since a larger variable would go to the heap
	var in *instance
	for j := range e.jobs {
		var d authz.Decision
		if d, in = e.evaluate(in, j.input, j.stop); !e.finish(j, d) {
			break
		}
	}
	if in != nil {
		in.close() // nothing of it is left, whatever it says
	}
	runtime.KeepAlive(&a)
	runtime.KeepAlive(&b)
}

// finish hands over the decision on j, if somebody still waits for it, and reports whether its worker goes on.
func (e *Engine) finish(j *job, d authz.Decision) bool {
	j.decision = d
	switch j.state.Swap(finished) {
	case running:
		j.done <- j
	case stuck:
		e.stuck.Add(-1)
	case replaced:
		e.stuck.Add(-1)
		return false
	}
	return true
}

// watch looks after jobs that were not done at their deadline.
func (e *Engine) watch(jobs []*job) {
	time.AfterFunc(e.timeout, func() {
		e.closing.RLock()
		defer e.closing.RUnlock()
		for _, j := range jobs {
			n := e.stuck.Add(1)
			state := stuck
			if n <= maxStuck && !e.closed {
				state = replaced
			}
			if !j.state.CompareAndSwap(running, state) {
				e.stuck.Add(-1)
			} else if state == replaced {
				e.start()
			}
		}
	})
}

// Ready returns an error while so many evaluations are stuck that the policy must be taken for one that does not end.
func (e *Engine) Ready() error {
	if n := e.stuck.Load(); n >= maxStuck {
		return fmt.Errorf("%d evaluations do not end: correct the policy, and restart", n)
	}
	return nil
}

// Stuck returns how many evaluations went on long after their deadline and have not ended yet.
func (e *Engine) Stuck() int { return int(e.stuck.Load()) }

// evaluate asks Rego about one input, with the instance in if it can. It returns the instance for the next one.
func (e *Engine) evaluate(in *instance, input []byte, stop topdown.Cancel) (d authz.Decision, next *instance) {
	if stop.Cancelled() {
		return deny(authz.SystemTimeout), in
	}
	if e.program == nil || e.distrusted.Load() {
		return attempt(stop, func() (authz.Decision, error) { return e.evaluateTopdown(input, stop) }), in
	}
	d = attempt(stop, func() (d authz.Decision, err error) {
		d, next, err = e.evaluateWasm(in, input, stop)
		return d, err
	})
	return d, next
}

// attempt is the decision of f, or the denial that follows from its error. A panic of OPA or of a builtin is an error too.
func attempt(stop topdown.Cancel, f func() (authz.Decision, error)) (d authz.Decision) {
	defer func() {
		if recover() != nil {
			d = deny(authz.SystemPolicyError)
		}
	}()
	d, err := f()
	switch {
	case err != nil && (topdown.IsCancel(err) || stop.Cancelled() || errors.Is(err, errExhausted)):
		return deny(authz.SystemTimeout)
	case err != nil:
		return deny(authz.SystemPolicyError)
	}
	return d
}

func (e *Engine) evaluateWasm(in *instance, input []byte, stop topdown.Cancel) (authz.Decision, *instance, error) {
	if in == nil {
		var err error
		if in, err = e.program.instantiate(); err != nil {
			return authz.Decision{}, nil, err
		}
	}
	panicked := true
	defer func() {
		if panicked {
			in.close() // nothing else does, and wazero keeps what is not closed
		}
	}()
	results, err := in.evaluate(0, input, stop, asJSON)
	panicked = false
	if err != nil {
		return authz.Decision{}, nil, errors.Join(err, in.close())
	}
	a, err := parseAnswer(results)
	if err != nil {
		return authz.Decision{}, in, err
	}
	d, err := a.decision(e.reasons)
	return d, in, err
}

func (e *Engine) evaluateTopdown(input []byte, stop topdown.Cancel) (authz.Decision, error) {
	value, err := ast.ValueFromReader(bytes.NewReader(input))
	if err != nil {
		return authz.Decision{}, err
	}
	results, err := e.query.Eval(context.Background(), rego.EvalParsedInput(value), rego.EvalExternalCancel(stop))
	if err != nil {
		return authz.Decision{}, err
	}
	a, err := answerOf(results)
	if err != nil {
		return authz.Decision{}, err
	}
	return a.decision(e.reasons)
}
