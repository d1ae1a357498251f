package road_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/sallyport-dev/sallyport/authz/grant/service"
)

// servicesWorld is a world whose bundle knows two services: a register of cases over HTTP, and a ledger over gRPC, for which the standard
// health service stands, whose request names what is asked about.
func servicesWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	set, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{protodesc.ToFileDescriptorProto(healthpb.File_grpc_health_v1_health_proto)}})
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(w.Bundle(), "root", "services")
	if err := os.MkdirAll(root, 0o700); err != nil {
		t.Fatal(err)
	}
	doc := fmt.Sprintf(`
register:
  protocol: http
  routes:
    - {method: GET, path: "/v1/{register}/{part}/{case}", operation: GetCase, action: read, resource: "{register}/{part}/{case}", query: [lang]}
    - {method: PUT, path: "/v1/{register}/{part}/{case}", operation: PutCase, action: create, resource: "{register}/{part}/{case}"}
    - {method: GET, path: "/v1/{register}", operation: ListCases, action: list, resource: "{register}/"}
ledger:
  protocol: grpc
  descriptors: %s
  routes:
    - {method: /grpc.health.v1.Health/Check, action: read, resource: "us-defense-ledger/{account}", fields: {account: service}}
`, base64.StdEncoding.EncodeToString(set))
	if err := os.WriteFile(filepath.Join(root, "data.yaml"), []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	row := func(id, service, label string) string {
		return fmt.Sprintf(`
  %q:
    service: %s
    owner: {nation: USA, originator: us-defense}
    labels: [{scheme: USA, level: %s, created: "2024-01-01"}]
    constraints: {residency: [USA], processing: [USA], reach: [USA], egress: any, export: {mode: none, destinations: []}, personal_data: false}
    place: {enclave: iad-1, replicas: [], backups: [iad-1]}
    hold: false
    communities: []
    labels_on_objects: false
`, id, service, label)
	}
	part := filepath.Join(w.Bundle(), "tenants", "us-defense")
	editFile(t, filepath.Join(part, "catalogue", "data.yaml"), func(s string) string {
		return strings.TrimRight(s, "\n") + row("http:us-defense-register/", "http", "CONFIDENTIAL") + row("http:us-defense-register/secret/", "http", "SECRET") + row("grpc:us-defense-ledger/", "grpc", "SECRET")
	})
	editFile(t, filepath.Join(part, "tenant", "data.yaml"), func(s string) string {
		return strings.Replace(s, "services:\n", "services:\n  http: {USA: [CONFIDENTIAL, SECRET]}\n  grpc: {USA: [SECRET]}\n", 1)
	})
	pid := w.signal(t, "sallyport", syscall.SIGKILL)
	w.back(t, "sallyport", pid)
	return w
}

// editFile changes a file.
func editFile(t *testing.T, path string, change func(string) string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	after := change(string(b))
	if after == string(b) {
		t.Fatalf("%s: nothing to change", path)
	}
	if err := os.WriteFile(path, []byte(after), 0o600); err != nil {
		t.Fatal(err)
	}
}

