package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
}

// NewKeys returns an empty collection; New fills it.
func NewKeys(c KeysConfig) *Keys {
	if c.Transport == nil {
		c.Transport = &http.Transport{
			DialContext:            (&net.Dialer{Timeout: fetchTimeout}).DialContext,
			TLSHandshakeTimeout:    fetchTimeout,
			MaxResponseHeaderBytes: 16 << 10,
			DisableCompression:     true,
			DisableKeepAlives:      true, // one request in minutes
			ForceAttemptHTTP2:      true,
		}
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
		client: &http.Client{
			Transport: c.Transport,
			Timeout:   fetchTimeout,
			// A redirect would let one host choose another's keys.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// set returns the key set of an issuer. It starts to fetch one that is new, unless the bundle pins its keys.
func (k *Keys) set(i *issuer) *keySet {
	algorithms := slices.Sorted(slices.Values(i.entry.Algorithms))
	src := source{i.id, i.entry.JWKSURI, strings.Join(algorithms, " "), string(i.entry.JWKS)}
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

// keySet is one issuer's keys.
type keySet struct {
	issuer     string
	uri        string
	algorithms []string
	keys       *Keys
	since      time.Time
	stop       context.CancelFunc
	wanted     chan struct{} // of one: somebody asked for a kid that is not there
	slots      slots
	proofs     *proofs
	pinned     bool // the bundle has the keys: they are never fetched and never stale

	fetches, failed atomic.Uint64
	good            atomic.Pointer[fetched]
	failure         atomic.Pointer[failure] // why there are no keys; of no meaning while there are
}

// fetched is an immutable set and when it came. Its generation is another whenever a key is another, is new or has gone.
type fetched struct {
	keys       map[string]key
	refused    int // keys beside them that were left out
	at         time.Time
	generation uint64 // from 1
}

type failure struct{ err error }

// key returns the key of kid and its generation, without ever waiting. A kid that is not there asks the fetcher to look again, so
// after a rotation a later request finds it.
func (s *keySet) key(kid string) (key, uint64, error) {
	f := s.current()
	if f != nil {
		if k, ok := f.keys[kid]; ok {
			return k, f.generation, nil
		}
	}
	select {
	case s.wanted <- struct{}{}:
	default: // asked already
	}
	if f == nil {
		return key{}, 0, errors.New("no current keys of this issuer")
	}
	return key{}, 0, errors.New("unknown kid")
}

// generation returns that of the current keys, 0 if there are none.
func (s *keySet) generation() uint64 {
	if f := s.current(); f != nil {
		return f.generation
	}
	return 0
}

// current returns the last good keys, nil if there are none or they are stale.
func (s *keySet) current() *fetched {
	f := s.good.Load()
	if f == nil || len(f.keys) == 0 || !s.pinned && s.age() > s.keys.config.MaxStale {
		return nil
	}
	return f
}

// age is by the wall clock, since the monotonic one stands still while a machine sleeps. A clock that was set back makes an age
// that nobody knows: the oldest.
func (s *keySet) age() time.Duration {
	at := s.since
	if f := s.good.Load(); f != nil {
		at = f.at
	}
	age := s.keys.config.Now().Round(0).Sub(at.Round(0))
	if age < -maxSkew {
		return 1<<63 - 1
	}
	return max(age, 0)
}

// run fetches until ctx ends: after Refresh, sooner after a failure or when an unknown kid was seen.
func (s *keySet) run(ctx context.Context) {
	c := s.keys.config
	retry := firstRetry
	for {
		wait := c.Refresh
		s.fetches.Add(1)
		if err := s.refresh(ctx); err != nil {
			if ctx.Err() != nil {
				return
			}
			s.failed.Add(1)
			c.Logger.Warn("issuer keys not fetched", "issuer", s.issuer, "uri", s.uri, "error", err)
			s.failure.Store(&failure{err})
			wait, retry = min(retry, c.Refresh), min(2*retry, c.Refresh)
		} else {
			retry = firstRetry
		}
		due := time.NewTimer(wait)
		asked := time.After(c.MinRefresh)
		for open := (<-chan struct{})(nil); ; {
			select {
			case <-ctx.Done():
				due.Stop()
				return
			case <-asked:
				open = s.wanted // from now on an unknown kid counts, also one that was seen before
				continue
			case <-open:
				due.Stop()
			case <-due.C:
			}
			break
		}
	}
}

// refresh replaces the keys by those that the issuer publishes now. A set that can be read counts, also if it holds nothing that
// can be used: an issuer that withdraws its keys means it.
func (s *keySet) refresh(ctx context.Context) error {
	body, err := s.get(ctx)
	if err != nil {
		return err
	}
	keys, refused, err := parseJWKS(body, s.algorithms)
	if err != nil {
		return err
	}
	why := strings.Join(refused, "; ")
	if last := s.failure.Load(); why != "" && why != last.err.Error() {
		s.keys.config.Logger.Warn("issuer publishes keys that are not used", "issuer", s.issuer, "uri", s.uri, "keys", why)
	}
	if why == "" {
		why = "the set is empty"
	}
	s.failure.Store(&failure{errors.New(why)})
	now := &fetched{keys, len(refused), s.keys.config.Now(), 1}
	if last := s.good.Load(); last != nil {
		now.generation = last.generation
		if !maps.EqualFunc(last.keys, keys, key.equal) {
			now.generation++
		}
	}
	s.good.Store(now)
	return nil
}

func (s *keySet) get(ctx context.Context) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.uri, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := s.keys.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d, want 200 (redirects are not followed)", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxJWKS+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxJWKS {
		return nil, fmt.Errorf("longer than %d bytes", maxJWKS)
	}
	return body, nil
}
