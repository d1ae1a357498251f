package policy

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// rehearseTests runs the bundle's own tests as they are compiled for service, and refuses a bundle of which one does not pass. What a test
// wants is what topdown says: `policy test` has run it with both before a bundle is signed. So all tests are run with Wasm, and topdown,
// which takes longer than all the rest of an activation, is asked only about those that fail, to tell a difference from a broken test.
func (b *Bundle) rehearseTests(ctx context.Context) error {
	tests, names := b.tests()
	if len(tests) == 0 {
		return nil
	}
	p, err := newProgram(ctx, b, true, names...)
	if err != nil {
		return err
	}
	failed := make([]string, len(tests))
	var workers sync.WaitGroup
	n := runtime.GOMAXPROCS(0)
	for first := range n {
		workers.Go(func() {
			var in *instance
			for i := first; i < len(tests) && ctx.Err() == nil; i += n {
				failed[i], in = p.runTest(in, i)
			}
		})
	}
	workers.Wait()
	if err := errors.Join(ctx.Err(), p.close()); err != nil {
		return err
	}
	return b.reportTests(ctx, tests, failed)
}

// runTest evaluates a test, with the instance in if it can, and says how it does not pass. It returns the instance for the next one.
func (p *program) runTest(in *instance, test int) (how string, next *instance) {
	if in == nil {
		var err error
		if in, err = p.instantiate(); err != nil {
			return fmt.Sprintf("fails: %v", err), nil
		}
	}
	switch results, err := in.evaluate(test, []byte("{}"), topdown.NewCancel(), asJSON); {
	case err != nil:
		return fmt.Sprintf("fails: %v", err), nil // the instance goes with the program
	case string(results) != `[{"result":true}]`:
		return fmt.Sprintf("is %s", results), in
	}
	return "", in
}

// tests returns the rules test_…, those with cases of their own left out, and the entrypoints that they are.
func (b *Bundle) tests() (tests []*ast.Rule, names []string) {
	seen := map[string]bool{}
	for _, m := range b.modules {
		for _, r := range m.parsed.Rules {
			name := strings.Join(packageName(m.parsed), "/") + "/" + string(r.Head.Name)
			if m.test && strings.HasPrefix(string(r.Head.Name), "test_") && len(r.Head.Ref()) == 1 && len(r.Head.Args) == 0 && !seen[name] {
				seen[name] = true
				tests, names = append(tests, r), append(names, name)
			}
		}
	}
	return tests, names
}

// reportTests returns what is to be said of tests that failed.
func (b *Bundle) reportTests(ctx context.Context, tests []*ast.Rule, failed []string) error {
	if !slices.ContainsFunc(failed, func(how string) bool { return how != "" }) {
		return nil
	}
	x, err := newExplainer(ctx, b, true)
	if err != nil {
		return err
	}
	defer x.store.Abort(ctx, x.txn)
	var r report
	for i, how := range failed {
		if how == "" {
			continue
		}
		at, name := tests[i].Location, tests[i].Head.Name
		if v, err := x.value(tests[i].Ref()); err == nil && v.Compare(ast.Boolean(true)) == 0 {
			r.add(at.File, at.Row, "the engines disagree: %s passes with topdown, and compiled to Wasm it %s; write the rule otherwise, or run it with policy.engine: topdown", name, how)
		} else {
			r.add(at.File, at.Row, "%s does not pass, it %s; correct it, and try sallyport policy test", name, how)
		}
	}
	return r.err(b.dir)
}
