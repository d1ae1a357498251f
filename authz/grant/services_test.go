package grant_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
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

const (
	emptyDigest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	decisionID  = "0123456789abcdef0123456789abcdef"
)

// newKey returns a new private key for grants.
func newKey(t testing.TB, kid string, curve elliptic.Curve, alg jwa.SignatureAlgorithm) jwk.Key {
	t.Helper()
	raw, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := jwk.FromRaw(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(k.Set(jwk.KeyIDKey, kid), k.Set(jwk.AlgorithmKey, alg)); err != nil {
		t.Fatal(err)
	}
	return k
}

// sets returns keys as a private and as a public JWK set.
func sets(t testing.TB, keys ...jwk.Key) (private, public []byte) {
	t.Helper()
	set := jwk.NewSet()
	for _, k := range keys {
		if err := set.AddKey(k); err != nil {
			t.Fatal(err)
		}
	}
	open, err := jwk.PublicSetOf(set)
	if err != nil {
		t.Fatal(err)
	}
	private, err = json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	public, err = json.Marshal(open)
	if err != nil {
		t.Fatal(err)
	}
	return private, public
}

// services returns a maker of grants, after changes, and a verifier of them at now.
func services(t testing.TB, changes ...func(*grant.ServicesConfig)) (*grant.Services, *service.Verifier) {
	t.Helper()
	private, public := sets(t, newKey(t, "k1", elliptic.P256(), jwa.ES256))
	return servicesOf(t, private, public, changes...)
}

func servicesOf(t testing.TB, private, public []byte, changes ...func(*grant.ServicesConfig)) (*grant.Services, *service.Verifier) {
	t.Helper()
	storage := config()
	storage.Accounts["us-defense"] = grant.Account{AccessKey: "us-defense", SecretKey: "s3cret"}
	store, err := grant.NewStorage(storage)
	if err != nil {
		t.Fatal(err)
	}
	c := grant.ServicesConfig{Audience: "jobs", Issuer: "sallyport", Keys: private, TTL: 30 * time.Second, Storage: store}
	for _, change := range changes {
		change(&c)
	}
	s, err := grant.NewServices(c)
	if err != nil {
		t.Fatal(err)
	}
	v, err := service.New(service.Config{Issuer: "sallyport", Audience: "jobs", Keys: public, Started: now, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}

// jobAccess is one access of a job: object rows have a tenant.
func jobAccess(action, operation, id, tenant string, to authz.To) authz.Access {
	return authz.Access{
		Action:   authz.Action{Name: action, Properties: authz.ActionProperties{Protocol: "jobs", Operation: operation, To: to}},
		Resource: authz.Resource{ID: id, Properties: authz.ResourceProperties{Tenant: &tenant}},
	}
}

// job is a resolution that reads and writes rows of two tenants; no policy allows that, so it shows whose account is used.
func job(changes ...func(*authz.Resolution)) authz.Resolution {
	enclave, object := "iad-1", authz.To{Kind: "object"}
	there := authz.To{Kind: "enclave", Enclave: &enclave}
	r := authz.Resolution{
		Service: "jobs", Operation: "StartJob",
		Accesses: []authz.Access{
			jobAccess("execute", "StartJob", "job:us-defense", "us-defense", there),
			jobAccess("read", "ReadModule", "s3://us-defense-plans/a b+c/module.wasm", "us-defense", there),
			jobAccess("read", "ReadInput", "s3://nz-fire-maps/ü", "nz-fire", there),
			jobAccess("create", "WriteOutput", "s3://us-defense-plans/report", "us-defense", object),
		},
		Upstream: authz.Upstream{
			Audience: "jobs", Region: "us-east-1", Tenant: "us-defense", Method: "POST", Host: "compute.sallyport.test", Path: "/v1/jobs",
			Headers: []authz.HeaderField{}, PayloadHash: emptyDigest, Remove: []string{"authorization", "x-amz-security-token", "x-sallyport-grant"},
		},
	}
	for _, c := range changes {
		c(&r)
	}
	return r
}

// prepared returns the header fields of a grant, and the grant as its service takes it.
func prepared(t testing.TB, s *grant.Services, v *service.Verifier, r authz.Resolution, left time.Duration) (authz.Grant, service.Grant) {
	t.Helper()
	sealed, err := s.Prepare(r, "usa|sam", decisionID, now, now.Add(left))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := authz.Commit(t.Context(), log{}, authz.Record{DecisionID: decisionID, Allow: true}, sealed)
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(r.Upstream.Method, r.Upstream.Path, nil)
	req.Host = r.Upstream.Host
	for _, f := range opened.Headers() {
		req.Header.Set(f.Name, f.Value)
	}
	if r.Upstream.Query != "" {
		req.RequestURI += "?" + r.Upstream.Query
	}
	g, err := v.Verify(req, nil)
	if err != nil {
		t.Fatal(err)
	}
	return opened, g
}

// presigned returns what a URL does to what, for how long and by whom: everything but its signature.
func presigned(t testing.TB, raw string) map[string]string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{"url": u.Scheme + "://" + u.Host + u.EscapedPath()}
	for name, values := range u.Query() {
		got[name] = strings.Join(values, " and ")
	}
	if len(got["X-Amz-Signature"]) != 64 {
		t.Errorf("%s is not signed", raw)
	}
	delete(got, "X-Amz-Signature")
	return got
}

func TestAGrantSaysEverythingThatWasJudged(t *testing.T) {
	t.Parallel()
	s, v := services(t)
	opened, got := prepared(t, s, v, job(), time.Hour)

	var urls []map[string]string
	for i, a := range got.Accesses {
		if a.URL != "" {
			urls = append(urls, presigned(t, a.URL))
			got.Accesses[i].URL = "signed"
		}
	}
	want := service.Grant{
		Issuer: "sallyport", Audience: "jobs", Subject: "usa|sam", DecisionID: decisionID, IssuedAt: now.Unix(), Expires: now.Unix() + 30,
		Method: "POST", Authority: "compute.sallyport.test", Path: "/v1/jobs", BodySHA256: emptyDigest,
		Tenant: "us-defense", Enclave: "iad-1", Operation: "StartJob",
		Accesses: []service.Access{
			{Operation: "StartJob", URI: "job:us-defense"},
			{Operation: "ReadModule", URI: "s3://us-defense-plans/a b+c/module.wasm", URL: "signed"},
			{Operation: "ReadInput", URI: "s3://nz-fire-maps/ü", URL: "signed"},
			{Operation: "WriteOutput", URI: "s3://us-defense-plans/report", URL: "signed"},
		},
		Limits: service.Limits{Seconds: 30, MemoryBytes: 64 << 20, OutputBytes: 64 << 20},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("grant (-want +got):\n%s", diff)
	}
	of := func(path, tenant, signed string) map[string]string {
		return map[string]string{
			"url": "http://storage.sallyport.test/" + path, "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Date": "20261124T120000Z",
			"X-Amz-Credential": tenant + "/20261124/us-east-1/s3/aws4_request", "X-Amz-Expires": "60", "X-Amz-SignedHeaders": signed,
		}
	}
	wantURLs := []map[string]string{
		of("us-defense-plans/a%20b%2Bc/module.wasm", "us-defense", "host"),
		of("nz-fire-maps/%C3%BC", "nz-fire", "host"), // the account of the access's own tenant
		of("us-defense-plans/report", "us-defense", "host;if-none-match"),
	}
	if diff := cmp.Diff(wantURLs, urls); diff != "" {
		t.Errorf("URLs (-want +got):\n%s", diff)
	}

	headers := map[string]string{}
	for _, f := range opened.Headers() {
		headers[f.Name] = f.Value
	}
	delete(headers, "x-sallyport-grant") // verified above
	wantHeaders := map[string]string{"x-sallyport-decision-id": decisionID, "x-envoy-upstream-rq-timeout-ms": "3600000",
		"x-envoy-upstream-stream-duration-ms": "3600000"}
	if diff := cmp.Diff(wantHeaders, headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"authorization", "x-amz-security-token"}, opened.Remove()); diff != "" {
		t.Errorf("Envoy removes after it sets, so the grant must not be removed (-want +got):\n%s", diff)
	}
}

func TestNothingInAGrantOutlivesTheToken(t *testing.T) {
	t.Parallel()
	s, v := services(t)
	_, g := prepared(t, s, v, job(), 10*time.Second+500*time.Millisecond)
	got := fmt.Sprint(g.Expires-g.IssuedAt, " ", g.Limits.Seconds, " ", presigned(t, g.Accesses[3].URL)["X-Amz-Expires"])
	if want := "10 10 10"; got != want {
		t.Errorf("life of the grant, of the job and of its URLs: %s s, want %s", got, want)
	}
}

func TestAGrantOfAStateHasNoURLAndNoEnclave(t *testing.T) {
	t.Parallel()
	s, v := services(t)
	_, g := prepared(t, s, v, job(func(r *authz.Resolution) {
		r.Operation, r.Upstream.Method, r.Upstream.Path, r.Upstream.Query = "GetJob", "GET", "/v1/jobs/q.0", "a=b"
		r.Accesses = []authz.Access{jobAccess("read", "GetJob", "job:q/q.0", "us-defense", authz.To{Kind: "client"})}
	}), time.Hour)
	if diff := cmp.Diff([]service.Access{{Operation: "GetJob", URI: "job:q/q.0"}}, g.Accesses); diff != "" || g.Enclave != "" || g.Path != "/v1/jobs/q.0?a=b" {
		t.Errorf("enclave %q, path %q, accesses (-want +got):\n%s", g.Enclave, g.Path, diff)
	}
}

func TestNoGrantIsMadeFor(t *testing.T) {
	t.Parallel()
	s, _ := services(t)
	last := func(change func(*authz.Access)) func(*authz.Resolution) {
		return func(r *authz.Resolution) { change(&r.Accesses[len(r.Accesses)-1]) }
	}
	for name, c := range map[string]struct {
		change func(*authz.Resolution)
		left   time.Duration
		want   authz.Reason
	}{
		"another service":                    {func(r *authz.Resolution) { r.Upstream.Audience = "storage" }, time.Hour, authz.SystemGrantUnavailable},
		"a tenant without account":           {last(func(a *authz.Access) { *a.Resource.Properties.Tenant = "fr-space" }), time.Hour, authz.SystemGrantUnavailable},
		"an object without tenant":           {last(func(a *authz.Access) { a.Resource.Properties.Tenant = nil }), time.Hour, authz.SystemGrantUnavailable},
		"an action that has no URL":          {last(func(a *authz.Access) { a.Action.Name = "delete" }), time.Hour, authz.SystemGrantUnavailable},
		"a token that ends this very second": {func(*authz.Resolution) {}, 999 * time.Millisecond, authz.IdentityExpired},
		"a token that has ended":             {func(*authz.Resolution) {}, -time.Second, authz.IdentityExpired},
		"names that make the grant too long": {func(r *authz.Resolution) {
			for i := range 28 {
				a := r.Accesses[1]
				a.Resource.ID = fmt.Sprintf("s3://us-defense-plans/%d%s", i, strings.Repeat("ü", 500))
				r.Accesses = append(r.Accesses, a)
			}
		}, time.Hour, authz.RequestUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sealed, err := s.Prepare(job(c.change), "usa|sam", decisionID, now, now.Add(c.left))
			var refusal *authz.Refusal
			if !errors.As(err, &refusal) || refusal.Reason != c.want || sealed.Digest() != "" {
				t.Errorf("sealed %q, error %v; want %s", sealed.Digest(), err, c.want)
			}
		})
	}
}

