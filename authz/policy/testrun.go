package policy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
)

// TestReport is the result of the Rego tests of a folder, in order of file and line.
type TestReport struct {
	Tests []TestResult `json:"tests"`
}

// TestResult is the result of one Rego test.
type TestResult struct {
	Package  string        `json:"package"`
	Name     string        `json:"name"`
	Location string        `json:"location"` // file:line, the file relative to the folder
	Pass     bool          `json:"pass"`
	Output   string        `json:"output,omitempty"` // what the test printed, and how it failed
	Duration time.Duration `json:"duration_ns"`
}

// testTimeout bounds each test; DESIGN wants a decision within milliseconds.
const testTimeout = 30 * time.Second

// Test runs the Rego tests (rules test_… of *_test.rego) of dir with topdown, and those that pass with Wasm too. An error that wraps
// ErrTests says that some failed or were skipped, or that there are none; the report is whole then too.
func Test(ctx context.Context, dir string) (TestReport, error) {
	b, err := Load(dir)
	if err != nil {
		return TestReport{}, err
	}
	if _, err := b.compile(true); err != nil {
		return TestReport{}, err
	}
	if _, err := b.compileOverlays(); err != nil {
		return TestReport{}, err
	}
	store := inmem.NewFromObjectWithOpts(b.data, inmem.OptRoundTripOnWrite(false))
	txn, err := store.NewTransaction(ctx, storage.TransactionParams{})
	if err != nil {
		return TestReport{}, fmt.Errorf("policy: test: %w", err)
	}
	defer store.Abort(ctx, txn)
	results, err := tester.NewRunner().
		SetCompiler(newCompiler(true)).
		SetModules(b.parsed(true)).
		SetStore(store).
		SetTimeout(testTimeout).
		RaiseBuiltinErrors(true).
		RunTests(ctx, txn)
	if err != nil {
		return TestReport{}, compileFailure(dir, err)
	}
	var ran []*tester.Result
	for r := range results {
		ran = append(ran, r)
	}
	slices.SortFunc(ran, func(a, b *tester.Result) int {
		return cmp.Or(a.Location.Compare(b.Location), strings.Compare(a.Name, b.Name))
	})
	compiled, err := b.testWasm(ctx, ran)
	if err != nil {
		return TestReport{}, err
	}
	var report TestReport
	failed := 0
	for _, r := range ran {
		t := testResult(r)
		if why := compiled[r]; why != "" {
			t.Pass, t.Output = false, t.Output+why
		}
		if !t.Pass {
			failed++
		}
		report.Tests = append(report.Tests, t)
	}
	switch {
	case ctx.Err() != nil:
		return report, fmt.Errorf("policy: test: %w", ctx.Err())
	case len(report.Tests) == 0:
		return report, fmt.Errorf("%w: %s has none; write rules test_… in *_test.rego", ErrTests, dir)
	case failed > 0:
		return report, fmt.Errorf("%w: %d of %d in %s", ErrTests, failed, len(report.Tests), dir)
	}
	return report, nil
}

// testWasm runs the tests that passed as they are compiled for service, and says of those that fail how.
func (b *Bundle) testWasm(ctx context.Context, ran []*tester.Result) (map[*tester.Result]string, error) {
	paths := map[string]string{} // of packages
	for _, m := range b.modules {
		paths[m.parsed.Package.Path.String()] = strings.Join(packageName(m.parsed), "/")
	}
	var passed []*tester.Result
	var names []string
	for _, r := range ran {
		name := paths[r.Package] + "/" + r.Name
		if r.Pass() && len(r.SubResults) == 0 && !slices.Contains(names, name) { // a table of cases has no value of its own
			passed, names = append(passed, r), append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	p, err := newProgram(ctx, b, true, names...)
	if err != nil {
		return nil, err
	}
	out := map[*tester.Result]string{}
	var in *instance
	for i, r := range passed {
		var how string
		if how, in = p.runTest(in, i); how != "" {
			out[r] = "passes with topdown, and compiled to Wasm it " + how
		}
	}
	return out, p.close()
}

func testResult(r *tester.Result) TestResult {
	t := TestResult{
		Package:  strings.TrimPrefix(r.Package, "data."),
		Name:     r.Name,
		Location: fmt.Sprintf("%s:%d", r.Location.File, r.Location.Row),
		Pass:     r.Pass(),
		Output:   string(r.Output),
		Duration: r.Duration,
	}
	switch {
	case r.Skip:
		t.Output += "skipped: a test that does not run proves nothing; make it run, or delete it"
	case r.Error != nil:
		t.Output += r.Error.Error()
	}
	for _, names := range failedCases(r.SubResults, nil) {
		t.Output += "failed case: " + names + "\n"
	}
	return t
}

// failedCases returns the names of the failed cases of a table test.
func failedCases(cases tester.SubResultMap, parents []string) []string {
	var out []string
	for name, c := range cases {
		path := append(slices.Clone(parents), name)
		if len(c.SubResults) > 0 {
			out = append(out, failedCases(c.SubResults, path)...)
		} else if c.Fail {
			out = append(out, strings.Join(path, " / "))
		}
	}
	slices.Sort(out)
	return out
}
