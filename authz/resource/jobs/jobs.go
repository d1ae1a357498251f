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
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
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
	if err := checkHost(req.Host); err != nil {
		return Call{}, err
	}
	if req.Query != "" {
		return Call{}, unsupported("a job's request has no query")
	}
	if err := checkLength(req); err != nil {
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
		return Call{}, unsupported("%q of %q: want POST %s or GET %s/<id>", req.Method, req.Path, collection, collection)
	}
	if err != nil {
		return Call{}, err
	}
	call.Upstream = upstream(req)
	return call, nil
}

// upstream is the request as the service will see it; the paths that Parse accepts have no second spelling.
func upstream(req authz.Request) authz.Upstream {
	sum := sha256.Sum256(req.Body)
	return authz.Upstream{
		Audience:    req.Extensions["audience"],
		Region:      req.Extensions["region"],
		Method:      req.Method,
		Host:        req.Host,
		Path:        req.Path,
		Headers:     []authz.HeaderField{},
		PayloadHash: hex.EncodeToString(sum[:]),
		Remove:      removed(req.Headers),
	}
}

// removed returns the client's headers that must not go upstream: its credentials, and what only a gateway says.
func removed(headers authz.Headers) []string {
	names := []string{"authorization", "x-amz-security-token"}
	for _, h := range headers {
		if h.Name == "dpop" || strings.HasPrefix(h.Name, "x-sallyport-") {
			names = append(names, h.Name)
		}
	}
	slices.Sort(names)
	return names
}

// checkHost accepts a host with or without a port, in the one spelling that the service will compare with its grant.
func checkHost(host string) error {
	if host == "" || len(host) > 255 || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.-:[]") != "" {
		return ambiguous("host %q: want a lower-case name or an address", host)
	}
	return nil
}

// checkLength refuses a body of which Envoy and the gateway know different lengths.
func checkLength(req authz.Request) error {
	length, n := req.Headers.Get("content-length")
	if n > 0 && length != strconv.Itoa(len(req.Body)) && req.Extensions["body"] == "present" {
		return ambiguous("content-length %q, but the body has %d bytes", length, len(req.Body))
	}
	return nil
}

func get(req authz.Request, id string) (Call, error) {
	if length, n := req.Headers.Get("content-length"); len(req.Body) > 0 || n > 0 && length != "0" {
		return Call{}, unsupported("GetJob with a body")
	}
	queue, random, _ := strings.Cut(id, ".")
	if len(random) != 32 || strings.Trim(random, "0123456789abcdef") != "" || s3.CheckBucket(queue) != nil {
		return Call{}, unsupported("job id %q: want <queue>.<32 lower-case hex digits>", id)
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
		return Call{}, unsupported("StartJob on a route without its body (context extension body: present)")
	}
	if t, _ := req.Headers.Get("content-type"); t != "application/json" {
		return Call{}, unsupported("content-type %q: want application/json", t)
	}
	if _, n := req.Headers.Get("content-encoding"); n > 0 {
		return Call{}, unsupported("StartJob with a content-encoding")
	}
	if len(req.Body) > MaxBody {
		return Call{}, unsupported("StartJob body of %d bytes: at most %d", len(req.Body), MaxBody)
	}
	var b body
	if err := strictjson.Unmarshal(req.Body, &b); err != nil {
		return Call{}, unsupported("StartJob body: %v", err)
	}
	if n := 2 + len(b.Inputs) + len(b.Outputs); n > MaxAccesses {
		return Call{}, unsupported("StartJob of %d accesses (queue, module, inputs and outputs): at most %d", n, MaxAccesses)
	}
	if err := s3.CheckBucket(b.Queue); err != nil {
		return Call{}, unsupported("queue %q: want a name like a bucket's", b.Queue)
	}
	if !isEnclave(b.Enclave) {
		return Call{}, unsupported("enclave %q: want its id, such as iad-1", b.Enclave)
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
			return "", ambiguous("%s: %v", member, err)
		}
		if seen[path] {
			return "", unsupported("%s: %q is named twice", member, uri)
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

// maxDetail bounds what a refusal repeats of a request.
const maxDetail = 400

func ambiguous(format string, args ...any) error {
	return refuse(authz.RequestAmbiguous, format, args...)
}

func unsupported(format string, args ...any) error {
	return refuse(authz.RequestUnsupported, format, args...)
}

func refuse(reason authz.Reason, format string, args ...any) error {
	detail := fmt.Sprintf(format, args...) // values go in by %q, so the detail is one line of plain text
	if len(detail) > maxDetail {
		detail = strings.ToValidUTF8(detail[:maxDetail], "") + " (cut)"
	}
	return authz.Refuse(reason, detail)
}
