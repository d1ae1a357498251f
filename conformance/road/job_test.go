package road_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sallyport-dev/sallyport/gateway/demo/jobs"
)

// job is what somebody asks to have run.
type job struct {
	Module  string   `json:"module"`
	Inputs  []string `json:"inputs"`
	Outputs []string `json:"outputs"`
	Enclave string   `json:"enclave"`
	Queue   string   `json:"queue"`
}

// jobOn is a job of a row's own module on its welcome.txt, with one new output beside it.
func jobOn(row, enclave string) job {
	at := "s3://" + row
	return job{at + "module.wasm", []string{at + "welcome.txt"}, []string{at + unique() + ".txt"}, enclave, owner(row)}
}

// start makes the request that starts j.
func (j job) start(who string) request {
	b, err := json.Marshal(j)
	if err != nil {
		panic(err) // it holds nothing but text
	}
	return post(who, string(b))
}

// output is the path of the first output at the storage port.
func (j job) output() string { return strings.TrimPrefix(j.Outputs[0], "s3:/") }

func post(who, body string) request {
	return request{who: who, method: http.MethodPost, path: "/v1/jobs", body: body, header: map[string]string{"Content-Type": "application/json"}}
}

func state(who, id string) request {
	return request{who: who, method: http.MethodGet, path: "/v1/jobs/" + id}
}

// compute sends r to w's Envoy in front of the job service.
func (w *world) compute(t testing.TB, r request) answer {
	t.Helper()
	return ask(t, w.url(w.ports.Compute), w.authorized(t, r))
}

// run starts a job that must be allowed, and returns its id.
func (w *world) run(t *testing.T, who string, j job) (id string) {
	t.Helper()
	a := w.compute(t, j.start(who))
	for range 5 {
		if !late(w.outcome(t, a)) {
			break
		}
		a = w.compute(t, j.start(who))
	}
	w.check(t, a, allowed(http.StatusAccepted, j.Queue))
	s := jobStatus(t, a)
	if s.State != "running" || !strings.HasPrefix(s.ID, j.Queue+".") {
		t.Fatalf("the answer is %s", a.body)
	}
	return s.ID
}

// late reports whether a request was refused since a busy machine did not decide or record it in time. Modules make it busy.
func late(o outcome) bool {
	return cmp.Equal(o, envoy(http.StatusServiceUnavailable)) || o.Visible == "system.audit_unavailable" || o.Visible == "system.timeout"
}

// awaited asks for a job's state until it is no longer running.
func (w *world) awaited(t *testing.T, who, id string) jobs.Status {
	t.Helper()
	queue, _, _ := strings.Cut(id, ".")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		a := w.compute(t, state(who, id))
		if late(w.outcome(t, a)) && time.Now().Before(deadline) {
			continue
		}
		w.check(t, a, allowed(http.StatusOK, queue))
		if s := jobStatus(t, a); s.State != "running" || time.Now().After(deadline) {
			return s
		}
	}
}

// jobStatus reads the state of a job.
func jobStatus(t *testing.T, a answer) jobs.Status {
	t.Helper()
	var s jobs.Status
	if err := json.Unmarshal([]byte(a.body), &s); err != nil {
		t.Fatalf("%v: %d %s", err, a.status, a.body)
	}
	return s
}

// whenever leaves out what differs from run to run.
var whenever = cmpopts.IgnoreFields(jobs.Status{}, "Started", "Finished")

func TestAJobRunsAndItsOutputIsReadBack(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	for _, c := range []struct{ who, row, enclave string }{
		{"sam", "us-defense-plans/", "iad-1"}, {"claire", "fr-space-missions/", "par-1"}, {"noah", "ca-housing-loans/", "yow-1"},
	} {
		t.Run(c.who+" in "+c.enclave, func(t *testing.T) {
			j := jobOn(c.row, c.enclave)
			id := w.startedWhenFree(t, c.who, j)
			have := w.awaited(t, c.who, id)
			if d := cmp.Diff(jobs.Status{ID: id, State: "succeeded", Outputs: j.Outputs}, have, whenever); d != "" {
				t.Fatalf("(-want +have):\n%s", d)
			}
			a := w.ask(t, request{who: c.who, method: http.MethodGet, path: j.output()})
			w.check(t, a, allowed(http.StatusOK, j.Queue))
			if !strings.HasPrefix(a.body, "input 0: 1 lines, ") {
				t.Errorf("the output is %q", a.body)
			}
		})
	}
}

// startedWhenFree starts a job, again and again while others have all slots.
func (w *world) startedWhenFree(t *testing.T, who string, j job) (id string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		a := w.compute(t, j.start(who))
		if a.status != http.StatusServiceUnavailable {
			w.check(t, a, allowed(http.StatusAccepted, j.Queue))
			return jobStatus(t, a).ID
		}
		w.check(t, a, allowed(http.StatusServiceUnavailable, j.Queue)) // the gateway allowed it, the service had no room
	}
	t.Fatal("the job service never has room")
	return ""
}

