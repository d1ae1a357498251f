package road_test

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/gateway/demo/jobs"
)

// Modules in bytes, each with one function _start of no arguments. The middle is the memory of those that have one.
const (
	wasmTypes = "0061736d01000000" + "010401600000" + "03020100"
	wasmStart = "070a01065f73746172740000"

	quietly   = wasmTypes + wasmStart + "0a040102000b"                                                         // does nothing, and ends well
	trapping  = wasmTypes + wasmStart + "0a05010300000b"                                                       // unreachable
	looping   = wasmTypes + wasmStart + "0a0901070003400c000b0b"                                               // for ever
	exhausted = wasmTypes + "0503010001" + wasmStart + "0a11010f0003404110" + "4000417f47" + "0d000b" + "000b" // takes memory until there is none, then traps
	demanding = wasmTypes + "05050100" + "d00f" + wasmStart + "0a040102000b"                                   // wants 2,000 pages, 125 MiB, from the start
	importing = "0061736d01000000" + "010401600000" + "020b01" + "03656e76" + "03726573" + "0000"              // a function of env, which is not there
)

// put stores an object as somebody.
func (w *world) put(t *testing.T, who, path, body string) {
	t.Helper()
	w.check(t, w.ask(t, request{who: who, method: http.MethodPut, path: path, body: body}), allowed(http.StatusOK, owner(path[1:])))
}

// module puts a module of sam's into us-defense-plans/, and returns a job of it with one output.
func (w *world) module(t *testing.T, code string) job {
	t.Helper()
	if b, err := hex.DecodeString(code); err == nil {
		code = string(b)
	}
	j := jobOn("us-defense-plans/", "iad-1")
	j.Module = "s3://us-defense-plans/" + unique() + ".wasm"
	w.put(t, "sam", strings.TrimPrefix(j.Module, "s3:/"), code)
	return j
}

func TestAJobThatGoesWrongFailsForOneClearReasonAndWritesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	onWelcome := func(change func(*job)) func(*testing.T) job {
		return func(*testing.T) job { j := jobOn("us-defense-plans/", "iad-1"); change(&j); return j }
	}
	of := func(code string) func(*testing.T) job {
		return func(t *testing.T) job { return w.module(t, code) }
	}
	for _, c := range []struct {
		what string
		job  func(*testing.T) job
		says string
	}{
		{"a module that is not there", onWelcome(func(j *job) { j.Module = "s3://us-defense-plans/" + unique() }), "module: the store has no such object"},
		{"an input that is not there", onWelcome(func(j *job) { j.Inputs[0] = "s3://us-defense-plans/" + unique() }), "input 0: the store has no such object"},
		{"a module that is text", onWelcome(func(j *job) { j.Module, j.Inputs[0] = j.Inputs[0], j.Module }), "the module is not WebAssembly"},
		{"an empty module", of(""), "the module is not WebAssembly"},
		{"a module cut short", of(quietly[:len(quietly)-8]), "WebAssembly that the engine does not take"},
		{"a module that imports more than WASI", of(importing), "imports \"res\" from \"env\""},
		{"a module that traps", of(trapping), "trap"},
		{"a module that takes memory until there is none", of(exhausted), "trap"},
		{"a module that wants more memory than it may have", of(demanding), "memory"},
		{"a module that writes no output", of(quietly), "the module wrote no output 0"},
	} {
		t.Run(c.what, func(t *testing.T) {
			j := c.job(t)
			id := w.run(t, "sam", j)
			have := w.awaited(t, "sam", id)
			if !strings.Contains(have.Error, c.says) {
				t.Errorf("it says %q, want %q", have.Error, c.says)
			}
			if d := cmp.Diff(jobs.Status{ID: id, State: "failed", Error: have.Error}, have, whenever); d != "" {
				t.Errorf("(-want +have):\n%s", d)
			}
			w.absent(t, j.output())
		})
	}
	t.Run("an output that is there", func(t *testing.T) {
		j := jobOn("us-defense-plans/", "iad-1")
		first := j.Outputs[0]
		taken := "s3://us-defense-plans/" + unique()
		w.put(t, "sam", strings.TrimPrefix(taken, "s3:/"), "mine")
		j.Outputs = append(j.Outputs, taken)
		have := w.awaited(t, "sam", w.run(t, "sam", j))
		want := jobs.Status{ID: have.ID, State: "failed", Error: "output 1: there is such an object already: outputs are written once", Outputs: []string{first}}
		if d := cmp.Diff(want, have, whenever); d != "" {
			t.Errorf("(-want +have):\n%s", d)
		}
		a := w.ask(t, request{who: "sam", method: http.MethodGet, path: strings.TrimPrefix(taken, "s3:/")})
		if w.check(t, a, served); a.body != "mine" {
			t.Errorf("the object is now %q", a.body)
		}
	})
	t.Run("the same job again", func(t *testing.T) {
		j := jobOn("us-defense-plans/", "iad-1")
		if s := w.awaited(t, "sam", w.run(t, "sam", j)); s.State != "succeeded" {
			t.Fatalf("%+v", s)
		}
		if s := w.awaited(t, "sam", w.run(t, "sam", j)); s.State != "failed" || s.Outputs != nil {
			t.Errorf("%+v", s)
		}
	})
	t.Run("32 accesses", func(t *testing.T) {
		j := jobOn("us-defense-plans/", "iad-1")
		for i := len(j.Inputs) + len(j.Outputs); i < 30; i++ {
			if i%2 == 0 {
				j.Outputs = append(j.Outputs, "s3://us-defense-plans/"+unique())
				continue
			}
			input := "s3://us-defense-plans/" + unique()
			w.put(t, "sam", strings.TrimPrefix(input, "s3:/"), "one\n")
			j.Inputs = append(j.Inputs, input)
		}
		if s := w.awaited(t, "sam", w.run(t, "sam", j)); s.State != "succeeded" || len(s.Outputs) != len(j.Outputs) {
			t.Errorf("%+v", s)
		}
	})
	t.Run("a store that is silent", func(t *testing.T) {
		j := jobOn("us-defense-plans/", "iad-1")
		pid := w.freeze(t, "storage")
		id := w.run(t, "sam", j)
		have := w.awaited(t, "sam", id)
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		if have.State != "failed" || !strings.HasPrefix(have.Error, "module: the store") {
			t.Errorf("%+v", have)
		}
		w.absent(t, j.output())
	})
	if err := w.settle(); err != nil {
		t.Error(err)
	}
	w.verify(t, 0)
}

