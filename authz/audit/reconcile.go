package audit

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
)

// Reconciliation is what a comparison of the decision logs with what Envoy and the store wrote found. All is well if every list is
// empty and Uncounted is 0.
type Reconciliation struct {
	Decisions  int    `json:"decisions"`  // in the decision logs, each once
	Envoy      int    `json:"envoy"`      // requests in Envoy's log
	Store      int    `json:"store"`      // requests in the store's log
	Counted    uint64 `json:"counted"`    // denials that the decision logs have only as counts
	Undecided  int    `json:"undecided"`  // requests that Envoy refused by itself, without asking
	Unfinished int    `json:"unfinished"` // allows at the edge of Envoy's log, which writes a request when it has ended

	Served     []string `json:"served"`      // requests that Envoy let through without a decision, by request id
	Missing    []string `json:"missing"`     // decisions that let a request through, per Envoy, and are in no log
	Repeated   []string `json:"repeated"`    // decisions with more than one request in Envoy's log, or more than one record in a log
	NeverSeen  []string `json:"never_seen"`  // allows that never reached Envoy
	StoreOnly  []string `json:"store_only"`  // requests that the store served without an allow: a decision's id, or the line
	Uncounted  uint64   `json:"uncounted"`   // denials in Envoy's log, of no record, that are more than were counted
	DenyServed []string `json:"deny_served"` // denials that the store served all the same
}

// Well reports whether nothing is missing and nothing is there that should not be.
func (r Reconciliation) Well() bool {
	return len(r.Served)+len(r.Missing)+len(r.Repeated)+len(r.NeverSeen)+len(r.StoreOnly)+len(r.DenyServed) == 0 && r.Uncounted == 0
}

const maxListed = 1000 // of each kind; more would tell nobody more

func list(to *[]string, what string) {
	if len(*to) < maxListed {
		*to = append(*to, what)
	}
}

// edge is how long before the end of Envoy's log an allow may be missing there: Envoy writes a request when it has ended, and holds
// lines back for a while.
const edge = 15 * time.Second

// key is a decision id in half the memory.
type key [16]byte

func keyOf(id string) (key, bool) {
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != len(key{}) {
		return key{}, false
	}
	return key(b), true
}

type decided struct {
	at    int64 // Unix nanoseconds
	allow bool
	envoy uint8 // requests in Envoy's log
}

// Reconcile compares the logs in dir with Envoy's access log (JSON lines with time, request_id, decision_id and status, as
// deploy/envoy writes it) and the store's (any lines that hold the decision id as a field, from Referer). A nil store is not compared.
func (rd Reader) Reconcile(dir string, envoy, store io.Reader) (Reconciliation, error) {
	c := comparison{decisions: map[key]*decided{}}
	c.r = Reconciliation{Served: []string{}, Missing: []string{}, Repeated: []string{}, NeverSeen: []string{}, StoreOnly: []string{}, DenyServed: []string{}}
	seen := map[[17]byte]bool{}
	logs := map[string]byte{}
	err := rd.Read(dir, func(log string, _ []byte, r authz.Record) error {
		if _, ok := logs[log]; !ok {
			logs[log] = byte(len(logs))
		}
		c.record(r, logs[log], seen)
		return nil
	})
	if err != nil {
		return c.r, err
	}
	clear(seen)
	if err := eachLine(envoy, c.envoyLine); err != nil {
		return c.r, fmt.Errorf("envoy's log: %w", err)
	}
	if c.denied > c.r.Counted {
		c.r.Uncounted = c.denied - c.r.Counted
	}
	c.r.Decisions = len(c.decisions)
	for k, d := range c.decisions {
		switch {
		case !d.allow || d.envoy > 0 || d.at < c.first:
		case d.at > c.last-int64(edge):
			c.r.Unfinished++
		default:
			list(&c.r.NeverSeen, hex.EncodeToString(k[:]))
		}
	}
	slices.Sort(c.r.NeverSeen)
	if store == nil {
		return c.r, nil
	}
	if err := eachLine(store, c.storeLine); err != nil {
		return c.r, fmt.Errorf("the store's log: %w", err)
	}
	return c.r, nil
}