// jobsTable is model.md's row of jobs with the people who are not in it. The reasons are those of each access, in the order in which
// the gateway judges them: the queue, the module, the input, the output.
const jobsTable = `
| who | row | enclave | StartJob | ReadModule | ReadInput | WriteOutput |
|---|---|---|---|---|---|---|
| sam | plans/ | iad-1 | A | A | A | A |
| sam | plans/ | edge-7 | A | A | A | A |
| sam | plans/ | iad-0 | A | enclave.ceiling | enclave.ceiling | A |
| sam | noforn/ | edge-7 | A | enclave.ceiling | enclave.ceiling | A |
| claire | missions/ | par-1 | A | A | A | A |
| claire | missions/ | par-2 | A | jurisdiction.legal_control | jurisdiction.legal_control | A |
| noah | loans/ | yow-1 | A | A | A | A |
| noah | loans/ | iad-0 | A | jurisdiction.processing | jurisdiction.processing | A |
| dieter | joint/ | par-1 | an | A | A | an |
| gina | plans/ | iad-1 | an | A | A | an |
| uma | plans/ | iad-1 | A | clearance.level | clearance.level | clearance.level |
| uma | parts/ | iad-0 | A | A | A | A |
| luc | missions/ | par-1 | A | category.restrictive | category.restrictive | category.restrictive |
| claire | plans/ | iad-1 | tm | tm | tm | tm |
| olga | plans/ | iad-1 | pu | A | A | pu |
| otto | plans/ | iad-1 | pu | pu | pu | pu |
| eve | plans/ | iad-1 | identity.issuer | eve | eve | eve + wd |`

func TestEveryJobOfTheTable(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	_, lines := table(jobsTable)
	for _, line := range lines {
		who, row, enclave, cells := line[0], rows[line[1]], line[2], line[3:]
		t.Run(fmt.Sprintf("%s on %s in %s", who, row, enclave), func(t *testing.T) {
			var all, each []string
			for _, cell := range cells {
				if each = append(each, reasons(cell)); cell != "A" {
					all = append(all, strings.Split(reasons(cell), " + ")...)
				}
			}
			slices.Sort(all)
			j := jobOn(row, enclave)
			a := w.compute(t, j.start(who))
			if len(all) == 0 {
				if a.status != http.StatusServiceUnavailable { // no room beside the other tests
					w.check(t, a, allowed(http.StatusAccepted, j.Queue))
				}
			} else {
				w.check(t, a, denied(strings.Join(slices.Compact(all), " + "), j.Queue))
			}
			records, _, err := w.traces.of(a.decision())
			if err != nil || len(records) != 1 {
				t.Fatalf("%d records, %v", len(records), err)
			}
			var have, operations []string
			for _, access := range records[0].Accesses {
				have = append(have, join(access.Reasons))
				operations = append(operations, access.Action+" "+access.Resource)
			}
			if d := cmp.Diff(each, have); d != "" {
				t.Errorf("reasons of %s (-want +have):\n%s", strings.Join(operations, ", "), d)
			}
		})
	}
}

func TestTheStateOfAJobIsJudgedByItsQueue(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	j := jobOn("us-defense-plans/", "iad-1")
	id := w.startedWhenFree(t, "sam", j)
	queue, random, _ := strings.Cut(id, ".")
	never := queue + "." + strings.Repeat("0", 32)
	for _, c := range []struct {
		who, id string
		want    outcome
	}{
		{"sam", id, allowed(http.StatusOK, queue)},
		{"uma", id, allowed(http.StatusOK, queue)}, // a state tells nothing of the data
		{"sam", never, allowed(http.StatusNotFound, queue)},
		{"gina", id, denied("action.not_granted", queue)},
		{"gina", never, denied("action.not_granted", queue)}, // whether it exists or not
		{"claire", id, denied("tenant.mismatch", queue)},
		{"claire", never, denied("tenant.mismatch", queue)},
		{"dieter", id, denied("tenant.mismatch", queue)},
		{"moana", id, denied("tenant.mismatch", queue)},
		{"noah", id, denied("tenant.mismatch", queue)},
		{"olga", id, denied("personnel.unapproved", queue)}, // her approval is for a row of data
		{"otto", id, denied("personnel.unapproved", queue)},
		{"eve", id, denied("identity.issuer", queue)}, // of clearances a queue asks nothing
		{"", id, refused("identity.missing")},
		{"claire", "fr-space." + random, allowed(http.StatusNotFound, "fr-space")}, // her own queue has no such job
		{"sam", "fr-space." + random, denied("tenant.mismatch", "fr-space")},
		{"sam", strings.ToUpper(id), unsupported},
		{"sam", id + "0", unsupported},
		{"sam", random, unsupported},
		{"sam", id + "/output", unsupported},
		{"sam", id + "?x=1", unsupported},
		{"sam", "", unsupported},
	} {
		t.Run(c.who+" asks for "+c.id, func(t *testing.T) {
			w.check(t, w.compute(t, state(c.who, c.id)), c.want)
		})
	}
}

