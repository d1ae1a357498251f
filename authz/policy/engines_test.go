package policy_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

const flips = "decision := " + allowed + " if flipped\n\nelse := {\"allow\": false, \"unproven\": {\"label.missing\"}, \"reasons\": {\"label.missing\"}, \"obligations\": set()}\n\n"

// Not parallel: they share the probe that flips.
func TestABundleOnWhichTheEnginesDifferIsRefused(t *testing.T) {
	probe.flips.Store(0)
	dir := folder(t, core(flips+`flipped if semver.is_valid("flip")`))
	b, err := policy.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = policy.New(t.Context(), b, policy.Config{})
	var problems *policy.Errors
	if !errors.As(err, &problems) || policy.ExitCode(err) != 3 {
		t.Fatalf("have %v", err)
	}
	for _, part := range []string{"wasm: allow, topdown: deny [label.missing]", `The input: {"subject":{"type":"person"`, "policy.engine: topdown"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v lacks %q", err, part)
		}
	}
	e, err := policy.New(t.Context(), b, policy.Config{Engine: policy.Topdown})
	if err != nil {
		t.Fatal(err)
	}
	e.Close()
}

func TestAfterADisagreementTopdownAloneDecides(t *testing.T) {
	probe.flips.Store(0)
	found := make(chan policy.Disagreement, 10)
	e := engine(t, policy.Config{Workers: 1, Timeout: 10 * time.Second, Shadow: 1, OnDisagreement: func(d policy.Disagreement) { found <- d }},
		core(flips+"flipped if {\n\tinput.resource.id == \"flip\"\n\tsemver.is_valid(\"flip\")\n}"))
	ask := func(id string) policy.Outcome {
		t.Helper()
		got, err := e.Decide(t.Context(), ann, now, []authz.Access{access(id)})
		if err != nil {
			t.Fatal(err)
		}
		return got[0]
	}
	missing := denied("label.missing")
	ask("same") // is judged again, and alike
	if d := cmp.Diff(permitted, ask("flip").Decision); d != "" {
		t.Fatalf("wasm (-want +got):\n%s", d)
	}
	want := policy.Disagreement{Input: input(t, access("flip")), Wasm: permitted, Topdown: missing}
	if d := cmp.Diff(want, <-found); d != "" {
		t.Errorf("the disagreement (-want +got):\n%s", d)
	}
	for range 2 { // the one topdown asks twice
		ask("flip")
	}
	e.Close()
	if len(found) > 0 {
		t.Error("it is told twice")
	}
	if n := probe.flips.Load(); n != 4 {
		t.Errorf("the builtin was asked %d times, want 4: by Wasm, the shadow, and twice by topdown alone", n)
	}
}

