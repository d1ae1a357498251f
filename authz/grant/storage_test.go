package grant_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/grant"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func config() grant.StorageConfig {
	return grant.StorageConfig{
		Audience: "storage", Endpoint: "unix:/nowhere", Host: "storage.sallyport.test", Region: "us-east-1",
		Accounts: map[string]grant.Account{"nz-fire": {AccessKey: "nz-fire", SecretKey: "s3cret"}},
	}
}

func upstream() authz.Upstream {
	return authz.Upstream{
		Audience: "storage", Region: "us-east-1", Tenant: "nz-fire",
		Method: http.MethodPut, Host: "storage.sallyport.test", Path: "/nz-fire-maps/a%20b", Query: "partNumber=1&uploadId=x",
		Headers:     []authz.HeaderField{{Name: "x-amz-checksum-crc32", Value: "AAAAAA=="}, {Name: "x-amz-meta-a", Value: "b"}},
		PayloadHash: "UNSIGNED-PAYLOAD",
		Remove:      []string{"x-amz-security-token", "x-amz-date"},
	}
}

// log opens whatever it is given, so that a test can read a sealed credential.
type log struct{}

func (log) Append(context.Context, authz.Record) error { return nil }

func open(t *testing.T, s authz.Sealed) authz.Grant {
	t.Helper()
	g, err := authz.Commit(t.Context(), log{}, authz.Record{DecisionID: "d1", Allow: true}, s)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestACredentialCoversTheRequestAndEndsSoon(t *testing.T) {
	s, err := grant.NewStorage(config())
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := s.Prepare(upstream(), "d1", now, now.Add(90*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	g := open(t, sealed)
	got := map[string]string{}
	for _, f := range g.Headers() {
		got[f.Name] = f.Value
	}
	signature := got["authorization"]
	delete(got, "authorization")
	want := map[string]string{
		"x-amz-date":                     "20261124T114530Z", // 14 min 30 s ago: of the 15 that stores allow, 30 s are left
		"x-amz-content-sha256":           "UNSIGNED-PAYLOAD",
		"referer":                        "d1",
		"x-sallyport-decision-id":        "d1",
		"x-envoy-upstream-rq-timeout-ms": "90000", "x-envoy-upstream-stream-duration-ms": "90000",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	prefix := "AWS4-HMAC-SHA256 Credential=nz-fire/20261124/us-east-1/s3/aws4_request, " +
		"SignedHeaders=host;x-amz-checksum-crc32;x-amz-content-sha256;x-amz-date;x-amz-meta-a, Signature="
	if !strings.HasPrefix(signature, prefix) {
		t.Errorf("authorization %q does not begin with %q", signature, prefix)
	}
	if diff := cmp.Diff([]string{"x-amz-security-token"}, g.Remove()); diff != "" {
		t.Errorf("Envoy removes after it sets, so what is set must not be removed (-want +got):\n%s", diff)
	}
}

func TestASignatureDependsOnEverythingThatWasJudged(t *testing.T) {
	s, err := grant.NewStorage(config())
	if err != nil {
		t.Fatal(err)
	}
	sign := func(change func(*authz.Upstream)) string {
		u := upstream()
		change(&u)
		sealed, err := s.Prepare(u, "d1", now, now.Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		return open(t, sealed).Headers()[0].Value
	}
	seen := map[string]string{sign(func(*authz.Upstream) {}): "nothing"}
	for name, change := range map[string]func(*authz.Upstream){
		"method":  func(u *authz.Upstream) { u.Method = http.MethodDelete },
		"host":    func(u *authz.Upstream) { u.Host = "other" },
		"path":    func(u *authz.Upstream) { u.Path = "/nz-fire-maps/a%20c" },
		"query":   func(u *authz.Upstream) { u.Query = "partNumber=2&uploadId=x" },
		"header":  func(u *authz.Upstream) { u.Headers[1].Value = "c" },
		"payload": func(u *authz.Upstream) { u.PayloadHash = strings.Repeat("0", 64) },
	} {
		signature := sign(change)
		if other, ok := seen[signature]; ok {
			t.Errorf("a change of %s has the signature of a change of %s", name, other)
		}
		seen[signature] = name
	}
}

func TestNoCredentialIsMadeFor(t *testing.T) {
	s, err := grant.NewStorage(config())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change    func(*authz.Upstream)
		authority time.Duration
		want      authz.Reason
	}{
		"another store":             {func(u *authz.Upstream) { u.Audience = "archive" }, time.Minute, authz.SystemGrantUnavailable},
		"another region":            {func(u *authz.Upstream) { u.Region = "eu-west-1" }, time.Minute, authz.SystemGrantUnavailable},
		"a tenant without account":  {func(u *authz.Upstream) { u.Tenant = "fr-space" }, time.Minute, authz.SystemGrantUnavailable},
		"no tenant":                 {func(u *authz.Upstream) { u.Tenant = "" }, time.Minute, authz.SystemGrantUnavailable},
		"a token that ended by now": {func(*authz.Upstream) {}, 0, authz.IdentityExpired},
	} {
		t.Run(name, func(t *testing.T) {
			u := upstream()
			c.change(&u)
			sealed, err := s.Prepare(u, "d1", now, now.Add(c.authority))
			var refusal *authz.Refusal
			if !errors.As(err, &refusal) || refusal.Reason != c.want || sealed.Digest() != "" {
				t.Errorf("sealed %q, error %v; want %s", sealed.Digest(), err, c.want)
			}
		})
	}
}

func TestAConfigWithHolesIsRefused(t *testing.T) {
	for want, change := range map[string]func(*grant.StorageConfig){
		"grants.storage: audience, region and host are required":                              func(c *grant.StorageConfig) { c.Region = "" },
		"grants.storage.credentials.nz-fire: access key or secret is empty":                   func(c *grant.StorageConfig) { c.Accounts["nz-fire"] = grant.Account{AccessKey: "x"} },
		`grants.storage.endpoint "ftp://h": want unix:/path or http://host:port`:              func(c *grant.StorageConfig) { c.Endpoint = "ftp://h" },
		`grants.storage.endpoint "https://example.test": want unix:/path or http://host:port`: func(c *grant.StorageConfig) { c.Endpoint = "https://example.test" },
	} {
		c := config()
		change(&c)
		if _, err := grant.NewStorage(c); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestProbeTellsAStoreThatRefusesFromOneThatIsAway(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	c := config()
	c.Endpoint = "unix:" + socket
	s, err := grant.NewStorage(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "storage account of nz-fire: the store does not answer") {
		t.Errorf("with no store: %v", err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	status := http.StatusForbidden
	store := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=nz-fire/") {
			t.Errorf("the probe is not signed: %q", r.Header.Get("Authorization"))
		}
		w.WriteHeader(status)
	})}
	go store.Serve(l)
	t.Cleanup(func() { store.Close() })
	if err := s.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "refuses a signed request with 403") {
		t.Errorf("with a store that refuses: %v", err)
	}
	status = http.StatusOK
	if err := s.Probe(t.Context()); err != nil {
		t.Errorf("with a store that takes it: %v", err)
	}
}