func TestAJobServiceThatIsFullRefusesAndOneThatIsKilledHasForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	loop := w.module(t, looping)
	var ids, outputs []string
	start := func(j job) answer {
		j.Outputs = []string{"s3://us-defense-plans/" + unique()}
		outputs = append(outputs, j.output())
		a := w.compute(t, j.start("sam"))
		if a.status == http.StatusAccepted {
			ids = append(ids, jobStatus(t, a).ID)
		}
		return a
	}
	full := func() {
		t.Helper()
		for range jobs.Slots {
			w.check(t, start(loop), allowed(http.StatusAccepted, usDefense))
		}
		a := start(jobOn("us-defense-plans/", "iad-1"))
		w.check(t, a, allowed(http.StatusServiceUnavailable, usDefense)) // the gateway allowed it, the service had no room
		if strings.Contains(a.body, `"id"`) || !strings.Contains(a.body, "ask again later") {
			t.Errorf("the answer is %s", a.body)
		}
	}
	full()
	for _, id := range ids {
		if s := jobStatus(t, w.compute(t, state("sam", id))); s.State != "running" {
			t.Errorf("%+v", s)
		}
	}
	pid := w.pid(t, "jobs")
	children := children(t, pid)
	if len(children) != jobs.Slots {
		t.Fatalf("%d modules run, want %d", len(children), jobs.Slots)
	}
	w.signal(t, "jobs", syscall.SIGKILL)
	w.back(t, "jobs", pid)
	for _, child := range children {
		for deadline := time.Now().Add(5 * time.Second); alive(child); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("a module, process %d, outlived its service", child)
			}
		}
	}
	for _, id := range ids {
		w.check(t, w.compute(t, state("sam", id)), allowed(http.StatusNotFound, usDefense))
	}
	ids = nil
	full() // it is as good as new, and the modules end when their time is over
	for _, id := range ids {
		s := w.awaited(t, "sam", id)
		took := s.Finished.Sub(s.Started)
		if s.State != "failed" || s.Error != "the module did not end in time" || took < jobs.MaxRun-time.Second || took > jobs.MaxRun+5*time.Second {
			t.Errorf("%+v after %v", s, took)
		}
	}
	if s := w.awaited(t, "sam", w.run(t, "sam", jobOn("us-defense-plans/", "iad-1"))); s.State != "succeeded" {
		t.Errorf("when there is room again: %+v", s)
	}
	for _, path := range outputs {
		w.absent(t, path)
	}
	if err := w.settle(); err != nil {
		t.Error(err)
	}
	w.verify(t, 0)
}

func TestAJobIsAskedForWhileTheServiceComesAndGoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	j := jobOn("us-defense-plans/", "iad-1")
	id := w.run(t, "sam", j)
	pid := w.signal(t, "jobs", syscall.SIGKILL)
	began := time.Now()
	a := w.compute(t, state("sam", id)) // Envoy finds nobody behind the socket, or the new one, which knows of no job
	if a.status != http.StatusServiceUnavailable && a.status != http.StatusNotFound {
		t.Errorf("status %d: %s", a.status, a.body)
	}
	w.back(t, "jobs", pid)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the job service was back after %v", took)
	}
	w.check(t, w.compute(t, state("sam", id)), allowed(http.StatusNotFound, usDefense))
	again := jobOn("us-defense-plans/", "iad-1")
	if s := w.awaited(t, "sam", w.run(t, "sam", again)); s.State != "succeeded" {
		t.Errorf("%+v", s)
	}
	// Whatever became of the first, its output is whole or not there.
	if a := w.ask(t, request{who: "sam", method: http.MethodGet, path: j.output()}); a.status != http.StatusNotFound && !strings.HasPrefix(a.body, "input 0: 1 lines, ") {
		t.Errorf("the output is %q", a.body)
	}
}

// children returns the processes that a process has started.
func children(t *testing.T, pid int) (children []int) {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(lists) == 0 {
		t.Fatal("no list of children", err)
	}
	for _, list := range lists {
		b, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range strings.Fields(string(b)) {
			child, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			children = append(children, child)
		}
	}
	return children
}
