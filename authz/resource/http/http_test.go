package http_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource/http"
	"github.com/sallyport-dev/sallyport/authz/resource/routed"
)

var routes = []http.Route{
	{Method: "GET", Path: "/v1/{register}/cases/{case}", Operation: "GetCase", Action: "read", Resource: "{register}/cases/{case}", Query: []string{"fields", "lang"}},
	{Method: "GET", Path: "/v1/{register}/cases", Operation: "ListCases", Action: "list", Resource: "{register}/cases/"},
	{Method: "POST", Path: "/v1/{register}/cases/{case}", Operation: "CreateCase", Action: "create", Resource: "{register}/cases/{case}"},
	{Method: "DELETE", Path: "/v1/{register}/cases/{case}", Operation: "DeleteCase", Action: "delete", Resource: "{register}/cases/{case}"},
}

func table(t testing.TB) *http.Table {
	t.Helper()
	table, err := http.New(routes)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func request(method, target, body string, headers ...authz.HeaderField) authz.Request {
	path, query, _ := strings.Cut(target, "?")
	return authz.Request{Method: method, Host: "registry.test", Path: path, Query: query, Body: []byte(body), Headers: headers,
		Extensions: map[string]string{"service": "http", "audience": "registry", "region": "none", "body": "present"}}
}

func header(name, value string) authz.HeaderField { return authz.HeaderField{Name: name, Value: value} }

func TestARouteIsAnActionOnAResource(t *testing.T) {
	for _, tc := range []struct {
		req                     authz.Request
		operation, action, path string
		remove                  []string
	}{
		{request("GET", "/v1/us-registry/cases/7", ""), "GetCase", "read", "us-registry/cases/7", nil},
		{request("GET", "/v1/us-registry/cases/7?lang=en&fields=a%2Cb", ""), "GetCase", "read", "us-registry/cases/7", nil},
		{request("GET", "/v1/us-registry/cases", ""), "ListCases", "list", "us-registry/cases/", nil},
		{request("POST", "/v1/us-registry/cases/7", `{"a": 1}`), "CreateCase", "create", "us-registry/cases/7", nil},
		{request("DELETE", "/v1/fr_space/cases/A~b.c:d@e-f", "", header("x-clearance", "TS"), header("cookie", "a=b"), header("x-other", "c")), "DeleteCase", "delete", "fr_space/cases/A~b.c:d@e-f",
			[]string{"authorization", "cookie", "x-amz-security-token", "x-clearance"}},
	} {
		sum := sha256.Sum256(tc.req.Body)
		want := routed.Call{Operation: tc.operation, Action: tc.action, Path: tc.path, Upstream: authz.Upstream{
			Audience: "registry", Region: "none", Method: tc.req.Method, Host: "registry.test", Path: tc.req.Path, Query: tc.req.Query,
			Headers: []authz.HeaderField{}, PayloadHash: hex.EncodeToString(sum[:]), Remove: tc.remove,
		}}
		if want.Upstream.Remove == nil {
			want.Upstream.Remove = []string{"authorization", "x-amz-security-token"}
		}
		have, err := table(t).Parse(tc.req)
		if diff := cmp.Diff(want, have); diff != "" || err != nil {
			t.Errorf("%s %s: %v, -want +have:\n%s", tc.req.Method, tc.req.Path, err, diff)
		}
	}
}

func TestWhatNoRouteFitsIsRefused(t *testing.T) {
	const a, u = authz.RequestAmbiguous, authz.RequestUnsupported
	absent := func(r authz.Request) authz.Request { r.Extensions["body"] = "absent"; return r }
	host := func(h string) authz.Request { r := request("GET", "/v1/r/cases", ""); r.Host = h; return r }
	for name, tc := range map[string]struct {
		want authz.Reason
		req  authz.Request
	}{
		"another path":                    {u, request("GET", "/v2/r/cases/7", "")},
		"a path that is longer":           {u, request("GET", "/v1/r/cases/7/x", "")},
		"a slash at the end":              {a, request("GET", "/v1/r/cases/", "")},
		"the root":                        {u, request("GET", "/", "")},
		"another method":                  {u, request("PUT", "/v1/r/cases/7", "")},
		"HEAD, which is not GET":          {u, request("HEAD", "/v1/r/cases/7", "")},
		"a literal in capitals":           {u, request("GET", "/v1/r/CASES/7", "")},
		"an empty value":                  {a, request("GET", "/v1//cases/7", "")},
		"a dot segment for a value":       {a, request("GET", "/v1/../cases/7", "")},
		"an escape in a value":            {a, request("GET", "/v1/r/cases/%37", "")},
		"a semicolon in a value":          {a, request("GET", "/v1/r/cases/7;x=1", "")},
		"a value of 257 bytes":            {a, request("GET", "/v1/r/cases/"+strings.Repeat("7", 257), "")},
		"a query name that is not listed": {u, request("GET", "/v1/r/cases/7?admin=1", "")},
		"an escaped query name":           {u, request("GET", "/v1/r/cases/7?%6cang=en", "")},
		"a query name twice":              {a, request("GET", "/v1/r/cases/7?lang=en&lang=fr", "")},
		"an empty query name":             {u, request("GET", "/v1/r/cases/7?=1", "")},
		"a query where none is listed":    {u, request("GET", "/v1/r/cases?lang=en", "")},
		"a body that is not shown":        {u, absent(request("POST", "/v1/r/cases/7", "", header("content-length", "3")))},
		"chunks that are not shown":       {u, absent(request("POST", "/v1/r/cases/7", "", header("transfer-encoding", "chunked")))},
		"a body of another length":        {a, request("POST", "/v1/r/cases/7", "abc", header("content-length", "4"))},
		"no host":                         {a, host("")},
		"a host in capitals":              {a, host("Registry.test")},
		"two hosts":                       {a, host("registry.test,evil")},
	} {
		t.Run(name, func(t *testing.T) {
			have, err := table(t).Parse(tc.req)
			var r *authz.Refusal
			if !errors.As(err, &r) || r.Reason != tc.want || r.Detail == "" || have.Path != "" {
				t.Errorf("%+v, %v: want %s", have, err, tc.want)
			}
		})
	}
}

func TestTablesThatAreRefused(t *testing.T) {
	good := routes[0]
	for name, change := range map[string]func(*http.Route){
		"no method": func(r *http.Route) { r.Method = "" }, "a method in small letters": func(r *http.Route) { r.Method = "get" }, "a path without a slash": func(r *http.Route) { r.Path = "v1" },
		"no operation": func(r *http.Route) { r.Operation = "" }, "an unknown action": func(r *http.Route) { r.Action = "own" }, "execute, which runs somewhere": func(r *http.Route) { r.Action = "execute" },
		"a value that the path does not have": func(r *http.Route) { r.Resource = "{register}/{thing}" }, "a list of one thing": func(r *http.Route) { r.Action = "list" },
		"a read of a folder": func(r *http.Route) { r.Resource = "{register}/" }, "an empty segment in the resource": func(r *http.Route) { r.Resource = "{register}//{case}" },
		"dots in the resource": func(r *http.Route) { r.Resource = "{register}/../x" }, "no resource": func(r *http.Route) { r.Resource = "" }, "half a value": func(r *http.Route) { r.Path = "/v1/a{register}/cases/{case}" },
		"an escape in the path": func(r *http.Route) { r.Path = "/v1/%7b/{register}/{case}" },
	} {
		t.Run(name, func(t *testing.T) {
			r := good
			change(&r)
			if _, err := http.New([]http.Route{r}); err == nil {
				t.Errorf("%+v is taken", r)
			}
		})
	}
	for _, twin := range []string{"/v1/{register}/cases/{case}", "/v1/{a}/{b}/{c}", "/v1/us/cases/{case}", "/{v}/{a}/cases/7"} {
		other := good
		other.Path, other.Resource = twin, "x"
		if _, err := http.New([]http.Route{good, other}); err == nil {
			t.Errorf("%s and %s fit one request", good.Path, twin)
		}
	}
}

// FuzzParse holds every request to this: a refusal, or a path without empty and dot segments that a second reader finds too.
func FuzzParse(f *testing.F) {
	f.Add("GET", "/v1/us-registry/cases/7", "lang=en", "")
	f.Add("POST", "/v1/%2e%2e/cases/7", "fields=a&fields=b", "x")
	t := table(f)
	f.Fuzz(func(tt *testing.T, method, path, query, body string) {
		req := request(method, "", body)
		req.Path, req.Query = path, query
		call, err := t.Parse(req)
		if err != nil {
			var r *authz.Refusal
			if !errors.As(err, &r) {
				tt.Fatalf("%v: want a refusal", err)
			}
			return
		}
		for _, s := range strings.Split(strings.TrimSuffix(call.Path, "/"), "/") {
			if s == "" || s == "." || s == ".." || strings.ContainsAny(s, "%;\\ ") {
				tt.Fatalf("%q has segment %q", call.Path, s)
			}
		}
	})
}
