package jobs

import (
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"
)

// Status is what is told of a job: nothing that its module has chosen.
type Status struct {
	ID       string    `json:"id"`
	State    string    `json:"state"` // running, succeeded or failed
	Error    string    `json:"error,omitempty"`
	Started  time.Time `json:"started,omitzero"`
	Finished time.Time `json:"finished,omitzero"`
	Outputs  []string  `json:"outputs,omitempty"` // URIs of those that were put
}

// maxJobs is how many jobs are remembered; the ones that ended first are forgotten.
const maxJobs = 1024

// table has the states of jobs.
type table struct {
	mu      sync.Mutex // guards all below
	jobs    map[string]Status
	ended   []string // ids, in the order in which they ended
	running int
}

func newTable() *table { return &table{jobs: map[string]Status{}} }

// start makes a job in a queue, unless all slots are taken.
func (t *table) start(queue string, now time.Time) (Status, bool) {
	var random [16]byte
	rand.Read(random[:]) // never fails: see crypto/rand
	s := Status{ID: queue + "." + hex.EncodeToString(random[:]), State: "running", Started: now.UTC()}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running >= Slots {
		return Status{}, false
	}
	t.running++
	t.jobs[s.ID] = s
	return s, true
}

// finish ends a job and frees its slot.
func (t *table) finish(id string, outputs []string, err error, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.jobs[id]
	s.State, s.Finished, s.Outputs = "succeeded", now.UTC(), outputs
	if err != nil {
		s.State, s.Error = "failed", err.Error()
	}
	t.jobs[id] = s
	t.running--
	if t.ended = append(t.ended, id); len(t.ended) > maxJobs {
		delete(t.jobs, t.ended[0])
		t.ended = t.ended[1:]
	}
}

func (t *table) get(id string) (Status, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, ok := t.jobs[id]
	return s, ok
}
