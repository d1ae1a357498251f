package jobs_test

import (
	"encoding/hex"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/grant"
	request "github.com/sallyport-dev/sallyport/authz/resource/jobs"
	"github.com/sallyport-dev/sallyport/gateway/demo/jobs"
)

// Modules in bytes: one function _start, which does nothing, traps, or loops.
const (
	wasm  = "0061736d01000000" + "010401600000" + "03020100" + "070a01065f73746172740000"
	quiet = wasm + "0a040102000b"
	trap  = wasm + "0a05010300000b"
	loop  = wasm + "0a0901070003400c000b0b"
)

// faulty is a store whose every answer a test chooses; package jobs is tried with a real one too.
type faulty struct {
	mu      sync.Mutex // guards all below
	objects map[string]http.HandlerFunc
	asked   []string // method and path, in order
	referer map[string]bool
}

func newFaulty(t *testing.T) (*faulty, string) {
	t.Helper()
	f := &faulty{objects: map[string]http.HandlerFunc{}, referer: map[string]bool{}}
	for name, code := range map[string]string{"quiet": quiet, "trap": trap, "loop": loop} {
		b, err := hex.DecodeString(code)
		if err != nil {
			t.Fatal(err)
		}
		f.objects["GET "+name] = text(string(b))
	}
	f.objects["GET data"] = text("data")
	socket := filepath.Join(t.TempDir(), "store.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/us-defense-plans/")
		f.mu.Lock()
		h, ok := f.objects[key]
		f.asked = append(f.asked, key)
		f.referer[r.Referer()] = true
		f.mu.Unlock()
		if !ok {
			http.Error(w, "NoSuchKey", http.StatusNotFound)
			return
		}
		h(w, r)
	}))
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return f, socket
}

func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(s)) }
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

var anAccount = grant.Account{AccessKey: "us-defense", SecretKey: "s3cret"}

func TestAJobThatCannotBeDoneFailsForOneClearReason(t *testing.T) {
	t.Parallel()
	f, socket := newFaulty(t)
	elsewhere := httptest.NewServer(status(http.StatusOK))
	t.Cleanup(elsewhere.Close)
	for name, h := range map[string]http.HandlerFunc{
		"GET forbidden": status(http.StatusForbidden),
		"GET broken":    status(http.StatusInternalServerError),
		"GET moved":     func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"GET huge":      func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "1000000000") },
		"GET endless": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				w.Write(make([]byte, 1<<20))
			}
		},
		"GET cut": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			w.Write([]byte("half"))
		},
		"GET slow":  func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"GET dead":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"GET words": text("hello"),
	} {
		f.objects[name] = h
	}
	w := newWorld(t, socket, anAccount)
	for _, c := range []struct {
		what string
		job  job
		want string // the whole error
	}{
		{"the module is not there", job{module: "nothing"}, "module: the store has no such object"},
		{"the store refuses the module", job{module: "forbidden"}, "module: the store refuses it with 403"},
		{"the store is broken", job{module: "broken"}, "module: the store refuses it with 500"},
		{"the store leads elsewhere", job{module: "moved"}, "module: the store refuses it with 302"},
		{"the module is too large", job{module: "huge"}, "module: it has more than 16777216 bytes, which are left for it"},
		{"the module never ends", job{module: "endless"}, "module: it has more than 16777216 bytes, which are left for it"},
		{"the inputs are too large", job{module: "quiet", inputs: []string{"data", "endless"}}, "input 1: it has more than 67108860 bytes, which are left for it"},
		{"an input is cut", job{module: "quiet", inputs: []string{"cut"}}, "input 0: the store did not send all of it: unexpected EOF"},
		{"an input does not come", job{module: "quiet", inputs: []string{"slow"}, authority: 1500 * time.Millisecond},
			"input 0: the store does not answer: context deadline exceeded"},
		{"the store hangs up", job{module: "quiet", inputs: []string{"dead"}}, "input 0: the store does not answer: EOF"},
		{"the module is text", job{module: "words"}, "the module is not WebAssembly"},
		{"the module traps", job{module: "trap"}, "the module trapped"},
		{"the module loops past the life of the token", job{module: "loop", authority: 1500 * time.Millisecond}, "the module did not end in time"},
		{"the module writes nothing", job{module: "quiet", outputs: []string{"out"}}, "the module wrote no output 0"},
	} {
		t.Run(c.what, func(t *testing.T) {
			have := w.run(c.job)
			want := jobs.Status{State: "failed", Error: c.want}
			if diff := cmp.Diff(want, have, cmpopts.IgnoreFields(jobs.Status{}, "ID", "Started", "Finished")); diff != "" {
				t.Errorf("(-want +have):\n%s", diff)
			}
		})
	}
	w.stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, asked := range f.asked {
		if strings.HasPrefix(asked, "PUT") {
			t.Errorf("a job that failed has written: %s", asked)
		}
	}
	wantNoSecrets(t, w)
}

