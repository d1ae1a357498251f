// Package extauthz speaks Envoy's ext_authz v3: it owns the gRPC service, so nobody else touches a CheckResponse.
//
// Parse reads a CheckRequest once and repairs nothing: what could be read in two ways arrives as a Request with a Problem, whatever
// service its route leads to (target.go and header.go say what; bodies are the adapters'). Allow
// and Deny are the only makers of an Answer, and Allow takes an authz.Grant, which only authz.Commit can make. That matters
// because to Envoy an empty CheckResponse, or one with status 0 and a denied_response, means "allow": Render gives every answer
// that is not a valid grant a status other than OK.
//
// Non-goals: no identity, no policy, no meaning of a path. The package is the only importer of go-control-plane's auth API.
package extauthz

import (
	"fmt"
	"strings"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/sallyport-dev/sallyport/authz"
)

// Limits of a CheckRequest. Envoy's own are lower or equal; these hold against a caller that is not Envoy.
const (
	maxHeaders     = 128
	maxHeaderBytes = 64 << 10
	maxTargetBytes = 16 << 10
	maxBodyBytes   = 256 << 10
)

// Parse reads what Envoy asks about. It never fails: a request that cannot be judged carries its Problem.
func Parse(in *authv3.CheckRequest, now time.Time) authz.Request {
	attributes := in.GetAttributes()
	http := attributes.GetRequest().GetHttp()
	path, query, _ := strings.Cut(http.GetPath(), "?")
	req := authz.Request{
		Method:     http.GetMethod(),
		Scheme:     http.GetScheme(),
		Host:       http.GetHost(),
		Path:       path,
		Query:      query,
		Body:       http.GetRawBody(),
		Extensions: attributes.GetContextExtensions(),
		Received:   now,
		Peer: authz.Peer{
			Address:     attributes.GetSource().GetAddress().GetSocketAddress().GetAddress(),
			Principal:   attributes.GetSource().GetPrincipal(),
			Certificate: attributes.GetSource().GetCertificate(),
		},
	}
	if http == nil {
		return refuse(req, "the check has no HTTP request")
	}
	if http.GetHeaderMap() == nil || len(http.GetHeaders()) > 0 {
		// The plain map joins duplicates and replaces bytes: gateway and upstream would see different values.
		return refuse(req, "the check has joined headers: set encode_raw_headers in Envoy's ext_authz filter")
	}
	pseudo := map[string]string{":method": req.Method, ":authority": req.Host, ":path": http.GetPath(), ":scheme": http.GetScheme()}
	size := 0
	for _, h := range http.GetHeaderMap().GetHeaders() {
		name, value := h.GetKey(), string(h.GetRawValue())
		size += len(name) + len(value)
		if h.GetValue() != "" {
			return refuse(req, fmt.Sprintf("header %q has a value that is not raw", name))
		}
		if strings.HasPrefix(name, ":") {
			if want, ok := pseudo[name]; !ok || want != value {
				return refuse(req, fmt.Sprintf("pseudo header %q is unknown or differs from the request line", name))
			}
			continue
		}
		if !token(name) || name != strings.ToLower(name) {
			return refuse(req, fmt.Sprintf("header name %q is not a token in lower case", name))
		}
		req.Headers = append(req.Headers, authz.HeaderField{Name: name, Value: value})
	}
	if len(req.Headers) > maxHeaders || size > maxHeaderBytes {
		return refuse(req, "too many or too large headers")
	}
	req.ID, _ = req.Headers.Get("x-request-id")
	return check(req, http)
}

// check sets the Problem of whatever is wrong with the request as a whole.
func check(req authz.Request, http *authv3.AttributeContext_HttpRequest) authz.Request {
	switch {
	case !token(req.Method) || req.Method != strings.ToUpper(req.Method):
		return refuse(req, fmt.Sprintf("method %q is not a token in upper case", req.Method))
	case len(http.GetPath()) > maxTargetBytes || !visible(http.GetPath()):
		return refuse(req, "the request target is too long or not plain ASCII")
	case !strings.HasPrefix(req.Path, "/"):
		return refuse(req, "the request target is not a path")
	case http.GetFragment() != "" || strings.Contains(http.GetPath(), "#"):
		return refuse(req, "the request target has a fragment")
	case http.GetQuery() != "" && http.GetQuery() != req.Query:
		return refuse(req, "two queries")
	case req.Host == "" || len(req.Host) > 255 || !visible(req.Host) || strings.ContainsAny(req.Host, ",@/?%"):
		return refuse(req, fmt.Sprintf("host %.255q names more than one, or none", req.Host))
	case http.GetBody() != "":
		return refuse(req, "the body is text: set pack_as_bytes in Envoy's ext_authz filter")
	case len(req.Body) > maxBodyBytes:
		return refuse(req, "the body is larger than a check may carry")
	case req.Method == "CONNECT":
		return refuseAs(req, unsupported("CONNECT asks for a tunnel, in which no request could be judged"))
	}
	for _, problem := range []*authz.Refusal{checkPath(req.Path), checkQuery(req.Query), checkHeaders(req)} {
		if problem != nil {
			return refuseAs(req, problem)
		}
	}
	return req
}

func refuse(req authz.Request, detail string) authz.Request {
	return refuseAs(req, authz.Refuse(authz.RequestAmbiguous, detail))
}

func refuseAs(req authz.Request, problem *authz.Refusal) authz.Request {
	req.Problem = problem
	return req
}

// token reports whether s is a token of RFC 9110 §5.6.2.
func token(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		c := s[i]
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !alnum && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return true
}

// visible reports whether s is ASCII without spaces and control characters.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}
