package audit

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
)

// Counts sums up records. A decision that is in several logs is counted once; a decision of several lines is one record. What is about
// decisions is there after Sum. Memory is bounded by how many people and reasons there are, not by how many records.
type Counts struct {
	Decisions uint64            `json:"decisions"`
	Allows    uint64            `json:"allows"`
	Denies    uint64            `json:"denies"`
	Counted   uint64            `json:"counted"`  // denials in flood records
	Subjects  int               `json:"subjects"` // whose id is not masked
	Logs      map[string]uint64 `json:"logs"`     // records by log
	Types     map[string]uint64 `json:"types"`    // records by type
	Reasons   map[string]uint64 `json:"reasons"`  // decisions that deny, by root cause

	subjects map[string]bool
	facts    *sorter
	sets     []string       // of reasons, each joined
	numbers  map[string]int // of these
}

// NewCounts returns counts of nothing.
func NewCounts() *Counts {
	return &Counts{Logs: map[string]uint64{}, Types: map[string]uint64{}, Reasons: map[string]uint64{}, subjects: map[string]bool{}, facts: newSorter(), numbers: map[string]int{}}
}

// Add counts one line of a log.
func (c *Counts) Add(log string, r authz.Record) error {
	if r.Part != nil && r.Part[0] != r.Part[1] {
		return nil // counted with its last line
	}
	c.Logs[log]++
	c.Types[r.Type]++
	if r.Type == typeFlood {
		var n uint64
		if _, err := fmt.Sscan(r.Fields["records"], &n); err == nil {
			c.Counted += n
		}
	}
	if r.Subject != nil && r.Subject.ID != "" {
		c.subjects[r.Subject.ID] = true
		c.Subjects = len(c.subjects)
	}
	if r.Type != typeDecision {
		return nil
	}
	k, ok := keyOf(r.DecisionID)
	if !ok {
		sum := sha256.Sum256([]byte(r.DecisionID))
		k = key(sum[:16])
	}
	joined := ids(r.Reasons)
	number, known := c.numbers[joined]
	if !known {
		number = len(c.sets)
		c.numbers[joined], c.sets = number, append(c.sets, joined)
	}
	return c.facts.add(fact{key: k, good: r.Allow, n: int64(number)})
}

// Sum counts the decisions. It ends the counting.
func (c *Counts) Sum() error {
	defer c.facts.close()
	var last *key
	return c.facts.each(func(f fact) {
		if last != nil && *last == f.key {
			return
		}
		last = &f.key
		c.Decisions++
		if f.good {
			c.Allows++
			return
		}
		c.Denies++
		for _, id := range slices.Compact(strings.Fields(c.sets[f.n])) {
			c.Reasons[id]++
		}
	})
}
