package road_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/conformance/pki"
	"github.com/sallyport-dev/sallyport/gateway/demo"
)

const (
	envoyID   = "spiffe://example.org/envoy"
	gatewayID = "spiffe://example.org/sallyport"
)

// overTCP is a world whose gateway is asked over TCP with mTLS. Its own Envoy, which asks the socket, is left alone.
type overTCP struct {
	*world
	authority *pki.Authority
	dir       string // of the gateway's files
	port      int
}

// newOverTCP starts one.
func newOverTCP(t *testing.T) overTCP {
	t.Helper()
	w := overTCP{world: newWorld(t), authority: pki.New(t, "authority"), dir: t.TempDir()}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	w.show(t, w.authority.Issue(t, gatewayID))
	pki.Put(t, w.dir+"/trust.pem", w.authority.PEM)
	b, err := os.ReadFile(w.Config())
	if err != nil {
		t.Fatal(err)
	}
	config := regexp.MustCompile(`(?m)^  extauthz: .*\n  peers: .*\n`).ReplaceAllString(string(b), fmt.Sprintf(`  extauthz: 127.0.0.1:%d
  tls: {certificate_file: %[2]s/gateway.pem, key_file: %[2]s/gateway.key, trust_file: %[2]s/trust.pem, peer: %[3]s}
`, w.port, w.dir, envoyID))
	if config == string(b) {
		t.Fatalf("the gateway's config has no socket to replace:\n%s", config)
	}
	if err := os.WriteFile(w.Config(), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	w.back(t, "sallyport", w.signal(t, "sallyport", syscall.SIGTERM))
	return w
}

// show replaces what the gateway shows Envoy.
func (w overTCP) show(t *testing.T, p pki.Pair) {
	t.Helper()
	pki.Put(t, w.dir+"/gateway.key", p.Key)
	pki.Put(t, w.dir+"/gateway.pem", p.Certificate)
}

// sds copies deploy/envoy/tls to a folder of its own, whose certificates the caller puts there.
func sds(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	files, err := filepath.Glob("../../deploy/envoy/tls/*.sds.yaml")
	if err != nil || len(files) != 4 {
		t.Fatalf("want 4 SDS files, have %v, %v", files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		pki.Put(t, filepath.Join(dir, filepath.Base(f)), []byte(strings.ReplaceAll(string(b), "/etc/envoy/tls", dir)))
	}
	return dir
}

// envoyTLS starts an Envoy in front of w from deploy/envoy with TLS, and returns its ports.
func (w *world) envoyTLS(t *testing.T, gateway *demo.GatewayTLS, clients *demo.ClientTLS, changes ...change) demo.Ports {
	t.Helper()
	ports, err := demo.FreePorts()
	if err != nil {
		t.Fatal(err)
	}
	b, err := demo.EnvoyConfig(w.Layout, ports, gateway, clients)
	if err != nil {
		t.Fatal(err)
	}
	config := string(b)
	for _, c := range append(changes, replace(w.EnvoyAccessLog(), filepath.Join(t.TempDir(), "access.jsonl"))) {
		if !c.old.MatchString(config) {
			t.Fatalf("Envoy's config has no %s to change", c.old)
		}
		config = c.old.ReplaceAllString(config, c.new)
	}
	startEnvoy(t, config, ports)
	return ports
}

// envoy starts an Envoy that asks over TCP as p, and trusts a. It returns its URL and the folder of its files.
func (w overTCP) envoy(t *testing.T, p pki.Pair, a *pki.Authority, changes ...change) (url, dir string) {
	t.Helper()
	dir = sds(t)
	pki.Put(t, dir+"/envoy.key", p.Key)
	pki.Put(t, dir+"/envoy.pem", p.Certificate)
	pki.Put(t, dir+"/gateway-trust.pem", a.PEM)
	ports := w.envoyTLS(t, &demo.GatewayTLS{Dir: dir, Address: "127.0.0.1", Port: w.port, Peer: gatewayID}, nil, changes...)
	return w.url(ports.Storage), dir
}

func TestOverTCPOnlyEnvoyIsAnsweredAndEnvoyTakesOnlyTheGatewaysWord(t *testing.T) {
	t.Parallel()
	w := newOverTCP(t)
	a, other := w.authority, pki.New(t, "other")
	good, _ := w.envoy(t, a.Issue(t, envoyID), a)
	for range 3 {
		w.check(t, ask(t, good, w.authorized(t, samReads)), served)
		w.check(t, ask(t, good, w.authorized(t, request{who: "uma", method: http.MethodGet, path: welcome})), belowPlans)
	}
	for what, c := range map[string]struct {
		envoy   pki.Pair
		trusts  *pki.Authority
		changes []change
	}{
		"another SPIFFE id":                            {a.Issue(t, "spiffe://example.org/other"), a, nil},
		"no certificate":                               {a.Issue(t, envoyID), a, []change{{regexp.MustCompile(`          tls_certificate_sds_secret_configs:\n.*\n`), ""}}},
		"an expired certificate":                       {a.Issue(t, envoyID, pki.Expired), a, nil},
		"a certificate of another authority":           {other.Issue(t, envoyID), a, nil},
		"a certificate for servers":                    {a.Issue(t, envoyID, func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[:1] }), a, nil},
		"TLS 1.2":                                      {a.Issue(t, envoyID), a, []change{replace("minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3", "minimum_protocol_version: TLSv1_2, tls_maximum_protocol_version: TLSv1_2")}},
		"a gateway of an authority that it trusts not": {a.Issue(t, envoyID), other, nil},
		"a gateway of another SPIFFE id":               {a.Issue(t, envoyID), a, []change{replace(gatewayID, gatewayID+"-2")}},
	} {
		url, _ := w.envoy(t, c.envoy, c.trusts, c.changes...)
		for range 2 {
			if a := ask(t, url, w.authorized(t, samReads)); a.status != http.StatusServiceUnavailable || a.decision() != "" {
				t.Errorf("%s: %d, decision %q; want 503 and none", what, a.status, a.decision())
			}
		}
	}
	if err := w.settle(); err != nil {
		t.Error(err)
	}
}

func TestCertificatesOfBothSidesAreReplacedUnderLoadWithoutALostRequest(t *testing.T) {
	t.Parallel()
	w := newOverTCP(t)
	next := pki.New(t, "next authority")
	url, dir := w.envoy(t, w.authority.Issue(t, envoyID), w.authority)
	envoyShows := func(p pki.Pair) {
		pki.Put(t, dir+"/envoy.key", p.Key)
		pki.Put(t, dir+"/envoy.pem", p.Certificate)
	}
	trusts := func(pem ...[]byte) {
		var all []byte
		for _, p := range pem {
			all = append(all, p...)
		}
		pki.Put(t, w.dir+"/trust.pem", all)
		pki.Put(t, dir+"/gateway-trust.pem", all)
	}

	ctx, stop := context.WithCancel(t.Context())
	token := w.token(t, "sam")
	var clients sync.WaitGroup
	var answers atomic.Int64
	for range 2 {
		clients.Go(func() {
			for ctx.Err() == nil {
				req, err := http.NewRequest(http.MethodGet, url+welcome, nil)
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Authorization", "Bearer "+token)
				a, err := do(client, req)
				if err != nil || a.status != http.StatusOK {
					t.Errorf("after %d answers: %d, decision %q, %v", answers.Load(), a.status, a.decision(), err)
					return
				}
				answers.Add(1)
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	// A connection lives for 10 s, so each state but the short ones is met by a handshake.
	const long, short = 12 * time.Second, 2 * time.Second
	for _, step := range []struct {
		what string
		do   func()
		wait time.Duration
	}{
		{"new certificates of the same authority", func() { w.show(t, w.authority.Issue(t, gatewayID)); envoyShows(w.authority.Issue(t, envoyID)) }, long},
		{"files that are no certificates", func() { pki.Put(t, w.dir+"/gateway.pem", []byte("broken")) }, short},
		{"both authorities", func() { trusts(w.authority.PEM, next.PEM) }, 0},
		{"certificates of the next authority", func() { w.show(t, next.Issue(t, gatewayID)); envoyShows(next.Issue(t, envoyID)) }, long},
		{"the next authority alone", func() { trusts(next.PEM) }, long},
	} {
		before := answers.Load()
		step.do()
		time.Sleep(step.wait)
		t.Logf("%s: %d answers", step.what, answers.Load()-before)
	}
	// Now the certificates of the first authority are of no use, on either side.
	stop()
	clients.Wait()
	if n := answers.Load(); n < 500 {
		t.Errorf("%d answers in all, want a load", n)
	}
	old, _ := w.envoy(t, w.authority.Issue(t, envoyID), next)
	if a := ask(t, old, w.authorized(t, samReads)); a.status != http.StatusServiceUnavailable {
		t.Errorf("an Envoy of the authority that is gone gets %d", a.status)
	}
	w.check(t, ask(t, url, w.authorized(t, samReads)), served)
	said := w.get(t, w.ports.HTTP, "/metrics").body
	for _, series := range []string{`sallyport_tls_reloads_total\{result="activated"\} [1-9]`, `sallyport_tls_reloads_total\{result="refused"\} [1-9]`,
		`sallyport_tls_files_stale 0`, `sallyport_tls_refused_connections_total [1-9]`, `sallyport_tls_certificate_expires_seconds [1-9]`} {
		if !regexp.MustCompile(series).MatchString(said) {
			t.Errorf("/metrics has no %s", series)
		}
	}
}
