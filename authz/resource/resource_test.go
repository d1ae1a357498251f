package resource_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource"
)

// tenants is data.tenants of a small world: two tenants, rows within rows, a queue, and documents that are not the catalogue's.
const tenants = `{
	"us-defense": {
		"tenant": {"title": "a document of others"},
		"catalogue": {"rows": {
			"us-defense-plans/": {"service": "s3", "owner": {"nation": "USA", "originator": "us-defense"},
				"labels": [{"scheme": "USA", "level": "SECRET", "release": ["USA", "GBR"], "created": "2024-01-01T00:00:00.000000000Z"}],
				"constraints": {"residency": ["USA"], "processing": ["USA"], "reach": ["USA"], "egress": "any", "export": {"mode": "none", "destinations": []}, "personal_data": false},
				"place": {"enclave": "iad-1", "replicas": [], "backups": ["iad-1"]}, "hold": false},
			"us-defense-plans/noforn/": {"service": "s3", "labels": [{"scheme": "USA", "level": "SECRET", "nation": ["NOFORN"]}], "place": {"enclave": "iad-1"}},
			"us-defense-plans/a/b/": {"service": "s3", "labels": []},
			"us-defense-parts/cui/": {"service": "s3"},
			"job:us-defense": {"service": "jobs"}
		}}
	},
	"fr-space": {"catalogue": {"rows": {"fr-space-missions/": {"service": "s3", "place": {"enclave": "par-1", "replicas": [], "backups": []}}}}},
	"nz-fire": {}
}`