// wantNoSecrets wants no URL, signature or grant in what the service wrote down.
func wantNoSecrets(t *testing.T, w *world) {
	t.Helper()
	for _, log := range []string{w.log.String(), w.accessLog.String()} {
		for _, secret := range []string{"X-Amz", "http://", "eyJ", "Signature"} {
			if strings.Contains(log, secret) {
				t.Errorf("%q is in a log:\n%s", secret, log)
			}
		}
	}
}

func TestAStoreThatIsAwayFailsTheJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t, filepath.Join(t.TempDir(), "nobody.sock"), anAccount)
	have := w.run(job{module: "quiet"})
	if have.State != "failed" || !strings.Contains(have.Error, "module: the store does not answer: dial unix ") {
		t.Errorf("have %+v", have)
	}
	wantNoSecrets(t, w)
}

func TestARequestWithoutItsOwnFreshGrantRunsNothing(t *testing.T) {
	t.Parallel()
	f, socket := newFaulty(t)
	w := newWorld(t, socket, anAccount)
	name, enclave := tenant, "iad-1"
	to := authz.To{Kind: "enclave", Enclave: &enclave}
	accesses := []authz.Access{
		{Action: authz.Action{Name: "execute", Properties: authz.ActionProperties{Operation: request.StartJob, To: to}},
			Resource: authz.Resource{ID: "job:" + queue, Properties: authz.ResourceProperties{Tenant: &name}}},
		{Action: authz.Action{Name: "read", Properties: authz.ActionProperties{Operation: request.ReadModule, To: to}},
			Resource: authz.Resource{ID: uri("quiet"), Properties: authz.ResourceProperties{Tenant: &name}}},
	}
	post := func(operation string, accesses []authz.Access) *http.Request {
		return w.request(http.MethodPost, "/v1/jobs", "body", operation, accesses, 0)
	}
	used := post(request.StartJob, accesses)
	if code, body := w.do(used); code != http.StatusAccepted {
		t.Fatalf("%d %s", code, body)
	}
	for _, c := range []struct {
		what   string
		change func() *http.Request
		code   int
		want   string
	}{
		{"no grant", func() *http.Request { r := post(request.StartJob, accesses); r.Header = http.Header{}; return r }, 403, "missing"},
		{"a grant of another body", func() *http.Request {
			r := post(request.StartJob, accesses)
			other, _ := http.NewRequest(r.Method, r.URL.String(), strings.NewReader("other"))
			other.Header = r.Header
			return other
		}, 403, "another body"},
		{"a grant of another path", func() *http.Request { r := post(request.StartJob, accesses); r.URL.Path = "/v1/job"; return r }, 403, "another path"},
		{"a grant of another method", func() *http.Request { r := post(request.StartJob, accesses); r.Method = "PUT"; return r }, 403, "another method"},
		{"a grant twice", func() *http.Request {
			r, _ := http.NewRequest(used.Method, used.URL.String(), strings.NewReader("body"))
			r.Header = used.Header
			return r
		}, 403, "taken before"},
		{"a body that is too long", func() *http.Request {
			return w.request(http.MethodPost, "/v1/jobs", strings.Repeat("x", request.MaxBody+1), request.StartJob, accesses, 0)
		}, 413, "more than 65536 bytes"},
		{"a grant of an operation that is not known here", func() *http.Request { return post("GetObject", accesses) }, 501, "no operation"},
		{"a grant without a module", func() *http.Request { return post(request.StartJob, accesses[:1]) }, 400, "1 accesses"},
		{"a grant with two modules", func() *http.Request { return post(request.StartJob, append(accesses[:2:2], accesses[1])) }, 400, "access 2 of the grant"},
		{"a grant whose module comes first", func() *http.Request { return post(request.StartJob, []authz.Access{accesses[1], accesses[0]}) }, 400, "access 0 of the grant"},
		{"a grant that names no job", func() *http.Request { return w.request(http.MethodGet, "/v1/jobs/x", "", request.GetJob, accesses, 0) }, 400, "names no job"},
	} {
		t.Run(c.what, func(t *testing.T) {
			code, body := w.do(c.change())
			var e struct {
				Error string `json:"error"`
			}
			if err := json.Unmarshal([]byte(body), &e); err != nil || code != c.code || !strings.Contains(e.Error, c.want) {
				t.Errorf("want %d and %q, have %d %s", c.code, c.want, code, body)
			}
		})
	}
	w.stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	if diff := cmp.Diff([]string{"GET quiet"}, f.asked); diff != "" {
		t.Errorf("what was fetched: one job ran (-want +have):\n%s", diff)
	}
	wantNoSecrets(t, w)
}

