package grant

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
)

// asked is what a store answers to the gateway's own questions about an object.
type asked struct {
	status  int
	header  http.Header
	tagging string
}

func (a asked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Referer") != "label-for-d1" || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=us/") || r.URL.EscapedPath() != "/b/a%20b" {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	if r.Method == http.MethodGet && r.URL.RawQuery == "tagging=" {
		w.Write([]byte(a.tagging))
		return
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
}

func TestWhatAStoreSaysOfAnObject(t *testing.T) {
	tags := func(pairs ...string) string {
		var b strings.Builder
		for i := 0; i < len(pairs); i += 2 {
			b.WriteString("<Tag><Key>" + pairs[i] + "</Key><Value>" + pairs[i+1] + "</Value></Tag>")
		}
		return `<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet>` + b.String() + "</TagSet></Tagging>"
	}
	e1, one := []string{`"e1"`}, []string{"1"}
	for _, tc := range []struct {
		name string
		says asked
		want authz.Object
		err  string
	}{
		{"metadata", asked{200, http.Header{"Etag": e1, "X-Amz-Meta-Label": {"x"}}, ""}, authz.Object{ETag: `"e1"`, Metadata: map[string]string{"label": "x"}}, ""},
		{"tags", asked{200, http.Header{"Etag": e1, "X-Amz-Tagging-Count": one}, tags("label", "x")}, authz.Object{ETag: `"e1"`, Metadata: map[string]string{}, Tags: map[string]string{"label": "x"}}, ""},
		{"nothing there", asked{404, nil, ""}, authz.Object{}, ""},
		{"an error", asked{500, nil, ""}, authz.Object{}, "500"},
		{"a redirect", asked{302, http.Header{"Location": {"http://elsewhere.test"}}, ""}, authz.Object{}, "302"},
		{"no access", asked{403, nil, ""}, authz.Object{}, "403"},
		{"no entity tag", asked{200, http.Header{"X-Amz-Meta-Label": {"x"}}, ""}, authz.Object{}, "entity tag"},
		{"two entity tags", asked{200, http.Header{"Etag": {`"e1"`, `"e2"`}}, ""}, authz.Object{}, "entity tag"},
		{"a weak entity tag", asked{200, http.Header{"Etag": {`W/"e1"`}}, ""}, authz.Object{}, "entity tag"},
		{"an entity tag of any content", asked{200, http.Header{"Etag": {"*"}}, ""}, authz.Object{}, "entity tag"},
		{"a label twice", asked{200, http.Header{"Etag": e1, "X-Amz-Meta-Label": {"x", "y"}}, ""}, authz.Object{}, "2 values"},
		{"a tag twice", asked{200, http.Header{"Etag": e1, "X-Amz-Tagging-Count": one}, tags("label", "x", "label", "y")}, authz.Object{}, "twice"},
		{"tags that are no XML", asked{200, http.Header{"Etag": e1, "X-Amz-Tagging-Count": one}, "x"}, authz.Object{}, "tags"},
		{"another document", asked{200, http.Header{"Etag": e1, "X-Amz-Tagging-Count": one}, "<Error/>"}, authz.Object{}, "tags"},
		{"tags without end", asked{200, http.Header{"Etag": e1, "X-Amz-Tagging-Count": one}, tags("label", strings.Repeat("x", maxTagging))}, authz.Object{}, "bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := httptest.NewServer(tc.says)
			defer server.Close()
			s := storageAt(t, server.URL)
			have, err := s.Object(t.Context(), authz.ObjectID{Tenant: "us", Path: "b/a b"}, "d1")
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Fatalf("error %v, want %q", err, tc.err)
			}
			if diff := cmp.Diff(tc.want, have); err == nil && diff != "" {
				t.Errorf("-want +have:\n%s", diff)
			}
		})
	}
}

func storageAt(t *testing.T, endpoint string) *Storage {
	t.Helper()
	s, err := NewStorage(StorageConfig{Audience: "storage", Endpoint: endpoint, Host: "storage.test", Region: "us-east-1", Accounts: map[string]Account{"us": {"us", "secret"}}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A store that does not answer costs nobody more than the limit, and whoever waits behind the others no more than that.
func TestAStoreThatHangsIsGivenUp(t *testing.T) {
	hold := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hold }))
	defer server.Close()
	defer close(hold)
	s := storageAt(t, server.URL)
	failed := make(chan error)
	const asks = objectsAtOnce + 8
	for range asks {
		go func() {
			_, err := s.Object(t.Context(), authz.ObjectID{Tenant: "us", Path: "b/a b"}, "d1")
			failed <- err
		}()
	}
	for range asks {
		if err := <-failed; err == nil {
			t.Error("an object of a store that hangs is known")
		}
	}
	if _, err := s.Object(t.Context(), authz.ObjectID{Tenant: "nobody", Path: "b/a"}, "d1"); err == nil {
		t.Error("an object of no tenant's is known")
	}
}
