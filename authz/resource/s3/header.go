package s3

import (
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
)

// repeatable are the headers of which a request may have several, because no step and no store decides anything by them. Any
// other header is one field: whoever reads the first and whoever reads the last would see two requests.
var repeatable = []string{"accept", "accept-encoding", "accept-language", "baggage", "cookie", "forwarded", "tracestate", "via", "x-forwarded-for"}

// refusedHeaders change who asks or what is asked behind the back of what was judged; a trailing * is any ending.
var refusedHeaders = []string{
	"x-http-method", "x-http-method-override", "x-method-override", // another method
	"impersonate-*", "x-remote-*", // another subject
	"x-amz-meta-snowball-*", // a put that unpacks into many objects
	"upgrade",               // not a request any more once it is answered
}

// CheckHeaders holds every header of a request to what is the same for all operations, and for jobs (authz/resource/jobs).
func CheckHeaders(headers authz.Headers) error {
	seen := make(map[string]bool, len(headers))
	for _, h := range headers {
		if h.Name == "" || strings.Trim(h.Name, "abcdefghijklmnopqrstuvwxyz0123456789-.!#$%&'*^`|~+") != "" {
			return ambiguous("header name %q: want lower case without underscores", h.Name)
		}
		if seen[h.Name] && !slices.Contains(repeatable, h.Name) {
			return ambiguous("header %s is there more than once", h.Name)
		}
		seen[h.Name] = true
		if matches(refusedHeaders, h.Name) {
			return unsupported("header %s", h.Name)
		}
		if err := checkHeader(h); err != nil {
			return err
		}
	}
	return nil
}

func checkHeader(h authz.HeaderField) error {
	switch {
	case strings.HasPrefix(h.Name, "x-amz-"):
		// Signed headers must be the same bytes to everybody, so they are printable ASCII; SDKs escape the rest.
		if strings.ContainsFunc(h.Value, func(r rune) bool { return r < ' ' || r > '~' }) {
			return ambiguous("header %s: want printable ASCII", h.Name)
		}
	case h.Name == "authorization":
		return checkAuthorization(h.Value)
	case h.Name == "host" || h.Name == "content-type":
		if strings.Contains(h.Value, ",") {
			return ambiguous("header %s has a comma: two fields were joined", h.Name)
		}
	case h.Name == "connection":
		for _, token := range strings.Split(h.Value, ",") {
			token = strings.ToLower(strings.TrimSpace(token))
			if token != "" && token != "keep-alive" && token != "close" && token != "te" {
				return ambiguous("header connection names %q, which the next hop would drop", token)
			}
		}
	case h.Name == "te":
		if !strings.EqualFold(strings.TrimSpace(h.Value), "trailers") {
			return ambiguous("header te: %q: want trailers", h.Value)
		}
	case h.Name == "x-envoy-auth-partial-body":
		if h.Value != "false" {
			return unsupported("Envoy passed only a part of the body")
		}
	}
	return nil
}

// checkAuthorization refuses two credentials that were joined by a comma. The value itself is identity's, and never in a detail.
func checkAuthorization(value string) error {
	scheme, parameters, _ := strings.Cut(value, " ")
	switch {
	case strings.HasPrefix(scheme, "AWS4-"):
		for _, part := range strings.Split(parameters, ",") {
			name, _, found := strings.Cut(strings.TrimSpace(part), "=")
			if !found || name != "Credential" && name != "SignedHeaders" && name != "Signature" {
				return ambiguous("header authorization has more than Credential, SignedHeaders and Signature: two fields were joined")
			}
		}
	case strings.EqualFold(scheme, "AWS"):
		return unsupported("header authorization: SigV2")
	case strings.Contains(value, ","):
		return ambiguous("header authorization has a comma: two fields were joined")
	}
	return nil
}

const (
	unsignedPayload = "UNSIGNED-PAYLOAD"
	unsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// payloadHash returns what the grant's x-amz-content-sha256 will be. Signed chunks chain from the client's own signature, which
// the store never sees, so nobody can make them good again.
func payloadHash(headers authz.Headers, op *operation) (string, error) {
	value, n := headers.Get("x-amz-content-sha256")
	switch {
	case n == 0 || value == unsignedPayload:
		return unsignedPayload, nil
	case value == unsignedTrailer && op.streams:
		return value, nil
	case strings.HasPrefix(value, "STREAMING-AWS4-"):
		return "", unsupported(authz.SignedChunks+": %s", value)
	case isDigest(value):
		return value, nil
	default:
		return "", ambiguous("header x-amz-content-sha256: %q: want a lower-case hex SHA-256, %s, or for uploads %s", value, unsignedPayload, unsignedTrailer)
	}
}

func isDigest(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }
