package audit

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// Kinds of facts, in the order in which those of one decision are judged.
const (
	inRecord = iota
	inEnvoy
	inStore
)

// Reconcile compares the logs in dir with Envoy's access log (JSON lines with time, request_id, decision_id and status, as
// deploy/envoy writes it) and the store's (any lines that hold the decision id as a field, from Referer). A nil store is not compared.
// The store's log is read twice where it has lines that nothing allowed. Memory is bounded, see sorter.
func (rd Reader) Reconcile(dir string, envoy io.Reader, store io.ReadSeeker) (Reconciliation, error) {
	c := comparison{facts: newSorter(), logs: map[string]uint16{}, deniedIn: map[int64]key{}}
	defer c.facts.close()
	c.r = Reconciliation{Served: []string{}, Missing: []string{}, Repeated: []string{}, NeverSeen: []string{}, StoreOnly: []string{}, DenyServed: []string{}}
	err := rd.Read(dir, func(log string, _ []byte, r authz.Record) error { return c.record(log, r) })
	if err != nil {
		return c.r, err
	}
	if err := eachLine(envoy, c.envoyLine); err != nil {
		return c.r, fmt.Errorf("envoy's log: %w", err)
	}
	if store != nil {
		if err := eachLine(store, c.storeLine); err != nil {
			return c.r, fmt.Errorf("the store's log: %w", err)
		}
	}
	if err := c.facts.each(c.judge); err != nil {
		return c.r, err
	}
	c.decided()
	if c.denied > c.r.Counted {
		c.r.Uncounted = c.denied - c.r.Counted
	}
	if store == nil || c.r.Store == int(c.allowedLines) {
		return c.r, nil
	}
	if _, err := store.Seek(0, io.SeekStart); err != nil {
		return c.r, fmt.Errorf("the store's log: %w", err)
	}
	return c.r, eachLine(store, c.unallowed)
}

type comparison struct {
	r           Reconciliation
	facts       *sorter
	logs        map[string]uint16
	denied      uint64 // requests that Envoy refused with a decision of no record
	first, last int64  // times of Envoy's log

	// The decision whose facts are being judged.
	id           key
	known, allow bool
	at           int64
	lastLog      int
	requests     int           // in Envoy's log
	allowed      bitset        // lines of the store's log that have an allow
	allowedLines uint64        // how many
	deniedIn     map[int64]key // lines that have a denial, up to maxDenied
	storeLast    int64         // last line of the store's log that was read
}

const maxDenied = 1 << 20

// bitset is a set of line numbers.
type bitset []uint64

func (b *bitset) set(n int64) bool {
	for int64(len(*b)) <= n/64 {
		*b = append(*b, 0)
	}
	was := (*b)[n/64]&(1<<(n%64)) != 0
	(*b)[n/64] |= 1 << (n % 64)
	return !was
}

func (b bitset) has(n int64) bool { return n/64 < int64(len(b)) && b[n/64]&(1<<(n%64)) != 0 }

func (c *comparison) record(log string, r authz.Record) error {
	if r.Type == typeFlood {
		var n uint64
		if _, err := fmt.Sscan(r.Fields["records"], &n); err == nil {
			c.r.Counted += n
		}
	}
	k, ok := keyOf(r.DecisionID)
	if r.Type != typeDecision || !ok || r.Part != nil && r.Part[0] != r.Part[1] {
		return nil
	}
	if _, known := c.logs[log]; !known {
		c.logs[log] = uint16(len(c.logs))
	}
	return c.facts.add(fact{key: k, kind: inRecord, log: c.logs[log], good: r.Allow, n: r.Time.UnixNano()})
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
	k, ok := keyOf(*l.Decision)
	if !ok { // no decision has such an id
		if refused {
			c.denied++
		} else {
			list(&c.r.Missing, *l.Decision)
		}
		return nil
	}
	return c.facts.add(fact{key: k, kind: inEnvoy, good: !refused, n: int64(number)})
}

// keysIn returns the decision ids among the fields of a line.
func keysIn(line []byte) []key {
	var all []key
	for _, f := range bytes.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '"' }) {
		if k, ok := keyOf(string(f)); ok && !bytes.ContainsAny(f, "ABCDEF") {
			all = append(all, k)
		}
	}
	return all
}

// ofNobody reports whether a line of the store's log is of no request but the gateway's own probes, which ask for the list of buckets: the second
// field, the bucket, is "-", and no client's key can look like that.
func ofNobody(line []byte) bool {
	f := bytes.Fields(line)
	return bytes.HasPrefix(line, []byte("log starts ")) || len(f) > 1 && string(f[1]) == "-" && bytes.Contains(line, []byte(" readiness-probe "))
}

func (c *comparison) storeLine(number int, line []byte) error {
	if ofNobody(line) {
		return nil
	}
	c.r.Store++
	for _, k := range keysIn(line) {
		if err := c.facts.add(fact{key: k, kind: inStore, n: int64(number)}); err != nil {
			return err
		}
	}
	return nil
}

// judge takes the facts in the order of their decisions.
func (c *comparison) judge(f fact) {
	if f.key != c.id || !c.known && f.kind == inRecord {
		if f.key != c.id {
			c.decided()
		}
		c.id, c.known, c.requests, c.lastLog = f.key, f.kind == inRecord, 0, -1
		c.allow, c.at = f.good, f.n
	}
	id := hex.EncodeToString(f.key[:])
	switch f.kind {
	case inRecord:
		if int(f.log) == c.lastLog {
			list(&c.r.Repeated, id)
		}
		c.lastLog = int(f.log)
	case inEnvoy:
		c.requests++
		switch {
		case !c.known && !f.good:
			c.denied++
		case !c.known:
			list(&c.r.Missing, id)
		case c.requests > 1:
			list(&c.r.Repeated, id)
		case !c.allow && f.good:
			list(&c.r.Served, id)
		}
	case inStore:
		switch {
		case !c.known:
		case c.allow:
			if c.allowed.set(f.n) {
				c.allowedLines++
			}
		case len(c.deniedIn) < maxDenied:
			c.deniedIn[f.n] = f.key
		}
	}
}

// decided ends the judgement of a decision.
func (c *comparison) decided() {
	if !c.known {
		return
	}
	c.known = false
	c.r.Decisions++
	switch {
	case !c.allow || c.requests > 0 || c.at < c.first:
	case c.at > c.last-int64(edge):
		c.r.Unfinished++
	default:
		list(&c.r.NeverSeen, hex.EncodeToString(c.id[:]))
	}
}

// unallowed lists a line of the store's log that no decision allowed.
func (c *comparison) unallowed(number int, line []byte) error {
	if ofNobody(line) || c.allowed.has(int64(number)) {
		return nil
	}
	if k, denied := c.deniedIn[int64(number)]; denied {
		list(&c.r.DenyServed, hex.EncodeToString(k[:]))
	} else {
		list(&c.r.StoreOnly, string(line[:min(len(line), 200)]))
	}
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
