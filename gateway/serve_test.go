package gateway

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/grant"
	"github.com/sallyport-dev/sallyport/authz/identity"
	"github.com/sallyport-dev/sallyport/gateway/extauthz"
)

// scraped returns /metrics.
func scraped(t *testing.T, s *Server) string {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

func TestReadinessNamesThePartThatIsNotReady(t *testing.T) {
	t.Parallel()
	ended := edit{"root/manifest.yaml", "2040-01-01", "2026-01-02"}
	for name, c := range map[string]struct {
		make func(t *testing.T) *Server
		want map[string]string // check → what its problem contains; all others are ok
	}{
		"everything is there": {func(t *testing.T) *Server { return start(t, world).Server }, nil},
		"no bundle is active": {func(t *testing.T) *Server { return start(t, nil).Server }, map[string]string{"policy": "no bundle is active"}},
		"the bundle has expired": {func(t *testing.T) *Server { return start(t, edited(t, ended)).Server },
			map[string]string{"policy": "the bundle has expired: install a newer one"}},
		"the clock went back": {func(t *testing.T) *Server {
			s := start(t, world).Server
			s.clock.read = func() time.Time { return time.Now().Add(-time.Hour) }
			return s
		}, map[string]string{"policy": "the clock went back"}},
		"an issuer publishes no keys": {func(t *testing.T) *Server {
			s := start(t, nil).Server
			b := edited(t, edit{"tenants/us-defense/issuers/data.yaml", `jwks_uri: "` + issuers.URL + `/usa/jwks"`, `jwks_uri: "http://127.0.0.1:1/jwks"`})
			if err := s.Activate(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			eventually(t, "a failed fetch", func() bool { e := s.c.Keys.Ready(); return e != nil && strings.Contains(e.Error(), "refused") })
			eventually(t, "the other issuers", func() bool { return !strings.Contains(s.c.Keys.Ready().Error(), ";") })
			return s
		}, map[string]string{"issuers": "issuer usa: no usable keys from http://127.0.0.1:1/jwks"}},
		"the store refuses": {func(t *testing.T) *Server {
			refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
			t.Cleanup(refuses.Close)
			return start(t, world, func(c *Config) { c.Storage = storageAt(t, refuses.URL) }).Server
		}, map[string]string{"grants": "storage account of us-defense: the store refuses a signed request with 403"}},
		"the store is away": {func(t *testing.T) *Server {
			return start(t, world, func(c *Config) { c.Storage = storageAt(t, "http://127.0.0.1:1") }).Server
		}, map[string]string{"grants": "the store does not answer"}},
		"the logs are closed": {func(t *testing.T) *Server {
			g := start(t, world)
			g.logs.Close()
			return g.Server
		}, map[string]string{"logs": "audit: the logs are closed"}},
		"local revocations are stale": {func(t *testing.T) *Server {
			path := filepath.Join(t.TempDir(), "denials")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			denials, err := identity.OpenDenials(path, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(denials.Close)
			g := start(t, world, func(c *Config) { c.Denials = denials })
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the denials to be stale", func() bool { return denials.Ready() != nil })
			if got, _ := check(t, client(t, g.Server, nil), ask("GET", plans, token(t, "SECRET"))); got.Says != "freshness.revocation" {
				t.Errorf("a request is answered with %+v", got)
			}
			return g.Server
		}, map[string]string{"denials": "make it, empty if nothing is revoked"}},
		"it is stopping": {func(t *testing.T) *Server {
			s := start(t, world).Server
			s.stopping.Store(true)
			return s
		}, map[string]string{"gateway": "it is stopping"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := c.make(t)
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
			var got Status
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			wantCode := http.StatusOK
			if c.want != nil {
				wantCode = http.StatusServiceUnavailable
			}
			if w.Code != wantCode || got.Ready != (c.want == nil) {
				t.Errorf("%d, ready %v", w.Code, got.Ready)
			}
			for part, says := range got.Checks {
				if want := c.want[part]; want == "" && says != "ok" || !strings.Contains(says, want) {
					t.Errorf("%s: %q, want …%s…", part, says, want)
				}
			}
			for part := range c.want {
				if got.Checks[part] == "" {
					t.Errorf("no check named %s", part)
				}
			}
		})
	}
}

// storageAt makes grants for a store at that address.
func storageAt(t *testing.T, endpoint string) *grant.Storage {
	t.Helper()
	s, err := grant.NewStorage(grant.StorageConfig{
		Audience: "storage", Endpoint: endpoint, Host: "storage.sallyport.test", Region: "us-east-1",
		Accounts: map[string]grant.Account{"us-defense": {AccessKey: "a", SecretKey: "s"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheHandlerServesThreePathsToReaders(t *testing.T) {
	t.Parallel()
	s := start(t, nil, func(c *Config) { c.Insecure = []string{"bundle.unsigned"} }).Server
	for _, c := range []struct {
		method, path string
		code         int
		contains     string
	}{
		{"GET", "/healthz", 200, "ok"},
		{"GET", "/readyz", 503, `"insecure":["bundle.unsigned"]`},
		{"GET", "/metrics", 200, "sallyport_build_info"},
		{"POST", "/readyz", 405, ""},
		{"GET", "/", 404, ""},
		{"GET", "/debug/pprof/", 404, ""},
	} {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.contains) {
			t.Errorf("%s %s: %d %q, want %d …%s…", c.method, c.path, w.Code, w.Body, c.code, c.contains)
		}
	}
}

// served is a gateway in Serve.
type served struct {
	gateway
	socket string
	http   string
	stop   context.CancelFunc
	ended  <-chan error
}

func serve(t *testing.T, g gateway, drain time.Duration) served {
	t.Helper()
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	path := socketPath(t)
	checks := listen(t, path)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, checks, web, mark, drain) }()
	s := served{gateway: g, socket: path, http: "http://" + web.Addr().String(), stop: stop, ended: ended}
	t.Cleanup(stop)
	return s
}

// end returns what Serve returned, and how long that took after the stop.
func (s served) end(t *testing.T) (error, time.Duration) {
	t.Helper()
	begin := time.Now()
	s.stop()
	select {
	case err := <-s.ended:
		return err, time.Since(begin)
	case <-time.After(20 * time.Second):
		t.Fatal("Serve does not return")
		return nil, 0
	}
}

func TestHealthFollowsReadinessAndEndsWithTheService(t *testing.T) {
	t.Parallel()
	g := start(t, nil) // no bundle: not ready
	s := serve(t, g, time.Second)
	health := healthv1.NewHealthClient(dial(t, s.socket))
	watch, err := health.Watch(t.Context(), &healthv1.HealthCheckRequest{Service: extauthz.Service})
	if err != nil {
		t.Fatal(err)
	}
	next := func() healthv1.HealthCheckResponse_ServingStatus {
		r, err := watch.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return r.GetStatus()
	}
	got := []healthv1.HealthCheckResponse_ServingStatus{next()}
	if err := g.Activate(t.Context(), world); err != nil {
		t.Fatal(err)
	}
	got = append(got, next())
	go s.stop()
	got = append(got, next())
	const no, yes = healthv1.HealthCheckResponse_NOT_SERVING, healthv1.HealthCheckResponse_SERVING
	if diff := cmp.Diff([]healthv1.HealthCheckResponse_ServingStatus{no, yes, no}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err, _ := s.end(t); err != nil {
		t.Errorf("Serve = %v", err)
	}
}

// slowLog holds decisions until it is let go.
func slowLog(held chan<- struct{}, release <-chan struct{}) func(*Config) {
	return faults(func(ctx context.Context, _ authz.Record) error {
		held <- struct{}{}
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

func TestAStopLetsChecksUnderWayFinish(t *testing.T) {
	t.Parallel()
	held, release := make(chan struct{}, 1), make(chan struct{})
	s := serve(t, start(t, world, slowLog(held, release)), 10*time.Second)
	c := authv3.NewAuthorizationClient(dial(t, s.socket))
	if resp, err := http.Get(s.http + "/healthz"); err != nil || resp.StatusCode != 200 {
		t.Errorf("/healthz: %v, %v", resp, err)
	} else {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	answered := make(chan received)
	tok := token(t, "SECRET")
	go func() {
		got, _ := check(t, c, ask("GET", plans, tok))
		answered <- got
	}()
	<-held
	s.stop()
	eventually(t, "the stop", s.stopping.Load)
	close(release)
	if diff := cmp.Diff(passes, <-answered); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err, _ := s.end(t); err != nil {
		t.Errorf("Serve = %v", err)
	}
	if _, err := net.Dial("unix", s.socket); err == nil {
		t.Error("the socket still takes connections")
	}
	if r := s.decisions(t)["us-defense"]; len(r) != 1 || !r[0].Allow {
		t.Errorf("want the record of the check that was under way, have %v", r)
	}
	own := s.records(t)["gateway"]
	if last := own[len(own)-1]; last.Type != "stop" || last.Bundle != world.Ref() {
		t.Errorf("the gateway's log ends with %+v, want a stop record", last)
	}
}

func TestTheDrainDeadlineCutsChecks(t *testing.T) {
	t.Parallel()
	held := make(chan struct{}, 1)
	s := serve(t, start(t, world, slowLog(held, nil)), 50*time.Millisecond)
	c := authv3.NewAuthorizationClient(dial(t, s.socket))
	answered := make(chan error)
	in := ask("GET", plans, token(t, "SECRET"))
	go func() {
		_, err := c.Check(context.Background(), in)
		answered <- err
	}()
	<-held
	err, took := s.end(t)
	if err != nil || took > 10*time.Second {
		t.Errorf("Serve = %v after %s", err, took)
	}
	if err := <-answered; status.Code(err) != codes.Unavailable {
		t.Errorf("the check that was cut ended with %v, want Unavailable", err)
	}
	if r := s.decisions(t); len(r) != 0 {
		t.Errorf("the log took nothing, but has %v", r)
	}
	own := s.records(t)["gateway"]
	if last := own[len(own)-1]; last.Type != "stop" {
		t.Errorf("the gateway's log ends with %s, want stop", last.Type)
	}
}

func TestServeRefusesAnEmptyMarkAndReportsAListenerThatBreaks(t *testing.T) {
	t.Parallel()
	g := start(t, world)
	if err := g.Serve(t.Context(), nil, nil, "", time.Second); err == nil || !strings.Contains(err.Error(), "listen.mark_file") {
		t.Errorf("Serve without a mark = %v", err)
	}
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web.Close()
	if err := g.Serve(t.Context(), listen(t, socketPath(t)), web, mark, time.Second); err == nil || !strings.Contains(err.Error(), "listen.http") {
		t.Errorf("Serve on a closed listener = %v", err)
	}
}

func TestKeysOfOneIssuerDoNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	b := edited(t, edit{"tenants/nz-fire/issuers/data.yaml", "/nzl/jwks", "/gone"}, edit{"tenants/nz-fire/issuers/data.yaml", issuers.URL + "/gone", "http://127.0.0.1:1/jwks"})
	g := start(t, nil)
	if err := g.Activate(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other issuers", func() bool { e := g.c.Keys.Ready(); return e != nil && !strings.Contains(e.Error(), ";") })
	got, _ := check(t, client(t, g.Server, nil), ask("GET", plans, token(t, "SECRET")))
	if diff := cmp.Diff(passes, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
