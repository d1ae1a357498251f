package road_test

import (
	"context"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/go-cmp/cmp"
)

const (
	storeHost = "storage.sallyport.test"
	unsigned  = "UNSIGNED-PAYLOAD"
)

// sign returns the headers of a GET of welcome by an S3 client with an account, a secret and, if it is not empty, a session token.
func sign(t *testing.T, account, secret, session string) map[string]string {
	t.Helper()
	return signAt(t, time.Now(), request{method: http.MethodGet, path: welcome}, aws.Credentials{
		AccessKeyID: account, SecretAccessKey: secret, SessionToken: session,
	})
}

// signAt returns the headers of r as it would be signed at a time.
func signAt(t *testing.T, at time.Time, r request, c aws.Credentials) map[string]string {
	t.Helper()
	req, err := http.NewRequest(r.method, "http://"+storeHost+r.path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	req.Header.Set("X-Amz-Content-Sha256", unsigned)
	if err := v4.NewSigner().SignHTTP(context.Background(), c, req, unsigned, "s3", "us-east-1", at); err != nil {
		t.Fatal(err)
	}
	header := map[string]string{"Host": storeHost}
	for name := range req.Header {
		header[name] = req.Header.Get(name)
	}
	return header
}

// account returns the storage account of a tenant, which only the gateway should have.
func (w *world) account(t *testing.T, tenant string) aws.Credentials {
	t.Helper()
	secret, err := os.ReadFile(w.StorageSecret(tenant))
	if err != nil {
		t.Fatal(err)
	}
	return aws.Credentials{AccessKeyID: tenant, SecretAccessKey: string(secret)}
}

// direct asks the store on its own socket, around Envoy and the gateway.
func (w *world) direct(t *testing.T, r request) answer {
	t.Helper()
	return direct(t, w.StorageSocket(), storeHost, r)
}

// direct asks an upstream on its own socket.
func direct(t *testing.T, socket, host string, r request) answer {
	t.Helper()
	req, err := http.NewRequest(r.method, "http://"+host+r.path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range r.header {
		if name == "Host" {
			req.Host = value
		} else {
			req.Header.Set(name, value)
		}
	}
	a, err := do(over(socket), req)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestTheStoreItselfServesNothingWithoutAFreshGrantOfTheTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	get := request{method: http.MethodGet, path: welcome}
	usa := w.account(t, "us-defense")
	session := usa
	session.SessionToken = w.token(t, "sam")
	at := func(age time.Duration) map[string]string { return signAt(t, time.Now().Add(-age), get, usa) }
	for _, c := range []struct {
		what   string
		header map[string]string
		want   int
	}{
		{"a fresh signature of the tenant's account is served, so the others fail for their fault", at(0), http.StatusOK},
		{"and so is one of 14 minutes", at(14 * time.Minute), http.StatusOK},
		{"no signature", nil, http.StatusForbidden},
		{"a token and no signature", map[string]string{"Authorization": "Bearer " + w.token(t, "sam")}, http.StatusForbidden},
		{"a signature of 16 minutes ago", at(16 * time.Minute), http.StatusForbidden},
		{"a signature from 16 minutes ahead", at(-16 * time.Minute), http.StatusForbidden},
		{"a wrong secret", signAt(t, time.Now(), get, aws.Credentials{AccessKeyID: "us-defense", SecretAccessKey: "guessed"}), http.StatusForbidden},
		{"a session token beside the right secret", signAt(t, time.Now(), get, session), http.StatusBadRequest},
		{"another tenant's account", signAt(t, time.Now(), get, w.account(t, "fr-space")), http.StatusForbidden},
		{"a client's made-up account", sign(t, "any", "any", ""), http.StatusForbidden},
	} {
		t.Run(c.what, func(t *testing.T) {
			a := w.direct(t, request{method: http.MethodGet, path: welcome, header: c.header})
			if a.status != c.want {
				t.Errorf("status %d, want %d: %s", a.status, c.want, a.body)
			}
		})
	}
}

// seen is a request as an upstream would see it.
type seen struct {
	method, uri, host string
	header            http.Header
}

// record makes Envoy send what it lets through to a recorder instead of the upstream behind a socket.
func record(t *testing.T, upstream string) (change, <-chan seen) {
	requests := make(chan seen, 16)
	path := socket(t)
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		requests <- seen{r.Method, r.RequestURI, r.Host, r.Header}
	})}
	go server.Serve(listen(t, path))
	t.Cleanup(func() { server.Close() })
	return replace(upstream, path), requests
}

