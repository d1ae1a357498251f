package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

var (
	errMemory    = errors.New("an address is outside the memory")
	errStopped   = errors.New("nobody waits for it any more")
	errExhausted = errors.New("it takes more memory than an evaluation may")
)

type instanceKey struct{}

// instance evaluates one input at a time, in a memory of its own. Below base lie the module's own part and the data, which
// evaluations read; everything that they write begins at base again each time.
type instance struct {
	ctx          context.Context // holds the instance, for the host's functions
	env, policy  api.Module
	memory       api.Memory
	eval, malloc api.Function
	parseValue   api.Function
	dumpValue    api.Function
	data, base   uint32 // addresses
	stack        [7]uint64

	builtins     map[uint32]topdown.BuiltinFunc
	capabilities *ast.Capabilities
	stop         topdown.Cancel // of the evaluation under way
}

// instantiate makes an instance and parses the data.
func (p *program) instantiate() (_ *instance, err error) {
	i := &instance{stop: topdown.NewCancel(), capabilities: capabilities(false)}
	i.ctx = context.WithValue(context.Background(), instanceKey{}, i)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
		if err != nil {
			err = errors.Join(fmt.Errorf("policy: wasm: %w", err), i.close())
		}
	}()
	anonymous := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	if i.env, err = p.runtime.InstantiateModule(i.ctx, p.memory, anonymous); err != nil {
		return nil, err
	}
	resolve := experimental.WithImportResolver(i.ctx, func(string) api.Module { return i.env })
	if i.policy, err = p.runtime.InstantiateModule(resolve, p.policy, anonymous); err != nil {
		return nil, err
	}
	i.memory = i.env.ExportedMemory("memory")
	for name, f := range map[string]*api.Function{
		"opa_eval": &i.eval, "opa_malloc": &i.malloc, "opa_value_parse": &i.parseValue, "opa_value_dump": &i.dumpValue,
	} {
		if *f = i.policy.ExportedFunction(name); *f == nil {
			return nil, fmt.Errorf("no function %s", name)
		}
	}
	if i.builtins, err = i.readBuiltins(); err != nil {
		return nil, err
	}
	if i.data = i.parse(p.data); i.data == 0 {
		return nil, errors.New("the data can't be parsed")
	}
	i.base = aligned(i.call(i.policy.ExportedFunction("opa_heap_ptr_get")))
	return i, nil
}

// readBuiltins returns the builtins that the policy asks of the host, by id.
func (i *instance) readBuiltins() (map[uint32]topdown.BuiltinFunc, error) {
	var ids map[string]uint32
	text := i.text(i.call(i.dumpValue, i.call(i.policy.ExportedFunction("builtins"))))
	if err := json.Unmarshal([]byte(text), &ids); err != nil {
		return nil, fmt.Errorf("its builtins: %w", err)
	}
	out := map[uint32]topdown.BuiltinFunc{}
	for name, id := range ids {
		if out[id] = topdown.GetBuiltin(strings.TrimPrefix(name, goPrefix)); out[id] == nil {
			return nil, fmt.Errorf("no builtin %s", name)
		}
	}
	return out, nil
}

// The forms of results.
const (
	asJSON  = 0 // sets as lists
	asValue = 1 // sets in braces
)

// evaluate returns the results of an entrypoint, by number, for one input; they are valid until the next evaluation. After an error
// the instance must not be used again: what it was doing is still on its stack.
func (i *instance) evaluate(entrypoint int, input []byte, stop topdown.Cancel, form uint64) ([]byte, error) {
	return i.evaluateUntil(i.ctx, entrypoint, input, stop, form)
}

// evaluateUntil is evaluate, which the end of ctx stops if the program was compiled for that. ctx must hold the instance.
func (i *instance) evaluateUntil(ctx context.Context, entrypoint int, input []byte, stop topdown.Cancel, form uint64) ([]byte, error) {
	end := i.base + uint32(len(input))
	if size := i.memory.Size(); end > size {
		if _, ok := i.memory.Grow((end-size)>>16 + 1); !ok {
			return nil, errMemory
		}
	}
	if !i.memory.Write(i.base, input) {
		return nil, errMemory
	}
	i.stop = stop
	i.stack = [...]uint64{0, uint64(entrypoint), uint64(i.data), uint64(i.base), uint64(len(input)), uint64(aligned(end)), form}
	if err := i.eval.CallWithStack(ctx, i.stack[:]); err != nil {
		return nil, err
	}
	return i.read(api.DecodeU32(i.stack[0]))
}

func aligned(address uint32) uint32 { return (address + 7) &^ 7 }

// read returns the text at an address, which ends with a zero byte.
func (i *instance) read(address uint32) ([]byte, error) {
	b, ok := i.memory.Read(address, i.memory.Size()-address)
	end := bytes.IndexByte(b, 0)
	if !ok || end < 0 {
		return nil, errMemory
	}
	return b[:end], nil
}

func (i *instance) close() error {
	var errs []error
	for _, m := range []api.Module{i.policy, i.env} {
		if m != nil {
			errs = append(errs, m.Close(context.Background()))
		}
	}
	return errors.Join(errs...)
}
