package extauthz

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
)

// repeatable are the headers of which a request may have several, because no step and no upstream decides anything by them. Any
// other header is one field: whoever reads the first and whoever reads the last would see two requests.
var repeatable = []string{"accept", "accept-encoding", "accept-language", "baggage", "cookie", "forwarded", "tracestate", "via", "x-forwarded-for"}

// overriding are headers by which frameworks take another method or target than the request line has.
var overriding = []string{"x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url", "x-original-method"}

// checkHeaders returns what is wrong with the headers of a request whose names are tokens in lower case, nil if nothing is.
func checkHeaders(req authz.Request) *authz.Refusal {
	for i, h := range req.Headers {
		repeats := slices.ContainsFunc(req.Headers[:i], func(earlier authz.HeaderField) bool { return earlier.Name == h.Name })
		switch {
		case strings.Contains(h.Name, "_"):
			return ambiguous("header name %q: some readers take _ for -", h.Name)
		case repeats && !slices.Contains(repeatable, h.Name):
			return ambiguous("header %s is there more than once", h.Name)
		case strings.ContainsAny(h.Value, "\x00\r\n"):
			return ambiguous("header %s has a line break or NUL", h.Name)
		case slices.Contains(overriding, h.Name):
			return ambiguous("header %s asks for something else than the request line", h.Name)
		case strings.HasPrefix(h.Name, "impersonate-"), strings.HasPrefix(h.Name, "x-remote-"):
			return unsupported("header %s names another subject", h.Name)
		}
		if problem := checkHeader(req, h); problem != nil {
			return problem
		}
	}
	if _, n := req.Headers.Get("transfer-encoding"); n > 0 {
		if _, n := req.Headers.Get("content-length"); n > 0 {
			return ambiguous("headers content-length and transfer-encoding: two lengths")
		}
	}
	return nil
}

// checkHeader looks at the value of a header that the way of the request depends on. Envoy joins duplicates of some by a comma also
// with encode_raw_headers: authorization, host and content-type.
func checkHeader(req authz.Request, h authz.HeaderField) *authz.Refusal {
	switch h.Name {
	case "authorization":
		if joined(h.Value) {
			return ambiguous("header authorization: two fields were joined") // the value is identity's, and never in a detail
		}
	case "host":
		if h.Value != req.Host {
			return ambiguous("header host %.100q differs from the authority", h.Value)
		}
	case "content-type":
		if strings.Contains(h.Value, ",") {
			return ambiguous("header content-type has a comma: two fields were joined")
		}
	case "content-length":
		return checkLength(req, h.Value)
	case "transfer-encoding":
		if h.Value != "chunked" {
			return ambiguous("header transfer-encoding: %.100q: want chunked", h.Value)
		}
	case "connection":
		for token := range strings.SplitSeq(h.Value, ",") {
			token = strings.ToLower(strings.TrimSpace(token))
			if token != "" && token != "keep-alive" && token != "close" && token != "te" {
				return ambiguous("header connection names %.100q, which the next hop would drop", token)
			}
		}
	case "te":
		if !strings.EqualFold(strings.TrimSpace(h.Value), "trailers") {
			return ambiguous("header te: %.100q: want trailers", h.Value)
		}
	case "upgrade":
		return unsupported("header upgrade: what follows is no request that could be judged")
	case "x-envoy-auth-partial-body":
		if h.Value != "false" {
			return ambiguous("the body is not whole: allow_partial_message must be false")
		}
	}
	return nil
}

// checkLength holds a length to its one spelling and, where the route says that the body is there, to the body.
func checkLength(req authz.Request, value string) *authz.Refusal {
	n, err := strconv.ParseUint(value, 10, 63)
	if err != nil || value != strconv.FormatUint(n, 10) {
		return ambiguous("header content-length: %.100q is no length", value)
	}
	if req.Extensions["body"] == "present" && n != uint64(len(req.Body)) {
		return ambiguous("header content-length is %d, but the body has %d bytes", n, len(req.Body))
	}
	return nil
}

// joined reports whether the value of an authorization header may have been made of two. A signature of S3 has two commas of its own.
func joined(value string) bool {
	scheme, parameters, _ := strings.Cut(value, " ")
	if !strings.HasPrefix(scheme, "AWS4-") {
		return strings.Contains(value, ",")
	}
	var names []string
	for part := range strings.SplitSeq(parameters, ",") {
		name, _, _ := strings.Cut(strings.TrimSpace(part), "=")
		names = append(names, name)
	}
	slices.Sort(names)
	return !slices.Equal(names, []string{"Credential", "Signature", "SignedHeaders"})
}

func ambiguous(format string, args ...any) *authz.Refusal {
	return authz.Refuse(authz.RequestAmbiguous, fmt.Sprintf(format, args...))
}

func unsupported(format string, args ...any) *authz.Refusal {
	return authz.Refuse(authz.RequestUnsupported, fmt.Sprintf(format, args...))
}