func TestAGrantIsForOneRequestAndThirtySeconds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	recorder, requests := record(t, w.StorageSocket())
	envoy := w.secondEnvoy(t, recorder)
	token := w.token(t, "sam")
	began := time.Now()
	a := ask(t, "http://"+envoy, request{method: http.MethodGet, path: welcome, header: map[string]string{
		"Host": storeHost, "Authorization": "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00",
		"X-Amz-Security-Token": token, "X-Amz-Date": "20260101T000000Z", "Referer": "me", "X-Sallyport-Grant": "mine", "X-Sallyport-Clearance": "mine", "X-Sallyport-Decision-Id": "mine",
		"X-Envoy-Upstream-Rq-Timeout-Ms": "999999999",
	}})
	if a.status != http.StatusOK {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	got := <-requests

	t.Run("nothing of the client's credential goes upstream", func(t *testing.T) {
		if got.method != http.MethodGet || got.uri != welcome || got.host != storeHost {
			t.Errorf("the store would see %s %s of %s", got.method, got.uri, got.host)
		}
		for name, values := range got.header {
			if strings.Contains(strings.Join(values, "\n"), token) || strings.HasPrefix(name, "X-Amz-Security") {
				t.Errorf("header %s: %q", name, values)
			}
		}
		type headers struct{ Account, ID, Referer, Hash, Grant, Timeout string }
		account, _, _ := strings.Cut(strings.TrimPrefix(got.header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="), "/")
		want := headers{Account: "us-defense", ID: a.decision(), Referer: a.decision(), Hash: unsigned}
		if d := cmp.Diff(want, headers{
			account, strings.Join(got.header.Values("X-Sallyport-Decision-Id"), ","), strings.Join(got.header.Values("Referer"), ","),
			got.header.Get("X-Amz-Content-Sha256"), got.header.Get("X-Sallyport-Grant") + got.header.Get("X-Sallyport-Clearance"), got.header.Get("X-Envoy-Upstream-Rq-Timeout-Ms"),
		}); d != "" {
			t.Errorf("(-want +have):\n%s", d)
		}
		signed, err := time.Parse("20060102T150405Z", got.header.Get("X-Amz-Date"))
		if err != nil {
			t.Fatal(err)
		}
		if age := began.Sub(signed); age < 14*time.Minute+25*time.Second || age > 14*time.Minute+35*time.Second {
			t.Errorf("signed %v ago, want 14m30s: 30 s before the store's limit", age)
		}
	})

	captured := map[string]string{}
	for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Content-Sha256"} {
		captured[name] = got.header.Get(name)
	}
	with := func(r request, header map[string]string) request {
		r.header = maps.Clone(captured)
		r.header["Host"] = storeHost
		maps.Copy(r.header, header)
		return r
	}
	get := request{method: http.MethodGet, path: welcome}
	for _, c := range []struct {
		what string
		r    request
		want int
	}{
		{"within its 30 seconds, who holds it can use it", with(get, nil), http.StatusOK},
		{"another object", with(request{method: http.MethodGet, path: "/us-defense-plans/noforn/welcome.txt"}, nil), http.StatusForbidden},
		{"the bucket above", with(request{method: http.MethodGet, path: "/us-defense-plans/"}, nil), http.StatusForbidden},
		{"another method", with(request{method: http.MethodDelete, path: welcome}, nil), http.StatusForbidden},
		{"a body to write", with(request{method: http.MethodPut, path: welcome, body: "changed"}, nil), http.StatusForbidden},
		{"another query", with(request{method: http.MethodGet, path: welcome + "?acl"}, nil), http.StatusForbidden},
		{"another host", with(get, map[string]string{"Host": "us-defense-plans." + storeHost}), http.StatusForbidden},
		{"a header of S3's that was not signed", with(get, map[string]string{"X-Amz-Checksum-Mode": "ENABLED"}), http.StatusForbidden},
		{"a later date", with(get, map[string]string{"X-Amz-Date": time.Now().UTC().Format("20060102T150405Z")}), http.StatusForbidden},
	} {
		t.Run(c.what, func(t *testing.T) {
			if a := w.direct(t, c.r); a.status != c.want {
				t.Errorf("status %d, want %d: %s", a.status, c.want, a.body)
			}
		})
	}
	t.Run("after its 30 seconds", func(t *testing.T) {
		time.Sleep(time.Until(began.Add(32 * time.Second))) // the store's own clock, which nobody can turn
		if a := w.direct(t, with(get, nil)); a.status != http.StatusForbidden {
			t.Errorf("status %d, want 403: %s", a.status, a.body)
		}
	})
}
