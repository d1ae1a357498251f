package extauthz

import (
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/sallyport-dev/sallyport/authz"
)

// asks makes the request line ask for something else.
func asks(path string) func(*authv3.AttributeContext_HttpRequest) {
	return target(func(r *authv3.AttributeContext_HttpRequest) { r.Path = path })
}

func TestAPathThatTwoReadersCouldTakeForTwoIsRefused(t *testing.T) {
	for name, path := range map[string]string{
		"two slashes in front":               "//a/b",
		"two slashes inside":                 "/a//b",
		"two slashes at the end":             "/a/b//",
		"nothing but slashes":                "///",
		"a dot segment":                      "/a/./b",
		"two dots":                           "/a/../b",
		"two dots at the end":                "/a/..",
		"escaped dots":                       "/a/%2e%2e/b",
		"half-escaped dots":                  "/a/.%2E/b",
		"dots with a raw parameter":          "/a/..;x=1/b",
		"dots with an escaped parameter":     "/a/..%3Bx=1/b",
		"a raw semicolon":                    "/a;b",
		"an escaped slash":                   "/a%2fb",
		"an escaped slash in capitals":       "/a%2Fb",
		"a raw backslash":                    `/a\b`,
		"an escaped backslash":               "/a%5cb",
		"dots that are escaped twice":        "/%252e%252e/a",
		"a slash that is escaped twice":      "/a%252Fb",
		"a letter that is escaped twice":     "/nofo%2572n/a",
		"a letter that is escaped thrice":    "/nofo%252572n/a",
		"an overlong encoding of a dot":      "/%c0%ae%c0%ae/a",
		"a byte that is not UTF-8":           "/%ff",
		"half a character":                   "/%c3",
		"a surrogate":                        "/%ed%a0%80",
		"NUL":                                "/a%00b",
		"a line break":                       "/a%0ab",
		"DEL":                                "/a%7f",
		"a C1 control":                       "/a%c2%85",
		"a broken escape at the end":         "/a%",
		"half an escape at the end":          "/a%4",
		"an escape that is not hexadecimal":  "/a%zz",
		"an escape in Microsoft's manner":    "/%u002e",
		"a broken escape in the query":       "/a?b=%zz",
		"a semicolon in the query":           "/a?b=1;c=2",
		"NUL in the query":                   "/a?b=%00",
		"a line break in the query":          "/a?b=%0d%0a",
		"a query that is not UTF-8":          "/a?b=%ff",
		"a query that names another method":  "/a?b=1&_method=DELETE",
		"a semicolon before a hidden second": "/a?prefix=a;versions",
	} {
		t.Run(name, func(t *testing.T) { checkProblem(t, authz.RequestAmbiguous, asks(path)) })
	}
}

func TestAPathThatEverybodyReadsAlikePasses(t *testing.T) {
	for _, path := range []string{
		"/", "/a", "/a/", "/a/b%20c", "/a/caf%C3%A9", "/a/100%25", "/a/b%3Bc", "/a/..b/.c/d..", "/a/...", "/a/b?x=%2F..%2F&y=%2525", "/a?", "/a/b%3Fc%23d", "/a~b!$&'()*+,=:@",
	} {
		r := request()
		asks(path)(r)
		if got := Parse(checkOf(r), received); got.Problem != nil {
			t.Errorf("%s: %v", path, got.Problem)
		}
	}
}

