package service

import (
	"sync"
	"time"
)

// replay remembers the ids of grants until they would be refused as expired anyway.
type replay struct {
	mu    sync.Mutex // guards seen and queue
	limit int
	seen  map[string]bool
	queue []taken // in the order of taking; ends differ by no more than a life, so what ended may stay that much longer
}

type taken struct {
	id   string
	ends time.Time
}

func newReplay(limit int) *replay { return &replay{limit: limit, seen: map[string]bool{}} }

// take remembers id until ends, or refuses it.
func (r *replay) take(id string, ends, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.queue) > 0 && !now.Before(r.queue[0].ends) {
		delete(r.seen, r.queue[0].id)
		r.queue = r.queue[1:]
	}
	if r.seen[id] {
		return refuse(Replayed, "it was taken before")
	}
	if len(r.queue) >= r.limit {
		return refuse(Full, "too many grants were taken in a short time")
	}
	r.seen[id] = true
	r.queue = append(r.queue, taken{id, ends})
	return nil
}
