package road_test

import (
	"context"
	"maps"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"
)

// impostor answers Envoy in the gateway's place.
type impostor struct {
	authv3.UnimplementedAuthorizationServer
	answer func(context.Context) (*authv3.CheckResponse, error)
}

func (i impostor) Check(ctx context.Context, _ *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return i.answer(ctx)
}

// impersonate makes Envoy ask an impostor.
func (w *world) impersonate(t *testing.T, answer func(context.Context) (*authv3.CheckResponse, error)) change {
	path := socket(t)
	server := grpc.NewServer()
	authv3.RegisterAuthorizationServer(server, impostor{answer: answer})
	go server.Serve(listen(t, path))
	t.Cleanup(server.Stop)
	return replace(w.GatewaySocket(), path)
}

// says makes an answer that is always the same.
func says(r *authv3.CheckResponse) func(context.Context) (*authv3.CheckResponse, error) {
	return func(context.Context) (*authv3.CheckResponse, error) { return r, nil }
}

// hangs never answers.
func hangs(ctx context.Context) (*authv3.CheckResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestEachLockAloneHolds takes the first lock away in every way that is known to open it, and shows that the second, the belt,
// lets nothing through to the store; then it takes the belt away too, and shows that the store serves nothing without a grant.
func TestEachLockAloneHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ok := &status.Status{Code: int32(codes.OK)}
	deny := &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{Status: &typev3.HttpStatus{Code: typev3.StatusCode_Forbidden}}}
	metadata := func(mark string) *structpb.Struct {
		return &structpb.Struct{Fields: map[string]*structpb.Value{"sallyport": structpb.NewStringValue(mark)}}
	}
	okay := &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{Headers: []*corev3.HeaderValueOption{
		{Header: &corev3.HeaderValue{Key: "x-sallyport-decision-id", Value: strings.Repeat("0", 32)}},
	}}}
	failOpen := replace("failure_mode_allow: false", "failure_mode_allow: true")
	disabled := change{regexp.MustCompile(`check_settings:\n\s+context_extensions: \{service: s3, .* body: absent\}\n\s+disable_request_body_buffering: true`), "disabled: true"}
	unmatched := change{regexp.MustCompile(`direct_response: \{status: 403\}\n(\s+typed_per_filter_config:\n\s+envoy\.filters\.http\.ext_authz:\n\s+"@type": \S+\n)\s+check_settings: .*\n`),
		"route: {cluster: storage}\n${1}" + strings.Repeat(" ", 20) + "disabled: true\n"}
	// A filter before ours that writes what a client says into our namespace.
	smuggle := change{regexp.MustCompile(`( *)(# The first lock)`), `$1- name: envoy.filters.http.header_to_metadata
$1  typed_config:
$1    "@type": type.googleapis.com/envoy.extensions.filters.http.header_to_metadata.v3.Config
$1    request_rules:
$1    - {header: x-mark, on_header_present: {metadata_namespace: envoy.filters.http.ext_authz, key: sallyport}}
$1$2`}

	for _, c := range []struct {
		what    string
		changes []change
		header  map[string]string
	}{
		{"an empty answer", []change{w.impersonate(t, says(&authv3.CheckResponse{}))}, nil},
		{"OK without the mark", []change{w.impersonate(t, says(&authv3.CheckResponse{Status: ok, HttpResponse: okay}))}, nil},
		{"OK with another mark", []change{w.impersonate(t, says(&authv3.CheckResponse{Status: ok, HttpResponse: okay, DynamicMetadata: metadata("allow")}))}, nil},
		{"OK with an empty mark", []change{w.impersonate(t, says(&authv3.CheckResponse{Status: ok, DynamicMetadata: metadata("")}))}, nil},
		{"status 0 with a denied response", []change{w.impersonate(t, says(&authv3.CheckResponse{Status: ok, HttpResponse: deny}))}, nil},
		{"a denied response without status", []change{w.impersonate(t, says(&authv3.CheckResponse{HttpResponse: deny}))}, nil},
		{"failure_mode_allow and a gateway that hangs", []change{failOpen, w.impersonate(t, hangs)}, nil},
		{"failure_mode_allow and no gateway", []change{failOpen, replace(w.GatewaySocket(), socket(t))}, nil},
		{"shadow_mode and a gateway that denies", []change{replace("failure_mode_allow: false", "failure_mode_allow: false\n              shadow_mode: true"),
			w.impersonate(t, says(&authv3.CheckResponse{Status: &status.Status{Code: int32(codes.PermissionDenied)}, HttpResponse: deny}))}, nil},
		{"ext_authz disabled on the route", []change{disabled}, nil},
		{"a host that no route names", []change{unmatched}, map[string]string{"Host": "elsewhere.test"}},
		{"another filter writes what a client says where the mark stands", []change{smuggle, w.impersonate(t, says(&authv3.CheckResponse{}))}, map[string]string{"X-Mark": "allow"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Run("the belt holds", func(t *testing.T) {
				w.knockAll(t, w.secondEnvoy(t, c.changes...), c.header, func(knock) (caller int, store string) { return http.StatusForbidden, "" })
			})
			t.Run("the grant alone holds", func(t *testing.T) {
				w.knockAll(t, w.secondEnvoy(t, append(c.changes, withoutBelt)...), c.header, func(k knock) (caller int, store string) {
					return k.status, strconv.Itoa(k.status)
				})
			})
		})
	}
}