func catalogue(t testing.TB, accesses int) *resource.Catalogue {
	t.Helper()
	c, err := resource.New(resource.Documents{Tenants: json.RawMessage(tenants)}, resource.Limits{Accesses: accesses})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func request(method, target string, headers ...authz.HeaderField) authz.Request {
	path, query, _ := strings.Cut(target, "?")
	return authz.Request{
		Method: method, Host: "storage.sallyport.test", Path: path, Query: query, Headers: headers,
		Extensions: map[string]string{"service": "s3", "audience": "storage", "region": "us-east-1", "domains": "storage.sallyport.test", "body": "absent"},
	}
}

func ptr[T any](v T) *T { return &v }

var (
	plans = authz.ResourceProperties{
		Row: ptr("us-defense-plans/"), Tenant: ptr("us-defense"), Service: ptr("s3"), Owner: &authz.Owner{Nation: "USA", Originator: "us-defense"},
		Labels: []authz.Label{{Scheme: "USA", Level: "SECRET", Categories: map[string][]string{}, Release: []string{"USA", "GBR"}, Nation: []string{}, Handling: []string{},
			Created: created, Alternatives: []authz.Label{}}},
		Constraints: &authz.Constraints{Residency: only("USA"), Processing: only("USA"), Reach: only("USA"), Egress: authz.Countries{Any: true},
			Export: &authz.Export{Mode: "none", Destinations: []string{}}, PersonalData: ptr(false)},
		Place: &authz.Place{Enclave: "iad-1", Replicas: []string{}, Backups: []string{"iad-1"}}, Hold: ptr(false),
	}
	noforn = authz.ResourceProperties{
		Row: ptr("us-defense-plans/noforn/"), Tenant: ptr("us-defense"), Service: ptr("s3"),
		Labels: []authz.Label{{Scheme: "USA", Level: "SECRET", Categories: map[string][]string{}, Nation: []string{"NOFORN"}, Handling: []string{}, Alternatives: []authz.Label{}}},
		Place:  &authz.Place{Enclave: "iad-1"},
	}
	unlabelled = authz.ResourceProperties{Row: ptr("us-defense-plans/a/b/"), Tenant: ptr("us-defense"), Service: ptr("s3"), Labels: []authz.Label{}}
	parts      = authz.ResourceProperties{Row: ptr("us-defense-parts/cui/"), Tenant: ptr("us-defense"), Service: ptr("s3")}
	missions   = authz.ResourceProperties{Row: ptr("fr-space-missions/"), Tenant: ptr("fr-space"), Service: ptr("s3"), Place: &authz.Place{Enclave: "par-1", Replicas: []string{}, Backups: []string{}}}
	none       = authz.ResourceProperties{}

	created  = func() (t authz.Time) { _ = t.UnmarshalJSON([]byte(`"2024-01-01T00:00:00Z"`)); return t }()
	toClient = authz.To{Kind: "client"}
)

func only(countries ...string) authz.Countries { return authz.Countries{List: countries} }

func into(p authz.ResourceProperties) authz.To {
	to := authz.To{Kind: "object", Row: p.Row}
	if p.Place != nil {
		to.Enclave = &p.Place.Enclave
	}
	return to
}

// access is one access of an S3 operation; from are the rows of its sources.
func access(action, operation, kind, id string, p authz.ResourceProperties, to authz.To, from ...authz.ResourceProperties) authz.Access {
	origins := []authz.Origin{}
	for _, f := range from {
		origins = append(origins, authz.Origin{Row: f.Row, Tenant: f.Tenant, Owner: f.Owner, Labels: f.Labels, Constraints: f.Constraints})
	}
	return authz.Access{
		Action:   authz.Action{Name: action, Properties: authz.ActionProperties{Protocol: "s3", Operation: operation, RequestLabels: []authz.Label{}, From: origins, To: to}},
		Resource: authz.Resource{Type: kind, ID: id, Properties: p},
	}
}

func TestEveryAccessHasItsRow(t *testing.T) {
	list := func(id string, rows ...authz.ResourceProperties) (accesses []authz.Access) {
		for _, row := range rows {
			accesses = append(accesses, access("list", "ListObjectsV2", "bucket", id, row, toClient))
		}
		return accesses
	}
	copySource := authz.HeaderField{Name: "x-amz-copy-source", Value: "us-defense-plans/noforn/x"}
	for _, tc := range []struct {
		name    string
		req     authz.Request
		tenant  string
		headers []authz.HeaderField
		want    []authz.Access
	}{
		{"a read has the row of its key", request("GET", "/us-defense-plans/x"), "us-defense", nil,
			[]authz.Access{access("read", "GetObject", "object", "s3://us-defense-plans/x", plans, toClient)}},
		{"the longest row governs", request("GET", "/us-defense-plans/noforn/x/y"), "us-defense", nil,
			[]authz.Access{access("read", "GetObject", "object", "s3://us-defense-plans/noforn/x/y", noforn, toClient)}},
		{"a key that is a row's id without its slash is above that row", request("GET", "/us-defense-plans/noforn"), "us-defense", nil,
			[]authz.Access{access("read", "GetObject", "object", "s3://us-defense-plans/noforn", plans, toClient)}},
		{"a folder between two rows has the row above", request("GET", "/us-defense-plans/a/x"), "us-defense", nil,
			[]authz.Access{access("read", "GetObject", "object", "s3://us-defense-plans/a/x", plans, toClient)}},
		{"a row with known-to-be-no labels keeps them", request("GET", "/us-defense-plans/a/b/x"), "us-defense", nil,
			[]authz.Access{access("read", "GetObject", "object", "s3://us-defense-plans/a/b/x", unlabelled, toClient)}},
		{"a row says nothing that is not written in it", request("GET", "/us-defense-parts/cui/x"), "us-defense", nil,
			[]authz.Access{access("read", "GetObject", "object", "s3://us-defense-parts/cui/x", parts, toClient)}},
		{"where no row is, nothing is known", request("GET", "/us-defense-parts/x"), "", nil,
			[]authz.Access{access("read", "GetObject", "object", "s3://us-defense-parts/x", none, toClient)}},
		{"nor of a bucket that nobody has", request("GET", "/nobody/x"), "", nil,
			[]authz.Access{access("read", "GetObject", "object", "s3://nobody/x", none, toClient)}},
		{"nor of one whose name only begins like another", request("GET", "/us-defense-plans-2/x"), "", nil,
			[]authz.Access{access("read", "GetObject", "object", "s3://us-defense-plans-2/x", none, toClient)}},
		{"what is written goes into its own row and enclave", request("PUT", "/fr-space-missions/x"), "fr-space", nil,
			[]authz.Access{access("create", "PutObject", "object", "s3://fr-space-missions/x", missions, into(missions))}},
		{"what is written nowhere goes into nothing known", request("PUT", "/nobody/x"), "", nil,
			[]authz.Access{access("create", "PutObject", "object", "s3://nobody/x", none, into(none))}},
		{"a delete gives the client nothing but an answer", request("DELETE", "/us-defense-plans/x"), "us-defense", nil,
			[]authz.Access{access("delete", "DeleteObject", "object", "s3://us-defense-plans/x", plans, toClient)}},
		{"a copy reads into the destination, which is made from the whole source, on the destination's account", request("PUT", "/fr-space-missions/y", copySource), "fr-space", []authz.HeaderField{copySource},
			[]authz.Access{
				access("read", "CopyObject", "object", "s3://us-defense-plans/noforn/x", noforn, into(missions)),
				access("create", "CopyObject", "object", "s3://fr-space-missions/y", missions, into(missions), noforn),
			}},
		{"a copy to where no row is has no account", request("PUT", "/nobody/y", copySource), "", []authz.HeaderField{copySource},
			[]authz.Access{
				access("read", "CopyObject", "object", "s3://us-defense-plans/noforn/x", noforn, into(none)),
				access("create", "CopyObject", "object", "s3://nobody/y", none, into(none), noforn),
			}},
		{"a bucket's list reveals every row in it", request("GET", "/us-defense-plans?list-type=2"), "us-defense", nil, list("s3://us-defense-plans/", plans, unlabelled, noforn)},
		{"a prefix that begins a row's name reveals it and the row above", request("GET", "/us-defense-plans?list-type=2&prefix=no"), "us-defense", nil, list("s3://us-defense-plans/no", plans, noforn)},
		{"a row's own prefix reveals that row alone", request("GET", "/us-defense-plans?list-type=2&prefix=noforn/"), "us-defense", nil, list("s3://us-defense-plans/noforn/", noforn)},
		{"a prefix within a row reveals that row alone", request("GET", "/us-defense-plans?list-type=2&prefix=noforn/x"), "us-defense", nil, list("s3://us-defense-plans/noforn/x", noforn)},
		{"a prefix between rows reveals the row above and below", request("GET", "/us-defense-plans?list-type=2&prefix=a/"), "us-defense", nil, list("s3://us-defense-plans/a/", plans, unlabelled)},
		{"the delimiter changes nothing", request("GET", "/us-defense-plans?list-type=2&delimiter=/"), "us-defense", nil, list("s3://us-defense-plans/", plans, unlabelled, noforn)},
		{"a list of a bucket with rows below it only reveals those", request("GET", "/us-defense-parts?list-type=2"), "us-defense", nil, list("s3://us-defense-parts/", parts)},
		{"a list of where no row is, is one access of nothing known", request("GET", "/us-defense-parts?list-type=2&prefix=x"), "", nil, list("s3://us-defense-parts/x", none)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			have, err := catalogue(t, 10).Resolve(tc.req)
			if err != nil {
				t.Fatal(err)
			}
			headers := tc.headers
			if headers == nil {
				headers = []authz.HeaderField{}
			}
			want := authz.Resolution{
				Service: "s3", Operation: tc.want[0].Action.Properties.Operation, Accesses: tc.want,
				Upstream: authz.Upstream{
					Audience: "storage", Region: "us-east-1", Tenant: tc.tenant, Method: tc.req.Method, Host: "storage.sallyport.test",
					Path: tc.req.Path, Query: have.Upstream.Query, Headers: headers, PayloadHash: "UNSIGNED-PAYLOAD", Remove: []string{"authorization", "x-amz-security-token"},
				},
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("-want +have:\n%s", diff)
			}
		})
	}
}

