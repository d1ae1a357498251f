package policy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// hostModule is the wazero module of the functions that a policy calls in Go.
const hostModule = "sallyport"

// hostFunctions are what OPA's Wasm imports, with the number of parameters and results, each an i32.
var hostFunctions = []struct {
	name            string
	params, results int
}{
	{"opa_abort", 1, 0}, {"opa_println", 1, 0},
	{"opa_builtin0", 2, 1}, {"opa_builtin1", 3, 1}, {"opa_builtin2", 4, 1}, {"opa_builtin3", 5, 1}, {"opa_builtin4", 6, 1},
}

// instantiateHost makes hostModule. Its functions find the instance that calls them in the context of the call.
func instantiateHost(ctx context.Context, r wazero.Runtime) error {
	builder := r.NewHostModuleBuilder(hostModule)
	for _, f := range hostFunctions {
		builtin := strings.HasPrefix(f.name, "opa_builtin")
		builder.NewFunctionBuilder().WithGoFunction(api.GoFunc(func(ctx context.Context, stack []uint64) {
			i := ctx.Value(instanceKey{}).(*instance)
			if !builtin {
				panic(i.abort(api.DecodeU32(stack[0])))
			}
			stack[0] = i.builtin(api.DecodeU32(stack[0]), stack[2:f.params]) // stack[1] is reserved
		}), repeated(f.params), repeated(f.results)).Export(f.name)
	}
	_, err := builder.Instantiate(ctx)
	return err
}

// abort returns why Wasm ends an evaluation.
func (i *instance) abort(address uint32) error {
	why := i.text(address)
	if why == "opa_malloc: failed" {
		return errExhausted
	}
	return fmt.Errorf("the policy stops: %s", why)
}

func repeated(n int) []api.ValueType {
	t := make([]api.ValueType, n)
	for i := range t {
		t[i] = api.ValueTypeI32
	}
	return t
}

// builtin answers a call of the builtin id with the addresses of its arguments: the address of the result, 0 if it is undefined.
// An error of the builtin ends the evaluation, as it does in topdown; the panic becomes the error of the call into Wasm.
func (i *instance) builtin(id uint32, args []uint64) uint64 {
	if i.stop.Cancelled() {
		panic(errStopped)
	}
	terms := make([]*ast.Term, len(args))
	for n, address := range args {
		terms[n] = i.term(api.DecodeU32(address))
	}
	var result *ast.Term
	err := i.builtins[id](topdown.BuiltinContext{Context: context.Background(), Cancel: i.stop, Capabilities: i.capabilities, Location: &ast.Location{}}, terms,
		func(t *ast.Term) error { result = t; return nil })
	switch {
	case err != nil:
		panic(fmt.Errorf("a builtin fails: %w", err))
	case result == nil:
		return 0
	}
	text := appendTerm(nil, result.Value)
	return uint64(i.parse(text))
}

// parse makes a value of a text.
func (i *instance) parse(text []byte) uint32 {
	address := i.call(i.malloc, uint32(len(text)))
	if !i.memory.Write(address, text) {
		panic(errMemory)
	}
	return i.call(i.parseValue, address, uint32(len(text)))
}

// term reads the value at an address.
func (i *instance) term(address uint32) *ast.Term {
	text := i.text(i.call(i.dumpValue, address))
	if utf8.ValidString(text) { // most have no set in them, and are JSON, which is read many times faster than Rego
		if v, err := ast.ValueFromReader(strings.NewReader(text)); err == nil {
			return ast.NewTerm(v)
		}
	}
	t, err := ast.ParseTerm(text)
	if err != nil {
		panic(fmt.Errorf("an argument of a builtin: %w", err))
	}
	return t
}

// text reads the text at an address, which ends with a zero byte.
func (i *instance) text(address uint32) string {
	b, err := i.read(address)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// call calls an exported function within an evaluation.
func (i *instance) call(f api.Function, args ...uint32) uint32 {
	var stack [3]uint64
	for n, a := range args {
		stack[n] = uint64(a)
	}
	if err := f.CallWithStack(i.ctx, stack[:]); err != nil {
		panic(err)
	}
	return api.DecodeU32(stack[0])
}

// appendTerm writes a value as OPA's Wasm parses it: JSON, and sets in braces.
func appendTerm(b []byte, v ast.Value) []byte {
	list := func(open, end byte, n int, each func(func(*ast.Term))) {
		b = append(b, open)
		first := true
		each(func(t *ast.Term) {
			if !first {
				b = append(b, ',')
			}
			first = false
			b = appendTerm(b, t.Value)
		})
		b = append(b, end)
	}
	switch v := v.(type) {
	case ast.String:
		if !utf8.ValidString(string(v)) { // it would change on the way, and two different texts could become the same
			panic(errors.New("a builtin makes text that is not UTF-8"))
		}
		return appendText(b, string(v))
	case *ast.Array:
		list('[', ']', v.Len(), v.Foreach)
	case ast.Set:
		if v.Len() == 0 {
			return append(b, "set()"...)
		}
		list('{', '}', v.Len(), v.Foreach)
	case ast.Object:
		b = append(b, '{')
		for i, k := range v.Keys() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendTerm(append(appendTerm(b, k.Value), ':'), v.Get(k).Value)
		}
		return append(b, '}')
	default:
		return append(b, v.String()...) // null, booleans and numbers
	}
	return b
}