func TestAJobOfAllItsAccessesFitsIntoAGrant(t *testing.T) {
	t.Parallel()
	s, v := services(t)
	_, g := prepared(t, s, v, job(func(r *authz.Resolution) {
		for len(r.Accesses) < 32 {
			a := r.Accesses[1]
			a.Resource.ID = fmt.Sprintf("s3://us-defense-plans/%s/%d", strings.Repeat("folder/", 12), len(r.Accesses))
			r.Accesses = append(r.Accesses, a)
		}
	}), time.Hour)
	if len(g.Accesses) != 32 {
		t.Errorf("%d accesses", len(g.Accesses))
	}
}

// The operator's way to a new key: put it behind the old one, publish, put it in front, and take the old one out last.
func TestTheFirstKeySignsAndAllArePublished(t *testing.T) {
	t.Parallel()
	k1, k2 := newKey(t, "k1", elliptic.P256(), jwa.ES256), newKey(t, "k2", elliptic.P256(), jwa.ES256)
	before, published := sets(t, k1, k2)
	after, _ := sets(t, k2, k1)
	_, onlyNew := sets(t, k2)
	old, v := servicesOf(t, before, published)
	renewed, _ := servicesOf(t, after, published)
	n := 0
	take := func(s *grant.Services) error {
		n++
		sealed, err := s.Prepare(job(), "usa|sam", fmt.Sprint(n), now, now.Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, "/v1/jobs", nil)
		r.Host = "compute.sallyport.test"
		r.Header.Set(service.Header, open(t, sealed).Headers()[0].Value)
		_, err = v.Verify(r, nil)
		return err
	}
	if err := errors.Join(take(old), take(renewed), take(old)); err != nil {
		t.Errorf("while both are published: %v", err)
	}
	if err := v.SetKeys(onlyNew); err != nil {
		t.Fatal(err)
	}
	var problem *service.Error
	if err := take(old); !errors.As(err, &problem) || problem.Problem != service.UnknownKey {
		t.Errorf("the old key after it was taken out: %v", err)
	}
	if err := take(renewed); err != nil {
		t.Errorf("the new key after the old was taken out: %v", err)
	}
}

