package s3

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
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

// checkHeaders holds every header of req to what is the same for all operations.
func checkHeaders(headers authz.Headers) error {
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

// matches reports whether name is in list, where a trailing * is any ending.
func matches(list []string, name string) bool {
	return slices.ContainsFunc(list, func(l string) bool {
		prefix, open := strings.CutSuffix(l, "*")
		return l == name || open && strings.HasPrefix(name, prefix)
	})
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

func unsupported(format string, args ...any) *authz.Refusal {
	return authz.Refuse(authz.RequestUnsupported, fmt.Sprintf(format, args...))
}

// bucketOfHost returns the bucket that host names in virtual-host style, "" where the path names it. domains are the route's: they
// must be those that the store itself was given, else it would look for the bucket in the path. Upper case is refused, because a
// store that compares bytes would read path style where this package reads virtual-host style.
func bucketOfHost(host, domains string) (string, error) {
	name, port, hasPort := strings.Cut(host, ":")
	if strings.HasPrefix(host, "[") {
		name, port, hasPort = host, "", false
		if end := strings.LastIndex(host, "]:"); end > 0 {
			name, port, hasPort = host[:end+1], host[end+2:], true
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); hasPort && (err != nil || n == 0 || port[0] == '0' || port[0] == '+') {
		return "", ambiguous("host %q: port %q", host, port)
	}
	if name == "localhost" {
		return "", nil
	}
	if ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")); err == nil && ip.Zone() == "" && ip.Is6() == strings.HasPrefix(name, "[") {
		return "", nil
	}
	for _, domain := range strings.Split(domains, ",") {
		domain = strings.TrimSpace(domain)
		if domain == "" {
			continue
		}
		if name == domain {
			return "", nil
		}
		if label, found := strings.CutSuffix(name, "."+domain); found && checkBucket(label) == nil {
			return label, nil
		}
	}
	return "", ambiguous("host %q is no domain of the store, no bucket below one and no address", host)
}

// copySource returns the bucket/key that x-amz-copy-source names. Stores cut a version off after decoding, so what looks like one
// then is refused as well.
func copySource(value string) (string, error) {
	raw, version, versioned := strings.Cut(strings.TrimPrefix(value, "/"), "?")
	if versioned {
		return "", unsupported("header x-amz-copy-source: %q: a version can't be asked for", version)
	}
	path, err := unescapePath(raw)
	if err != nil {
		return "", ambiguous("header x-amz-copy-source: %v", err)
	}
	if strings.Contains(path, "?versionId=") {
		return "", ambiguous("header x-amz-copy-source: %q would name a version if it were decoded first", path)
	}
	name, key, _ := strings.Cut(path, "/")
	if err := checkBucket(name); err != nil {
		return "", ambiguous("header x-amz-copy-source: %v", err)
	}
	if err := checkKey(key); err != nil {
		return "", ambiguous("header x-amz-copy-source: %v", err)
	}
	return path, nil
}

const (
	unsignedPayload = "UNSIGNED-PAYLOAD"
	unsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// payloadHash returns what the grant's x-amz-content-sha256 will be. Signed chunks chain from the client's own signature, which
// the store never sees, so nobody can make them good again; the detail starts with "signed chunks", and the caller gets a 501.
func payloadHash(headers authz.Headers, op *operation) (string, error) {
	value, n := headers.Get("x-amz-content-sha256")
	switch {
	case n == 0 || value == unsignedPayload:
		return unsignedPayload, nil
	case value == unsignedTrailer && op.streams:
		return value, nil
	case strings.HasPrefix(value, "STREAMING-AWS4-"):
		return "", unsupported("signed chunks: %s", value)
	case isDigest(value):
		return value, nil
	default:
		return "", ambiguous("header x-amz-content-sha256: %q: want a lower-case hex SHA-256, %s, or for uploads %s", value, unsignedPayload, unsignedTrailer)
	}
}

func isDigest(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }
