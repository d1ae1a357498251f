package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/sallyport-dev/sallyport/gateway/config"
	"github.com/sallyport-dev/sallyport/metrics"
)

const (
	tlsInterval  = time.Second      // between looks at the files
	tlsHandshake = 5 * time.Second  // for a stranger to prove who he is
	tlsAge       = 10 * time.Second // of a connection, after which its peer must prove itself again
	tlsGrace     = 10 * time.Second // for the checks of a connection that is asked to go
)

// TLS is how Envoy and the gateway prove themselves to each other where they talk over TCP: TLS 1.3, a client certificate of one of
// the trusted authorities, and in it exactly Envoy's SPIFFE id.
//
// The files may be replaced at any time. They are read each second, and a set that is good as a whole serves every handshake from
// then on; one that is not changes nothing and is shown by the log, /readyz and a metric. A connection ends in order after tlsAge, so a
// certificate that has expired, or is of an authority no longer trusted, counts no longer than that.
type TLS struct {
	c      TLSConfig
	stop   context.CancelFunc
	watch  sync.WaitGroup
	state  atomic.Pointer[tlsState] // swapped whole, by watch alone
	counts struct{ reloaded, rejected, strangers atomic.Uint64 }
	said   atomic.Int64 // when a stranger was last told of, in Unix seconds
}

// TLSConfig names the files, all in PEM, and the peer. Peer is Envoy's SPIFFE id.
type TLSConfig struct {
	config.TLS
	Logger *slog.Logger
}

// tlsState is what serves handshakes, and what the files last held.
type tlsState struct {
	used *tls.Config
	leaf *x509.Certificate // of used
	seen [sha256.Size]byte // digest of the files when they were last read
	err  error             // why what was seen is not used; nil if it is
}

// OpenTLS reads the files, and looks at them each second until Close.
func OpenTLS(c TLSConfig) (*TLS, error) {
	t := &TLS{c: c}
	first := t.read()
	if first.err != nil {
		return nil, first.err
	}
	t.state.Store(first)
	ctx, stop := context.WithCancel(context.Background())
	t.stop = stop
	t.watch.Go(func() {
		tick := time.NewTicker(tlsInterval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				t.look()
			}
		}
	})
	return t, nil
}

// Close ends the looking.
func (t *TLS) Close() {
	t.stop()
	t.watch.Wait()
}

// look reads the files again, and takes them if they are good and new.
func (t *TLS) look() {
	last, next := t.state.Load(), t.read()
	switch {
	case next.err == nil && next.seen == last.seen && last.err == nil:
		return
	case next.err == nil:
		t.counts.reloaded.Add(1)
		t.c.Logger.Info("TLS files taken", "expires", next.leaf.NotAfter)
	default:
		if last.err == nil || last.err.Error() != next.err.Error() {
			t.counts.rejected.Add(1)
			t.c.Logger.Error("TLS files can't be used: those before them stay", "error", next.err, "expires", last.leaf.NotAfter)
		}
		next.used, next.leaf = last.used, last.leaf
	}
	t.state.Store(next)
}

// read makes a state of what the files hold now, with used and leaf only if all of it is good.
func (t *TLS) read() *tlsState {
	s := &tlsState{}
	chain, err := config.ReadPublic(t.c.CertificateFile)
	if err != nil {
		s.err = fmt.Errorf("listen.tls.certificate_file: %w", err)
		return s
	}
	key, err := config.ReadKeySet(t.c.KeyFile)
	if err != nil {
		s.err = fmt.Errorf("listen.tls.key_file: %w", err)
		return s
	}
	trust, err := config.ReadPublic(t.c.TrustFile)
	if err != nil {
		s.err = fmt.Errorf("listen.tls.trust_file: %w", err)
		return s
	}
	s.seen = sha256.Sum256(bytes.Join([][]byte{chain, key, trust}, []byte{0}))
	if s.used, s.leaf, s.err = t.config(chain, key, trust); s.err != nil {
		s.used, s.leaf = nil, nil
	}
	return s
}