func TestWhenBothSlotsAreTakenAJobIsRefusedAndNothingOfItIsKept(t *testing.T) {
	t.Parallel()
	f, socket := newFaulty(t)
	gate := make(chan struct{})
	f.objects["GET gated"] = func(w http.ResponseWriter, r *http.Request) {
		<-gate
		f.objects["GET quiet"](w, r)
	}
	w := newWorld(t, socket, anAccount)
	var ids []string
	for range jobs.Slots {
		ids = append(ids, w.start(job{module: "gated"}))
	}
	code, body := w.post(job{module: "quiet"})
	if code != http.StatusServiceUnavailable || strings.Contains(body, `"id"`) {
		t.Errorf("with no slot: %d %s", code, body)
	}
	close(gate)
	for _, id := range ids {
		for {
			_, body := w.get(id)
			if strings.Contains(body, "succeeded") {
				break
			}
			if !strings.Contains(body, "running") {
				t.Fatalf("job %s: %s", id, body)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	if have := w.run(job{module: "quiet"}); have.State != "succeeded" {
		t.Errorf("with slots free again: %+v", have)
	}
	w.stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	if diff := cmp.Diff([]string{"GET gated", "GET gated", "GET quiet"}, f.asked); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
}

func TestAJobThatIsNotThereIs404(t *testing.T) {
	t.Parallel()
	_, socket := newFaulty(t)
	w := newWorld(t, socket, anAccount)
	id := queue + "." + strings.Repeat("0", 32)
	code, body := w.get(id)
	if code != http.StatusNotFound || !strings.Contains(body, id) {
		t.Errorf("have %d %s", code, body)
	}
}

func TestEachRequestIsALineWithTheDecisionThatAllowedIt(t *testing.T) {
	t.Parallel()
	f, socket := newFaulty(t)
	w := newWorld(t, socket, anAccount)
	id := w.run(job{module: "quiet"}).ID
	r, err := http.NewRequest(http.MethodDelete, "http://"+host+"/v1/jobs?secret=x", nil)
	if err != nil {
		t.Fatal(err)
	}
	w.do(r)
	w.stop()
	lines := strings.Split(strings.TrimSpace(w.accessLog.String()), "\n")
	for i, want := range map[int]string{
		0:              `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z POST /v1/jobs 202 [0-9a-f]{32}$`,
		1:              `Z GET /v1/jobs/` + regexp.QuoteMeta(id) + ` 200 [0-9a-f]{32}$`,
		len(lines) - 1: `Z DELETE /v1/jobs 403 -$`,
	} {
		if !regexp.MustCompile(want).MatchString(lines[i]) {
			t.Errorf("line %d: want %s, have %s", i, want, lines[i])
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	decision := strings.Fields(lines[0])[4]
	if diff := cmp.Diff(map[string]bool{decision: true}, f.referer); diff != "" {
		t.Errorf("the store was told another decision (-want +have):\n%s", diff)
	}
}

func TestAStopEndsAJobThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	_, socket := newFaulty(t)
	w := newWorld(t, socket, anAccount)
	w.start(job{module: "loop"})
	began := time.Now()
	w.stop()
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("the stop took %v", took)
	}
	if log := w.log.String(); !strings.Contains(log, "the job service was stopped") {
		t.Errorf("the log says %s", log)
	}
}