func TestAJobThatIsNotWellAskedForIsRefused(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	good := jobOn("us-defense-plans/", "iad-1").start("sam")
	body := func(old, new string) request {
		r := good
		if r.body = strings.Replace(good.body, old, new, 1); r.body == good.body {
			t.Fatalf("there is no %s in %s", old, good.body)
		}
		return r
	}
	of := func(n int) request {
		j := jobOn("us-defense-plans/", "iad-1")
		j.Inputs = nil
		for i := range n - 3 {
			j.Inputs = append(j.Inputs, fmt.Sprintf("s3://us-defense-plans/input-%d", i))
		}
		return j.start("sam")
	}
	header := func(name, value string) request {
		r := good
		r.header = map[string]string{"Content-Type": "application/json", name: value}
		return r
	}
	as := func(method, path string) request {
		r := good
		r.method, r.path = method, path
		return r
	}
	for _, c := range []struct {
		what string
		r    request
		want outcome
	}{
		{"no token", post("", good.body), refused("identity.missing")},
		{"another content type", header("Content-Type", "text/plain"), unsupported},
		{"a content type with a parameter", header("Content-Type", "application/json; charset=utf-8"), unsupported},
		{"a compressed body", header("Content-Encoding", "gzip"), unsupported},
		{"no body", post("sam", ""), unsupported},
		{"no JSON", post("sam", "module=s3://us-defense-plans/module.wasm"), unsupported},
		{"a list", post("sam", "["+good.body+"]"), unsupported},
		{"two jobs", post("sam", good.body+good.body), unsupported},
		{"a repeated member", body(`"queue"`, `"queue":"fr-space","queue"`), unsupported},
		{"a repeated member, spelt with an escape", body(`"queue"`, `"queu\u0065":"fr-space","queue"`), unsupported},
		{"a member in another case", body(`"queue"`, `"Queue"`), unsupported},
		{"an unknown member", body(`"queue"`, `"priority":1,"queue"`), unsupported},
		{"a missing member", body(`,"queue":"us-defense"`, ``), unsupported},
		{"null for a list", body(`"inputs":[`, `"inputs":null,"x":[`), unsupported},
		{"a number for a text", body(`"enclave":"iad-1"`, `"enclave":1`), unsupported},
		{"an object twice", body(`welcome.txt`, `module.wasm`), unsupported},
		{"an object that is no S3 URI", body(`s3://us-defense-plans/module.wasm`, `file:///etc/passwd`), ambiguous},
		{"an object with a query", body(`module.wasm`, `module.wasm?versionId=null`), ambiguous},
		{"an object above its bucket", body(`module.wasm`, `../fr-space-missions/module.wasm`), ambiguous},
		{"33 accesses", of(33), unsupported},
		{"a query", as(http.MethodPost, "/v1/jobs?queue=fr-space"), unsupported},
		{"another path", as(http.MethodPost, "/v1/job"), unsupported},
		{"a slash behind", as(http.MethodPost, "/v1/jobs/"), unsupported},
		{"another method", as(http.MethodPut, "/v1/jobs"), unsupported},
		{"a method to end a job", as(http.MethodDelete, "/v1/jobs/us-defense."+strings.Repeat("0", 32)), unsupported},
		{"64 KiB of body", post("sam", good.body+strings.Repeat(" ", 64<<10-len(good.body))), allowed(http.StatusAccepted, usDefense)},
		{"65 KiB of body", post("sam", good.body+strings.Repeat(" ", 65<<10-len(good.body))), envoy(http.StatusRequestEntityTooLarge)},
		{"an S3 request at the compute port", request{who: "sam", method: http.MethodGet, path: welcome}, unsupported},
		{"another host", header("Host", "elsewhere.test"), unsupported},
		{"a queue that nobody has", body(`"queue":"us-defense"`, `"queue":"us-defense-2"`), denied("label.missing + tenant.mismatch", "gateway", usDefense)},
		{"an enclave that nobody knows", body("iad-1", "mars-1"), denied("enclave.mismatch + jurisdiction.legal_control + jurisdiction.processing", usDefense)},
	} {
		t.Run(c.what, func(t *testing.T) {
			a := w.compute(t, c.r)
			if c.want.Status == http.StatusAccepted && a.status == http.StatusServiceUnavailable {
				c.want.Status = a.status // no room beside the other tests
			}
			w.check(t, a, c.want)
		})
	}
}
