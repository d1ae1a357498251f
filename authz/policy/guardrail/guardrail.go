package guardrail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"sync"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

// ErrBroken says that a policy breaks an invariant.
var ErrBroken = errors.New("policy: a guardrail is broken")

// Report says of each invariant how often it was tried, and how it is broken if it is.
type Report struct {
	Invariants []Result `json:"invariants"`
	Decisions  int      `json:"decisions"` // inputs judged
	LeftOut    int      `json:"left_out"`  // rows of the bundle that were not tried, since there are many
}

// Result is what became of one invariant.
type Result struct {
	ID             string          `json:"id"`
	Says           string          `json:"says"`
	Trials         int             `json:"trials"`
	Broken         int             `json:"broken"`
	Counterexample *Counterexample `json:"counterexample,omitempty"` // of those that break it, the first
}

// Counterexample is an access that breaks an invariant: in words, and as a Rego test that fails for as long as it does.
type Counterexample struct {
	What string `json:"what"`
	Test string `json:"test"`
}

// Check tries every invariant on the policy of b. An error that wraps ErrBroken says that one does not hold; the report is whole then too.
func Check(ctx context.Context, b *policy.Bundle) (Report, error) {
	probe, err := policy.NewProbe(ctx, b)
	if err != nil {
		return Report{}, err
	}
	defer probe.Close()
	var data any
	if err := json.Unmarshal(b.Data(), &data); err != nil {
		return Report{}, err
	}
	s, err := newScope(data)
	if err != nil {
		return Report{}, fmt.Errorf("policy: guardrail: %w", err)
	}
	l := &lab{ctx: ctx, probe: probe, data: data, decided: map[string]map[string]authz.Decision{}}
	trials, err := s.trials(l)
	if err != nil {
		return Report{}, err
	}
	return l.judge(trials, s.leftOut)
}

// lab answers points, each once.
type lab struct {
	ctx     context.Context
	probe   *policy.Probe
	data    any
	decided map[string]map[string]authz.Decision // by data, then input
}

// answer answers points that were asked before.
func (l *lab) answer(p point) authz.Decision { return l.decided[p.data][p.asked().text] }

// ask answers points, with as many judges as there are CPUs.
func (l *lab) ask(points []point) error {
	type task struct {
		point
		key    string
		inputs []string
		out    []authz.Decision
	}
	tasks := map[string]*task{}
	var order []*task
	for _, p := range points {
		key, input := p.data, p.asked().text
		if l.decided[key] == nil {
			l.decided[key] = map[string]authz.Decision{}
		}
		if _, asked := l.decided[key][input]; asked {
			continue
		}
		l.decided[key][input] = authz.Decision{}
		t := tasks[key]
		if t == nil || len(t.inputs) >= 400 {
			t = &task{point: p, key: key}
			tasks[key] = t
			order = append(order, t)
		}
		t.inputs = append(t.inputs, input)
	}
	queue := make(chan *task)
	errs := make([]error, runtime.GOMAXPROCS(0))
	var workers sync.WaitGroup
	for i := range errs {
		workers.Go(func() {
			for t := range queue {
				if errs[i] != nil {
					continue
				}
				errs[i] = l.probe.Decide(l.ctx, t.over(l.data), t.inputs, func(d authz.Decision) { t.out = append(t.out, d) })
			}
		})
	}
	for _, t := range order {
		queue <- t
	}
	close(queue)
	workers.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, t := range order {
		for i, input := range t.inputs {
			l.decided[t.key][input] = t.out[i]
		}
	}
	return nil
}

// judge asks what trials need to know, and reports those that fail.
func (l *lab) judge(trials []trial, leftOut int) (Report, error) {
	var points []point
	for i := range trials {
		t := &trials[i]
		t.point = t.asked()
		points = append(points, t.point)
		if t.base.input != nil {
			t.base = t.base.asked()
			points = append(points, t.base)
		}
	}
	if err := l.ask(points); err != nil {
		return Report{}, err
	}
	r := Report{LeftOut: leftOut}
	for _, of := range l.decided {
		r.Decisions += len(of)
	}
	at := map[string]int{}
	for i, v := range invariants {
		r.Invariants = append(r.Invariants, Result{ID: v.id, Says: v.says})
		at[v.id] = i
	}
	var broken []string
	for _, t := range trials {
		root := trial{id: "M6", what: t.what, want: rooted, check: t.check, point: t.point}
		for _, t := range []trial{t, root} {
			result := &r.Invariants[at[t.id]]
			result.Trials++
			why := l.breaks(t)
			if why == "" {
				continue
			}
			if result.Broken++; result.Counterexample == nil {
				broken = append(broken, t.id)
				result.Counterexample = &Counterexample{What: t.what + ": " + why, Test: l.test(t, result.Says)}
			}
		}
	}
	if len(broken) == 0 {
		return r, nil
	}
	slices.Sort(broken)
	return r, fmt.Errorf("%w: %v", ErrBroken, broken)
}

// breaks says how a trial fails, "" if it does not.
func (l *lab) breaks(t trial) string {
	d := l.answer(t.point)
	switch t.want {
	case denies:
		if d.Allow {
			return "is allowed"
		}
		if t.check != "" && !slices.Contains(d.Unproven, t.check) && !failed(d) {
			return fmt.Sprintf("%s is proven", t.check)
		}
	case allows:
		if !d.Allow {
			return fmt.Sprintf("is denied for %v, so that no denial shows that policy looks at what differs", d.Reasons)
		}
	case notMore:
		if (t.also == nil || l.answer(*t.also).Allow) && d.Allow && !l.answer(t.base).Allow {
			return "is allowed, though what is stricter is denied"
		}
	case same:
		if base := l.answer(t.base); !reflect.DeepEqual(d, base) {
			return fmt.Sprintf("is decided otherwise (%v, not %v)", d.Unproven, base.Unproven)
		}
	case rooted:
		if failed(d) && t.check != "" {
			return "fails to be evaluated"
		}
		if roots := l.roots(d.Unproven); !failed(d) && !slices.Equal(roots, d.Reasons) {
			return fmt.Sprintf("is denied for %v, and the root causes are %v", d.Reasons, roots)
		}
	case seenSame:
		if seen, base := l.seen(d), l.seen(l.answer(t.base)); !slices.Equal(seen, base) {
			return fmt.Sprintf("shows %v of the one and %v of the other", seen, base)
		}
	}
	return ""
}

// failed reports that there was no decision: policy failed.
func failed(d authz.Decision) bool {
	return slices.Contains(d.Unproven, authz.SystemPolicyError) || slices.Contains(d.Unproven, authz.SystemTimeout)
}

// seen is what a stranger sees of a decision.
func (l *lab) seen(d authz.Decision) []authz.Reason {
	return slices.DeleteFunc(slices.Clone(d.Reasons), func(id authz.Reason) bool {
		return get(l.data, "reasons", string(id), "visible") != "always"
	})
}