// knock is a request of somebody who found the first two locks open.
type knock struct {
	what   string
	method string
	header func(*world, *testing.T) map[string]string
	status int // with which the store refuses it
}

var knocks = []knock{
	{"without a credential", http.MethodGet, func(*world, *testing.T) map[string]string { return nil }, http.StatusForbidden},
	{"with a token", http.MethodGet, func(w *world, t *testing.T) map[string]string {
		return map[string]string{"Authorization": "Bearer " + w.token(t, "sam")}
	}, http.StatusForbidden},
	{"as an S3 client", http.MethodGet, func(w *world, t *testing.T) map[string]string {
		return sign(t, "any", "any", w.token(t, "sam"))
	}, http.StatusBadRequest}, // it takes session tokens from nobody
	{"with the name of the tenant's account", http.MethodPut, func(w *world, t *testing.T) map[string]string {
		return sign(t, "us-defense", "guessed", "")
	}, http.StatusForbidden},
}

// knockAll makes every knock at an Envoy's door and compares what the caller and the store's log say of each.
func (w *world) knockAll(t *testing.T, envoy string, header map[string]string, want func(knock) (caller int, store string)) {
	t.Helper()
	for _, k := range knocks {
		object := welcome
		if k.method == http.MethodPut {
			object = "/us-defense-plans/" + unique()
		}
		before := size(t, w.StorageAccessLog())
		h := map[string]string{}
		maps.Copy(h, k.header(w, t))
		maps.Copy(h, header)
		a := ask(t, "http://"+envoy, request{method: k.method, path: object, header: h})
		caller, store := want(k)
		if a.status != caller || strings.Contains(a.body, "You are reading") {
			t.Errorf("%s: status %d, want %d: %s", k.what, a.status, caller, a.body)
		}
		if got := w.servedSince(t, before, min(1, len(store))); strings.Join(got, " ") != store {
			t.Errorf("%s: the store's log says %q, want %q", k.what, got, store)
		}
	}
}

// TestTheSecondEnvoyServesWithAllLocks shows that the changes above are what is refused: the same Envoy without them serves.
func TestTheSecondEnvoyServesWithAllLocks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	envoy := w.secondEnvoy(t)
	a := ask(t, "http://"+envoy, request{method: http.MethodGet, path: welcome, header: map[string]string{"Authorization": "Bearer " + w.token(t, "sam")}})
	if a.status != http.StatusOK || !strings.Contains(a.body, "You are reading us-defense-plans/") {
		t.Errorf("status %d, body %q", a.status, a.body)
	}
}

// storeStatus finds the status in a line of the store's log: behind the path, before the error code and five numbers.
var storeStatus = regexp.MustCompile(` (\d{3}) \S+ \d+ \d+ \d+ \d+ `)

// servedSince returns the status of each request in the store's log from an offset on, the gateway's own probes apart. It waits
// until there are n, and then a little for more.
func (w *world) servedSince(t *testing.T, offset int64, n int) (statuses []string) {
	t.Helper()
	settled, deadline := time.Now().Add(100*time.Millisecond), time.Now().Add(5*time.Second)
	for ; ; time.Sleep(20 * time.Millisecond) {
		b, err := os.ReadFile(w.StorageAccessLog())
		if err != nil {
			t.Fatal(err)
		}
		statuses = nil
		for line := range strings.Lines(string(b[offset:])) {
			if strings.Contains(line, " readiness-probe ") {
				continue
			}
			m := storeStatus.FindStringSubmatch(line)
			if m == nil {
				t.Fatalf("a line of the store's log without a status: %s", line)
			}
			statuses = append(statuses, m[1])
		}
		if len(statuses) >= n && time.Now().After(settled) || time.Now().After(deadline) {
			return statuses
		}
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return fi.Size()
}
