package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/sallyport-dev/sallyport/conformance/pki"
	"github.com/sallyport-dev/sallyport/gateway/config"
)

const (
	envoyID   = "spiffe://example.org/envoy"
	gatewayID = "spiffe://example.org/sallyport"
)

// tlsFiles are good files of a gateway in a folder of their own.
func tlsFiles(t *testing.T, a *pki.Authority) config.TLS {
	t.Helper()
	dir := t.TempDir()
	c := config.TLS{CertificateFile: dir + "/cert.pem", KeyFile: dir + "/key.pem", TrustFile: dir + "/trust.pem", Peer: envoyID}
	p := a.Issue(t, gatewayID)
	pki.Put(t, c.CertificateFile, p.Certificate)
	pki.Put(t, c.KeyFile, p.Key)
	pki.Put(t, c.TrustFile, a.PEM)
	return c
}

func openTLS(t *testing.T, c config.TLS, logger *slog.Logger) *TLS {
	t.Helper()
	s, err := OpenTLS(TLSConfig{TLS: c, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// secured is a gateway in Serve that is asked over TCP.
func secured(t *testing.T, c config.TLS, log *logged) (served, *TLS, string) {
	t.Helper()
	s := openTLS(t, c, slog.New(slog.NewJSONHandler(log, nil)))
	g := start(t, world, func(c *Config) { c.TLS = s })
	checks, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, checks, web, mark, time.Second) }()
	run := served{gateway: g, http: "http://" + web.Addr().String(), stop: stop, ended: ended}
	t.Cleanup(func() {
		if err, _ := run.end(t); err != nil {
			t.Error(err)
		}
	})
	return run, s, checks.Addr().String()
}

// logged is a log that is written and read at the same time.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// asked returns what a fresh connection with those credentials is told about a request without a token.
func asked(t *testing.T, address string, c credentials.TransportCredentials) error {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(c))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = authv3.NewAuthorizationClient(conn).Check(ctx, ask("GET", plans, ""))
	return err
}

// as are the credentials of who holds those certificates and trusts a.
func as(a *pki.Authority, certificates ...tls.Certificate) credentials.TransportCredentials {
	return credentials.NewTLS(&tls.Config{RootCAs: a.Pool(), ServerName: "localhost", Certificates: certificates})
}

func TestOnlyEnvoyMayAskOverTCP(t *testing.T) {
	t.Parallel()
	a, stranger := pki.New(t, "authority"), pki.New(t, "stranger")
	log := &logged{}
	run, s, address := secured(t, tlsFiles(t, a), log)
	if err := asked(t, address, as(a, a.Issue(t, envoyID).TLS)); err != nil {
		t.Fatalf("Envoy: %v", err)
	}
	spiffe := func(id string) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			u, err := url.Parse(id)
			if err != nil {
				t.Fatal(err)
			}
			c.URIs = append(c.URIs, u)
		}
	}
	old := credentials.NewTLS(&tls.Config{RootCAs: a.Pool(), ServerName: "localhost", MaxVersion: tls.VersionTLS12,
		Certificates: []tls.Certificate{a.Issue(t, envoyID).TLS}})
	refused := 0
	for name, c := range map[string]credentials.TransportCredentials{
		"no certificate":                     as(a),
		"another SPIFFE id":                  as(a, a.Issue(t, "spiffe://example.org/other").TLS),
		"a longer SPIFFE id":                 as(a, a.Issue(t, envoyID+"/").TLS),
		"a SPIFFE id in capitals":            as(a, a.Issue(t, "spiffe://example.org/Envoy").TLS),
		"another trust domain":               as(a, a.Issue(t, "spiffe://example.com/envoy").TLS),
		"two SPIFFE ids":                     as(a, a.Issue(t, envoyID, spiffe("spiffe://example.org/other")).TLS),
		"no SPIFFE id":                       as(a, a.Issue(t, envoyID, func(c *x509.Certificate) { c.URIs = nil }).TLS),
		"the id as a DNS name":               as(a, a.Issue(t, envoyID, func(c *x509.Certificate) { c.URIs, c.DNSNames = nil, []string{envoyID} }).TLS),
		"an expired certificate":             as(a, a.Issue(t, envoyID, pki.Expired).TLS),
		"a certificate of tomorrow":          as(a, a.Issue(t, envoyID, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }).TLS),
		"a certificate for servers":          as(a, a.Issue(t, envoyID, func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[:1] }).TLS),
		"a certificate of another authority": as(a, stranger.Issue(t, envoyID).TLS),
		"TLS 1.2":                            old,
		"no TLS":                             insecure.NewCredentials(),
	} {
		if err := asked(t, address, c); err == nil {
			t.Errorf("%s: it is answered", name)
		}
		refused++
	}
	eventually(t, "every refusal to be counted", func() bool { return s.Stats().Strangers >= uint64(refused) })
	if !strings.Contains(log.String(), `"msg":"connection refused: not Envoy"`) {
		t.Errorf("the log does not tell of strangers:\n%s", log)
	}
	if records := run.decisions(t); len(records["gateway"]) != 1 {
		t.Errorf("%d decisions were recorded, want only Envoy's", len(records["gateway"]))
	}
}

