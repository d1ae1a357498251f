package world_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource"
)

// resolve returns every access of a request on the compute listener, with the rows of the demo's catalogue.
func (w *world) resolve(t *testing.T, method, path, body string) []authz.Access {
	t.Helper()
	tenants, err := json.Marshal(w.data["tenants"])
	if err != nil {
		t.Fatal(err)
	}
	catalogue, err := resource.New(resource.Documents{Tenants: tenants}, resource.Limits{Accesses: 1000})
	if err != nil {
		t.Fatal(err)
	}
	r, err := catalogue.Resolve(authz.Request{
		Method: method, Host: "127.0.0.1:10001", Path: path, Body: []byte(body),
		Headers:    authz.Headers{{Name: "content-type", Value: "application/json"}},
		Extensions: map[string]string{"service": "jobs", "audience": "jobs", "region": "us-east-1", "body": "present"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.Accesses
}

// job is a job on a queue that reads the rows of from, its module among the first of them, and writes into the rows of to.
func job(queue, enclave string, from, to []string) string {
	uris := func(of []string, name string) []string {
		list := []string{}
		for _, row := range of {
			list = append(list, "s3://"+rows[row]+name)
		}
		return list
	}
	body, _ := json.Marshal(map[string]any{
		"queue": queue, "enclave": enclave, "module": "s3://" + rows[from[0]] + "module.wasm",
		"inputs": uris(from, "welcome.txt"), "outputs": uris(to, "report.txt"),
	}) // texts only
	return string(body)
}

// judge decides each access of a request, and returns the reasons of each by its operation.
func (w *world) judge(t *testing.T, person string, accesses []authz.Access) map[string][]string {
	t.Helper()
	reasons := map[string][]string{}
	for _, a := range accesses {
		in := w.input(t, person, a.Action.Name, a.Resource.Properties, func(in *authz.Input) { in.Action, in.Resource = a.Action, a.Resource })
		op := a.Action.Properties.Operation
		reasons[op] = union(reasons[op], w.decide(t, in))
	}
	return reasons
}

func TestJobs(t *testing.T) {
	w := load(t)
	for _, c := range []struct {
		person, queue, enclave string
		from, to               string // rows
		want                   string
	}{
		{"sam", "us-defense", "iad-1", "plans", "plans", ""},
		{"sam", "us-defense", "edge-7", "plans", "plans", ""},
		{"sam", "us-defense", "iad-0", "plans", "plans", "ec"},
		{"sam", "us-defense", "edge-7", "noforn", "noforn", "ec"},
		{"sam", "us-defense", "iad-1", "noforn", "noforn", ""},
		{"claire", "fr-space", "par-1", "missions", "missions", ""},
		{"claire", "fr-space", "par-2", "missions", "missions", "jl"},
		{"noah", "ca-housing", "yow-1", "loans", "loans", ""},
		{"noah", "ca-housing", "iad-0", "loans", "loans", "jp"},
		{"dieter", "fr-space", "par-1", "joint", "joint", "an"},

		// Every output depends on every input and on the module.
		{"sam", "us-defense", "iad-1", "plans", "noforn", ""},
		{"sam", "us-defense", "iad-1", "noforn", "plans", "wd"},
		{"sam", "us-defense", "iad-1", "noforn plans", "noforn", ""},
		{"sam", "us-defense", "iad-1", "plans noforn", "plans", "wd"},
		{"sam", "us-defense", "iad-1", "plans noforn", "noforn plans", "wd"},
		{"sam", "us-defense", "iad-0", "parts", "parts", ""},
		{"sam", "us-defense", "iad-1", "plans", "parts", "wd"},
		{"claire", "fr-space", "par-1", "joint missions", "joint", "wd"},
		{"claire", "fr-space", "par-1", "joint", "missions", ""},
		{"luc", "fr-space", "par-1", "joint", "joint", ""},
		{"luc", "fr-space", "par-1", "joint", "missions", "cr"},
		{"noah", "ca-housing", "yow-1", "loans", "offsite", "jr"},

		// A queue, the data and the enclave are each somebody's.
		{"uma", "us-defense", "iad-1", "plans", "", "cl"},
		{"uma", "us-defense", "iad-1", "parts", "parts", ""},
		{"sam", "fr-space", "iad-1", "plans", "plans", "tm"},
		{"sam", "us-defense", "par-1", "missions", "", "tm"},
		{"sam", "us-defense", "iad-1", "plans", "missions", "tm wd ec jr jl"},
		{"sam", "us-defense", "par-1", "plans", "plans", "ec jl jp"},
		{"sam", "nobody", "iad-1", "plans", "plans", "label.missing tm"},
		{"sam", "us-defense", "moon-1", "plans", "plans", "enclave.mismatch jl jp"},
		{"gina", "us-defense", "iad-1", "plans", "", "an"},
		{"olga", "us-defense", "iad-1", "plans", "plans", "pu"},
		{"eve", "us-defense", "iad-1", "plans", "", "ii ci"},
	} {
		accesses := w.resolve(t, "POST", "/v1/jobs", job(c.queue, c.enclave, strings.Fields(c.from), strings.Fields(c.to)))
		var all []string
		for _, reasons := range w.judge(t, c.person, accesses) {
			all = union(all, reasons)
		}
		diff(t, fmt.Sprintf("%s runs %s into %s in %s", c.person, c.from, c.to, c.enclave), all, c.want)
	}
}

// Where a job is denied matters to who wants to know why: the place is a fault of what is read there, not of the queue.
func TestReasonsOfAJobAreThoseOfItsAccesses(t *testing.T) {
	w := load(t)
	for _, c := range []struct {
		person, queue, enclave, rows string
		want                         map[string][]string
	}{
		{"claire", "fr-space", "par-2", "missions", map[string][]string{
			"StartJob": {}, "ReadModule": {"jurisdiction.legal_control"}, "ReadInput": {"jurisdiction.legal_control"}, "WriteOutput": {},
		}},
		{"sam", "us-defense", "edge-7", "noforn", map[string][]string{
			"StartJob": {}, "ReadModule": {"enclave.ceiling"}, "ReadInput": {"enclave.ceiling"}, "WriteOutput": {},
		}},
		{"dieter", "fr-space", "par-1", "joint", map[string][]string{
			"StartJob": {"action.not_granted"}, "ReadModule": {}, "ReadInput": {}, "WriteOutput": {"action.not_granted"},
		}},
	} {
		rows := []string{c.rows}
		got := w.judge(t, c.person, w.resolve(t, "POST", "/v1/jobs", job(c.queue, c.enclave, rows, rows)))
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s on %s in %s (-want +got):\n%s", c.person, c.rows, c.enclave, d)
		}
	}
}

func TestAJobsStateIsReadWithTheRightsOnItsQueue(t *testing.T) {
	w := load(t)
	for _, c := range []struct{ person, queue, want string }{
		{"sam", "us-defense", ""},
		{"uma", "us-defense", ""}, // a state holds nothing above her
		{"claire", "fr-space", ""},
		{"luc", "fr-space", ""},
		{"noah", "ca-housing", ""},
		{"gina", "us-defense", "an"},
		{"dieter", "fr-space", "an"},
		{"sam", "fr-space", "tm"},
		{"moana", "us-defense", "tm"},
		{"olga", "us-defense", "pu"},
		{"eve", "us-defense", "ii"}, // a state is not tested for what was cut of clearances
		{"sam", "nobody", "label.missing tm"},
	} {
		accesses := w.resolve(t, "GET", "/v1/jobs/"+c.queue+".00000000000000000000000000000000", "")
		diff(t, fmt.Sprintf("%s asks for a job of %s", c.person, c.queue), w.judge(t, c.person, accesses)["GetJob"], c.want)
	}
}
