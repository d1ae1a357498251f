package policy

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/compile"
	"github.com/tetratelabs/wazero"
)

// program is a bundle's Rego as machine code, and its data, of which instances are made.
type program struct {
	runtime wazero.Runtime
	policy  wazero.CompiledModule // what OPA's compiler made
	memory  wazero.CompiledModule // the module env: a memory, and the functions of the host by another name
	data    []byte                // JSON
}

// newProgram compiles the modules of b, its tests only if tests is set, for what rules in them to evaluate.
func newProgram(ctx context.Context, b *Bundle, tests bool, entrypoints ...string) (_ *program, err error) {
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		return nil, fmt.Errorf("policy: wasm: wazero makes no machine code for %s: set policy.engine: topdown", runtime.GOARCH)
	}
	code, err := b.wasm(ctx, tests, entrypoints)
	if err != nil {
		return nil, err
	}
	// Closing on the end of a context would cost five times the evaluation; see worker.go for what bounds one.
	p := &program{
		runtime: wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler()),
		data:    encoded(b.data),
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("policy: wasm: %w", err), p.close())
		}
	}()
	if err := instantiateHost(ctx, p.runtime); err != nil {
		return nil, err
	}
	if p.policy, err = p.runtime.CompileModule(ctx, code); err != nil {
		return nil, err
	}
	own := int(p.policy.ImportedMemories()[0].Min())
	if p.memory, err = p.runtime.CompileModule(ctx, memoryModule(own, maxPages)); err != nil {
		return nil, err
	}
	trial, err := p.instantiate() // says how much the data takes
	if err != nil {
		return nil, err
	}
	full := int(trial.base / pageSize)
	if err := trial.close(); err != nil {
		return nil, err
	}
	p.memory, err = p.runtime.CompileModule(ctx, memoryModule(full+startPages, full+evaluationPages))
	return p, err
}

func (p *program) close() error { return p.runtime.Close(context.Background()) }

// wasm compiles the modules of b to WebAssembly.
func (b *Bundle) wasm(ctx context.Context, tests bool, entrypoints []string) ([]byte, error) {
	caps := capabilities(tests)
	modules, builtins := strictly(b.parsed(tests), caps.Builtins)
	caps.Builtins = builtins
	in := &bundle.Bundle{Manifest: bundle.Manifest{Roots: &[]string{""}}, Data: map[string]any{}}
	for file, m := range modules {
		in.Modules = append(in.Modules, bundle.ModuleFile{URL: file, Path: file, Parsed: m})
	}
	c := compile.New().
		WithCapabilities(caps).
		WithRegoVersion(ast.RegoV1).
		WithTarget(compile.TargetWasm).
		WithEntrypoints(entrypoints...).
		WithPruneUnused(true).
		WithBundle(in)
	if err := c.Build(ctx); err != nil {
		return nil, fmt.Errorf("policy: wasm: %w", err)
	}
	return c.Bundle().WasmModules[0].Raw, nil
}

// Sizes of an instance's memory in pages: it holds the module's own part, then the data, then what one evaluation needs. The demo's
// decisions take about 60 KiB. evaluationPages is also what bounds the work of an evaluation, since nearly every step of one takes
// memory that it does not give back: where there is no more, the module itself ends it.
const (
	pageSize        = 64 << 10
	maxPages        = 1 << 30 / pageSize
	startPages      = 8
	evaluationPages = 128
)

// memoryModule is the module that policies import everything from, in the binary format of the WebAssembly core specification,
// §5.5. A host module of wazero can't export a memory, so this one has it, and passes on what hostModule exports.
func memoryModule(from, to int) []byte {
	const i32, function, memory = 0x7f, 0x00, 0x02
	var types, imports, exports [][]byte
	for i, f := range hostFunctions {
		t := []byte{0x60}
		t = append(t, vector(repeat(i32, f.params))...)
		t = append(t, vector(repeat(i32, f.results))...)
		types = append(types, t)
		imports = append(imports, join(name(hostModule), name(f.name), []byte{function, byte(i)}))
		exports = append(exports, join(name(f.name), []byte{function, byte(i)}))
	}
	exports = append(exports, join(name("memory"), []byte{memory, 0}))
	limits := join([]byte{1}, leb128(from), leb128(to))
	return join([]byte("\x00asm\x01\x00\x00\x00"),
		section(1, vector(types)), section(2, vector(imports)), section(5, vector([][]byte{limits})), section(7, vector(exports)))
}

func section(id byte, content []byte) []byte { return join([]byte{id}, leb128(len(content)), content) }

func vector(items [][]byte) []byte { return join(leb128(len(items)), join(items...)) }

func name(s string) []byte { return join(leb128(len(s)), []byte(s)) }

func repeat(b byte, n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = []byte{b}
	}
	return out
}

func join(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func leb128(n int) []byte {
	var out []byte
	for ; n >= 0x80; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return append(out, byte(n))
}