func TestFilesThatCantBeUsedDoNotOpenTheListener(t *testing.T) {
	t.Parallel()
	a := pki.New(t, "authority")
	for name, c := range map[string]struct {
		edit func(t *testing.T, c config.TLS)
		want string
	}{
		"no certificate":             {func(t *testing.T, c config.TLS) { os.Remove(c.CertificateFile) }, "listen.tls.certificate_file: there is no file"},
		"no key":                     {func(t *testing.T, c config.TLS) { os.Remove(c.KeyFile) }, "listen.tls.key_file: there is no file"},
		"no authorities":             {func(t *testing.T, c config.TLS) { os.Remove(c.TrustFile) }, "listen.tls.trust_file: there is no file"},
		"a key that others can read": {func(t *testing.T, c config.TLS) { os.Chmod(c.KeyFile, 0o644) }, "so others can read or change the secret"},
		"another's key":              {func(t *testing.T, c config.TLS) { pki.Put(t, c.KeyFile, a.Issue(t, gatewayID).Key) }, "private key does not match public key"},
		"an empty certificate":       {func(t *testing.T, c config.TLS) { pki.Put(t, c.CertificateFile, nil) }, "failed to find any PEM data"},
		"an expired certificate":     {put(a, pki.Expired), "which is not now: renew it"},
		"a certificate for clients": {put(a, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }),
			"is not for servers (extended key usage)"},
		"no authority in the file":      {func(t *testing.T, c config.TLS) { pki.Put(t, c.TrustFile, []byte("\n")) }, "holds no certificate"},
		"words among the authorities":   {func(t *testing.T, c config.TLS) { pki.Put(t, c.TrustFile, append(a.PEM, "more"...)) }, "holds something that is no certificate"},
		"a certificate of no authority": {func(t *testing.T, c config.TLS) { pki.Put(t, c.TrustFile, a.Issue(t, envoyID).Certificate) }, "is of no authority"},
		"a key among the authorities":   {func(t *testing.T, c config.TLS) { pki.Put(t, c.TrustFile, a.Issue(t, envoyID).Key) }, "holds something that is no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := tlsFiles(t, a)
			c.edit(t, files)
			s, err := OpenTLS(TLSConfig{TLS: files, Logger: slog.New(slog.DiscardHandler)})
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want …%s…", err, c.want)
			}
		})
	}
}

func put(a *pki.Authority, edits ...func(*x509.Certificate)) func(*testing.T, config.TLS) {
	return func(t *testing.T, c config.TLS) {
		p := a.Issue(t, gatewayID, edits...)
		pki.Put(t, c.KeyFile, p.Key)
		pki.Put(t, c.CertificateFile, p.Certificate)
	}
}