type comparison struct {
	r           Reconciliation
	decisions   map[key]*decided
	denied      uint64 // requests that Envoy refused with a decision of no record
	first, last int64  // times of Envoy's log
}

func (c *comparison) record(r authz.Record, log byte, seen map[[17]byte]bool) {
	if r.Type == typeFlood {
		var n uint64
		if _, err := fmt.Sscan(r.Fields["records"], &n); err == nil {
			c.r.Counted += n
		}
	}
	k, ok := keyOf(r.DecisionID)
	if r.Type != typeDecision || !ok || r.Part != nil && r.Part[0] != r.Part[1] {
		return
	}
	once := [17]byte(append(k[:], log))
	if seen[once] {
		list(&c.r.Repeated, r.DecisionID)
	}
	seen[once] = true
	if d := c.decisions[k]; d == nil {
		c.decisions[k] = &decided{at: r.Time.UnixNano(), allow: r.Allow}
	}
}

func (c *comparison) envoyLine(number int, line []byte) error {
	var l struct {
		Time     time.Time `json:"time"`
		Request  string    `json:"request_id"`
		Decision *string   `json:"decision_id"`
		Status   int       `json:"status"`
	}
	if err := json.Unmarshal(line, &l); err != nil {
		return fmt.Errorf("line %d: %w", number, err)
	}
	c.r.Envoy++
	at := l.Time.UnixNano()
	if c.first == 0 || at < c.first {
		c.first = at
	}
	c.last = max(c.last, at)
	refused := l.Status >= 400 || l.Status == 0 // 0: the client went away
	if l.Decision == nil || *l.Decision == "" {
		if refused {
			c.r.Undecided++
		} else {
			list(&c.r.Served, l.Request)
		}
		return nil
	}
	k, _ := keyOf(*l.Decision)
	switch d := c.decisions[k]; {
	case d == nil && refused:
		c.denied++
	case d == nil:
		list(&c.r.Missing, *l.Decision)
	case d.envoy > 0:
		list(&c.r.Repeated, *l.Decision)
	case !d.allow && !refused:
		list(&c.r.Served, *l.Decision)
		d.envoy = 1
	default:
		d.envoy = 1
	}
	return nil
}

// field is a decision id among the fields of a line.
var field = regexp.MustCompile(`(?:^|[ "])([0-9a-f]{32})(?:[ "]|$)`)

// labelRead is a line about an object whose own label the gateway read before it decided. A key can hold any words, so the line must
// begin as these do too.
var labelRead = regexp.MustCompile(`^\S+ \S+ \[[^\]]*\] \S+ \S+ \S+ s3_(HeadObject|GetObjectTagging) .* label-for-[0-9a-f]{32} `)

func (c *comparison) storeLine(_ int, line []byte) error {
	// The gateway's own probes ask for the list of buckets, so the second field, the bucket, is "-": no client's key can look like that.
	if f := bytes.Fields(line); bytes.HasPrefix(line, []byte("log starts ")) || len(f) > 1 && string(f[1]) == "-" && bytes.Contains(line, []byte(" readiness-probe ")) ||
		labelRead.Match(line) {
		return nil
	}
	c.r.Store++
	denied := ""
	for _, m := range field.FindAllSubmatch(line, -1) {
		k, _ := keyOf(string(m[1]))
		switch d := c.decisions[k]; {
		case d == nil:
		case d.allow:
			return nil
		default:
			denied = string(m[1])
		}
	}
	if denied != "" {
		list(&c.r.DenyServed, denied)
		return nil
	}
	list(&c.r.StoreOnly, string(line[:min(len(line), 200)]))
	return nil
}

// eachLine calls f with each whole line; one that is still being written is left alone.
func eachLine(r io.Reader, f func(number int, line []byte) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for number := 1; ; number++ {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if err := f(number, line); err != nil {
				return err
			}
		}
	}
}
