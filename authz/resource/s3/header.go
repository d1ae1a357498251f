package s3

import (
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
)

// checkHeaders refuses what no operation may carry. That each name is there once and is plain has been seen to where the request was
// read (gateway/extauthz).
func checkHeaders(headers authz.Headers) error {
	for _, h := range headers {
		switch {
		case strings.HasPrefix(h.Name, "x-amz-meta-snowball-"):
			return unsupported("header %s: a put that unpacks into many objects", h.Name)
		case strings.HasPrefix(h.Name, "x-amz-") && strings.ContainsFunc(h.Value, func(r rune) bool { return r < ' ' || r > '~' }):
			// Signed headers must be the same bytes to everybody, so they are printable ASCII; SDKs escape the rest.
			return ambiguous("header %s: want printable ASCII", h.Name)
		case h.Name == "authorization" && len(h.Value) > 4 && strings.EqualFold(h.Value[:4], "AWS "):
			return unsupported("header authorization: SigV2")
		}
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
