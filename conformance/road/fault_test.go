package road_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/gateway/demo"
)

// samReads is the request that works while everything does.
var samReads = request{who: "sam", method: http.MethodGet, path: welcome}

// signal sends a signal to a part.
func (w *world) signal(t *testing.T, part string, s syscall.Signal) (pid int) {
	t.Helper()
	pid = w.pid(t, part)
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatalf("%s, process %d: %v", part, pid, err)
	}
	return pid
}

// freeze stops a part and waits until each of its threads stands still, which on a busy machine is not at once.
func (w *world) freeze(t *testing.T, part string) (pid int) {
	t.Helper()
	pid = w.signal(t, part, syscall.SIGSTOP)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		if err != nil || len(threads) == 0 {
			t.Fatalf("%s, process %d: no threads: %v", part, pid, err)
		}
		if !slices.ContainsFunc(threads, func(path string) bool { return threadState(path) != "T" }) {
			return pid
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s, process %d, does not stop", part, pid)
		}
	}
}

// threadState returns the state in a stat file of /proc, "" if there is none.
func threadState(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(b), ") ") // behind the name, which may hold spaces
	state, _, _ := strings.Cut(rest, " ")
	return state
}

// back waits until a part has another process and everything is ready again.
func (w *world) back(t *testing.T, part string, old int) {
	t.Helper()
	began := time.Now()
	for deadline := began.Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if r, err := w.ready(); err == nil && r.PIDs[part] != old {
			t.Logf("%s was back after %v", part, time.Since(began).Round(time.Millisecond))
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come back: %v", part, w.said)
		}
	}
}

func TestAGatewayThatIsFrozenAnswersNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before, err := w.traces.reached()
	if err != nil {
		t.Fatal(err)
	}
	pid := w.freeze(t, "sallyport")
	for _, who := range []string{"sam", "uma", ""} {
		w.check(t, w.ask(t, request{who: who, method: http.MethodGet, path: welcome}), envoy(http.StatusServiceUnavailable))
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	// What it decides now, nobody waits for.
	w.check(t, w.ask(t, samReads), served)
	after, err := w.traces.reached()
	if err != nil {
		t.Fatal(err)
	}
	if after-before != 1 {
		t.Errorf("%d requests reached the store, want only the last", after-before)
	}
}

func TestAGatewayThatIsKilledComesBackAndNothingIsServedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pid := w.signal(t, "sallyport", syscall.SIGKILL)
	w.back(t, "sallyport", pid)
	w.check(t, w.ask(t, samReads), served)
	for _, s := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGKILL} {
		w.underLoad(t, func() {
			time.Sleep(300 * time.Millisecond)
			pid := w.signal(t, "sallyport", s)
			w.back(t, "sallyport", pid)
		})
	}
	if err := w.settle(); err != nil {
		t.Error(err)
	}
	w.verify(t, 0)
}

// underLoad lets people ask as fast as they can while something happens. Whatever they get must be a decision with its traces, or
// Envoy's word that there was none.
func (w *world) underLoad(t *testing.T, happens func()) {
	t.Helper()
	decided := map[string]outcome{"sam": served, "uma": belowPlans, "claire": denied("tenant.mismatch", usDefense)}
	ctx, stop := context.WithCancel(t.Context())
	var mu sync.Mutex
	answers := map[string][]answer{} // by who asked
	var clients sync.WaitGroup
	for who := range decided {
		token := w.token(t, who)
		clients.Go(func() {
			for ctx.Err() == nil {
				req, err := http.NewRequest(http.MethodGet, w.url(w.ports.Storage)+welcome, nil)
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Authorization", "Bearer "+token)
				a, err := do(client, req)
				if err != nil {
					t.Error(err) // Envoy itself is never away
					return
				}
				mu.Lock()
				answers[who] = append(answers[who], a)
				mu.Unlock()
			}
		})
	}
	happens()
	time.Sleep(200 * time.Millisecond)
	stop()
	clients.Wait()
	for who, want := range decided {
		var with, without int // a decision
		for _, a := range answers[who] {
			have := w.outcome(t, a)
			if cmp.Equal(have, envoy(http.StatusServiceUnavailable)) {
				without++
				continue
			}
			with++
			if d := cmp.Diff(want, have); d != "" {
				t.Errorf("%s (-want +have):\n%s", who, d)
			}
		}
		t.Logf("%s: %d decisions, %d times none", who, with, without)
		if with == 0 || without == 0 {
			t.Errorf("%s saw %d decisions and %d times none: want some of both", who, with, without)
		}
	}
}

func TestAStoreThatIsKilledComesBackAndTakesGrants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pid := w.signal(t, "storage", syscall.SIGKILL)
	w.back(t, "storage", pid)
	w.check(t, w.ask(t, samReads), served)
	w.check(t, w.ask(t, request{who: "uma", method: http.MethodGet, path: welcome}), belowPlans)
}

