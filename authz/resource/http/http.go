// Package http reads a request to a service by the route table that the bundle has for it: a method and a path template are an operation,
// an action and a resource. Everything else is request.unsupported.
//
// Invariants: at most one route fits a request, which New sees to. A path has no escapes, a query no name that its route does not list
// and none twice, and a body is judged only as its digest. Where a body decides what is touched, give it an adapter of its own.
//
// Non-goals: no rows, no labels, no grant; content negotiation, trailers and upgrades.
package http

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource/routed"
)

// Route is one line of a table, as the bundle has it.
type Route struct {
	Method    string   `json:"method"`
	Path      string   `json:"path"` // /v1/{register}/cases/{case}
	Operation string   `json:"operation"`
	Action    string   `json:"action"`
	Resource  string   `json:"resource"` // {register}/cases/{case}: a path below a row http:<name>/…; of a list it ends with a slash
	Query     []string `json:"query"`    // names that may be there
}

// Table is the routes of one service. It never changes.
type Table struct{ routes []route }

type route struct {
	Route
	segments []string
	resource routed.Template
}

// New reads a table and refuses routes of which two could fit one request.
func New(routes []Route) (*Table, error) {
	t := &Table{}
	for i, r := range routes {
		at := func(format string, args ...any) error {
			return fmt.Errorf("routes[%d]: %s", i, fmt.Sprintf(format, args...))
		}
		path, rooted := strings.CutPrefix(r.Path, "/")
		if !rooted || r.Operation == "" || !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}, r.Method) {
			return nil, at("want an operation, a method in capitals and a path that begins with /")
		}
		if !slices.Contains(routed.Actions, r.Action) {
			return nil, at("action %q: want one of %v", r.Action, routed.Actions)
		}
		if r.Action == "list" != strings.HasSuffix(r.Resource, "/") {
			return nil, at("resource %q: a list, and nothing else, is of a path with a slash at its end", r.Resource)
		}
		n := route{Route: r, segments: strings.Split(path, "/")}
		var names []string
		for _, s := range n.segments {
			if name, ok := routed.Variable(s); ok {
				names = append(names, name)
			} else if strings.ContainsAny(s, "{}%") {
				return nil, at("path %q: segment %q: want plain text or one {name}", r.Path, s)
			}
		}
		var err error
		if n.resource, err = routed.ParseTemplate(r.Resource, names); err != nil {
			return nil, at("resource: %v", err)
		}
		for j, other := range t.routes {
			if other.Method == r.Method && overlap(other.segments, n.segments) {
				return nil, at("%s %s fits requests that routes[%d] fits too", r.Method, r.Path, j)
			}
		}
		t.routes = append(t.routes, n)
	}
	return t, nil
}

// overlap reports whether one path can fit both.
func overlap(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		_, x := routed.Variable(a[i])
		_, y := routed.Variable(b[i])
		if !x && !y && a[i] != b[i] {
			return false
		}
	}
	return true
}

// Parse reads req. Its error is a *authz.Refusal.
func (t *Table) Parse(req authz.Request) (routed.Call, error) {
	if err := routed.CheckHost(req.Host); err != nil {
		return routed.Call{}, err
	}
	if err := routed.CheckBody(req); err != nil {
		return routed.Call{}, err
	}
	segments := strings.Split(strings.TrimPrefix(req.Path, "/"), "/")
	for _, r := range t.routes {
		values, ok := r.fits(req.Method, segments)
		if !ok {
			continue
		}
		path, err := r.resource.Expand(values)
		if err != nil {
			return routed.Call{}, err
		}
		if err := r.checkQuery(req.Query); err != nil {
			return routed.Call{}, err
		}
		return routed.Call{Operation: r.Operation, Action: r.Action, Path: path, Upstream: routed.Upstream(req)}, nil
	}
	return routed.Call{}, routed.Unsupported("%q of %q is no route of this service", req.Method, req.Path)
}

// fits returns the values of the path's variables.
func (r route) fits(method string, segments []string) (map[string]string, bool) {
	if method != r.Method || len(segments) != len(r.segments) {
		return nil, false
	}
	values := map[string]string{}
	for i, s := range r.segments {
		if name, ok := routed.Variable(s); ok {
			values[name] = segments[i]
		} else if s != segments[i] {
			return nil, false
		}
	}
	return values, true
}

// checkQuery accepts the names that the route lists, each written plainly and once.
func (r route) checkQuery(query string) error {
	if query == "" {
		return nil
	}
	var seen []string
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if slices.Contains(seen, name) {
			return routed.Ambiguous("query name %q is there more than once", name)
		}
		if !slices.Contains(r.Query, name) {
			return routed.Unsupported("query name %q is not one of %s's", name, r.Operation)
		}
		seen = append(seen, name)
	}
	return nil
}
