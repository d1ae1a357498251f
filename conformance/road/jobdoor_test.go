package road_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
)

// jobService asks w's job service on its own socket, around Envoy and the gateway.
func (w *world) jobService(t *testing.T, host string, r request) answer {
	t.Helper()
	return direct(t, w.JobsSocket(), host, r)
}

// ranSince returns what the job service's log says of each request from an offset on: the status, and whether a decision allowed it.
func (w *world) ranSince(t *testing.T, offset int64) (lines []string) {
	t.Helper()
	b, err := os.ReadFile(w.JobsAccessLog())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b[offset:])) {
		fields := strings.Fields(line) // time, method, path, status, decision
		if len(fields) != 5 {
			t.Fatalf("a line of the job service's log with %d fields: %s", len(fields), line)
		}
		word := " by a decision"
		if fields[4] == "-" {
			word = " by none"
		}
		lines = append(lines, fields[3]+word)
	}
	return lines
}

// absent wants an object of us-defense not to be there.
func (w *world) absent(t *testing.T, path string) {
	t.Helper()
	w.check(t, w.ask(t, request{who: "sam", method: http.MethodGet, path: path}), allowed(http.StatusNotFound, usDefense))
}

// captured is a request that Envoy let through to the job service, with its grant, before the service has seen it.
type captured struct {
	request
	host     string
	decision string
}

// capture lets the gateway judge r, and keeps what Envoy would have sent to the job service.
func (w *world) capture(t *testing.T, compute int, recorded <-chan seen, r request) captured {
	t.Helper()
	a := ask(t, w.url(compute), w.authorized(t, r))
	if a.status != http.StatusOK { // the recorder's
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	got := <-recorded
	if got.method != r.method || got.uri != r.path {
		t.Fatalf("the job service would see %s %s", got.method, got.uri)
	}
	for name, values := range got.header {
		if name == "Authorization" || strings.HasPrefix(name, "X-Amz-") || name == "X-Sallyport-Clearance" {
			t.Errorf("the job service would see the client's %s: %q", name, values)
		}
	}
	r.who = ""
	r.header = map[string]string{"Content-Type": "application/json", "X-Sallyport-Grant": strings.Join(got.header.Values("X-Sallyport-Grant"), ",")}
	return captured{r, got.host, a.decision()}
}

func TestTheJobServiceItselfRunsNothingWithoutAGrantOfThisRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	recorder, recorded := record(t, w.JobsSocket())
	compute := w.anotherEnvoy(t, recorder).Compute
	capture := func(j job) captured {
		r := j.start("sam")
		maps.Copy(r.header, map[string]string{"X-Sallyport-Grant": "mine", "X-Sallyport-Clearance": "mine", "X-Envoy-Upstream-Rq-Timeout-Ms": "1"})
		return w.capture(t, compute, recorded, r)
	}
	j, other := jobOn("us-defense-plans/", "iad-1"), jobOn("us-defense-plans/", "iad-1")
	c, of := capture(j), capture(other)
	with := func(change func(*captured)) captured {
		d := c
		d.header = maps.Clone(c.header)
		change(&d)
		return d
	}
	grant := func(g string) func(*captured) { return func(c *captured) { c.header["X-Sallyport-Grant"] = g } }
	token := w.token(t, "sam")
	parts := strings.Split(c.header["X-Sallyport-Grant"], ".")
	for _, k := range []struct {
		what string
		c    captured
		says string
	}{
		{"no grant", with(func(c *captured) { delete(c.header, "X-Sallyport-Grant") }), "no header"},
		{"a token instead", with(grant(token)), "type"},
		{"a token beside no grant", with(func(c *captured) {
			c.header = map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/json"}
		}), "no header"},
		{"a grant without a signature", with(grant(parts[0] + "." + parts[1] + ".")), "key"},
		{"the grant of another request", with(grant(of.header["X-Sallyport-Grant"])), "body"},
		{"another body", with(func(c *captured) { c.body = strings.Replace(c.body, "welcome.txt", "noforn/welcome.txt", 1) }), "body"},
		{"another path", with(func(c *captured) { c.path = "/v1/jobs/" + usDefense + "." + strings.Repeat("0", 32) }), "path"},
		{"a query", with(func(c *captured) { c.path += "?x=1" }), "path"},
		{"another method", with(func(c *captured) { c.method = http.MethodPut }), "method"},
		{"another host", with(func(c *captured) { c.host = "elsewhere.test" }), "authority"},
	} {
		t.Run(k.what, func(t *testing.T) {
			before := size(t, w.JobsAccessLog())
			a := w.jobService(t, k.c.host, k.c.request)
			if a.status != http.StatusForbidden || !strings.Contains(a.body, k.says) {
				t.Errorf("status %d, want 403 and %q: %s", a.status, k.says, a.body)
			}
			if d := cmp.Diff([]string{"403 by none"}, w.ranSince(t, before)); d != "" {
				t.Errorf("its log (-want +have):\n%s", d)
			}
		})
	}
	w.absent(t, j.output())
	if a := w.jobService(t, c.host, c.request); a.status != http.StatusAccepted {
		t.Fatalf("within its 30 seconds, who holds it can use it, and so the others failed for their fault: %d %s", a.status, a.body)
	}
	t.Run("a second time", func(t *testing.T) {
		if a := w.jobService(t, c.host, c.request); a.status != http.StatusForbidden || !strings.Contains(a.body, "before") {
			t.Errorf("status %d: %s", a.status, a.body)
		}
	})
	t.Run("from before the service was started", func(t *testing.T) {
		pid := w.signal(t, "jobs", syscall.SIGKILL)
		w.back(t, "jobs", pid)
		for _, c := range []captured{c, of} { // one was taken before, one never
			if a := w.jobService(t, c.host, c.request); a.status != http.StatusForbidden || !strings.Contains(a.body, "started") {
				t.Errorf("status %d: %s", a.status, a.body)
			}
		}
	})
	t.Run("too old", func(t *testing.T) {
		old := capture(other)
		time.Sleep(36 * time.Second) // the service's own clock, which nobody can turn, and what clocks may differ by
		if a := w.jobService(t, old.host, old.request); a.status != http.StatusForbidden || !strings.Contains(a.body, "exp") {
			t.Errorf("status %d: %s", a.status, a.body)
		}
	})
	w.absent(t, other.output())
	if _, served, _ := w.traces.of(of.decision); served != 0 {
		t.Errorf("%d requests were made by a grant that was never taken", served)
	}
}