func TestIssuersThatAreAwayStopNobodyTheyVouchedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pid := w.freeze(t, "issuers")
	defer syscall.Kill(pid, syscall.SIGCONT)
	for who, path := range map[string]string{"sam": welcome, "gina": welcome, "claire": "/fr-space-missions/welcome.txt", "olga": welcome} {
		w.check(t, w.ask(t, request{who: who, method: http.MethodGet, path: path}), allowed(http.StatusOK, owner(path[1:])))
	}
	_, payload, _ := split(w.token(t, "sam"))
	unknown := w.forge(t, "usa", map[string]any{"kid": "usa-new"}, payload)
	began := time.Now()
	w.check(t, w.ask(t, request{method: http.MethodGet, path: welcome, header: map[string]string{"Authorization": "Bearer " + unknown}}), refused("identity.invalid"))
	if took := time.Since(began); took > time.Second {
		t.Errorf("the refusal of an unknown key took %v: it waited for the issuer", took)
	}
}

func TestABundleThatHasExpiredAllowsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := filepath.Join(w.Bundle(), "tenants", usDefense, "manifest.yaml")
	manifest, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	past := regexp.MustCompile(`(?m)^not_before:.*\nexpires:.*$`).ReplaceAll(manifest, []byte("not_before: \"2020-01-01T00:00:00Z\"\nexpires: \"2021-01-01T00:00:00Z\""))
	if bytes.Equal(past, manifest) {
		t.Fatalf("no dates in %s", manifest)
	}
	if err := os.WriteFile(path, past, 0o600); err != nil {
		t.Fatal(err)
	}
	w.signal(t, "sallyport", syscall.SIGTERM) // it starts again with the bundle as it is now
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if resp, err := http.Get(w.url(w.ports.HTTP) + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusServiceUnavailable {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("the gateway is ready with a part that has expired")
		}
	}
	if _, err := w.ready(); err == nil {
		t.Error("ready.json says that everything is ready")
	}
	expired := denied("freshness.bundle", usDefense)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) { // until Envoy has found it again
		if a := w.ask(t, samReads); a.status != http.StatusServiceUnavailable {
			w.check(t, a, expired)
			break
		}
	}
	w.check(t, w.ask(t, samReads), expired)
	w.check(t, w.ask(t, request{who: "claire", method: http.MethodGet, path: "/fr-space-missions/welcome.txt"}), allowed(http.StatusOK, "fr-space"))
}

func TestAFullDiskDeniesAndRoomOnItAllows(t *testing.T) {
	t.Parallel()
	real(t)
	dir := filepath.Join(filepath.Dir(socket(t)), "w")
	logs := demo.Layout{Dir: dir}.Audit()
	if err := os.MkdirAll(logs, 0o700); err != nil {
		t.Fatal(err)
	}
	const size = 24 << 20 // of which the gateway keeps 16 MiB for its own events
	if err := syscall.Mount("tmpfs", logs, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skip("a small disk for the logs can't be mounted here: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(logs, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	w, err := startWorld(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.stop(); err != nil {
			t.Error("stopping the world:", err)
		}
	})
	w.check(t, w.ask(t, samReads), served)
	ballast := filepath.Join(logs, "ballast")
	if err := os.WriteFile(ballast, make([]byte, size-(15<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	a := w.ask(t, samReads)
	unrecorded := outcome{Status: http.StatusForbidden, Visible: "system.audit_unavailable"}
	w.check(t, a, unrecorded)
	if a.decision() == "" {
		t.Error("the denial names no decision")
	}
	w.check(t, w.ask(t, request{who: "uma", method: http.MethodGet, path: welcome}), unrecorded)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	w.check(t, w.ask(t, samReads), served)
	w.verify(t, 0)
}

func TestASupervisorThatIsKilledLeavesNoChild(t *testing.T) {
	t.Parallel()
	real(t)
	dir := filepath.Join(filepath.Dir(socket(t)), "w")
	cmd := supervisor(dir)
	var out said
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill() })
	w := &world{Layout: demo.Layout{Dir: dir}, ended: make(chan struct{})}
	if err := w.waitReady(time.Minute); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	r, err := w.ready()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-exited
	for part, pid := range r.PIDs {
		for deadline := time.Now().Add(10 * time.Second); alive(pid); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Errorf("%s, process %d, outlived the supervisor", part, pid)
				syscall.Kill(pid, syscall.SIGKILL)
				break
			}
		}
	}
}

// alive reports whether a process runs. One that waits to be reaped does not.
func alive(pid int) bool {
	now := threadState(fmt.Sprintf("/proc/%d/stat", pid))
	return now != "" && now != "Z"
}
