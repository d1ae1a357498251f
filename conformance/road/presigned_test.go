package road_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/grant"
	"github.com/sallyport-dev/sallyport/authz/grant/service"
)

// urls returns what a service would get for objects of us-defense at a time: of each action, the URL.
func (w *world) urls(t *testing.T, at time.Time, objects map[string]string) map[string]string {
	t.Helper()
	raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := jwk.FromRaw(raw)
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	set := func(k jwk.Key) []byte {
		if err := errors.Join(k.Set(jwk.KeyIDKey, "test"), k.Set(jwk.AlgorithmKey, jwa.ES256)); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(map[string]any{"keys": []any{k}})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	tenant := "us-defense"
	account := w.account(t, tenant)
	store, err := grant.NewStorage(grant.StorageConfig{
		Audience: "storage", Endpoint: "unix:" + w.StorageSocket(), Host: storeHost, Region: "us-east-1",
		Accounts: map[string]grant.Account{tenant: {AccessKey: account.AccessKeyID, SecretKey: account.SecretAccessKey}},
	})
	if err != nil {
		t.Fatal(err)
	}
	services, err := grant.NewServices(grant.ServicesConfig{Audience: "jobs", Issuer: "sallyport", Keys: set(key), TTL: 30 * time.Second, Storage: store})
	if err != nil {
		t.Fatal(err)
	}
	r := authz.Resolution{Service: "jobs", Operation: "StartJob", Upstream: authz.Upstream{
		Audience: "jobs", Method: http.MethodGet, Host: "example.com", Path: "/", // httptest's own
		PayloadHash: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	}}
	for action, object := range objects {
		r.Accesses = append(r.Accesses, authz.Access{
			Action:   authz.Action{Name: action, Properties: authz.ActionProperties{Operation: action}},
			Resource: authz.Resource{ID: "s3://" + object, Properties: authz.ResourceProperties{Tenant: &tenant}},
		})
	}
	sealed, err := services.Prepare(r, "usa|sam", "d1", at, at.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := authz.Commit(t.Context(), nothing{}, authz.Record{DecisionID: "d1", Allow: true}, sealed)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := service.New(service.Config{Issuer: "sallyport", Audience: "jobs", Keys: set(public), Started: at.Truncate(time.Second),
		Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, f := range opened.Headers() {
		req.Header.Set(f.Name, f.Value)
	}
	g, err := verifier.Verify(req, nil)
	if err != nil {
		t.Fatal(err)
	}
	urls := map[string]string{}
	for _, a := range g.Accesses {
		urls[a.Operation] = a.URL
	}
	return urls
}

// nothing is a log for what is no decision.
type nothing struct{}

func (nothing) Append(context.Context, authz.Record) error { return nil }

func TestTheStoreDoesWithAServicesURLsWhatWasJudgedAndNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)                                        // in the shared one each request at the store needs a decision
	const object = "us-defense-plans/jobs/a b+ü(1)'*!~.txt" // every kind of character that stores escape
	now := time.Now()
	urls := w.urls(t, now, map[string]string{"read": object, "create": object})
	expired := w.urls(t, now.Add(-61*time.Second), map[string]string{"read": object})
	once := http.Header{"If-None-Match": {"*"}}
	var content string // of the last answer
	ask := func(method, url string, header http.Header, body string) int {
		req, err := http.NewRequest(method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = header.Clone()
		a, err := do(over(w.StorageSocket()), req)
		if err != nil {
			t.Fatal(err)
		}
		content = a.body
		return a.status
	}
	with := func(name, value string) http.Header {
		h := once.Clone()
		h.Set(name, value)
		return h
	}
	type outcome struct {
		What   string
		Status int
	}
	got := []outcome{ // in this order
		{"a write without If-None-Match", ask("PUT", urls["create"], http.Header{}, "first")},
		{"a write with another account's rules", ask("PUT", urls["create"], with("X-Amz-Acl", "public-read"), "first")},
		{"a copy instead of a write", ask("PUT", urls["create"], with("X-Amz-Copy-Source", "us-defense-plans/welcome.txt"), "")},
		{"a write", ask("PUT", urls["create"], once, "first")},
		{"the same write again", ask("PUT", urls["create"], once, "second")},
		{"a read", ask("GET", urls["read"], http.Header{}, "")},
		{"a write by the URL to read", ask("PUT", urls["read"], once, "second")},
		{"a delete by the URL to read", ask("DELETE", urls["read"], http.Header{}, "")},
		{"a read by the URL to write", ask("GET", urls["create"], once, "")},
		{"a read of another object", ask("GET", strings.Replace(urls["read"], ".txt", ".md", 1), http.Header{}, "")},
		{"a read of a version", ask("GET", urls["read"]+"&versionId=null", http.Header{}, "")},
		{"a read a minute later", ask("GET", expired["read"], http.Header{}, "")},
	}
	want := []outcome{
		{"a write without If-None-Match", 403}, {"a write with another account's rules", 403}, {"a copy instead of a write", 403},
		{"a write", 200}, {"the same write again", 412}, {"a read", 200}, {"a write by the URL to read", 403}, {"a delete by the URL to read", 403},
		{"a read by the URL to write", 403}, {"a read of another object", 403}, {"a read of a version", 403}, {"a read a minute later", 403},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if ask("GET", urls["read"], http.Header{}, ""); content != "first" {
		t.Errorf("after all of it the object is %q", content)
	}
}
