package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/sallyport-dev/sallyport/authz"
)

// Probe is a bundle's compiled policy for those who look for holes in it: it judges any text as input, over the bundle's data or
// over other data. Nothing in service asks it.
type Probe struct {
	program *program
	reasons map[authz.Reason]bool
}

// NewProbe compiles b, which Check has passed, to Wasm.
func NewProbe(ctx context.Context, b *Bundle) (*Probe, error) {
	p := &Probe{reasons: map[authz.Reason]bool{}}
	reasons, _ := b.data["reasons"].(map[string]any)
	for id := range reasons {
		p.reasons[authz.Reason(id)] = true
	}
	var err error
	p.program, err = newProgram(ctx, b, false, "compliance/decision")
	return p, err
}

// Close frees what p holds.
func (p *Probe) Close() error { return p.program.close() }

// Decide judges inputs as they are, one after the other, over data that stands in for the whole of the bundle's, and hands each decision
// to got. An evaluation that fails is a deny with its own reason, as in service. It may be called by several goroutines at a time.
func (p *Probe) Decide(ctx context.Context, data any, inputs []string, got func(authz.Decision)) error {
	program := *p.program
	var err error
	if program.data, err = json.Marshal(data); err != nil {
		return fmt.Errorf("policy: probe: %w", err)
	}
	var in *instance
	defer func() {
		if in != nil {
			in.close() // nothing of it is left, whatever it says
		}
	}()
	for _, input := range inputs {
		if err := ctx.Err(); err != nil {
			return err
		}
		if in == nil {
			if in, err = program.instantiate(); err != nil {
				return err
			}
		}
		d := attempt(topdown.NewCancel(), func() (authz.Decision, error) {
			results, err := in.evaluate(0, []byte(input), topdown.NewCancel(), asJSON)
			if err != nil {
				err = errors.Join(err, in.close())
				in = nil
				return authz.Decision{}, err
			}
			a, err := parseAnswer(results)
			if err != nil {
				return authz.Decision{}, err
			}
			return a.decision(p.reasons)
		})
		got(d)
	}
	return nil
}

// Format writes a module as opa fmt does.
func Format(module string) (string, error) {
	b, err := format.SourceWithOpts("module.rego", []byte(module), format.Opts{RegoVersion: ast.RegoV1})
	return string(b), err
}
