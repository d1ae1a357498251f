package audit

import (
	"fmt"

	"github.com/sallyport-dev/sallyport/authz"
)

// Counts sums up records. A decision that is in several logs is counted once; a decision of several lines is one record.
type Counts struct {
	Decisions uint64            `json:"decisions"`
	Allows    uint64            `json:"allows"`
	Denies    uint64            `json:"denies"`
	Counted   uint64            `json:"counted"` // denials in flood records
	Subjects  int               `json:"subjects"`
	Logs      map[string]uint64 `json:"logs"`    // records by log
	Types     map[string]uint64 `json:"types"`   // records by type
	Reasons   map[string]uint64 `json:"reasons"` // decisions that deny, by root cause

	seen     map[string]bool
	subjects map[string]bool
}

// NewCounts returns counts of nothing.
func NewCounts() *Counts {
	return &Counts{Logs: map[string]uint64{}, Types: map[string]uint64{}, Reasons: map[string]uint64{}, seen: map[string]bool{}, subjects: map[string]bool{}}
}

// Add counts one line of a log.
func (c *Counts) Add(log string, r authz.Record) {
	if r.Part != nil && r.Part[0] != r.Part[1] {
		return // counted with its last line
	}
	c.Logs[log]++
	c.Types[r.Type]++
	if r.Type == typeFlood {
		var n uint64
		if _, err := fmt.Sscan(r.Fields["records"], &n); err == nil {
			c.Counted += n
		}
	}
	if r.Subject != nil {
		c.subjects[r.Subject.ID] = true
		c.Subjects = len(c.subjects)
	}
	if r.Type != typeDecision || c.seen[r.DecisionID] {
		return
	}
	c.seen[r.DecisionID] = true
	c.Decisions++
	if r.Allow {
		c.Allows++
		return
	}
	c.Denies++
	for _, id := range r.Reasons {
		c.Reasons[string(id)]++
	}
}
