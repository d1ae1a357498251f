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
	"github.com/tetratelabs/wazero/experimental"
)

// program is Rego as machine code, and data, of which instances are made.
type program struct {
	runtime wazero.Runtime
	policy  wazero.CompiledModule // what OPA's compiler made
	memory  wazero.CompiledModule // the module env: a memory, and the functions of the host by another name
	data    []byte                // JSON
}

// newProgram compiles the modules of b, its tests only if tests is set, for what rules in them to evaluate.
func newProgram(ctx context.Context, b *Bundle, tests bool, entrypoints ...string) (*program, error) {
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		return nil, fmt.Errorf("policy: wasm: wazero makes no machine code for %s: set policy.engine: topdown", runtime.GOARCH)
	}
	// Closing on the end of a context would cost five times the evaluation; see worker.go for what bounds one.
	p, err := compileProgram(ctx, wazero.NewRuntimeConfigCompiler(), b.parsed(tests), capabilities(tests), entrypoints)
	if err != nil {
		return nil, err
	}
	whole, err := p.with(ctx, encoded(b.data), evaluationPages)
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return whole, nil
}

// compileProgram makes machine code of modules. The program has no data yet.
func compileProgram(ctx context.Context, c wazero.RuntimeConfig, modules map[string]*ast.Module, caps *ast.Capabilities, entrypoints []string) (*program, error) {
	code, err := compileWasm(ctx, modules, caps, entrypoints)
	if err != nil {
		return nil, fmt.Errorf("policy: wasm: %w", err)
	}
	p := &program{runtime: wazero.NewRuntimeWithConfig(ctx, c)}
	if err = instantiateHost(ctx, p.runtime); err == nil {
		p.policy, err = p.runtime.CompileModule(experimental.WithCompilationWorkers(ctx, runtime.GOMAXPROCS(0)), code)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("policy: wasm: %w", err), p.close())
	}
	return p, nil
}

// with returns p with data, whose evaluations may take so many pages beside it. Closing either closes both.
func (p *program) with(ctx context.Context, data []byte, pages int) (_ *program, err error) {
	q := &program{runtime: p.runtime, policy: p.policy, data: data}
	own := int(p.policy.ImportedMemories()[0].Min())
	if q.memory, err = p.runtime.CompileModule(ctx, memoryModule(own, maxPages)); err != nil {
		return nil, fmt.Errorf("policy: wasm: %w", err)
	}
	trial, err := q.instantiate() // says how much the data takes
	if err != nil {
		return nil, err
	}
	full := int(trial.base / pageSize)
	if err := trial.close(); err != nil {
		return nil, err
	}
	if q.memory, err = p.runtime.CompileModule(ctx, memoryModule(full+startPages, full+pages)); err != nil {
		return nil, fmt.Errorf("policy: wasm: %w", err)
	}
	return q, nil
}

func (p *program) close() error { return p.runtime.Close(context.Background()) }

// compileWasm compiles modules to WebAssembly.
func compileWasm(ctx context.Context, modules map[string]*ast.Module, caps *ast.Capabilities, entrypoints []string) ([]byte, error) {
	modules, caps.Builtins = strictly(modules, caps.Builtins)
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
		return nil, err
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