// guard takes a request only with the gateway's grant for it, as a service would, and tells what it took.
func guard(t *testing.T, w *world, audience string, next http.Handler, took chan<- taken) http.Handler {
	t.Helper()
	keys, err := os.ReadFile(w.GrantPublicKeys())
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := service.New(service.Config{Issuer: "sallyport", Audience: audience, Keys: keys, Started: time.Now().Add(-time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		grant, err := verifier.Verify(r, body)
		took <- taken{grant, err, r.Header.Clone()}
		if err != nil {
			http.Error(rw, err.Error(), http.StatusForbidden)
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		next.ServeHTTP(rw, r)
	})
}

// taken is what came to a service.
type taken struct {
	grant  service.Grant
	err    error
	header http.Header
}

// leadTo makes the compute listener of another Envoy lead to a service behind a socket.
func leadTo(w *world, protocol, audience, path string) []change {
	changes := []change{
		{regexp.MustCompile(`service: jobs, audience: jobs`), "service: " + protocol + ", audience: " + audience},
		{regexp.MustCompile(`(name: compute-start .*\n\s+match: )\{.*\}`), `${1}{prefix: "/"}`}, // every body is judged
		replace(w.JobsSocket(), path),
	}
	if protocol == "grpc" {
		changes = append(changes, change{regexp.MustCompile(`(?s)(  - name: jobs\n.*?)http_protocol_options: \{\}`), "${1}http2_protocol_options: {}"})
	}
	return changes
}

func TestAnHTTPServiceIsAskedWhatWasJudged(t *testing.T) {
	t.Parallel()
	w := servicesWorld(t)
	took := make(chan taken, 16)
	path := socket(t)
	server := &http.Server{Handler: guard(t, w, "register", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		fmt.Fprint(rw, "the case at ", r.URL.Path)
	}), took)}
	go server.Serve(listen(t, path))
	t.Cleanup(func() { server.Close() })
	envoy := fmt.Sprintf("http://127.0.0.1:%d", w.anotherEnvoy(t, leadTo(w, "http", "register", path)...).Compute)

	claims := map[string]string{"X-Clearance": "SECRET", "X-User-Id": "sam", "X-Forwarded-User": "sam", "Cookie": "session=1", "Proxy-Authorization": "Basic c2FtOg==", "X-Sallyport-Grant": "mine", "X-Sallyport-Decision-Id": "mine", "X-Other": "kept"}
	unsupported := confused("request.unsupported")
	unsupported.Visible = ""
	for _, c := range []struct {
		what, who, method, path, body string
		want                          outcome
		operation, uri                string
	}{
		{"a case that she may read", "uma", "GET", "/v1/us-defense-register/open/7?lang=en", "", served, "GetCase", "http:us-defense-register/open/7"},
		{"a case above her", "uma", "GET", "/v1/us-defense-register/secret/7", "", belowPlans, "", ""},
		{"a case that he may read", "sam", "GET", "/v1/us-defense-register/secret/7", "", served, "GetCase", "http:us-defense-register/secret/7"},
		{"a new case", "sam", "PUT", "/v1/us-defense-register/secret/8", `{"who": "me"}`, served, "PutCase", "http:us-defense-register/secret/8"},
		{"a list reveals what is above her", "uma", "GET", "/v1/us-defense-register", "", belowPlans, "", ""},
		{"a list", "sam", "GET", "/v1/us-defense-register", "", served, "ListCases", "http:us-defense-register/"},
		{"somebody else's tenant", "claire", "GET", "/v1/us-defense-register/open/7", "", denied("tenant.mismatch", usDefense), "", ""},
		{"a register of nobody", "sam", "GET", "/v1/nobody/open/7", "", denied("label.missing + tenant.mismatch", "gateway"), "", ""},
		{"a path that no route fits", "sam", "GET", "/v2/us-defense-register/open/7", "", unsupported, "", ""},
		{"a method that no route has", "sam", "DELETE", "/v1/us-defense-register/open/7", "", unsupported, "", ""},
		{"a query name that is not listed", "sam", "GET", "/v1/us-defense-register/open/7?admin=1", "", unsupported, "", ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			header := maps.Clone(claims)
			header["Authorization"] = "Bearer " + w.token(t, c.who)
			a := ask(t, envoy, request{method: c.method, path: c.path, body: c.body, header: header})
			want := c.want
			have := w.serviceOutcome(t, a)
			want.Visible, have.Visible = "", ""
			if want.Served = 0; have.Reasons != want.Reasons || have.Status != want.Status {
				t.Fatalf("%+v, want %+v: %s", have, want, a.body)
			}
			if c.operation == "" {
				if len(took) > 0 {
					t.Errorf("the service was asked: %+v", <-took)
				}
				return
			}
			got := <-took
			if got.err != nil || got.grant.Operation != c.operation || got.grant.Path != c.path || got.grant.Method != c.method || got.grant.Tenant != usDefense ||
				len(got.grant.Accesses) == 0 || got.grant.Accesses[0].URI != c.uri || got.grant.DecisionID != a.decision() {
				t.Errorf("the service took %+v, %v", got.grant, got.err)
			}
			checkUpstream(t, got.header, a.decision())
			if got.header.Get("X-Other") != "kept" {
				t.Error("a header that says nothing of the client is gone")
			}
		})
	}
}