func (t *TLS) config(chain, key, trust []byte) (*tls.Config, *x509.Certificate, error) {
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, nil, fmt.Errorf("listen.tls: %s and %s: %w", t.c.CertificateFile, t.c.KeyFile, err)
	}
	leaf, now := pair.Leaf, time.Now()
	switch {
	case now.After(leaf.NotAfter) || now.Before(leaf.NotBefore):
		return nil, nil, fmt.Errorf("listen.tls.certificate_file: %s holds from %s to %s, which is not now: renew it",
			t.c.CertificateFile, leaf.NotBefore.Format(time.RFC3339), leaf.NotAfter.Format(time.RFC3339))
	case len(leaf.ExtKeyUsage) > 0 && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny):
		return nil, nil, fmt.Errorf("listen.tls.certificate_file: %s is not for servers (extended key usage): issue one that is", t.c.CertificateFile)
	}
	authorities, err := authorities(trust)
	if err != nil {
		return nil, nil, fmt.Errorf("listen.tls.trust_file: %s: %w", t.c.TrustFile, err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    authorities,
		MinVersion:   tls.VersionTLS13,
		NextProtos:   []string{"h2"},
		// A resumed session would not be verified by the authorities of now.
		SessionTicketsDisabled: true,
		VerifyConnection:       t.isPeer,
	}, leaf, nil
}

// authorities reads a file that holds certificates of authorities and nothing else.
func authorities(text []byte) (*x509.CertPool, error) {
	pool, n := x509.NewCertPool(), 0
	for rest := bytes.TrimSpace(text); len(rest) > 0; rest = bytes.TrimSpace(rest) {
		block, after := pem.Decode(rest)
		if block == nil || block.Type != "CERTIFICATE" {
			return nil, errors.New("holds something that is no certificate in PEM: take it out")
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", n+1, err)
		}
		if !c.IsCA {
			return nil, fmt.Errorf("certificate %d, of %s, is of no authority: name those that sign Envoy's certificate", n+1, c.Subject)
		}
		pool.AddCert(c)
		n, rest = n+1, after
	}
	if n == 0 {
		return nil, errors.New("holds no certificate: name the authorities that sign Envoy's")
	}
	return pool, nil
}

// isPeer holds that a peer, whose certificate is verified, is Envoy. An X.509-SVID has exactly one URI.
func (t *TLS) isPeer(s tls.ConnectionState) error {
	leaf := s.PeerCertificates[0]
	if len(leaf.URIs) != 1 || leaf.URIs[0].String() != t.c.Peer {
		return fmt.Errorf("the client's certificate is of %v, want exactly %s", leaf.URIs, t.c.Peer)
	}
	return nil
}

// options are those of a gRPC server that only Envoy may ask.
func (t *TLS) options() []grpc.ServerOption {
	base := credentials.NewTLS(&tls.Config{
		MinVersion:         tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return t.state.Load().used, nil },
	})
	return []grpc.ServerOption{
		grpc.Creds(handshakes{base, t}),
		grpc.ConnectionTimeout(tlsHandshake),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: tlsAge, MaxConnectionAgeGrace: tlsGrace}),
	}
}

// handshakes counts those that fail, and tells of them, at most once a second: whoever reaches the port can make any number.
type handshakes struct {
	credentials.TransportCredentials
	of *TLS
}

// ServerHandshake implements credentials.TransportCredentials.
func (h handshakes) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secured, info, err := h.TransportCredentials.ServerHandshake(c)
	if err != nil {
		h.of.counts.strangers.Add(1)
		now := time.Now().Unix()
		if last := h.of.said.Load(); now != last && h.of.said.CompareAndSwap(last, now) {
			h.of.c.Logger.Warn("connection refused: not Envoy", "peer", c.RemoteAddr().String(), "error", err, "refused", h.of.counts.strangers.Load())
		}
	}
	return secured, info, err
}

// Clone implements credentials.TransportCredentials.
func (h handshakes) Clone() credentials.TransportCredentials {
	return handshakes{h.TransportCredentials.Clone(), h.of}
}

// status returns what /readyz says of the files, and whether handshakes can still succeed: a bad file is worth a look and no reason
// to turn Envoy away, until the certificate before it has ended.
func (t *TLS) status() (says string, ready bool) {
	s := t.state.Load()
	ready = time.Now().Before(s.leaf.NotAfter)
	switch {
	case !ready:
		says = "the certificate ended " + s.leaf.NotAfter.Format(time.RFC3339)
		if s.err != nil {
			says += ": " + s.err.Error()
		}
	case s.err != nil:
		says = fmt.Sprintf("%v; until %s the files before it are used", s.err, s.leaf.NotAfter.Format(time.RFC3339))
	default:
		says = "ok"
	}
	return says, ready
}

// Stats is what a scrape is told.
func (t *TLS) Stats() metrics.TLS {
	s := t.state.Load()
	return metrics.TLS{
		Expires: s.leaf.NotAfter, Stale: s.err != nil,
		Reloaded: t.counts.reloaded.Load(), Rejected: t.counts.rejected.Load(), Strangers: t.counts.strangers.Load(),
	}
}
