package extauthz

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport-dev/sallyport/authz"
)

var received = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// request is a check as Envoy 1.40 sends it with encode_raw_headers.
func request() *authv3.AttributeContext_HttpRequest {
	return &authv3.AttributeContext_HttpRequest{
		Id: "1", Method: "GET", Path: "/nz-fire-maps/a?x=1", Host: "storage.sallyport.test", Scheme: "http", Protocol: "HTTP/1.1",
		HeaderMap: &corev3.HeaderMap{Headers: []*corev3.HeaderValue{
			raw(":authority", "storage.sallyport.test"), raw(":path", "/nz-fire-maps/a?x=1"), raw(":method", "GET"), raw(":scheme", "http"),
			raw("authorization", "Bearer t"), raw("cookie", "caf\xe9"), raw("cookie", ""), raw("x-request-id", "r1"),
		}},
	}
}

func raw(key, value string) *corev3.HeaderValue {
	return &corev3.HeaderValue{Key: key, RawValue: []byte(value)}
}

func checkOf(r *authv3.AttributeContext_HttpRequest) *authv3.CheckRequest {
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{
			Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: "127.0.0.1"}}},
		},
		Request:           &authv3.AttributeContext_Request{Http: r},
		ContextExtensions: map[string]string{"service": "s3"},
	}}
}

