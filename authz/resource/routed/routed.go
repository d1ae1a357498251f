// Package routed is what the adapters of services have in common: jobs, http and grpc. A service behind the gateway takes signed grants
// (authz/grant/service); which requests it knows is a closed list of routes, each an action on a resource.
//
// Invariants: a request goes upstream as it came, but for what Remove names, and the grant names its method, host, path, query and the
// digest of its body. A resource's path is made of letters, digits and . _ ~ : @ - in segments that are none of ".", ".." and "", so
// that it has one spelling and no segment can be two.
//
// Non-goals: no rows, no labels, no grant.
package routed

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
)

// Call is what a request asks of a service.
type Call struct {
	Operation string
	Action    string
	Path      string // of the resource, without the scheme of its row; of a list, the prefix of what is listed
	Upstream  authz.Upstream
}

// maxValue bounds one value that a template takes from a request.
const maxValue = 256

// Upstream is the request as the service will see it. Upstream.Tenant is left to whoever knows the rows.
func Upstream(req authz.Request) authz.Upstream {
	sum := sha256.Sum256(req.Body)
	return authz.Upstream{
		Audience:    req.Extensions["audience"],
		Region:      req.Extensions["region"],
		Method:      req.Method,
		Host:        req.Host,
		Path:        req.Path,
		Query:       req.Query,
		Headers:     []authz.HeaderField{},
		PayloadHash: hex.EncodeToString(sum[:]),
		Remove:      Removed(req.Headers),
	}
}

// CheckHost accepts a host with or without a port, in the one spelling that the service will compare with its grant.
func CheckHost(host string) error {
	if host == "" || len(host) > 255 || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.-:[]") != "" {
		return Ambiguous("host %q: want a lower-case name or an address", host)
	}
	return nil
}

// CheckBody refuses a body that was not shown whole: the grant names its digest. A route that passes none serves requests without one.
func CheckBody(req authz.Request) error {
	length, n := req.Headers.Get("content-length")
	_, chunked := req.Headers.Get("transfer-encoding")
	switch {
	case req.Extensions["body"] == "present":
		if n > 0 && length != strconv.Itoa(len(req.Body)) {
			return Ambiguous("content-length %q, but the body has %d bytes", length, len(req.Body))
		}
	case n > 0 && length != "0" || chunked > 0 || len(req.Body) > 0:
		return Unsupported("a body on a route without it (context extension body: present)")
	}
	return nil
}

// Template is the path of a resource with names of values in braces, {name}/cases/{case}.
type Template struct{ parts []part }

// part is a literal, or the name of a value.
type part struct {
	text  string
	value bool
}

// ParseTemplate reads a template whose values are all among names.
func ParseTemplate(text string, names []string) (Template, error) {
	var t Template
	for segment := range strings.SplitSeq(text, "/") {
		name, value := Variable(segment)
		switch {
		case value && !slices.Contains(names, name):
			return Template{}, fmt.Errorf("%q takes {%s}, which the route does not have", text, name)
		case !value && !plain(segment) && segment != "":
			return Template{}, fmt.Errorf("%q: segment %q: want letters, digits, . _ ~ : @ - or one {name}", text, segment)
		}
		if !value {
			name = segment
		}
		t.parts = append(t.parts, part{name, value})
	}
	for i, p := range t.parts {
		if !p.value && p.text == "" && i < len(t.parts)-1 || i == 0 && p.text == "" {
			return Template{}, fmt.Errorf("%q has an empty segment", text)
		}
	}
	return t, nil
}

// Variable returns the name of a segment {name}.
func Variable(segment string) (name string, ok bool) {
	name, opened := strings.CutPrefix(segment, "{")
	name, closed := strings.CutSuffix(name, "}")
	return name, opened && closed && name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// Expand puts values in. A value that is no plain segment is an error that names it.
func (t Template) Expand(values map[string]string) (string, error) {
	segments := make([]string, len(t.parts))
	for i, p := range t.parts {
		segments[i] = p.text
		if p.value {
			v := values[p.text]
			if !plain(v) {
				return "", Ambiguous("%s %q: want 1 to %d letters, digits and . _ ~ : @ -", p.text, v, maxValue)
			}
			segments[i] = v
		}
	}
	return strings.Join(segments, "/"), nil
}

// plain reports whether s is a segment of one spelling.
func plain(s string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~:@-"
	return s != "" && s != "." && s != ".." && len(s) <= maxValue && strings.Trim(s, allowed) == ""
}

// Actions are what a route can do. Those that need sources or an enclave to run in are the job adapter's and the store's.
var Actions = []string{"read", "list", "create", "update", "delete", "relabel", "administer"}

// maxDetail bounds what a refusal repeats of a request.
const maxDetail = 400

// Ambiguous refuses what could be read in two ways.
func Ambiguous(format string, args ...any) error {
	return refuse(authz.RequestAmbiguous, format, args...)
}

// Unsupported refuses what is not on the list.
func Unsupported(format string, args ...any) error {
	return refuse(authz.RequestUnsupported, format, args...)
}

func refuse(reason authz.Reason, format string, args ...any) error {
	detail := fmt.Sprintf(format, args...) // values go in by %q, so the detail is one line of plain text
	if len(detail) > maxDetail {
		detail = strings.ToValidUTF8(detail[:maxDetail], "") + " (cut)"
	}
	return authz.Refuse(reason, detail)
}