// Not parallel: it holds the probe that hangs.
func TestWorkersThatAreStuckAreReplacedUntilThereAreTooMany(t *testing.T) {
	for _, name := range []string{policy.Wasm, policy.Topdown} {
		t.Run(name, func(t *testing.T) {
			probe.release = make(chan struct{})
			e := engine(t, policy.Config{Engine: name, Workers: 1, Timeout: 50 * time.Millisecond},
				core("decision := "+allowed+" if not stuck\n\nstuck if {\n\tinput.resource.id == \"hang\"\n\tsemver.is_valid(\"hang\")\n\tfalse\n}"))
			ask := func(id string) authz.Decision {
				t.Helper()
				got, err := e.Decide(t.Context(), ann, now, []authz.Access{access(id)})
				if err != nil {
					t.Fatal(err)
				}
				return got[0].Decision
			}
			wait := func(what string, done func() bool) {
				t.Helper()
				for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatal(what)
					}
				}
			}
			for n := 1; n <= 3; n++ {
				wait("no worker takes it", func() bool { d := ask("hang"); return cmp.Equal(d, denied(authz.SystemTimeout)) })
				wait("it is not taken for stuck", func() bool { return e.Stuck() == n })
				if err := e.Ready(); (err != nil) != (n == 3) {
					t.Errorf("with %d stuck: %v", n, err)
				}
				wait("its worker is not replaced", func() bool { return ask("x").Allow })
			}
			wait("no worker takes it", func() bool { d := ask("hang"); return cmp.Equal(d, denied(authz.SystemTimeout)) })
			wait("it is not taken for stuck", func() bool { return e.Stuck() == 4 })
			if d := cmp.Diff(denied(authz.SystemOverloaded), ask("x")); d != "" {
				t.Errorf("when no more are replaced (-want +got):\n%s", d)
			}
			close(probe.release)
			wait("they do not end", func() bool { return e.Stuck() == 0 })
			wait("the last worker does not go on", func() bool { return ask("x").Allow })
			if err := e.Ready(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Not parallel: they share the probe that flips, for topdown to true and then for Wasm to false.
func TestATestThatPassesWithOneEngineOnlyFails(t *testing.T) {
	probe.flips.Store(0)
	report, err := policy.Test(t.Context(), folder(t, put("root/compliance/compliance_test.rego",
		"package compliance_test\n\ntest_flip if semver.is_valid(\"flip\")\n\ntest_plain if 1 < 2\n")))
	if !errors.Is(err, policy.ErrTests) {
		t.Fatalf("have %v", err)
	}
	got := map[string]string{}
	for _, r := range report.Tests {
		if r.Package == "compliance_test" {
			got[r.Name] = r.Output
		}
	}
	want := map[string]string{"test_flip": "passes with topdown, and compiled to Wasm it is []", "test_plain": ""}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("tests (-want +got):\n%s", d)
	}
}

// Not parallel: they share the probe that flips, for Wasm to false and then for topdown to true.
func TestActivationRunsTheTestsOfTheBundle(t *testing.T) {
	const file = "root/compliance/compliance_test.rego"
	activate := func(c policy.Config, tests string) string {
		t.Helper()
		probe.flips.Store(1)
		dir := folder(t, put(file, "package compliance_test\n\nimport data.compliance\n\n"+tests+"\n"))
		b, err := policy.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		e, err := policy.New(t.Context(), b, c)
		if err == nil {
			e.Close()
		}
		return text(err, dir)
	}
	const passes = "test_passes if not compliance.decision.allow with input as {}\n\n"
	if have := activate(policy.Config{}, passes); have != "" {
		t.Errorf("a test that passes: %s", have)
	}
	want := file + ":7: test_wrong does not pass, it is []; correct it, and try sallyport policy test"
	if have := activate(policy.Config{}, passes+"test_wrong if compliance.decision.allow with input as {}"); have != want {
		t.Errorf("have %s\nwant %s", have, want)
	}
	want = file + ":7: the engines disagree: test_flip passes with topdown, and compiled to Wasm it is []; write the rule otherwise, or run it with policy.engine: topdown"
	if have := activate(policy.Config{}, passes+"test_flip if semver.is_valid(\"flip\")"); have != want {
		t.Errorf("have %s\nwant %s", have, want)
	}
	if have := activate(policy.Config{Engine: policy.Topdown}, passes+"test_flip if semver.is_valid(\"flip\")"); have != "" {
		t.Errorf("topdown alone: %s", have)
	}
}

// BenchmarkActivation loads and compiles the demo's bundle, its tests and the sample of the grid included, and says what one of the
// instances that then decide takes.
func BenchmarkActivation(b *testing.B) {
	dir := shipped(b)
	cpu := func() time.Duration { // of all threads: the tests run beside the rest
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	begin := cpu()
	defer func() { b.ReportMetric(float64((cpu()-begin).Milliseconds())/float64(b.N), "cpu-ms/op") }()
	for b.Loop() {
		bundle, err := policy.Load(dir)
		if err != nil {
			b.Fatal(err)
		}
		e, err := policy.New(b.Context(), bundle, policy.Config{})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(policy.InstanceBytes(b, e))/(1<<20), "MiB/instance")
		e.Close()
	}
}