func TestNewFilesServeTheNextHandshakeAndBadOnesChangeNothing(t *testing.T) {
	t.Parallel()
	a, next := pki.New(t, "authority"), pki.New(t, "next authority")
	files, log := tlsFiles(t, a), &logged{}
	run, s, address := secured(t, files, log)
	oldEnvoy, newEnvoy := a.Issue(t, envoyID).TLS, next.Issue(t, envoyID).TLS

	// One client asks on one connection all the time: nothing below may cost it an answer. It trusts both authorities.
	both := a.Pool()
	both.AppendCertsFromPEM(next.PEM)
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		RootCAs: both, ServerName: "localhost", Certificates: []tls.Certificate{oldEnvoy}})))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, stop := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	var answers atomic.Int64
	asking.Go(func() {
		for ctx.Err() == nil {
			if _, err := authv3.NewAuthorizationClient(conn).Check(ctx, ask("GET", plans, "")); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
			answers.Add(1)
		}
	})

	status := func() (Status, int) {
		resp, err := http.Get(run.http + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var st Status
		if err := json.NewDecoder(resp.Body).Decode(&st); err != nil {
			t.Fatal(err)
		}
		return st, resp.StatusCode
	}
	pki.Put(t, files.TrustFile, []byte("broken"))
	eventually(t, "the broken file to be seen", func() bool { return s.Stats().Stale })
	if st, code := status(); code != http.StatusOK || !strings.Contains(st.Checks["tls"], "holds something that is no certificate in PEM") {
		t.Errorf("with a broken file: %d, %q; want ready, and the problem", code, st.Checks["tls"])
	}
	if err := asked(t, address, as(a, oldEnvoy)); err != nil {
		t.Errorf("with a broken file Envoy is refused: %v", err)
	}

	// The other authority comes, then the gateway's certificate of it, then the old one goes.
	before := s.Stats().Reloaded
	pki.Put(t, files.TrustFile, append(bytes.Clone(a.PEM), next.PEM...))
	eventually(t, "both authorities", func() bool { return s.Stats().Reloaded == before+1 })
	for name, c := range map[string]tls.Certificate{"old": oldEnvoy, "new": newEnvoy} {
		if err := asked(t, address, as(a, c)); err != nil {
			t.Errorf("with both authorities, %s Envoy: %v", name, err)
		}
	}
	put(next)(t, files)
	eventually(t, "the new certificate", func() bool { return asked(t, address, as(next, newEnvoy)) == nil })
	if err := asked(t, address, as(a, oldEnvoy)); err == nil {
		t.Error("the gateway still shows its old certificate")
	}
	stop()
	asking.Wait()
	pki.Put(t, files.TrustFile, next.PEM)
	eventually(t, "the old authority to be gone", func() bool { return asked(t, address, as(next, oldEnvoy)) != nil })
	if err := asked(t, address, as(next, newEnvoy)); err != nil {
		t.Errorf("new Envoy: %v", err)
	}
	if st, code := status(); code != http.StatusOK || st.Checks["tls"] != "ok" {
		t.Errorf("at the end: %d, %q", code, st.Checks["tls"])
	}
	if answers.Load() == 0 {
		t.Error("the client on its one connection got no answer")
	}
	if got := strings.Count(log.String(), "TLS files can't be used"); got < 1 {
		t.Errorf("the log tells %d times of files that can't be used:\n%s", got, log)
	}
}

func TestACertificateThatEndsMakesTheGatewayNotReady(t *testing.T) {
	t.Parallel()
	a := pki.New(t, "authority")
	files := tlsFiles(t, a)
	put(a, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(3 * time.Second) })(t, files)
	s := openTLS(t, files, slog.New(slog.DiscardHandler))
	if says, ready := s.status(); says != "ok" || !ready {
		t.Fatalf("before its end: %q, %v", says, ready)
	}
	eventually(t, "the end", func() bool { _, ready := s.status(); return !ready })
	if says, _ := s.status(); !strings.HasPrefix(says, "the certificate ended ") {
		t.Errorf("says %q", says)
	}
	put(a)(t, files)
	eventually(t, "a new one", func() bool { says, ready := s.status(); return says == "ok" && ready })
}

// A connection outlives the proof that opened it by tlsAge at most, so it is asked to go, in order, by then.
func TestAConnectionEndsInOrderAndItsPeerMustProveItselfAgain(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes as long as a connection lives")
	}
	a := pki.New(t, "authority")
	_, _, address := secured(t, tlsFiles(t, a), &logged{})
	var dials atomic.Int64
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(as(a, a.Issue(t, envoyID).TLS)),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			dials.Add(1)
			return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := authv3.NewAuthorizationClient(conn)
	for end := time.Now().Add(2 * tlsAge); dials.Load() < 2; time.Sleep(10 * time.Millisecond) {
		if _, err := client.Check(t.Context(), ask("GET", plans, "")); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatalf("the connection has lived for %v", 2*tlsAge)
		}
	}
	if d := cmp.Diff(int64(2), dials.Load()); d != "" {
		t.Error(d)
	}
}