func TestServicesThatCannotSignAreRefused(t *testing.T) {
	t.Parallel()
	k := newKey(t, "k1", elliptic.P256(), jwa.ES256)
	private, public := sets(t, k)
	of := func(keys ...jwk.Key) func(*grant.ServicesConfig) {
		b, _ := sets(t, keys...)
		return func(c *grant.ServicesConfig) { c.Keys = b }
	}
	raw := func(b []byte) func(*grant.ServicesConfig) { return func(c *grant.ServicesConfig) { c.Keys = b } }
	store, err := grant.NewStorage(config())
	if err != nil {
		t.Fatal(err)
	}
	const file = "grants.services.key_file: "
	for _, tt := range []struct {
		name   string
		change func(*grant.ServicesConfig)
		want   string
	}{
		{"no audience", func(c *grant.ServicesConfig) { c.Audience = "" }, "grants.services: audience, issuer and a storage are required"},
		{"no storage", func(c *grant.ServicesConfig) { c.Storage = nil }, "grants.services: audience, issuer and a storage are required"},
		{"no life", func(c *grant.ServicesConfig) { c.TTL = 0 }, "grants.services.ttl 0s: want 1s to 30s"},
		{"too long a life", func(c *grant.ServicesConfig) { c.TTL = 31 * time.Second }, "grants.services.ttl 31s: want 1s to 30s"},
		{"no JSON", raw([]byte("s3cret")), file + `no JWK set: want {"keys": [...]}`},
		{"an empty set", raw([]byte(`{"keys":[]}`)), file + "no keys: want at least one, of which the first signs"},
		{"a public key", raw(public), file + "keys[0]: want a private EC key of P-256"},
		{"a key of another curve", of(newKey(t, "k", elliptic.P384(), jwa.ES384)), file + "keys[0]: want a private EC key of P-256"},
		{"a key for something else", of(newKey(t, "k", elliptic.P256(), jwa.ES384)), file + "keys[0]: alg: want ES256"},
		{"a key without a name", of(newKey(t, "", elliptic.P256(), jwa.ES256)), file + "keys[0]: kid: want one of its own"},
		{"two keys of one name", of(k, newKey(t, "k1", elliptic.P256(), jwa.ES256)), file + "keys[1]: kid: want one of its own"},
		{"a next key that could not sign", of(k, newKey(t, "k2", elliptic.P384(), jwa.ES384)), file + "keys[1]: want a private EC key of P-256"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := grant.ServicesConfig{Audience: "jobs", Issuer: "sallyport", Keys: private, TTL: 30 * time.Second, Storage: store}
			tt.change(&c)
			if _, err := grant.NewServices(c); err == nil || err.Error() != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

func BenchmarkPrepareForAJob(b *testing.B) {
	s, _ := services(b)
	r := job()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Prepare(r, "usa|sam", decisionID, now, now.Add(time.Hour)); err != nil {
			b.Fatal(err)
		}
	}
}