// serviceOutcome is the outcome of a request to a service of the test's own, which has no log.
func (w *world) serviceOutcome(t *testing.T, a answer) outcome {
	t.Helper()
	w.traces.mu.Lock()
	defer w.traces.mu.Unlock()
	if err := w.traces.read(); err != nil {
		t.Fatal(err)
	}
	o := outcome{Status: a.status}
	for _, r := range w.traces.records[a.decision()] {
		o.Reasons = join(r.Reasons)
		o.Logs = append(o.Logs, r.log)
	}
	return o
}

// checkUpstream wants no claim or credential of the client in what an upstream saw, and the decision once.
func checkUpstream(t *testing.T, header http.Header, decision string) {
	t.Helper()
	for _, name := range []string{"Authorization", "Proxy-Authorization", "Cookie", "Dpop", "X-Clearance", "X-User-Id", "X-Forwarded-User", "X-Auth-Request-User", "X-Forwarded-Client-Cert", "X-Amz-Security-Token"} {
		if v := header.Values(name); len(v) > 0 {
			t.Errorf("the upstream saw %s: %.60q", name, v)
		}
	}
	if v := header.Values("X-Sallyport-Decision-Id"); len(v) != 1 || v[0] != decision {
		t.Errorf("the upstream saw decisions %q, want %s", v, decision)
	}
}

func TestAGRPCServiceIsAskedWhatWasJudged(t *testing.T) {
	t.Parallel()
	w := servicesWorld(t)
	took := make(chan taken, 16)
	ledger := grpc.NewServer()
	healthpb.RegisterHealthServer(ledger, alwaysServing{})
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	path := socket(t)
	server := &http.Server{Handler: guard(t, w, "ledger", ledger, took), Protocols: &protocols}
	go server.Serve(listen(t, path))
	t.Cleanup(func() { server.Close() })
	port := w.anotherEnvoy(t, leadTo(w, "grpc", "ledger", path)...).Compute
	conn, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", port), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := healthpb.NewHealthClient(conn)
	as := func(who string) context.Context {
		return metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+w.token(t, who), "x-clearance", "SECRET", "x-user-id", "sam", "cookie", "a=b")
	}
	for _, c := range []struct {
		what, who, account string
		want               codes.Code
	}{
		{"an account that he may read", "sam", "main", codes.OK},
		{"an account above her", "uma", "main", codes.PermissionDenied},
		{"somebody else's", "claire", "main", codes.PermissionDenied},
		{"an account that leads elsewhere", "sam", "../x", codes.PermissionDenied},
		{"no account", "sam", "", codes.PermissionDenied},
	} {
		t.Run(c.what, func(t *testing.T) {
			var header metadata.MD
			_, err := client.Check(as(c.who), &healthpb.HealthCheckRequest{Service: c.account}, grpc.Header(&header))
			if status.Code(err) != c.want {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if c.want != codes.OK {
				if len(took) > 0 {
					t.Errorf("the service was asked: %+v", <-took)
				}
				return
			}
			got := <-took
			if got.err != nil || got.grant.Operation != "grpc.health.v1.Health/Check" || got.grant.Accesses[0].URI != "grpc:us-defense-ledger/"+c.account {
				t.Errorf("the service took %+v, %v", got.grant, got.err)
			}
			checkUpstream(t, got.header, strings.Join(header.Get("x-sallyport-decision-id"), ","))
		})
	}
	stream, err := client.Watch(as("sam"), &healthpb.HealthCheckRequest{Service: "main"})
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.PermissionDenied {
		t.Errorf("a method that is not listed: %v", err)
	}
}

// alwaysServing is the service behind the guard.
type alwaysServing struct {
	healthpb.UnimplementedHealthServer
}

func (alwaysServing) Check(context.Context, *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING}, nil
}
