// Package jobs reads a request to a job service and says what it touches.
//
// There are two operations. StartJob (POST /v1/jobs) takes a JSON body of exactly five members and touches a queue, a module, its
// inputs and its outputs; GetJob (GET /v1/jobs/<id>) touches the queue that the id names. Everything else is request.unsupported.
// The upstream never reads the body: it takes what was judged here from its grant (authz/grant).
//
// Invariants: a body is read once and never repaired (authz/strictjson). Every URI is s3://bucket/key in the one spelling that the S3
// adapter allows, and is named once: an output is written once, and from what was read before it. A Call is small: MaxBody bytes
// and MaxAccesses accesses.
//
// Non-goals: no rows, no labels, no grant, and no say about what a module does.
package jobs

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource/routed"
	"github.com/sallyport-dev/sallyport/authz/resource/s3"
	"github.com/sallyport-dev/sallyport/authz/strictjson"
)

const (
	MaxBody     = 64 << 10 // of a StartJob, in bytes
	MaxAccesses = 32       // of a StartJob: queue, module, inputs and outputs
)

// Operations, as records and grants name them.
const (
	StartJob    = "StartJob"
	ReadModule  = "ReadModule"
	ReadInput   = "ReadInput"
	WriteOutput = "WriteOutput"
	GetJob      = "GetJob"
)

// Call is what a request asks for. Upstream.Tenant is left to whoever knows the rows.
type Call struct {
	Operation string // StartJob or GetJob
	Queue     string
	ID        string // of a GetJob: <queue>.<32 hex>

	// Of a StartJob. Module, Inputs and Outputs are bucket/key.
	Enclave         string
	Module          string
	Inputs, Outputs []string

	Upstream authz.Upstream
}

const collection = "/v1/jobs"

// Parse reads req. Its error is a *authz.Refusal.
func Parse(req authz.Request) (Call, error) {
	if err := routed.CheckHost(req.Host); err != nil {
		return Call{}, err
	}
	if req.Query != "" {
		return Call{}, routed.Unsupported("a job's request has no query")
	}
	if err := routed.CheckBody(req); err != nil {
		return Call{}, err
	}
	var call Call
	var err error
	id, named := strings.CutPrefix(req.Path, collection+"/")
	switch {
	case req.Method == http.MethodPost && req.Path == collection:
		call, err = start(req)
	case req.Method == http.MethodGet && named:
		call, err = get(req, id)
	default:
		return Call{}, routed.Unsupported("%q of %q: want POST %s or GET %s/<id>", req.Method, req.Path, collection, collection)
	}
	if err != nil {
		return Call{}, err
	}
	call.Upstream = routed.Upstream(req) // the paths that are accepted here have no second spelling
	return call, nil
}

func get(req authz.Request, id string) (Call, error) {
	if length, n := req.Headers.Get("content-length"); len(req.Body) > 0 || n > 0 && length != "0" {
		return Call{}, routed.Unsupported("GetJob with a body")
	}
	queue, random, _ := strings.Cut(id, ".")
	if len(random) != 32 || strings.Trim(random, "0123456789abcdef") != "" || s3.CheckBucket(queue) != nil {
		return Call{}, routed.Unsupported("job id %q: want <queue>.<32 lower-case hex digits>", id)
	}
	return Call{Operation: GetJob, Queue: queue, ID: id}, nil
}

// body is the form of a StartJob's body.
type body struct {
	Module  string   `json:"module"`
	Inputs  []string `json:"inputs"`
	Outputs []string `json:"outputs"`
	Enclave string   `json:"enclave"`
	Queue   string   `json:"queue"`
}

func start(req authz.Request) (Call, error) {
	if req.Extensions["body"] != "present" {
		return Call{}, routed.Unsupported("StartJob on a route without its body (context extension body: present)")
	}
	if t, _ := req.Headers.Get("content-type"); t != "application/json" {
		return Call{}, routed.Unsupported("content-type %q: want application/json", t)
	}
	if _, n := req.Headers.Get("content-encoding"); n > 0 {
		return Call{}, routed.Unsupported("StartJob with a content-encoding")
	}
	if len(req.Body) > MaxBody {
		return Call{}, routed.Unsupported("StartJob body of %d bytes: at most %d", len(req.Body), MaxBody)
	}
	var b body
	if err := strictjson.Unmarshal(req.Body, &b); err != nil {
		return Call{}, routed.Unsupported("StartJob body: %v", err)
	}
	if n := 2 + len(b.Inputs) + len(b.Outputs); n > MaxAccesses {
		return Call{}, routed.Unsupported("StartJob of %d accesses (queue, module, inputs and outputs): at most %d", n, MaxAccesses)
	}
	if err := s3.CheckBucket(b.Queue); err != nil {
		return Call{}, routed.Unsupported("queue %q: want a name like a bucket's", b.Queue)
	}
	if !isEnclave(b.Enclave) {
		return Call{}, routed.Unsupported("enclave %q: want its id, such as iad-1", b.Enclave)
	}
	call := Call{Operation: StartJob, Queue: b.Queue, Enclave: b.Enclave}
	if err := call.objects(b); err != nil {
		return Call{}, err
	}
	return call, nil
}

// objects reads the URIs of b, each of which is there once.
func (c *Call) objects(b body) error {
	seen := map[string]bool{}
	read := func(member, uri string) (string, error) {
		path, err := s3.ParseURI(uri)
		if err != nil {
			return "", routed.Ambiguous("%s: %v", member, err)
		}
		if seen[path] {
			return "", routed.Unsupported("%s: %q is named twice", member, uri)
		}
		seen[path] = true
		return path, nil
	}
	var err error
	if c.Module, err = read("module", b.Module); err != nil {
		return err
	}
	for _, list := range []struct {
		member string
		uris   []string
		paths  *[]string
	}{{"inputs", b.Inputs, &c.Inputs}, {"outputs", b.Outputs, &c.Outputs}} {
		for i, uri := range list.uris {
			path, err := read(fmt.Sprintf("%s[%d]", list.member, i), uri)
			if err != nil {
				return err
			}
			*list.paths = append(*list.paths, path)
		}
	}
	return nil
}

// isEnclave reports whether s has the form of an enclave's id; whether there is one is policy's to know.
func isEnclave(s string) bool {
	return s != "" && len(s) <= 63 && s[0] != '-' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