func TestWhatNoRowGovernsIsNull(t *testing.T) {
	have, err := catalogue(t, 10).Resolve(request("GET", "/nobody/x"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(have.Accesses[0])
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"action":{"name":"read","properties":{"protocol":"s3","operation":"GetObject","request_labels":[],"from":[],"to":{"kind":"client","row":null,"enclave":null}}},` +
		`"resource":{"type":"object","id":"s3://nobody/x","properties":{"row":null,"tenant":null,"service":null,"owner":null,"labels":null,"constraints":null,"place":null,"hold":null}}}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("-want +have:\n%s", diff)
	}
}

func TestRequestsThatNoAdapterMayRead(t *testing.T) {
	without := func(name string) authz.Request {
		r := request("GET", "/us-defense-plans/x")
		delete(r.Extensions, name)
		return r
	}
	with := func(name, value string) authz.Request {
		r := request("GET", "/us-defense-plans/x")
		r.Extensions[name] = value
		return r
	}
	problem := request("GET", "/us-defense-plans/x")
	problem.Problem = authz.Refuse(authz.RequestAmbiguous, "unreadable")
	body := request("POST", "/us-defense-plans?delete")
	body.Extensions["body"] = "present"
	body.Body = []byte("<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object><Object><Key>c</Key></Object></Delete>")
	for name, tc := range map[string]struct {
		req    authz.Request
		reason authz.Reason
	}{
		"a route without a service":                     {without("service"), authz.RequestUnsupported},
		"a route without an audience":                   {without("audience"), authz.RequestUnsupported},
		"a route without a region":                      {without("region"), authz.RequestUnsupported},
		"a route that doesn't say whether bodies come":  {without("body"), authz.RequestUnsupported},
		"a route that says of bodies what nobody knows": {with("body", "yes"), authz.RequestUnsupported},
		"a service that has no adapter":                 {with("service", "ftp"), authz.RequestUnsupported},
		"a service in capitals":                         {with("service", "S3"), authz.RequestUnsupported},
		"a route without any extension":                 {authz.Request{Method: "GET", Path: "/us-defense-plans/x"}, authz.RequestUnsupported},
		"a request that could not be read":              {problem, authz.RequestAmbiguous},
		"what the adapter refuses":                      {request("GET", "/us-defense-plans//x"), authz.RequestAmbiguous},
		"a list of more rows than the limit":            {request("GET", "/us-defense-plans"), authz.RequestUnsupported},
		"a batch of more keys than the limit":           {body, authz.RequestUnsupported},
		"the zero request":                              {authz.Request{}, authz.RequestUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			have, err := catalogue(t, 2).Resolve(tc.req)
			var r *authz.Refusal
			if !errors.As(err, &r) || r.Reason != tc.reason {
				t.Errorf("%v: want %s", err, tc.reason)
			}
			if diff := cmp.Diff(authz.Resolution{}, have); diff != "" {
				t.Errorf("refused, and yet:\n%s", diff)
			}
		})
	}
}

