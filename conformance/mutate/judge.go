package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/sallyport-dev/sallyport/authz/policy"
	"github.com/sallyport-dev/sallyport/authz/policy/guardrail"
)

type verdict int

const (
	refused     verdict = iota // by the compiler
	survived                   // neither tests nor guardrails notice
	byTest                     // killed
	byGuardrail                // killed
)

// corpus is a folder of policies.
type corpus struct {
	dir     string
	modules map[string]*ast.Module // by file, relative to dir
	store   storage.Store
}

func open(dir string) (*corpus, error) {
	b, err := policy.Load(dir)
	if err != nil {
		return nil, err
	}
	c := &corpus{dir: dir, modules: map[string]*ast.Module{}, store: inmem.NewFromReader(strings.NewReader(string(b.Data())))}
	return c, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".rego" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		c.modules[name], err = ast.ParseModuleWithOpts(name, string(text), ast.ParserOptions{RegoVersion: ast.RegoV1, ProcessAnnotation: true})
		return err
	})
}

// judge says what becomes of a mutant.
func (c *corpus) judge(ctx context.Context, m mutant, whole bool) (verdict, error) {
	modules := c.mutated(m)
	killer, err := c.kill(ctx, modules, topic(m.file))
	switch {
	case errors.Is(err, errRefused):
		return refused, nil
	case err != nil:
		return 0, err
	case killer != "":
		return byTest, nil
	case !whole:
		return survived, nil
	}
	return c.whole(ctx, m.file, modules[m.file])
}

// topic is the folder of a file, whose tests are likely to know it.
func topic(file string) string { return filepath.Base(filepath.Dir(file)) + "_test" }

var errRefused = errors.New("the compiler refuses it")

// maxTest bounds one test: a mutant may not end.
const maxTest = 5 * time.Second

// kill runs the tests of modules and returns the name of one that fails, "" if none does. Those of the first package are compiled and run
// before the rest: most mutants die there.
func (c *corpus) kill(ctx context.Context, modules map[string]*ast.Module, first string) (string, error) {
	early, late := map[string]*ast.Module{}, map[string]*ast.Module{}
	for file, m := range modules {
		name := string(m.Package.Path[len(m.Package.Path)-1].Value.(ast.String))
		if !strings.HasSuffix(file, "_test.rego") || name == fixture {
			early[file], late[file] = m, m
		} else if name == first {
			early[file] = m
		} else {
			late[file] = m
		}
	}
	killer, err := c.test(ctx, early)
	if killer != "" || err != nil {
		return killer, err
	}
	return c.test(ctx, late)
}

// fixture is the package in a _test.rego file that all tests share.
const fixture = "fixture"

// test runs the tests of modules.
func (c *corpus) test(ctx context.Context, modules map[string]*ast.Module) (string, error) {
	copies := map[string]*ast.Module{} // the compiler changes what it is given
	for file, m := range modules {
		copies[file] = m.Copy()
	}
	compiler := ast.NewCompiler().WithDefaultRegoVersion(ast.RegoV1)
	if compiler.Compile(copies); compiler.Failed() {
		return "", fmt.Errorf("%w: %v", errRefused, compiler.Errors[0])
	}
	for _, test := range testsOf(modules) {
		query, err := rego.New(rego.Query(test), rego.Compiler(compiler), rego.Store(c.store), rego.StrictBuiltinErrors(true)).PrepareForEval(ctx)
		if err != nil {
			return "", err
		}
		stop := topdown.NewCancel()
		timer := time.AfterFunc(maxTest, stop.Cancel)
		results, err := query.Eval(ctx, rego.EvalExternalCancel(stop))
		timer.Stop()
		if err != nil || len(results) != 1 || results[0].Expressions[0].Value != true {
			return test, nil
		}
	}
	return "", ctx.Err()
}

// testsOf lists the rules test_… of modules.
func testsOf(modules map[string]*ast.Module) []string {
	var tests []string
	for _, file := range slices.Sorted(maps.Keys(modules)) {
		for _, rule := range modules[file].Rules {
			if test := rule.Head.Name.String(); strings.HasPrefix(test, "test_") {
				tests = append(tests, modules[file].Package.Path.String()+"."+test)
			}
		}
	}
	return tests
}

// whole asks `policy test`, which runs the tests as they are compiled for service too, and then the guardrails, with module in file.
func (c *corpus) whole(ctx context.Context, file string, module *ast.Module) (verdict, error) {
	dir, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return survived, err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, os.DirFS(c.dir)); err != nil {
		return survived, err
	}
	text, err := format.Ast(module)
	if err != nil {
		return survived, err
	}
	if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
		return survived, err
	}
	var problems *policy.Errors // strict compilation may find what a removed condition leaves unused; that alone kills nothing
	switch _, err := policy.Test(ctx, dir); {
	case errors.Is(err, policy.ErrTests):
		return byTest, nil
	case err != nil && !errors.As(err, &problems):
		return survived, err
	}
	b, err := policy.Load(dir)
	if err != nil {
		return survived, err
	}
	_, err = guardrail.Check(ctx, b)
	if errors.Is(err, guardrail.ErrBroken) {
		return byGuardrail, nil
	}
	return survived, err
}