func TestParseReadsWhatEnvoySends(t *testing.T) {
	want := authz.Request{
		ID: "r1", Method: "GET", Scheme: "http", Host: "storage.sallyport.test", Path: "/nz-fire-maps/a", Query: "x=1",
		Headers: authz.Headers{
			{Name: "authorization", Value: "Bearer t"}, {Name: "cookie", Value: "caf\xe9"},
			{Name: "cookie", Value: ""}, {Name: "x-request-id", Value: "r1"},
		},
		Peer: authz.Peer{Address: "127.0.0.1"}, Extensions: map[string]string{"service": "s3"}, Received: received,
	}
	if diff := cmp.Diff(want, Parse(checkOf(request()), received)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseRefusesWhatCouldBeReadInTwoWays(t *testing.T) {
	for name, change := range map[string]func(*authv3.AttributeContext_HttpRequest){
		"headers joined into a map": func(r *authv3.AttributeContext_HttpRequest) {
			r.HeaderMap, r.Headers = nil, map[string]string{"authorization": "Bearer a,Bearer b"}
		},
		"both forms of headers":           func(r *authv3.AttributeContext_HttpRequest) { r.Headers = map[string]string{"a": "b"} },
		"a value that is not raw":         func(r *authv3.AttributeContext_HttpRequest) { r.HeaderMap.Headers[4].Value = "Bearer t" },
		"a header name with a space":      func(r *authv3.AttributeContext_HttpRequest) { r.HeaderMap.Headers[4].Key = "author ization" },
		"a header name in upper case":     func(r *authv3.AttributeContext_HttpRequest) { r.HeaderMap.Headers[4].Key = "Authorization" },
		"an empty header name":            func(r *authv3.AttributeContext_HttpRequest) { r.HeaderMap.Headers[4].Key = "" },
		"an unknown pseudo header":        func(r *authv3.AttributeContext_HttpRequest) { r.HeaderMap.Headers[3].Key = ":protocol" },
		"a path that differs":             func(r *authv3.AttributeContext_HttpRequest) { r.HeaderMap.Headers[1].RawValue = []byte("/other") },
		"two authorizations":              addHeader("authorization", "Bearer u"),
		"two hosts":                       addHeader("host", "evil"),
		"a partial body":                  addHeader("x-envoy-auth-partial-body", "true"),
		"too many headers":                manyHeaders,
		"too large headers":               addHeader("x-large", strings.Repeat("a", maxHeaderBytes)),
		"no method":                       target(func(r *authv3.AttributeContext_HttpRequest) { r.Method = "" }),
		"a method in lower case":          target(func(r *authv3.AttributeContext_HttpRequest) { r.Method = "get" }),
		"an empty path":                   target(func(r *authv3.AttributeContext_HttpRequest) { r.Path = "" }),
		"an asterisk for a path":          target(func(r *authv3.AttributeContext_HttpRequest) { r.Path = "*" }),
		"an absolute form":                target(func(r *authv3.AttributeContext_HttpRequest) { r.Path = "http://h/a" }),
		"a fragment":                      target(func(r *authv3.AttributeContext_HttpRequest) { r.Path = "/a#b" }),
		"a space in the path":             target(func(r *authv3.AttributeContext_HttpRequest) { r.Path = "/a b" }),
		"a NUL in the path":               target(func(r *authv3.AttributeContext_HttpRequest) { r.Path = "/a\x00b" }),
		"a raw byte above ASCII":          target(func(r *authv3.AttributeContext_HttpRequest) { r.Path = "/caf\xe9" }),
		"a path beyond the limit":         target(func(r *authv3.AttributeContext_HttpRequest) { r.Path = "/" + strings.Repeat("a", maxTargetBytes) }),
		"a query beside that of the path": func(r *authv3.AttributeContext_HttpRequest) { r.Query = "y=2" },
		"no host":                         target(func(r *authv3.AttributeContext_HttpRequest) { r.Host = "" }),
		"two hosts joined":                target(func(r *authv3.AttributeContext_HttpRequest) { r.Host = "a,b" }),
		"a host with user information":    target(func(r *authv3.AttributeContext_HttpRequest) { r.Host = "a@b" }),
		"an escaped host":                 target(func(r *authv3.AttributeContext_HttpRequest) { r.Host = "ex%41mple" }),
		"a body that is text":             func(r *authv3.AttributeContext_HttpRequest) { r.Body = "x" },
		"a body beyond the limit":         func(r *authv3.AttributeContext_HttpRequest) { r.RawBody = make([]byte, maxBodyBytes+1) },
	} {
		t.Run(name, func(t *testing.T) { checkProblem(t, authz.RequestAmbiguous, change) })
	}
	for name, in := range map[string]*authv3.CheckRequest{
		"no check at all": nil, "an empty check": {}, "a check without a request": checkOf(nil),
	} {
		t.Run(name, func(t *testing.T) {
			if got := Parse(in, received); got.Problem == nil {
				t.Errorf("%+v has no problem", got)
			}
		})
	}
}

// checkProblem changes a request without a problem and wants one.
func checkProblem(t *testing.T, want authz.Reason, change func(*authv3.AttributeContext_HttpRequest)) {
	t.Helper()
	r := request()
	change(r)
	got := Parse(checkOf(r), received)
	if got.Problem == nil || got.Problem.Reason != want || got.Problem.Detail == "" || len(got.Problem.Detail) > 400 {
		t.Errorf("problem %v, want %s", got.Problem, want)
	}
}

func addHeader(name, value string) func(*authv3.AttributeContext_HttpRequest) {
	return func(r *authv3.AttributeContext_HttpRequest) {
		r.HeaderMap.Headers = append(r.HeaderMap.Headers, raw(name, value))
	}
}

func manyHeaders(r *authv3.AttributeContext_HttpRequest) {
	for range maxHeaders {
		r.HeaderMap.Headers = append(r.HeaderMap.Headers, raw("x-a", "b"))
	}
}

// target changes the request line and its pseudo headers alike, so that only the change itself is wrong.
func target(change func(*authv3.AttributeContext_HttpRequest)) func(*authv3.AttributeContext_HttpRequest) {
	return func(r *authv3.AttributeContext_HttpRequest) {
		change(r)
		h := r.HeaderMap.Headers
		h[0].RawValue, h[1].RawValue, h[2].RawValue = []byte(r.Host), []byte(r.Path), []byte(r.Method)
	}
}

// FuzzParse feeds arbitrary wire bytes: Parse never panics, and what has no problem is plain.
func FuzzParse(f *testing.F) {
	seed, err := proto.Marshal(checkOf(request()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, wire []byte) {
		var in authv3.CheckRequest
		if proto.Unmarshal(wire, &in) != nil {
			return
		}
		r := Parse(&in, received)
		if r.Problem != nil {
			return
		}
		if !strings.HasPrefix(r.Path, "/") || !visible(r.Path+r.Query) || strings.Contains(r.Path, "#") || r.Host == "" {
			t.Errorf("no problem with %+v", r)
		}
		for _, h := range r.Headers {
			if _, n := r.Headers.Get(h.Name); n > 1 && !slices.Contains(repeatable, h.Name) {
				t.Errorf("%d headers %s passed", n, h.Name)
			}
		}
		// A second reader decodes and cleans: it must find the same place.
		plain, err := url.PathUnescape(r.Path)
		if err != nil {
			t.Fatalf("path %q passed: %v", r.Path, err)
		}
		if clean := path.Clean(plain); clean != plain && clean+"/" != plain {
			t.Errorf("path %q passed, and is %q to who cleans it", r.Path, clean)
		}
		if again, err := url.PathUnescape(plain); err == nil && again != plain {
			t.Errorf("path %q passed, and is %q to who decodes it twice", r.Path, again)
		}
	})
}
