package road_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// result is what a command did.
type result struct {
	code           int
	stdout, stderr string
}

// sallyport runs the binary.
func sallyport(t *testing.T, args ...string) result {
	t.Helper()
	return sallyportWith(t, os.Environ(), args...)
}

// sallyportWith runs the binary with an environment.
func sallyportWith(t *testing.T, env []string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // a gateway that starts although it must not
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Dir, cmd.Env = t.TempDir(), env
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// verify runs `audit verify` on w's logs, while the gateway writes them.
func (w *world) verify(t *testing.T, want int) {
	t.Helper()
	if r := sallyport(t, "audit", "verify", w.Audit()); r.code != want {
		t.Errorf("audit verify: exit code %d, want %d: %s", r.code, want, r.stderr)
	}
}

func TestTheLogsAreReadAndVerifiedWhileTheGatewayRuns(t *testing.T) {
	w := sharedWorld(t)
	a := w.ask(t, samReads)
	w.check(t, a, served)
	w.verify(t, 0)

	r := sallyport(t, "audit", "verify", "--output", "json", w.Audit())
	var report struct {
		Logs []struct {
			Log     string
			Records int
		}
	}
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil || r.code != 0 {
		t.Fatalf("exit code %d, %v: %s%s", r.code, err, r.stdout, r.stderr)
	}
	if len(report.Logs) != 5 {
		t.Errorf("%d logs, want the gateway's and those of four tenants", len(report.Logs))
	}

	r = sallyport(t, "audit", "cat", "--output", "json", filepath.Join(w.Audit(), usDefense))
	if r.code != 0 {
		t.Fatalf("audit cat: exit code %d: %s", r.code, r.stderr)
	}
	found := 0
	for line := range strings.Lines(r.stdout) {
		var record struct {
			Type       string
			DecisionID string `json:"decision_id"`
			Allow      *bool
			Reasons    []string
			Unproven   []string
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if record.DecisionID == "" || record.Allow == nil || record.Reasons == nil || record.Unproven == nil {
			t.Errorf("a record without the promised members: %s", line)
		}
		if record.DecisionID == a.decision() {
			found++
		}
	}
	if found != 1 {
		t.Errorf("audit cat shows decision %s %d times", a.decision(), found)
	}
	if r := sallyport(t, "audit", "cat", w.Audit()); r.code != 0 || !strings.Contains(r.stdout, a.decision()) {
		t.Errorf("audit cat: exit code %d: %s", r.code, r.stderr)
	}
}

func TestAByteThatWasChangedIsDamage(t *testing.T) {
	w := sharedWorld(t)
	for range 2 { // so that there is a line before, between and after, and a denial
		w.check(t, w.ask(t, samReads), served)
		w.check(t, w.ask(t, request{who: "uma", method: http.MethodGet, path: welcome}), belowPlans)
	}
	for _, c := range []struct {
		what   string
		change func([]byte) []byte
	}{
		{"nothing", func(b []byte) []byte { return b }},
		{"one bit", func(b []byte) []byte { b[len(b)/2] ^= 1; return b }},
		{"a deny into an allow", func(b []byte) []byte { return bytes.Replace(b, []byte(`"allow":false`), []byte(`"allow":true`), 1) }},
		{"a line less", func(b []byte) []byte {
			first, rest, _ := bytes.Cut(b, []byte("\n"))
			_, rest, _ = bytes.Cut(rest, []byte("\n"))
			return append(append(first[:len(first):len(first)], '\n'), rest...)
		}},
		{"a line twice", func(b []byte) []byte {
			first, _, _ := bytes.Cut(b, []byte("\n"))
			return append(append(first[:len(first):len(first)], '\n'), b...)
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "audit")
			if err := os.CopyFS(dir, os.DirFS(w.Audit())); err != nil {
				t.Fatal(err)
			}
			segments, err := filepath.Glob(filepath.Join(dir, usDefense, "*.jsonl"))
			if err != nil || len(segments) == 0 {
				t.Fatalf("no segment in %s: %v", dir, err)
			}
			b, err := os.ReadFile(segments[0])
			if err != nil {
				t.Fatal(err)
			}
			b = b[:bytes.LastIndexByte(b, '\n')+1] // the copy may end in the middle of what is being written
			if err := os.WriteFile(segments[0], c.change(b), 0o600); err != nil {
				t.Fatal(err)
			}
			want := 6
			if c.what == "nothing" {
				want = 0
			}
			for _, command := range []string{"verify", "cat"} {
				r := sallyport(t, "audit", command, dir)
				if r.code != want || strings.Contains(r.stderr, "goroutine") {
					t.Errorf("audit %s: exit code %d, want %d: %s", command, r.code, want, r.stderr)
				}
				if want == 6 && !strings.Contains(r.stderr, usDefense) {
					t.Errorf("audit %s does not name the log: %s", command, r.stderr)
				}
			}
		})
	}
}

func TestEnvoyAndTheStoreAgreeWithTheLogs(t *testing.T) {
	w := newWorld(t)
	seeded, err := os.ReadFile(w.StorageAccessLog()) // what the demo itself put into the store, past the gateway
	if err != nil {
		t.Fatal(err)
	}
	var last answer
	for range 3 {
		w.check(t, w.ask(t, samReads), served)
	}
	nobody := samReads
	nobody.who = ""
	last = w.ask(t, nobody)
	waitFor(t, w.EnvoyAccessLog(), last.decision())
	reconcile := func(envoy string) result {
		all, err := os.ReadFile(w.StorageAccessLog())
		if err != nil {
			t.Fatal(err)
		}
		store := filepath.Join(t.TempDir(), "store.log")
		if err := os.WriteFile(store, all[len(seeded):], 0o600); err != nil {
			t.Fatal(err)
		}
		return sallyport(t, "audit", "reconcile", w.Audit(), "--envoy-log", envoy, "--store-log", store)
	}
	if r := reconcile(w.EnvoyAccessLog()); r.code != 0 {
		t.Errorf("reconcile: exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}

	b, err := os.ReadFile(w.EnvoyAccessLog())
	if err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(t.TempDir(), "envoy.jsonl")
	id := strings.Repeat("0", 32)
	b = append(b[:bytes.LastIndexByte(b, '\n')+1], `{"time":"2026-01-01T00:00:00Z","request_id":"r","decision_id":"`+id+`","status":200}`+"\n"...)
	if err := os.WriteFile(changed, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := reconcile(changed); r.code != 6 || !strings.Contains(r.stdout, id) {
		t.Errorf("reconcile with a request of no record: exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}
}

// waitFor waits until a file has a text: Envoy holds its lines back for up to ten seconds.
func waitFor(t *testing.T, path, text string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		b, err := os.ReadFile(path)
		if err == nil && text != "" && bytes.Contains(b, []byte(text)) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not have %q: %v", path, text, err)
		}
	}
}
