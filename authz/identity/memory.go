package identity

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxMemory     = 64 << 20        // of one generation's tokens
	maxRemembered = 5 * time.Minute // after that a token is proven anew
	shards        = 16
)

// memory holds tokens that were proven, so that the next request with one does not pay for its signature again. It never holds a
// token that was refused: garbage is endless, and would push out what is good.
//
// A token is found only by all of its bytes. They are kept as what is signed and the signature, because of one ECDSA signature
// (r, s) anybody can make the second, (r, n−s): both spellings share one place, so one token never takes two.
type memory struct {
	seed   maphash.Seed
	shards [shards]shard
}

// shard keeps its tokens in two halves. New ones go to young; when that is full it becomes old, and what was old is forgotten. A
// token that is found in old moves to young, so those in use stay.
type shard struct {
	mu         sync.Mutex // guards what follows
	young, old map[string]remembered
	size, most int // bytes of young, and at how many it is full
}

type remembered struct {
	signature string
	token     *verified
}

func newMemory(bytes int) *memory {
	m := &memory{seed: maphash.MakeSeed()}
	for i := range m.shards {
		m.shards[i] = shard{young: map[string]remembered{}, most: bytes / shards / 2}
	}
	return m
}

func (m *memory) find(compact string) (s *shard, signed, signature string) {
	dot := max(strings.LastIndexByte(compact, '.'), 0)
	signed, signature = compact[:dot], compact[dot:]
	return &m.shards[maphash.String(m.seed, signed)%shards], signed, signature
}

func (m *memory) get(compact string) (*verified, bool) {
	s, signed, signature := m.find(compact)
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.young[signed]
	if !ok {
		if r, ok = s.old[signed]; ok && r.signature == signature {
			s.put(signed, r)
		}
	}
	if !ok || r.signature != signature {
		return nil, false
	}
	return r.token, true
}

func (m *memory) put(compact string, t *verified) {
	s, signed, signature := m.find(compact)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(signed, remembered{strings.Clone(signature), t})
}

func (s *shard) put(signed string, r remembered) {
	if _, ok := s.young[signed]; ok {
		s.young[signed] = r
		return
	}
	cost := r.token.cost(signed)
	if s.size += cost; s.size > s.most {
		s.old, s.young, s.size = s.young, map[string]remembered{}, cost
	}
	s.young[strings.Clone(signed)] = r // a clone, or the rest of the request would stay with it
}

// cost is no less than what a token takes: itself, its claims as evidence, and the subject made of them, in which a few words of a
// token become clearances and cuts.
func (t *verified) cost(signed string) int {
	p := t.subject.Properties
	return 2<<10 + 8*len(signed) + (len(p.Clearances)+len(p.Cut))<<10
}

// stats are counters that outlive generations.
type stats struct{ hits, misses atomic.Uint64 }

func (s *stats) count(hit bool) {
	if hit {
		s.hits.Add(1)
	} else {
		s.misses.Add(1)
	}
}
