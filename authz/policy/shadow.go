package policy

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"

	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/sallyport-dev/sallyport/authz"
)

// Disagreement is an input on which the two engines do not decide the same. One of them is wrong, so after the first one topdown alone
// is asked.
type Disagreement struct {
	Input         json.RawMessage
	Wasm, Topdown authz.Decision
}

// String says what the engines decide, without the input.
func (d Disagreement) String() string {
	say := func(d authz.Decision) string {
		if d.Allow {
			return "allow"
		}
		return fmt.Sprintf("deny %v (unproven %v)", d.Reasons, d.Unproven)
	}
	return fmt.Sprintf("wasm: %s, topdown: %s", say(d.Wasm), say(d.Topdown))
}

// shadow evaluates a share of what Wasm decided again with topdown, off the answers' path. What comes too fast for it is left out.
func (e *Engine) shadow() {
	defer e.workers.Done()
	for d := range e.shadowed {
		if !e.compare(&d) && !e.distrusted.Swap(true) && e.onDisagreement != nil {
			e.onDisagreement(d)
		}
	}
}

// shadowTimeout is what topdown may take where nobody waits for it.
const shadowTimeout = 5 * time.Second

// compare asks topdown, and reports whether the engines agree. Where one of them had too little time nobody can tell.
func (e *Engine) compare(d *Disagreement) (agree bool) {
	stop := topdown.NewCancel()
	defer time.AfterFunc(shadowTimeout, stop.Cancel).Stop()
	late := deny(authz.SystemTimeout)
	if reflect.DeepEqual(d.Wasm, late) {
		return true
	}
	d.Topdown = attempt(stop, func() (authz.Decision, error) { return e.evaluateTopdown(d.Input, stop) })
	return reflect.DeepEqual(d.Wasm, d.Topdown) || reflect.DeepEqual(d.Topdown, late)
}

// sample hands some decisions of Wasm to the shadow.
func (e *Engine) sample(jobs []*job) {
	if e.program == nil || e.distrusted.Load() {
		return
	}
	for _, j := range jobs {
		if rand.Float64() >= e.share {
			continue
		}
		select {
		case e.shadowed <- Disagreement{Input: j.input, Wasm: j.decision}:
		default:
		}
	}
}
