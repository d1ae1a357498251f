package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// KeysConfig says how issuers' keys are fetched and how long they are good for. Zero values are replaced by the defaults named.
type KeysConfig struct {
	Transport  http.RoundTripper // own transport without proxy, cookies or compression
	Refresh    time.Duration     // 5 min: between two fetches of one issuer
	MinRefresh time.Duration     // 30 s: least time between a fetch and one asked for by an unknown kid
	MaxStale   time.Duration     // 24 h: how long the last good set is used while the issuer can't be reached
	Now        func() time.Time  // time.Now
	Logger     *slog.Logger      // none
}

const (
	fetchTimeout = 5 * time.Second
	firstRetry   = 250 * time.Millisecond
)

// Keys holds the key sets of all issuers. It outlives generations: a bundle that changes a label must not forget keys. Each set has
// one goroutine that fetches; no request ever waits for one.
type Keys struct {
	config KeysConfig
	client *http.Client
	ctx    context.Context
	stop   context.CancelFunc
	fetch  sync.WaitGroup
	stats  stats
	nonces nonces

	mu     sync.Mutex // guards sets, proofs and closed
	sets   map[source]*keySet
	proofs map[string]*proofs // by issuer id; they outlive its sets, or a bundle that moves a set would let proofs be used again
	closed bool
}

// source is what a set of keys is known by: with another URI or other algorithms it is another set.
type source struct {
	issuer, uri string
	algorithms  string
	pinned      string // the set itself, where the bundle has it
	authorities string // of the server, where the bundle has them
}

// NewKeys returns an empty collection; New fills it.
func NewKeys(c KeysConfig) *Keys {
	if c.Transport == nil {
		c.Transport = newTransport(nil)
	}
	if c.Refresh <= 0 {
		c.Refresh = 5 * time.Minute
	}
	if c.MinRefresh <= 0 {
		c.MinRefresh = 30 * time.Second
	}
	if c.MaxStale <= 0 {
		c.MaxStale = 24 * time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(context.Background())
	return &Keys{
		config: c, ctx: ctx, stop: stop, sets: map[source]*keySet{}, proofs: map[string]*proofs{}, nonces: newNonces(),
		client: newClient(c.Transport),
	}
}

// newTransport takes servers by roots, nil is the machine's.
func newTransport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: fetchTimeout}).DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    fetchTimeout,
		MaxResponseHeaderBytes: 16 << 10,
		DisableCompression:     true,
		DisableKeepAlives:      true, // one request in minutes
		ForceAttemptHTTP2:      true,
	}
}

func newClient(t http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: t,
		Timeout:   fetchTimeout,
		// A redirect would let one host choose another's keys.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// set returns the key set of an issuer. It starts to fetch one that is new, unless the bundle pins its keys.
func (k *Keys) set(i *issuer) *keySet {
	algorithms := slices.Sorted(slices.Values(i.entry.Algorithms))
	src := source{i.id, i.entry.JWKSURI, strings.Join(algorithms, " "), string(i.entry.JWKS), strings.Join(i.entry.JWKSAuthorities, "")}
	k.mu.Lock()
	defer k.mu.Unlock()
	if s, ok := k.sets[src]; ok {
		return s
	}
	if k.proofs[i.id] == nil {
		k.proofs[i.id] = &proofs{}
	}
	ctx, stop := context.WithCancel(k.ctx)
	s := &keySet{
		issuer: i.id, uri: src.uri, algorithms: algorithms, keys: k, since: k.config.Now(),
		wanted: make(chan struct{}, 1), slots: newSlots(), proofs: k.proofs[i.id], stop: stop, pinned: i.pinned != nil,
		client: k.client,
	}
	if i.roots != nil {
		s.client = newClient(newTransport(i.roots))
	}
	s.failure.Store(&failure{errors.New("not fetched yet")})
	if k.closed {
		return s
	}
	k.sets[src] = s
	if s.pinned {
		s.good.Store(&fetched{keys: i.pinned, at: s.since, generation: 1})
		return s
	}
	k.fetch.Go(func() { s.run(ctx) })
	return s
}

// Use is called when v's generation becomes the one in use: sets of issuers that v does not name are no longer fetched, nor
// counted in Ready and Ages. Requests that still run with the generation before end with the keys it had.
func (k *Keys) Use(v *Verifier) {
	used := map[*keySet]bool{}
	for _, i := range v.issuers {
		used[i.keys] = true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	maps.DeleteFunc(k.sets, func(_ source, s *keySet) bool {
		if !used[s] {
			s.stop()
		}
		return !used[s]
	})
}

// Ready returns nil when every issuer has keys that can be used now; else it says which has none and why.
func (k *Keys) Ready() error {
	var missing []string
	for _, s := range k.all() {
		if s.current() == nil {
			missing = append(missing, fmt.Sprintf("issuer %s: no usable keys from %s: %v", s.issuer, s.uri, s.failure.Load().err))
		}
	}
	if missing == nil {
		return nil
	}
	slices.Sort(missing)
	return errors.New(strings.Join(missing, "; "))
}

// KeyState is what is known of the keys of one issuer.
type KeyState struct {
	Age     time.Duration // since they were fetched; of an issuer that never answered, since it was first asked; 0 of pinned ones
	Usable  int           // that verify tokens now
	Refused int           // that the issuer publishes and that are left out: hostile, or of a kind that is not used
	Fetches uint64        // attempts
	Failed  uint64        // of those
}

// States returns the state of each issuer's keys, by its id.
func (k *Keys) States() map[string]KeyState {
	states := map[string]KeyState{}
	for _, s := range k.all() {
		state := states[s.issuer]
		state.Fetches += s.fetches.Load()
		state.Failed += s.failed.Load()
		if f := s.good.Load(); f != nil {
			state.Refused += f.refused
		}
		if f := s.current(); f != nil {
			state.Usable += len(f.keys)
		}
		if !s.pinned {
			state.Age = max(state.Age, s.age())
		}
		states[s.issuer] = state
	}
	return states
}

// KeysAge returns how long ago the keys were fetched that verify the tokens of an iss; false if it is no issuer, or a
// trust domain, which signs no tokens.
func (v *Verifier) KeysAge(iss string) (time.Duration, bool) {
	i, known := v.issuers[iss]
	if !known || i.keys == nil {
		return 0, false
	}
	return i.keys.age(), true
}

// Remembered returns how many requests came with a token that was remembered and how many with one that was not.
func (k *Keys) Remembered() (hits, misses uint64) { return k.stats.hits.Load(), k.stats.misses.Load() }

func (k *Keys) all() []*keySet {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Collect(maps.Values(k.sets))
}

// Close ends all fetching and returns when it has ended. Sets that are held can still be used until they are stale.
func (k *Keys) Close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.stop()
	k.fetch.Wait()
	k.client.CloseIdleConnections()
}
