package policy

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Pair evaluates rules of any shape with both engines, without the bundle's lints and types.
type Pair struct {
	names    []string
	queries  []rego.PreparedEvalQuery
	program  *program
	instance *instance
}

// NewPair compiles a rule named decision for each body, each in a package of its own.
func NewPair(data map[string]any, bodies []string) (*Pair, error) {
	b := &Bundle{data: data}
	p := &Pair{}
	for i, body := range bodies {
		name := fmt.Sprintf("awkward.p%d", i)
		m, err := ast.ParseModuleWithOpts(name+".rego", "package "+name+"\n\n"+body, ast.ParserOptions{RegoVersion: ast.RegoV1})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", body, err)
		}
		b.modules = append(b.modules, module{file: name + ".rego", parsed: m})
		p.names = append(p.names, strings.ReplaceAll(name, ".", "/")+"/decision")
	}
	c := ast.NewCompiler().WithCapabilities(capabilities(false)).WithDefaultRegoVersion(ast.RegoV1)
	if c.Compile(b.parsed(false)); c.Failed() {
		return nil, c.Errors
	}
	for i := range bodies {
		q, err := rego.New(rego.Query(fmt.Sprintf("data.awkward.p%d.decision", i)), rego.Compiler(c), rego.StrictBuiltinErrors(true),
			rego.Store(inmem.NewFromObject(data)), rego.GenerateJSON(unchanged)).PrepareForEval(context.Background())
		if err != nil {
			return nil, err
		}
		p.queries = append(p.queries, q)
	}
	var err error
	p.program, err = newProgram(context.Background(), b, false, p.names...)
	return p, err
}

// Close ends p.
func (p *Pair) Close() error { return p.program.close() }

// Outcomes is what the engines say of one input: a value, or a Var that says why there is none.
type Outcomes struct{ Topdown, Wasm ast.Value }

const (
	undefined = ast.Var("undefined")
	failed    = ast.Var("error")
)

// Same reports whether the engines say the same; how a number is written does not count.
func (o Outcomes) Same() bool { return o.Topdown.Compare(o.Wasm) == 0 }

// Ask evaluates rule i with both engines. Topdown's index is off: it would spare topdown rules in which Wasm meets an error.
func (p *Pair) Ask(i int, input []byte) Outcomes {
	return Outcomes{p.topdown(i, input, false), p.Wasm(i, input, false)}
}

// AskIndexed is Ask with the index.
func (p *Pair) AskIndexed(i int, input []byte) Outcomes {
	return Outcomes{p.topdown(i, input, true), p.Wasm(i, input, false)}
}

func (p *Pair) topdown(i int, input []byte, indexed bool) ast.Value {
	v, err := ast.ValueFromReader(bytes.NewReader(input))
	if err != nil {
		panic(err)
	}
	results, err := p.queries[i].Eval(context.Background(), rego.EvalParsedInput(v), rego.EvalRuleIndexing(indexed))
	switch {
	case err != nil:
		return failed
	case len(results) == 0:
		return undefined
	}
	return results[0].Expressions[0].Value.(ast.Value)
}

// drop closes the instance, which wazero would keep for as long as its runtime.
func (p *Pair) drop() {
	if err := p.instance.close(); err != nil {
		panic(err)
	}
	p.instance = nil
}

// Wasm evaluates rule i with Wasm, in an instance that has evaluated nothing yet if fresh is set.
func (p *Pair) Wasm(i int, input []byte, fresh bool) ast.Value {
	if p.instance != nil && fresh {
		p.drop()
	}
	if p.instance == nil {
		var err error
		if p.instance, err = p.program.instantiate(); err != nil {
			panic(err)
		}
	}
	text, err := p.instance.evaluate(i, slices.Clone(input), topdown.NewCancel(), asValue)
	if err != nil {
		p.drop()
		return failed
	}
	t, err := ast.ParseTerm(string(text))
	if err != nil {
		panic(fmt.Sprintf("%s: %v", text, err))
	}
	var found ast.Value = undefined
	t.Value.(ast.Set).Foreach(func(t *ast.Term) { found = t.Get(ast.StringTerm("result")).Value })
	return found
}
