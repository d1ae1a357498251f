package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"runtime"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/sallyport-dev/sallyport/authz"
)

// job is one input to evaluate, and where its answer goes.
type job struct {
	engine  *Engine
	index   int
	input   json.RawMessage
	stop    topdown.Cancel
	answers chan<- answer
}

type answer struct {
	index    int
	decision authz.Decision
}

// work evaluates jobs until there are no more. topdown recurses deep, and growing the small stack of a fresh goroutine costs a
// third of an evaluation; so workers live long, and keep enough of their stack in use that the collector never halves it.
func work(jobs <-chan job) {
	var a, b [96 << 10]byte // two, since a larger variable would go to the heap
	for j := range jobs {
		j.answers <- answer{j.index, j.engine.evaluate(j.input, j.stop)}
	}
	runtime.KeepAlive(&a)
	runtime.KeepAlive(&b)
}

// evaluate asks Rego about one input. A panic of OPA or of a builtin is a deny like any other error, and the worker lives on.
func (e *Engine) evaluate(input json.RawMessage, stop topdown.Cancel) (d authz.Decision) {
	defer func() {
		if recover() != nil {
			d = deny(authz.SystemPolicyError)
		}
	}()
	if stop.Cancelled() {
		return deny(authz.SystemTimeout)
	}
	value, err := ast.ValueFromReader(bytes.NewReader(input))
	if err != nil {
		return deny(authz.SystemPolicyError)
	}
	results, err := e.query.Eval(context.Background(), rego.EvalParsedInput(value), rego.EvalExternalCancel(stop))
	switch {
	case err != nil && (topdown.IsCancel(err) || stop.Cancelled()):
		return deny(authz.SystemTimeout)
	case err != nil:
		return deny(authz.SystemPolicyError)
	}
	d, err = readAnswer(results, e.reasons)
	if err != nil {
		return deny(authz.SystemPolicyError)
	}
	return d
}
