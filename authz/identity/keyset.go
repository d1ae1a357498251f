package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// keySet is one issuer's keys.
type keySet struct {
	issuer     string
	uri        string
	algorithms []string
	keys       *Keys
	since      time.Time
	stop       context.CancelFunc
	client     *http.Client
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
	resp, err := s.client.Do(req)
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