func TestCataloguesThatAreRefused(t *testing.T) {
	rows := func(id, row string) string {
		return fmt.Sprintf(`{"us-fire": {"catalogue": {"rows": {%q: %s}}}}`, id, row)
	}
	const s3 = `{"service": "s3"}`
	for name, tc := range map[string]struct{ tenants, want string }{
		"no object":                           {`[]`, "tenants: want an object"},
		"rows that are a list":                {`{"us-fire": {"catalogue": {"rows": []}}}`, "tenants: want an object"},
		"a row that is no object":             {rows("us-fire/", `"x"`), `tenants.us-fire.catalogue.rows["us-fire/"]`},
		"a row without a service":             {rows("us-fire/", `{}`), `service ""`},
		"a row of a service that nobody has":  {rows("us-fire/", `{"service": "ftp"}`), `service "ftp"`},
		"a queue of the store":                {rows("job:us-fire", s3), `row "job:us-fire"`},
		"a prefix of jobs":                    {rows("us-fire/", `{"service": "jobs"}`), `service "jobs"`},
		"a bucket without its slash":          {rows("us-fire", s3), "want bucket/ or bucket/prefix/"},
		"a prefix without its slash":          {rows("us-fire/a", s3), "want bucket/ or bucket/prefix/"},
		"no bucket":                           {rows("/a/", s3), `bucket ""`},
		"everything":                          {rows("/", s3), `bucket ""`},
		"a bucket in capitals":                {rows("US-fire/", s3), `bucket "US-fire"`},
		"a row with dots":                     {rows("us-fire/../x/", s3), "dot segment"},
		"a row with an empty segment":         {rows("us-fire//", s3), "empty segment"},
		"a row in the store's private folder": {rows("us-fire/.sgwtmp/", s3), "keeps for itself"},
		"a label that is no label":            {rows("us-fire/", `{"service": "s3", "labels": ["SECRET"]}`), `rows["us-fire/"]`},
		"a residency that is a word":          {rows("us-fire/", `{"service": "s3", "constraints": {"residency": "USA"}}`), `want "any" or a list`},
		"a time that is none":                 {rows("us-fire/", `{"service": "s3", "labels": [{"created": "yesterday"}]}`), "want RFC 3339"},
		"a queue in capitals":                 {rows("job:US", `{"service": "jobs"}`), `queue: bucket "US"`},
		"a queue of no name":                  {rows("job:", `{"service": "jobs"}`), `queue: bucket ""`},
		"a queue of two tenants": {`{"us": {"catalogue": {"rows": {"job:us-fire": {"service": "jobs"}}}}, "us-fire": {"catalogue": {"rows": {"job:us-fire": {"service": "jobs"}}}}}`,
			"is a row of tenant us too: a queue has one tenant"},
		"a bucket of two tenants": {`{"us": {"catalogue": {"rows": {"us-fire/": {"service": "s3"}}}}, "us-fire": {"catalogue": {"rows": {"us-fire/a/": {"service": "s3"}}}}}`,
			"us-fire has rows of tenant us"},
		"a prefix of two tenants": {`{"us": {"catalogue": {"rows": {"us-fire/": {"service": "s3"}}}}, "us-fire": {"catalogue": {"rows": {"us-fire/": {"service": "s3"}}}}}`,
			"us-fire has rows of tenant us"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := resource.New(resource.Documents{Tenants: json.RawMessage(tc.tenants)}, resource.Limits{Accesses: 1})
			if c != nil || err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, %v: want an error with %q", c, err, tc.want)
			}
		})
	}
	t.Run("every problem at once", func(t *testing.T) {
		_, err := resource.New(resource.Documents{Tenants: json.RawMessage(`{"us": {"catalogue": {"rows": {"us": {"service": "s3"}, "us/": {"service": "ftp"}}}}}`)}, resource.Limits{Accesses: 1})
		if err == nil || strings.Count(err.Error(), "tenants.us.catalogue.rows") != 2 {
			t.Errorf("%v: want two problems", err)
		}
	})
	t.Run("no limit", func(t *testing.T) {
		if _, err := resource.New(resource.Documents{Tenants: json.RawMessage(tenants)}, resource.Limits{}); err == nil {
			t.Error("want an error: no limit would refuse everything")
		}
	})
}

func TestNoTenantsIsACatalogueThatKnowsNothing(t *testing.T) {
	for _, tenants := range []string{"", "null", "{}"} {
		c, err := resource.New(resource.Documents{Tenants: json.RawMessage(tenants)}, resource.Limits{Accesses: 1})
		if err != nil {
			t.Fatal(err)
		}
		have, err := c.Resolve(request("GET", "/us-defense-plans/x"))
		if err != nil || len(have.Accesses) != 1 || have.Accesses[0].Resource.Properties.Row != nil {
			t.Errorf("%q: %+v, %v", tenants, have, err)
		}
	}
}
