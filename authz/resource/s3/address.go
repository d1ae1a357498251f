package s3

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
)

// address is where a request points, in either style.
type address struct {
	bucket, key string
	inHost      bool // virtual-host style
	slash       bool // path style, a bucket with a slash behind it
}

// parseAddress reads host and path.
func parseAddress(req authz.Request) (address, error) {
	a := address{}
	var err error
	if a.bucket, err = bucketOfHost(req.Host, req.Extensions["domains"]); err != nil {
		return address{}, err
	}
	path, err := unescapePath(req.Path)
	if err != nil {
		return address{}, ambiguous("path: %v", err)
	}
	rest, absolute := strings.CutPrefix(path, "/")
	if !absolute {
		return address{}, ambiguous("path %q: want a leading slash", req.Path)
	}
	switch {
	case a.bucket != "":
		a.inHost, a.key = true, rest
	case rest == "":
		return address{}, unsupported("no bucket: listing buckets is not supported")
	default:
		a.bucket, a.key, a.slash = strings.Cut(rest, "/")
	}
	if err := CheckBucket(a.bucket); err != nil {
		return address{}, ambiguous("path: %v", err)
	}
	if err := checkPrefix(a.key); err != nil {
		return address{}, ambiguous("path: %v", err)
	}
	return a, nil
}

func (a address) target() target {
	if a.key == "" {
		return bucket
	}
	return object
}

// path is bucket/key, or bucket/ of a bucket.
func (a address) path() string { return a.bucket + "/" + a.key }

// canonical is the path of the request, encoded once.
func (a address) canonical() string {
	switch {
	case a.inHost:
		return "/" + escape(a.key, "/")
	case a.slash:
		return "/" + escape(a.path(), "/")
	default:
		return "/" + a.bucket
	}
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
	for domain := range strings.SplitSeq(domains, ",") {
		domain = strings.TrimSpace(domain)
		if domain == "" {
			continue
		}
		if name == domain {
			return "", nil
		}
		if label, found := strings.CutSuffix(name, "."+domain); found && CheckBucket(label) == nil {
			return label, nil
		}
	}
	if name == "localhost" || isAddress(name) {
		return "", nil
	}
	return "", ambiguous("host %q is no domain of the store, no bucket below one and no address", host)
}

// isAddress reports whether name is an IP address as a URL writes it: v6 in brackets, v4 not, no zone.
func isAddress(name string) bool {
	bracketed := strings.HasPrefix(name, "[") && strings.HasSuffix(name, "]")
	if bracketed {
		name = name[1 : len(name)-1]
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.Zone() == "" && ip.Is6() == bracketed
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
	if err := CheckBucket(name); err != nil {
		return "", ambiguous("header x-amz-copy-source: %v", err)
	}
	if err := checkKey(key); err != nil {
		return "", ambiguous("header x-amz-copy-source: %v", err)
	}
	return path, nil
}
