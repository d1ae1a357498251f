package policy

import (
	"context"
	"encoding/json"
	"time"
)

const (
	evalTimeout   = 10 * time.Second // nobody waits for Eval at Envoy
	maxInputBytes = 4 << 20
)

// Eval judges one input with the bundle in dir. The input must fit policies/schemas/input.json, and is evaluated as it is.
func Eval(ctx context.Context, dir string, input []byte) (Outcome, error) {
	if err := checkInput(input); err != nil {
		return Outcome{}, err
	}
	b, err := Load(dir)
	if err != nil {
		return Outcome{}, err
	}
	e, err := build(ctx, b, Config{Workers: 1, Timeout: evalTimeout})
	if err != nil {
		return Outcome{}, err
	}
	defer e.Close()
	return e.Replay(ctx, input)
}

// Replay judges an input as it is, such as one from a record: with the bundle that it was judged by then, the outcome is the same.
func (e *Engine) Replay(ctx context.Context, input json.RawMessage) (Outcome, error) {
	decisions, err := e.decide(ctx, []json.RawMessage{input}, []string{ownerIn(input)})
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{Decision: decisions[0], Input: input}, nil
}

// ownerIn returns the tenant that owns the resource of an input, "" if it is unknown.
func ownerIn(input []byte) string {
	var in struct {
		Resource struct{ Properties struct{ Tenant string } }
	}
	if json.Unmarshal(input, &in) != nil {
		return "" // no text there, which is no tenant
	}
	return in.Resource.Properties.Tenant
}

// checkInput holds an input to its schema.
func checkInput(input []byte) error {
	var r report
	f := file{"input.json", input}
	switch {
	case len(input) > maxInputBytes:
		r.add(f.path, 0, "more than %d MiB; is it one input?", maxInputBytes>>20)
	case !json.Valid(input):
		r.add(f.path, 0, "is not JSON; give one policy input, as a record has it")
	default:
		if d, ok := parseDocument(f, keepTimes, &r); ok {
			newSchemas().validate(d, "input", &r)
		}
	}
	if len(r.problems) == 0 {
		return nil
	}
	return &Errors{Problems: r.problems, input: true}
}
