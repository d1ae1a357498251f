package resource_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource"
)

const serviceRows = `{"us": {"catalogue": {"rows": {
	"http:us-registry/": {"service": "http", "place": {"enclave": "iad-1"}},
	"http:us-registry/cases/": {"service": "http", "place": {"enclave": "iad-1"}},
	"grpc:us-ledger/": {"service": "grpc"},
	"us-registry/": {"service": "s3"}
}}}}`

const services = `{
	"registry": {"protocol": "http", "routes": [
		{"method": "GET", "path": "/v1/{register}/cases/{case}", "operation": "GetCase", "action": "read", "resource": "{register}/cases/{case}"},
		{"method": "GET", "path": "/v1/{register}", "operation": "List", "action": "list", "resource": "{register}/"},
		{"method": "PUT", "path": "/v1/{register}/cases/{case}", "operation": "PutCase", "action": "update", "resource": "{register}/cases/{case}"}]},
	"ledger": {"protocol": "grpc", "routes": [{"method": "/l.L/Sync", "action": "update", "resource": "us-ledger/state"}]}
}`

func serviceCatalogue(t testing.TB) *resource.Catalogue {
	t.Helper()
	c, err := resource.New(resource.Documents{Tenants: json.RawMessage(serviceRows), Services: json.RawMessage(services)}, resource.Limits{Accesses: 10})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// asked is a request on a route to a service.
func asked(service, audience, method, path string) authz.Request {
	return authz.Request{Method: method, Host: "service.test", Path: path, Headers: authz.Headers{{Name: "content-type", Value: "application/grpc"}},
		Extensions: map[string]string{"service": service, "audience": audience, "region": "none", "body": "present"}}
}

func TestARequestToAServiceHasTheRowOfWhatItTouches(t *testing.T) {
	sync := asked("grpc", "ledger", "POST", "/l.L/Sync")
	sync.Body = []byte{0, 0, 0, 0, 0}
	type access struct{ Action, Type, ID, Row, To string }
	for _, tc := range []struct {
		req    authz.Request
		tenant string
		want   []access
	}{
		{asked("http", "registry", "GET", "/v1/us-registry/cases/7"), "us", []access{{"read", "object", "http:us-registry/cases/7", "http:us-registry/cases/", "client"}}},
		{asked("http", "registry", "PUT", "/v1/us-registry/cases/7"), "us", []access{{"update", "object", "http:us-registry/cases/7", "http:us-registry/cases/", "object"}}},
		{asked("http", "registry", "GET", "/v1/us-registry"), "us", []access{
			{"list", "bucket", "http:us-registry/", "http:us-registry/", "client"}, {"list", "bucket", "http:us-registry/", "http:us-registry/cases/", "client"}}},
		{asked("http", "registry", "GET", "/v1/nobody/cases/7"), "", []access{{"read", "object", "http:nobody/cases/7", "", "client"}}},
		{sync, "us", []access{{"update", "object", "grpc:us-ledger/state", "grpc:us-ledger/", "object"}}},
	} {
		res, err := serviceCatalogue(t).Resolve(tc.req)
		if err != nil {
			t.Fatal(err)
		}
		var have []access
		for _, a := range res.Accesses {
			x := access{Action: a.Action.Name, Type: a.Resource.Type, ID: a.Resource.ID, To: a.Action.Properties.To.Kind}
			if row := a.Resource.Properties.Row; row != nil {
				x.Row = *row
			}
			have = append(have, x)
		}
		if diff := cmp.Diff(tc.want, have); diff != "" || res.Upstream.Tenant != tc.tenant || res.Service != tc.req.Extensions["service"] {
			t.Errorf("%s: tenant %q, service %q, -want +have:\n%s", tc.req.Path, res.Upstream.Tenant, res.Service, diff)
		}
	}
}

func TestOnlyTheRouteSaysWhichAdapterReads(t *testing.T) {
	for name, req := range map[string]authz.Request{
		"an audience that the bundle lacks":     asked("http", "jobs", "GET", "/v1/us-registry/cases/7"),
		"the audience of another protocol":      asked("http", "ledger", "POST", "/l.L/Sync"),
		"another protocol's service":            asked("grpc", "registry", "POST", "/v1/us-registry/cases/7"),
		"a service of no adapter":               asked("soap", "registry", "GET", "/v1/us-registry/cases/7"),
		"a store's path on a service's route":   asked("http", "registry", "GET", "/us-registry/cases/7"),
		"a service's path on the store's route": asked("s3", "storage", "GET", "/http:us-registry/cases/7"),
	} {
		_, err := serviceCatalogue(t).Resolve(req)
		var r *authz.Refusal
		if !errors.As(err, &r) {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
	res, err := serviceCatalogue(t).Resolve(request("GET", "/us-registry/cases/7"))
	if err != nil || *res.Accesses[0].Resource.Properties.Row != "us-registry/" {
		t.Errorf("the store's row of the same name: %+v, %v", res, err)
	}
}

func TestServicesThatAreRefused(t *testing.T) {
	for name, tc := range map[string]struct{ services, says string }{
		"an unknown protocol":   {`{"a": {"protocol": "soap", "routes": []}}`, "services.a: protocol"},
		"a bad route":           {`{"a": {"protocol": "http", "routes": [{"method": "GET", "path": "x"}]}}`, "services.a: routes[0]"},
		"a bad method":          {`{"a": {"protocol": "grpc", "routes": [{"method": "x"}]}}`, "services.a: routes[0]"},
		"routes that are none":  {`{"a": {"protocol": "http", "routes": 1}}`, "services.a: routes"},
		"every problem at once": {`{"a": {"protocol": "soap"}, "b": {"protocol": "rest"}}`, "services.b"},
		"no object":             {`[]`, "services:"},
	} {
		_, err := resource.New(resource.Documents{Services: json.RawMessage(tc.services)}, resource.Limits{Accesses: 1})
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", name, err, tc.says)
		}
	}
	for _, row := range []string{`"us-x/": {"service": "http"}`, `"http:us-x/": {"service": "s3"}`, `"http:us-x": {"service": "http"}`, `"grpc:us-x/": {"service": "http"}`, `"http:us-x/../": {"service": "http"}`} {
		_, err := resource.New(resource.Documents{Tenants: json.RawMessage(`{"us": {"catalogue": {"rows": {` + row + `}}}}`)}, resource.Limits{Accesses: 1})
		if err == nil {
			t.Errorf("row %s is taken", row)
		}
	}
}
