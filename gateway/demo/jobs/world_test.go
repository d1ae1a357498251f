package jobs_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/grant"
	"github.com/sallyport-dev/sallyport/authz/grant/service"
	request "github.com/sallyport-dev/sallyport/authz/resource/jobs"
	"github.com/sallyport-dev/sallyport/gateway/demo/jobs"
)

const (
	host   = "compute.sallyport.test"
	tenant = "us-defense"
	queue  = "us-defense"
)

// world is a job service, the gateway's half that makes grants for it, and a store.
type world struct {
	t      *testing.T
	grants *grant.Services
	client *http.Client
	stop   func()

	accessLog, log lockedBuffer
}

// newWorld starts a job service before the store behind a socket.
func newWorld(t *testing.T, store string, account grant.Account) *world {
	t.Helper()
	w := &world{t: t}
	private, public := keys(t)
	storage, err := grant.NewStorage(grant.StorageConfig{
		Audience: "storage", Endpoint: "unix:" + store, Host: "storage.sallyport.test", Region: "us-east-1",
		Accounts: map[string]grant.Account{tenant: account},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.grants, err = grant.NewServices(grant.ServicesConfig{Audience: "jobs", Issuer: "sallyport", Keys: private, TTL: 30 * time.Second, Storage: storage})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := service.New(service.Config{Issuer: "sallyport", Audience: "jobs", Keys: public, Started: time.Now().Add(-time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "jobs.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := jobs.New(jobs.Config{
		Store: store, Verifier: verifier, Runner: []string{runner},
		AccessLog: &w.accessLog, Logger: slog.New(slog.NewJSONHandler(&w.log, nil)),
	})
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	w.client = &http.Client{Transport: transport}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	w.stop = sync.OnceFunc(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(w.stop)
	return w
}

// keys returns the gateway's key and its public half, as JWK sets.
func keys(t *testing.T) (private, public []byte) {
	t.Helper()
	raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := jwk.FromRaw(raw)
	if err != nil {
		t.Fatal(err)
	}
	set := jwk.NewSet()
	if err := errors.Join(key.Set(jwk.KeyIDKey, "k1"), key.Set(jwk.AlgorithmKey, jwa.ES256), set.AddKey(key)); err != nil {
		t.Fatal(err)
	}
	half, err := jwk.PublicSetOf(set)
	if err != nil {
		t.Fatal(err)
	}
	private, err = json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	public, err = json.Marshal(half)
	if err != nil {
		t.Fatal(err)
	}
	return private, public
}

// job is what is asked for; keys are of the bucket us-defense-plans.
type job struct {
	module          string
	inputs, outputs []string
	authority       time.Duration // how long the token still lives; 0 is an hour
}

func uri(key string) string { return "s3://us-defense-plans/" + key }

// post asks for a job as the gateway would let it through.
func (w *world) post(j job) (int, string) {
	w.t.Helper()
	name, enclave := tenant, "iad-1"
	access := func(action, operation, id string) authz.Access {
		return authz.Access{
			Action: authz.Action{Name: action, Properties: authz.ActionProperties{
				Protocol: "jobs", Operation: operation, To: authz.To{Kind: "enclave", Enclave: &enclave},
			}},
			Resource: authz.Resource{ID: id, Properties: authz.ResourceProperties{Tenant: &name}},
		}
	}
	accesses := []authz.Access{access("execute", request.StartJob, "job:"+queue), access("read", request.ReadModule, uri(j.module))}
	for _, key := range j.inputs {
		accesses = append(accesses, access("read", request.ReadInput, uri(key)))
	}
	for _, key := range j.outputs {
		accesses = append(accesses, access("create", request.WriteOutput, uri(key)))
	}
	return w.send(http.MethodPost, "/v1/jobs", `{"a": "body that nobody reads"}`, request.StartJob, accesses, j.authority)
}

// get asks for the state of a job.
func (w *world) get(id string) (int, string) {
	w.t.Helper()
	q, _, _ := strings.Cut(id, ".")
	name := tenant
	access := authz.Access{
		Action:   authz.Action{Name: "read", Properties: authz.ActionProperties{Protocol: "jobs", Operation: request.GetJob, To: authz.To{Kind: "client"}}},
		Resource: authz.Resource{ID: "job:" + q + "/" + id, Properties: authz.ResourceProperties{Tenant: &name}},
	}
	return w.send(http.MethodGet, "/v1/jobs/"+id, "", request.GetJob, []authz.Access{access}, 0)
}

// request makes a request with the grant that the gateway would make for it.
func (w *world) request(method, path, body, operation string, accesses []authz.Access, authority time.Duration) *http.Request {
	w.t.Helper()
	if authority == 0 {
		authority = time.Hour
	}
	sum := sha256.Sum256([]byte(body))
	now := time.Now()
	sealed, err := w.grants.Prepare(authz.Resolution{
		Service: "jobs", Operation: operation, Accesses: accesses,
		Upstream: authz.Upstream{Audience: "jobs", Region: "us-east-1", Tenant: tenant, Method: method, Host: host, Path: path,
			PayloadHash: hex.EncodeToString(sum[:])},
	}, "usa|sam", fmt.Sprintf("%032x", now.UnixNano()), now, now.Add(authority))
	if err != nil {
		w.t.Fatal(err)
	}
	g, err := authz.Commit(w.t.Context(), openLog{}, authz.Record{DecisionID: "d", Allow: true}, sealed)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := http.NewRequest(method, "http://"+host+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range g.Headers() {
		r.Header.Set(h.Name, h.Value)
	}
	return r
}

func (w *world) send(method, path, body, operation string, accesses []authz.Access, authority time.Duration) (int, string) {
	w.t.Helper()
	return w.do(w.request(method, path, body, operation, accesses, authority))
}

func (w *world) do(r *http.Request) (int, string) {
	w.t.Helper()
	resp, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// start posts a job that must start, and returns its id.
func (w *world) start(j job) string {
	w.t.Helper()
	code, body := w.post(j)
	var s jobs.Status
	if err := json.Unmarshal([]byte(body), &s); code != http.StatusAccepted || err != nil || s.State != "running" {
		w.t.Fatalf("%d %s", code, body)
	}
	return s.ID
}

// run posts a job and returns its last state.
func (w *world) run(j job) jobs.Status {
	w.t.Helper()
	id := w.start(j)
	for deadline := time.Now().Add(40 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		code, body := w.get(id)
		var s jobs.Status
		if err := json.Unmarshal([]byte(body), &s); code != http.StatusOK || err != nil {
			w.t.Fatalf("%d %s", code, body)
		}
		if s.State != "running" {
			return s
		}
	}
	w.t.Fatalf("job %s does not end", id)
	return jobs.Status{}
}

// openLog lets every record through, so that a test gets at a sealed grant.
type openLog struct{}

func (openLog) Append(context.Context, authz.Record) error { return nil }

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
