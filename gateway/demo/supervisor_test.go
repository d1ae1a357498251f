package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// readyState is ready.json.
type readyState struct {
	Addresses map[string]string `json:"addresses"`
	PIDs      map[string]int    `json:"pids"`
}

func TestADeadPartIsStartedAgainWithinTwoSecondsHoweverOften(t *testing.T) {
	t.Parallel()
	s := startSleepers(t, "storage", "envoy")
	before := awaitReady(t, s, readyState{})
	for range 3 {
		kill(t, before.PIDs["envoy"])
		killed := time.Now()
		after := awaitReady(t, s, before)
		if took := time.Since(killed); took > 2*time.Second {
			t.Errorf("started again after %v", took)
		}
		if after.PIDs["storage"] != before.PIDs["storage"] {
			t.Error("the other part was started again too")
		}
		before = after
	}
}

func TestReadyFileExistsExactlyWhileEveryPartIsReady(t *testing.T) {
	t.Parallel()
	s := newSupervisor(filepath.Join(t.TempDir(), "ready.json"), map[string]string{"storage": "127.0.0.1:1"})
	defer s.stop(time.Second)
	gate := filepath.Join(t.TempDir(), "gate")
	p := sleeper(t, "storage")
	p.ready = func(context.Context) error { _, err := os.Stat(gate); return err }
	open := func() {
		if err := os.WriteFile(gate, nil, 0o600); err != nil {
			t.Error(err)
		}
	}
	open()
	if err := s.start(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.readyFile); err == nil {
		t.Error("ready.json is there before the last part was started")
	}
	if err := s.announce(); err != nil {
		t.Fatal(err)
	}
	first := awaitReady(t, s, readyState{})
	if diff := cmp.Diff(map[string]string{"storage": "127.0.0.1:1"}, first.Addresses); diff != "" {
		t.Errorf("addresses (-want +have):\n%s", diff)
	}
	os.Remove(gate)
	kill(t, first.PIDs["storage"])
	await(t, "ready.json to go", func() bool { _, err := os.Stat(s.readyFile); return errors.Is(err, os.ErrNotExist) })
	open()
	awaitReady(t, s, first)
	s.stop(time.Second)
	if _, err := os.Stat(s.readyFile); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("ready.json after the stop: %v", err)
	}
}

func TestAPartThatEndsBeforeItIsReadyIsAnErrorWithItsLastWords(t *testing.T) {
	t.Parallel()
	s := newSupervisor(filepath.Join(t.TempDir(), "ready.json"), nil)
	defer s.stop(time.Second)
	p := sleeper(t, "sallyport")
	p.argv = []string{"/bin/sh", "-c", "echo 'sallyport.yaml:3: unknown key'; exit 2"}
	p.ready = func(context.Context) error { return errors.New("not yet") }
	err := s.start(t.Context(), p)
	wantEnvironment(t, err, "sallyport did not start: it ended: exit status 2: sallyport.yaml:3: unknown key (more in "+p.log+")")
	if part := (*PartError)(nil); !errors.As(err, &part) || part.ExitCode() != 2 {
		t.Errorf("want the part's own exit code, 2, in %#v", err)
	}
}

func TestAPartThatIsMissingIsAnError(t *testing.T) {
	t.Parallel()
	s := newSupervisor(filepath.Join(t.TempDir(), "ready.json"), nil)
	defer s.stop(time.Second)
	p := sleeper(t, "envoy")
	p.argv = []string{"/nowhere/envoy"}
	err := s.start(t.Context(), p)
	wantEnvironment(t, err, "envoy did not start")
	if part := (*PartError)(nil); !errors.As(err, &part) || part.ExitCode() != 0 {
		t.Errorf("want no exit code in %#v", err)
	}
}

func TestPartsStopInTheReverseOrderOfTheirStart(t *testing.T) {
	t.Parallel()
	trace := filepath.Join(t.TempDir(), "trace")
	s := newSupervisor(filepath.Join(t.TempDir(), "ready.json"), nil)
	for _, name := range []string{"issuers", "storage", "envoy"} {
		p := sleeper(t, name)
		started := trace + "." + name
		p.argv = []string{"/bin/sh", "-c", fmt.Sprintf("trap 'echo %s >> %s; exit' TERM; : > %s; while :; do sleep 0.01; done", name, trace, started)}
		p.ready = func(context.Context) error { _, err := os.Stat(started); return err }
		if err := s.start(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	s.stop(10 * time.Second)
	b, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"envoy", "storage", "issuers"}, strings.Fields(string(b))); diff != "" {
		t.Errorf("order of the stops (-want +have):\n%s", diff)
	}
}

func TestAPartThatIgnoresTheStopIsKilled(t *testing.T) {
	t.Parallel()
	s := newSupervisor(filepath.Join(t.TempDir(), "ready.json"), nil)
	p := sleeper(t, "storage")
	p.argv = []string{"/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.01; done"}
	if err := s.start(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	go func() { s.stop(50 * time.Millisecond); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(4 * time.Second):
		t.Fatal("the stop still waits")
	}
}

// When this is set, the test binary is a supervisor that waits to be killed; its value is the folder of its files.
const victim = "SALLYPORT_TEST_VICTIM"

func TestPartsDieWithASupervisorThatIsKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ties a child's life to its parent's")
	}
	if dir := os.Getenv(victim); dir != "" {
		s := newSupervisor(filepath.Join(dir, "ready.json"), nil)
		p := sleeper(t, "storage")
		if err := s.start(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		s.announce()
		select {}
	}
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), victim+"="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	state := awaitReady(t, &supervisor{readyFile: filepath.Join(dir, "ready.json")}, readyState{})
	cmd.Process.Kill()
	cmd.Wait()
	await(t, "the part to die", func() bool { return errors.Is(syscall.Kill(state.PIDs["storage"], 0), syscall.ESRCH) })
}

// sleeper is a part that does nothing and is ready at once.
func sleeper(t *testing.T, name string) part {
	return part{
		name:  name,
		argv:  []string{"/bin/sleep", "60"},
		env:   []string{"PATH=/usr/bin:/bin"},
		log:   filepath.Join(t.TempDir(), name+".log"),
		ready: func(context.Context) error { return nil },
	}
}

func startSleepers(t *testing.T, names ...string) *supervisor {
	t.Helper()
	s := newSupervisor(filepath.Join(t.TempDir(), "ready.json"), nil)
	t.Cleanup(func() { s.stop(time.Second) })
	for _, name := range names {
		p := sleeper(t, name)
		p.env = nil
		if err := s.start(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.announce(); err != nil {
		t.Fatal(err)
	}
	return s
}

// awaitReady waits for a ready.json that is not as before.
func awaitReady(t *testing.T, s *supervisor, before readyState) readyState {
	t.Helper()
	var state readyState
	await(t, "ready.json", func() bool {
		b, err := os.ReadFile(s.readyFile)
		if err != nil {
			return false
		}
		state = readyState{}
		if err := json.Unmarshal(b, &state); err != nil {
			t.Fatalf("ready.json was seen half written: %v", err)
		}
		return !cmp.Equal(state, before)
	})
	return state
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("killing %d: %v", pid, err)
	}
}