// TestEachLockOfComputeHoldsAlone is TestEachLockAloneHolds for the job service: some of the ways to open the first lock, since those
// are of the same filters.
func TestEachLockOfComputeHoldsAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ok := &status.Status{Code: int32(codes.OK)}
	disabled := change{regexp.MustCompile(`check_settings:\n\s+context_extensions: \{service: jobs, .* body: present\}\n\s+with_request_body: .*\n\s+grpc_service: .*`), "disabled: true"}
	for _, c := range []struct {
		what    string
		changes []change
	}{
		{"an empty answer", []change{w.impersonate(t, says(&authv3.CheckResponse{}))}},
		{"OK without the mark", []change{w.impersonate(t, says(&authv3.CheckResponse{Status: ok, HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{}}}))}},
		{"failure_mode_allow and no gateway", []change{replace("failure_mode_allow: false", "failure_mode_allow: true"), replace(w.GatewaySocket(), socket(t))}},
		{"ext_authz disabled on the route", []change{disabled}},
	} {
		t.Run(c.what, func(t *testing.T) {
			for _, lock := range []struct {
				what    string
				changes []change
				want    []string // in the service's log
			}{
				{"the belt holds", c.changes, nil},
				{"the grant alone holds", append(slices.Clone(c.changes), withoutBelt), []string{"403 by none"}},
			} {
				t.Run(lock.what, func(t *testing.T) {
					compute := w.url(w.anotherEnvoy(t, lock.changes...).Compute)
					for _, who := range []string{"", "sam", "claire"} {
						before := size(t, w.JobsAccessLog())
						j := jobOn("us-defense-plans/", "iad-1")
						a := ask(t, compute, w.authorized(t, j.start(who)))
						if a.status != http.StatusForbidden {
							t.Errorf("%q: status %d, want 403: %s", who, a.status, a.body)
						}
						if d := cmp.Diff(lock.want, w.ranSince(t, before)); d != "" {
							t.Errorf("%q: the job service's log (-want +have):\n%s", who, d)
						}
						w.absent(t, j.output())
					}
				})
			}
		})
	}
}

func TestTheJobServiceHoldsNoKeyOfTheStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	j := jobOn("us-defense-plans/", "iad-1")
	if s := w.awaited(t, "sam", w.run(t, "sam", j)); s.State != "succeeded" {
		t.Fatalf("%+v", s)
	}
	pid := w.pid(t, "jobs")
	proc := func(name string) string { return fmt.Sprintf("/proc/%d/%s", pid, name) }
	environment, err := os.ReadFile(proc("environ"))
	if err != nil {
		t.Fatal(err)
	}
	if len(environment) != 0 {
		t.Errorf("its environment is %q", environment)
	}
	files, err := filepath.Glob(proc("fd/*"))
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		target, err := os.Readlink(file)
		if err != nil {
			continue // closed since
		}
		if name, ours := strings.CutPrefix(target, w.Dir+"/"); ours && !slices.Contains([]string{"logs/jobs.log", "logs/jobs-access.log"}, name) {
			t.Errorf("it has %s open", target)
		}
	}
	secrets := map[string][]byte{}
	for _, tenant := range []string{"us-defense", "fr-space", "nz-fire", "ca-housing", "root"} {
		if secrets["the storage key of "+tenant], err = os.ReadFile(w.StorageSecret(tenant)); err != nil {
			t.Fatal(err)
		}
	}
	if secrets["the mark"], err = os.ReadFile(w.Mark()); err != nil {
		t.Fatal(err)
	}
	gateway := memoryHolds(t, w.pid(t, "sallyport"), secrets)
	if want := []string{"the storage key of us-defense"}; !slices.Contains(gateway, want[0]) {
		t.Fatalf("the gateway's memory holds %v, want at least %v: the search finds nothing", gateway, want)
	}
	if held := memoryHolds(t, pid, secrets); held != nil {
		t.Errorf("its memory holds %v", held)
	}
}

// memoryHolds returns which secrets are in the memory of a process.
func memoryHolds(t *testing.T, pid int, secrets map[string][]byte) (held []string) {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Skip("the memory of a process can't be read here: ", err)
	}
	defer memory.Close()
	const chunk, overlap = 4 << 20, 1 << 10
	buffer := make([]byte, chunk+overlap)
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var access string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &access); n != 3 || !strings.HasPrefix(access, "rw") {
			continue
		}
		for at := from; at < to; at += chunk {
			b := buffer[:min(chunk+overlap, to-at)]
			n, _ := memory.ReadAt(b, at) // some can't be read
			for name, secret := range secrets {
				if bytes.Contains(b[:n], bytes.TrimSpace(secret)) && !slices.Contains(held, name) {
					held = append(held, name)
				}
			}
		}
	}
	return held
}
