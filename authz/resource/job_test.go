package resource_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
)

// jobRequest is a request on a route to the job service.
func jobRequest(method, path, body string) authz.Request {
	return authz.Request{
		Method: method, Host: "compute.sallyport.test", Path: path, Body: []byte(body),
		Headers:    authz.Headers{{Name: "content-type", Value: "application/json"}},
		Extensions: map[string]string{"service": "jobs", "audience": "jobs", "region": "us-east-1", "body": "present"},
	}
}

// jobOf is one access of a job; from are the rows of its sources.
func jobOf(action, operation, kind, id string, p authz.ResourceProperties, to authz.To, from ...authz.ResourceProperties) authz.Access {
	a := access(action, operation, kind, id, p, to, from...)
	a.Action.Properties.Protocol = "jobs"
	return a
}

var (
	queue     = authz.ResourceProperties{Row: ptr("job:us-defense"), Tenant: ptr("us-defense"), Service: ptr("jobs")}
	toEnclave = authz.To{Kind: "enclave", Enclave: ptr("iad-1")}
)

func TestAJobIsItsQueueThenWhatItReadsThenWhatItWrites(t *testing.T) {
	const id = "us-defense.0123456789abcdef0123456789abcdef"
	start := func(body string) authz.Request { return jobRequest("POST", "/v1/jobs", body) }
	for _, tc := range []struct {
		name   string
		req    authz.Request
		tenant string
		want   []authz.Access
	}{
		{"all of it", start(`{"module": "s3://us-defense-plans/m", "inputs": ["s3://us-defense-plans/a", "s3://us-defense-plans/noforn/b"],
			"outputs": ["s3://us-defense-plans/c", "s3://us-defense-plans/noforn/d"], "enclave": "iad-1", "queue": "us-defense"}`), "us-defense", []authz.Access{
			jobOf("execute", "StartJob", "job", "job:us-defense", queue, toEnclave),
			jobOf("read", "ReadModule", "object", "s3://us-defense-plans/m", plans, toEnclave),
			jobOf("read", "ReadInput", "object", "s3://us-defense-plans/a", plans, toEnclave),
			jobOf("read", "ReadInput", "object", "s3://us-defense-plans/noforn/b", noforn, toEnclave),
			jobOf("create", "WriteOutput", "object", "s3://us-defense-plans/c", plans, into(plans), plans, noforn), // each row once
			jobOf("create", "WriteOutput", "object", "s3://us-defense-plans/noforn/d", noforn, into(noforn), plans, noforn),
		}},
		{"no input: the module flows into the output", start(`{"module": "s3://us-defense-plans/noforn/m", "inputs": [], "outputs": ["s3://us-defense-plans/c"],
			"enclave": "iad-1", "queue": "us-defense"}`), "us-defense", []authz.Access{
			jobOf("execute", "StartJob", "job", "job:us-defense", queue, toEnclave),
			jobOf("read", "ReadModule", "object", "s3://us-defense-plans/noforn/m", noforn, toEnclave),
			jobOf("create", "WriteOutput", "object", "s3://us-defense-plans/c", plans, into(plans), noforn),
		}},
		{"data of another tenant, whose account the queue's is not", start(`{"module": "s3://fr-space-missions/m", "inputs": [], "outputs": [],
			"enclave": "iad-1", "queue": "us-defense"}`), "us-defense", []authz.Access{
			jobOf("execute", "StartJob", "job", "job:us-defense", queue, toEnclave),
			jobOf("read", "ReadModule", "object", "s3://fr-space-missions/m", missions, toEnclave),
		}},
		{"of a queue or a row that nobody has, nothing is known", start(`{"module": "s3://nobody/m", "inputs": ["s3://nobody/i"], "outputs": ["s3://nobody/o"],
			"enclave": "iad-1", "queue": "us-defense-plans"}`), "", []authz.Access{
			jobOf("execute", "StartJob", "job", "job:us-defense-plans", none, toEnclave),
			jobOf("read", "ReadModule", "object", "s3://nobody/m", none, toEnclave),
			jobOf("read", "ReadInput", "object", "s3://nobody/i", none, toEnclave),
			jobOf("create", "WriteOutput", "object", "s3://nobody/o", none, into(none), none),
		}},
		{"a state", jobRequest("GET", "/v1/jobs/"+id, ""), "us-defense", []authz.Access{
			jobOf("read", "GetJob", "job", "job:us-defense/"+id, queue, toClient),
		}},
		{"a state of a queue that nobody has", jobRequest("GET", "/v1/jobs/nobody.0123456789abcdef0123456789abcdef", ""), "", []authz.Access{
			jobOf("read", "GetJob", "job", "job:nobody/nobody.0123456789abcdef0123456789abcdef", none, toClient),
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sum := sha256.Sum256(tc.req.Body)
			operation := "StartJob"
			if tc.req.Method == "GET" {
				operation = "GetJob"
			}
			want := authz.Resolution{Service: "jobs", Operation: operation, Accesses: tc.want, Upstream: authz.Upstream{
				Audience: "jobs", Region: "us-east-1", Tenant: tc.tenant, Method: tc.req.Method, Host: "compute.sallyport.test", Path: tc.req.Path,
				Headers: []authz.HeaderField{}, PayloadHash: hex.EncodeToString(sum[:]), Remove: []string{"authorization", "x-amz-security-token"},
			}}
			have, err := catalogue(t, 1000).Resolve(tc.req)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("-want +have:\n%s", diff)
			}
		})
	}
}

func TestAJobOfMoreAccessesThanTheLimitIsRefused(t *testing.T) {
	req := jobRequest("POST", "/v1/jobs", `{"module": "s3://us-defense-plans/m", "inputs": [], "outputs": ["s3://us-defense-plans/c"], "enclave": "iad-1", "queue": "us-defense"}`)
	for limit, ok := range map[int]bool{3: true, 2: false} {
		have, err := catalogue(t, limit).Resolve(req)
		if (err == nil) != ok {
			t.Errorf("limit %d: %v", limit, err)
		}
		var r *authz.Refusal
		if !ok && (!errors.As(err, &r) || r.Reason != authz.RequestUnsupported || len(have.Accesses) != 0) {
			t.Errorf("limit %d: %+v, %v", limit, have, err)
		}
	}
}

func TestAStoreKnowsNoQueueAndAQueueNoRow(t *testing.T) {
	c := catalogue(t, 1000)
	for _, path := range []string{"/us-defense", "/us-defense/x"} {
		have, err := c.Resolve(request("GET", path))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(none, have.Accesses[0].Resource.Properties); diff != "" {
			t.Errorf("GET %s (-want +have):\n%s", path, diff)
		}
	}
}