func TestHeadersThatTwoReadersCouldTakeForTwoAreRefused(t *testing.T) {
	twice := func(name string) func(*authv3.AttributeContext_HttpRequest) {
		return func(r *authv3.AttributeContext_HttpRequest) {
			addHeader(name, "a")(r)
			addHeader(name, "b")(r)
		}
	}
	for name, change := range map[string]func(*authv3.AttributeContext_HttpRequest){
		"two copy sources":                          twice("x-amz-copy-source"),
		"two digests":                               twice("x-amz-content-sha256"),
		"two session tokens":                        twice("x-amz-security-token"),
		"two metadata fields of one name":           twice("x-amz-meta-b"),
		"two lengths":                               twice("content-length"),
		"two ranges":                                twice("range"),
		"two preconditions":                         twice("if-none-match"),
		"two proofs of a key":                       twice("dpop"),
		"two of a header that nobody knows":         twice("x-other"),
		"two authorizations that Envoy joined":      setHeader("authorization", "Bearer a,Bearer b"),
		"a bearer token behind a signature":         setHeader("authorization", "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=0,Bearer b"),
		"two signatures in one":                     setHeader("authorization", "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=0, Credential=b"),
		"two content types that Envoy joined":       addHeader("content-type", "text/plain,text/html"),
		"a name with underscores":                   addHeader("x_amz_copy_source", "us-fire/a"),
		"an identity with an underscore":            addHeader("impersonate_user", "admin"),
		"another method":                            addHeader("x-http-method-override", "DELETE"),
		"another method, differently":               addHeader("x-method-override", "DELETE"),
		"another method, differently again":         addHeader("x-http-method", "DELETE"),
		"another path":                              addHeader("x-original-url", "/secret"),
		"another path, differently":                 addHeader("x-rewrite-url", "/secret"),
		"a host that differs from the authority":    addHeader("host", "evil"),
		"a connection that drops our headers":       addHeader("connection", "close, x-amz-date"),
		"a connection that drops the authorization": addHeader("connection", "Authorization"),
		"a connection that drops the grant":         addHeader("connection", "keep-alive,x-sallyport-grant"),
		"te that names a header":                    addHeader("te", "x-amz-date"),
		"a part of the body only":                   addHeader("x-envoy-auth-partial-body", "true"),
		"a signed length":                           addHeader("content-length", "+3"),
		"a length with a zero in front":             addHeader("content-length", "03"),
		"an empty length":                           addHeader("content-length", ""),
		"an endless length":                         addHeader("content-length", strings.Repeat("9", 20)),
		"a coding that is not chunked":              addHeader("transfer-encoding", "gzip, chunked"),
		"a line break in a value":                   addHeader("x-a", "b\nx-c: d"),
		"NUL in a value":                            addHeader("x-a", "b\x00c"),
		"a length and chunks": func(r *authv3.AttributeContext_HttpRequest) {
			addHeader("content-length", "3")(r)
			addHeader("transfer-encoding", "chunked")(r)
		},
		"a session token twice, once with an unlike spelling": addHeader("x-amz-security_token", "t"),
	} {
		t.Run(name, func(t *testing.T) { checkProblem(t, authz.RequestAmbiguous, change) })
	}
	for name, change := range map[string]func(*authv3.AttributeContext_HttpRequest){
		"an upgrade":            addHeader("upgrade", "websocket"),
		"a tunnel":              target(func(r *authv3.AttributeContext_HttpRequest) { r.Method = "CONNECT" }),
		"impersonation":         addHeader("impersonate-user", "admin"),
		"impersonation's extra": addHeader("impersonate-extra-x", "1"),
		"a front proxy's user":  addHeader("x-remote-user", "admin"),
	} {
		t.Run(name, func(t *testing.T) { checkProblem(t, authz.RequestUnsupported, change) })
	}
}

// setHeader changes a header that request has.
func setHeader(name, value string) func(*authv3.AttributeContext_HttpRequest) {
	return func(r *authv3.AttributeContext_HttpRequest) {
		for _, h := range r.HeaderMap.Headers {
			if h.Key == name {
				h.RawValue = []byte(value)
			}
		}
	}
}

func TestHeadersThatEverybodyReadsAlikePass(t *testing.T) {
	for name, value := range map[string]string{
		"authorization": "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host;x-amz-date, Signature=0", "connection": "Keep-Alive, TE", "te": "trailers",
		"content-length": "0", "transfer-encoding": "chunked", "host": "storage.sallyport.test", "x-envoy-auth-partial-body": "false", "x-b": "caf\xe9",
	} {
		r := request()
		r.HeaderMap.Headers = append(r.HeaderMap.Headers[:4:4], raw(name, value), raw("accept", "a"), raw("accept", "b"), raw("cookie", "c=1"), raw("cookie", "d=2"))
		if got := Parse(checkOf(r), received); got.Problem != nil {
			t.Errorf("%s: %s: %v", name, value, got.Problem)
		}
	}
}

// A route that judges a body must have been shown all of it.
func TestABodyIsWholeOrRefused(t *testing.T) {
	for _, c := range []struct {
		what, length, body, extension string
		ok                            bool
	}{
		{"all of it", "5", "hello", "present", true},
		{"without a length, as in chunks and HTTP/2", "", "hello", "present", true},
		{"a part of it", "6", "hello", "present", false},
		{"none of it", "5", "", "present", false},
		{"none, where none is judged", "5", "", "absent", true},
	} {
		t.Run(c.what, func(t *testing.T) {
			r := request()
			r.RawBody = []byte(c.body)
			if c.length != "" {
				r.HeaderMap.Headers = append(r.HeaderMap.Headers, &corev3.HeaderValue{Key: "content-length", RawValue: []byte(c.length)})
			}
			in := checkOf(r)
			in.Attributes.ContextExtensions["body"] = c.extension
			if got := Parse(in, received); (got.Problem == nil) != c.ok {
				t.Errorf("problem %v", got.Problem)
			}
		})
	}
}
