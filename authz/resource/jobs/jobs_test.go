package jobs_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource/jobs"
)

const (
	good = `{"module": "s3://us-plans/count.wasm", "inputs": ["s3://us-plans/a b", "s3://us-parts/x/y"], "outputs": ["s3://us-plans/out"], "enclave": "iad-1", "queue": "us-plans"}`
	id   = "us-plans.0123456789abcdef0123456789abcdef"

	emptyDigest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// post is a StartJob; changes make it another request.
func post(body string, changes ...func(*authz.Request)) authz.Request {
	r := authz.Request{
		Method: "POST", Host: "compute.sallyport.test:10001", Path: "/v1/jobs", Body: []byte(body),
		Headers:    authz.Headers{{Name: "content-type", Value: "application/json"}, {Name: "content-length", Value: strconv.Itoa(len(body))}},
		Extensions: map[string]string{"service": "jobs", "audience": "jobs", "region": "us-east-1", "body": "present"},
	}
	for _, c := range changes {
		c(&r)
	}
	return r
}

// get is a GetJob.
func get(path string, changes ...func(*authz.Request)) authz.Request {
	return post("", append([]func(*authz.Request){func(r *authz.Request) {
		r.Method, r.Path, r.Body, r.Headers = "GET", path, nil, nil
	}}, changes...)...)
}

func header(name, value string) func(*authz.Request) {
	return func(r *authz.Request) { r.Headers = append(r.Headers, authz.HeaderField{Name: name, Value: value}) }
}

// replace sets the value of a header that is there.
func replace(name, value string) func(*authz.Request) {
	return func(r *authz.Request) {
		for i := range r.Headers {
			if r.Headers[i].Name == name {
				r.Headers[i].Value = value
			}
		}
	}
}

func TestAStartNamesItsQueueAndEverythingItTouches(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte(good))
	want := jobs.Call{
		Operation: "StartJob", Queue: "us-plans", Enclave: "iad-1",
		Module: "us-plans/count.wasm", Inputs: []string{"us-plans/a b", "us-parts/x/y"}, Outputs: []string{"us-plans/out"},
		Upstream: authz.Upstream{
			Audience: "jobs", Region: "us-east-1", Method: "POST", Host: "compute.sallyport.test:10001", Path: "/v1/jobs",
			Headers: []authz.HeaderField{}, PayloadHash: hex.EncodeToString(sum[:]),
			Remove: []string{"authorization", "dpop", "x-amz-security-token", "x-sallyport-grant"},
		},
	}
	got, err := jobs.Parse(post(good, header("authorization", "DPoP secret"), header("dpop", "proof"), header("x-sallyport-grant", "forged")))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAJobMayReadAndWriteNothingElse(t *testing.T) {
	t.Parallel()
	got, err := jobs.Parse(post(`{"queue":"q-1","enclave":"e","outputs":[],"inputs":[],"module":"s3://bkt/m"}`))
	if err != nil {
		t.Fatal(err)
	}
	got.Upstream = authz.Upstream{}
	if diff := cmp.Diff(jobs.Call{Operation: "StartJob", Queue: "q-1", Enclave: "e", Module: "bkt/m"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAGetNamesItsQueueInTheID(t *testing.T) {
	t.Parallel()
	want := jobs.Call{
		Operation: "GetJob", Queue: "us-plans", ID: id,
		Upstream: authz.Upstream{
			Audience: "jobs", Region: "us-east-1", Method: "GET", Host: "compute.sallyport.test:10001", Path: "/v1/jobs/" + id,
			Headers: []authz.HeaderField{}, PayloadHash: emptyDigest, Remove: []string{"authorization", "x-amz-security-token"},
		},
	}
	got, err := jobs.Parse(get("/v1/jobs/" + id))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// uris returns n of them as the content of a JSON list.
func uris(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`"s3://bucket/%d"`, i))
	}
	return strings.Join(all, ",")
}

func TestThirtyTwoAccessesAreTheMost(t *testing.T) {
	t.Parallel()
	for n, ok := range map[int]bool{29: true, 30: false} { // queue and module besides, and one output
		_, err := jobs.Parse(post(strings.Replace(good, `"s3://us-plans/a b", "s3://us-parts/x/y"`, uris(n), 1)))
		if (err == nil) != ok {
			t.Errorf("with %d inputs: %v", n, err)
		}
	}
}

func TestWhatIsNoJobIsRefused(t *testing.T) {
	t.Parallel()
	body := func(old, new string) authz.Request {
		s := strings.Replace(good, old, new, 1)
		if s == good {
			t.Fatalf("no %q", old)
		}
		return post(s)
	}
	module := func(uri string) authz.Request { return body("s3://us-plans/count.wasm", uri) }
	as := func(change func(*authz.Request)) authz.Request { return post(good, change) }
	for _, tt := range []struct {
		name string
		req  authz.Request
		want string
	}{
		{"another method", as(func(r *authz.Request) { r.Method = "PUT" }), `request.unsupported: "PUT" of "/v1/jobs": want POST /v1/jobs or GET /v1/jobs/<id>`},
		{"a method in another case", as(func(r *authz.Request) { r.Method = "post" }), `request.unsupported: "post" of "/v1/jobs": want POST /v1/jobs or GET /v1/jobs/<id>`},
		{"a list of jobs", get("/v1/jobs"), `request.unsupported: "GET" of "/v1/jobs": want POST /v1/jobs or GET /v1/jobs/<id>`},
		{"the head of a job", get("/v1/jobs/"+id, func(r *authz.Request) { r.Method = "HEAD" }), `request.unsupported: "HEAD" of "/v1/jobs/` + id + `": want POST /v1/jobs or GET /v1/jobs/<id>`},
		{"an end of a job", get("/v1/jobs/"+id, func(r *authz.Request) { r.Method = "DELETE" }), `request.unsupported: "DELETE" of "/v1/jobs/` + id + `": want POST /v1/jobs or GET /v1/jobs/<id>`},
		{"a path with a slash behind", as(func(r *authz.Request) { r.Path += "/" }), `request.unsupported: "POST" of "/v1/jobs/": want POST /v1/jobs or GET /v1/jobs/<id>`},
		{"a path with an escape", as(func(r *authz.Request) { r.Path = "/v1/job%73" }), `request.unsupported: "POST" of "/v1/job%73": want POST /v1/jobs or GET /v1/jobs/<id>`},
		{"another version", as(func(r *authz.Request) { r.Path = "/v2/jobs" }), `request.unsupported: "POST" of "/v2/jobs": want POST /v1/jobs or GET /v1/jobs/<id>`},
		{"a query", as(func(r *authz.Request) { r.Query = "dry" }), "request.unsupported: a job's request has no query"},
		{"no host", as(func(r *authz.Request) { r.Host = "" }), `request.ambiguous: host "": want a lower-case name or an address`},
		{"a host in capitals", as(func(r *authz.Request) { r.Host = "Compute" }), `request.ambiguous: host "Compute": want a lower-case name or an address`},
		{"a host with a user", as(func(r *authz.Request) { r.Host = "a@b" }), `request.ambiguous: host "a@b": want a lower-case name or an address`},
		{"two hosts", as(func(r *authz.Request) { r.Host = "a,b" }), `request.ambiguous: host "a,b": want a lower-case name or an address`},

		{"an id without a queue", get("/v1/jobs/0123456789abcdef0123456789abcdef"), `request.unsupported: job id "0123456789abcdef0123456789abcdef": want <queue>.<32 lower-case hex digits>`},
		{"an id in capitals", get("/v1/jobs/" + strings.ToUpper(id)), `request.unsupported: job id "` + strings.ToUpper(id) + `": want <queue>.<32 lower-case hex digits>`},
		{"an id with another digit", get("/v1/jobs/" + id + "0"), `request.unsupported: job id "` + id + `0": want <queue>.<32 lower-case hex digits>`},
		{"an id of another queue behind", get("/v1/jobs/" + id + ".q"), `request.unsupported: job id "` + id + `.q": want <queue>.<32 lower-case hex digits>`},
		{"an id with a path", get("/v1/jobs/" + id + "/log"), `request.unsupported: job id "` + id + `/log": want <queue>.<32 lower-case hex digits>`},
		{"an id with dot segments", get("/v1/jobs/../" + id), `request.unsupported: job id "../` + id + `": want <queue>.<32 lower-case hex digits>`},
		{"a get with a body", get("/v1/jobs/"+id, func(r *authz.Request) { r.Body = []byte("x") }), "request.unsupported: GetJob with a body"},
		{"a get with a body that Envoy keeps", get("/v1/jobs/"+id, header("content-length", "1"), func(r *authz.Request) { r.Extensions = map[string]string{"body": "absent"} }),
			"request.unsupported: a body on a route without it (context extension body: present)"},

		{"a route without bodies", as(func(r *authz.Request) { r.Extensions = map[string]string{"body": "absent"} }), "request.unsupported: a body on a route without it (context extension body: present)"},
		{"no content type", as(func(r *authz.Request) { r.Headers = nil }), `request.unsupported: content-type "": want application/json`},
		{"another content type", as(replace("content-type", "text/json")), `request.unsupported: content-type "text/json": want application/json`},
		{"a content type with a parameter", as(replace("content-type", "application/json; charset=utf-16")), `request.unsupported: content-type "application/json; charset=utf-16": want application/json`},
		{"a compressed body", as(header("content-encoding", "gzip")), "request.unsupported: StartJob with a content-encoding"},
		{"another length", as(replace("content-length", "1")), fmt.Sprintf(`request.ambiguous: content-length "1", but the body has %d bytes`, len(good))},
		{"a body of 64 KiB and a byte", post(good + strings.Repeat(" ", 64<<10+1-len(good))), "request.unsupported: StartJob body of 65537 bytes: at most 65536"},
		{"no body", post(""), "request.unsupported: StartJob body: not one JSON value"},
		{"a body with bytes behind", post(good + "x"), "request.unsupported: StartJob body: not one JSON value"},
		{"a repeated member", body(`"queue"`, `"queue": "q", "queue"`), "request.unsupported: StartJob body: queue: repeated"},
		{"a member repeated in another case", body(`"queue"`, `"Queue": "fr-space", "queue"`), `request.unsupported: StartJob body: "Queue": unknown member`},
		{"an unknown member", body(`"queue"`, `"priority": 1, "queue"`), `request.unsupported: StartJob body: "priority": unknown member`},
		{"a missing member", body(`, "queue": "us-plans"`, ""), "request.unsupported: StartJob body: queue: missing"},
		{"no list of outputs", body(`["s3://us-plans/out"]`, "null"), "request.unsupported: StartJob body: outputs: want a list"},
		{"an input that is no text", body(`"s3://us-plans/a b"`, "{}"), "request.unsupported: StartJob body: inputs[0]: want a text of Unicode"},
		{"33 accesses", body(`"s3://us-plans/a b", "s3://us-parts/x/y"`, uris(30)),
			"request.unsupported: StartJob of 33 accesses (queue, module, inputs and outputs): at most 32"},
		{"a queue with a path", body(`"queue": "us-plans"`, `"queue": "us-plans/x"`), `request.unsupported: queue "us-plans/x": want a name like a bucket's`},
		{"an empty queue", body(`"queue": "us-plans"`, `"queue": ""`), `request.unsupported: queue "": want a name like a bucket's`},
		{"no enclave", body(`"iad-1"`, `""`), `request.unsupported: enclave "": want its id, such as iad-1`},
		{"an enclave in capitals", body(`"iad-1"`, `"IAD-1"`), `request.unsupported: enclave "IAD-1": want its id, such as iad-1`},
		{"two enclaves", body(`"iad-1"`, `"iad-1,par-2"`), `request.unsupported: enclave "iad-1,par-2": want its id, such as iad-1`},
		{"an output twice", body(`["s3://us-plans/out"]`, `["s3://us-plans/out", "s3://us-plans/out"]`), `request.unsupported: outputs[1]: "s3://us-plans/out" is named twice`},
		{"an output over an input", body(`["s3://us-plans/out"]`, `["s3://us-parts/x/y"]`), `request.unsupported: outputs[0]: "s3://us-parts/x/y" is named twice`},
		{"an output over the module", body(`["s3://us-plans/out"]`, `["s3://us-plans/count.wasm"]`), `request.unsupported: outputs[0]: "s3://us-plans/count.wasm" is named twice`},

		{"a module from elsewhere", module("https://us-plans/x"), `request.ambiguous: module: "https://us-plans/x": want s3://bucket/key`},
		{"a scheme in capitals", module("S3://us-plans/x"), `request.ambiguous: module: "S3://us-plans/x": want s3://bucket/key`},
		{"a bucket alone", module("s3://us-plans"), "request.ambiguous: module: the key is empty"},
		{"a folder", module("s3://us-plans/x/"), `request.ambiguous: module: "s3://us-plans/x/" names a folder, no object`},
		{"no bucket", module("s3:///x"), `request.ambiguous: module: bucket "": want 3 to 63 lower-case letters, digits and inner hyphens`},
		{"a bucket in capitals", module("s3://US-plans/x"), `request.ambiguous: module: bucket "US-plans": want 3 to 63 lower-case letters, digits and inner hyphens`},
		{"a user and a port", module("s3://u@us-plans:80/x"), `request.ambiguous: module: bucket "u@us-plans:80": want 3 to 63 lower-case letters, digits and inner hyphens`},
		{"an escaped slash", module("s3://us-plans%2fx"), `request.ambiguous: module: "s3://us-plans%2fx" has a '%', which some readers take for more than a character`},
		{"an escape in a key", module("s3://us-plans/%6eoforn/x"), `request.ambiguous: module: "s3://us-plans/%6eoforn/x" has a '%', which some readers take for more than a character`},
		{"a version", module("s3://us-plans/x?versionId=1"), `request.ambiguous: module: "s3://us-plans/x?versionId=1" has a '?', which some readers take for more than a character`},
		{"a fragment", module("s3://us-plans/x#y"), `request.ambiguous: module: "s3://us-plans/x#y" has a '#', which some readers take for more than a character`},
		{"dot segments", module("s3://us-plans/joint/../x"), `request.ambiguous: module: "joint/../x" has a dot segment`},
		{"an empty segment", module("s3://us-plans//x"), `request.ambiguous: module: "/x" has an empty segment`},
		{"a backslash", module(`s3://us-plans/a\\b`), `request.ambiguous: module: "a\\b" has a backslash`},
		{"a line break", module(`s3://us-plans/a\nb`), `request.ambiguous: module: "a\nb" has a control character`},
		{"a store's own name", module("s3://us-plans/.sgwtmp/x"), `request.ambiguous: module: ".sgwtmp/x" has a segment that the store keeps for itself`},
		{"a key beyond 1,024 bytes", module("s3://us-plans/" + strings.Repeat("a", 1025)), "request.ambiguous: module: 1025 bytes: a key has at most 1024"},
		{"a bad input", body("s3://us-parts/x/y", "s3://us-parts/./y"), `request.ambiguous: inputs[1]: "./y" has a dot segment`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			call, err := jobs.Parse(tt.req)
			var refusal *authz.Refusal
			if !errors.As(err, &refusal) || err.Error() != tt.want {
				t.Errorf("have %v\nwant %s", err, tt.want)
			}
			if diff := cmp.Diff(jobs.Call{}, call); diff != "" {
				t.Errorf("a refusal comes with a call (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzBody holds every body that is accepted to this: it says the same to encoding/json, and no name in it has a second reading.
func FuzzBody(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"module": "s3://bkt/m", "inputs": [], "outputs": [], "enclave": "e", "queue": "q-1", "queue": "q-2"}`))
	f.Add([]byte(`{"module": "s3://bkt/%2e%2e/m", "inputs": ["s3://bkt/\u002e\u002e/x"], "outputs": [], "enclave": "e", "queue": "q-1"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		call, err := jobs.Parse(post(string(body)))
		if err != nil {
			var refusal *authz.Refusal
			if !errors.As(err, &refusal) || len(refusal.Detail) > 500 || strings.ContainsAny(refusal.Detail, "\n\r\x00") {
				t.Fatalf("%v: want a refusal of one short line", err)
			}
			return
		}
		var loose struct {
			Module, Enclave, Queue string
			Inputs, Outputs        []string
		}
		if err := json.Unmarshal(body, &loose); err != nil {
			t.Fatal(err)
		}
		paths := append(append([]string{call.Module}, call.Inputs...), call.Outputs...)
		for i, uri := range append(append([]string{loose.Module}, loose.Inputs...), loose.Outputs...) {
			if uri != "s3://"+paths[i] {
				t.Fatalf("%q was read as %q", uri, paths[i])
			}
			for _, segment := range strings.Split(paths[i], "/") {
				if segment == "" || segment == "." || segment == ".." {
					t.Fatalf("%q has segment %q", uri, segment)
				}
			}
		}
		if loose.Enclave != call.Enclave || loose.Queue != call.Queue || len(paths)+1 > jobs.MaxAccesses {
			t.Fatalf("%s was read as %+v", body, call)
		}
	})
}
