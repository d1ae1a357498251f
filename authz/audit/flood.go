package audit

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/sallyport-dev/sallyport/authz"
)

const (
	maxSources   = 4096 // sources that have a rate of their own; the rest share one
	totalSources = 10   // all sources together get so many times the rate of one, or strangers with many addresses could fill the disk
)

// flood holds the rate of each source of denials without a subject, and the counts of those above it.
type flood struct {
	now   func() time.Time
	rate  rate.Limit
	burst int

	mu      sync.Mutex // guards what follows
	total   *rate.Limiter
	sources map[string]*source
	counts  counts
	ever    uint64
	closed  bool // nobody writes counts any more
}

type source struct {
	limit *rate.Limiter
	over  bool // counted in the counts that are open
}

// counts are denials that have no line of their own.
type counts struct {
	records  uint64
	sources  uint64
	reasons  map[authz.Reason]uint64
	unproven map[authz.Reason]bool
}

func newFlood(c Config) *flood {
	return &flood{
		now: c.Now, rate: rate.Limit(c.FloodRate), burst: c.FloodBurst,
		total:   rate.NewLimiter(rate.Limit(c.FloodRate*totalSources), c.FloodBurst*totalSources),
		sources: map[string]*source{},
	}
}

// pass reports whether r may have a line of its own.
func (f *flood) pass(r authz.Record) bool {
	now := f.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.source(r.RequestedBy)
	return s.limit.AllowN(now, 1) && f.total.AllowN(now, 1)
}

// source returns the source of an address. The caller holds f.mu.
func (f *flood) source(address string) *source {
	key := sourceKey(address)
	s := f.sources[key]
	if s == nil && len(f.sources) >= maxSources {
		key = "" // the shared one
		s = f.sources[key]
	}
	if s == nil {
		s = &source{limit: rate.NewLimiter(f.rate, f.burst)}
		f.sources[key] = s
	}
	return s
}

// sourceKey is what one stranger can't easily have many of: an IPv4 address, or the /64 of an IPv6 address.
func sourceKey(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil {
		return ""
	}
	return p.String()
}

// count counts r instead of recording it. It fails if the counts could not be written either.
func (l *Logs) count(r authz.Record) error {
	g, err := l.log(GatewayLog)
	if err != nil {
		return err
	}
	if err := g.failure(); err != nil {
		return err
	}
	return l.flood.add(r)
}

func (f *flood) add(r authz.Record) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return errClosed
	}
	s := f.source(r.RequestedBy)
	c := counts{records: 1, reasons: map[authz.Reason]uint64{}, unproven: map[authz.Reason]bool{}}
	if !s.over {
		s.over = true
		c.sources = 1
	}
	for _, id := range sorted(r.Reasons) {
		c.reasons[id] = 1
	}
	for _, id := range r.Unproven {
		c.unproven[id] = true
	}
	f.counts.add(c)
	f.ever++
	return nil
}

func (c *counts) add(d counts) {
	if c.reasons == nil {
		c.reasons, c.unproven = map[authz.Reason]uint64{}, map[authz.Reason]bool{}
	}
	c.records += d.records
	c.sources += d.sources
	for id, n := range d.reasons {
		c.reasons[id] += n
	}
	for id := range d.unproven {
		c.unproven[id] = true
	}
}

// take returns the counts and begins anew. It also forgets the sources that have been quiet.
func (f *flood) take() counts {
	now := f.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, s := range f.sources {
		s.over = false
		if s.limit.TokensAt(now) >= float64(f.burst) {
			delete(f.sources, key)
		}
	}
	c := f.counts
	f.counts = counts{}
	return c
}

// giveBack returns counts that could not be written.
func (f *flood) giveBack(c counts) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts.add(c)
}

func (f *flood) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}

func (f *flood) counted() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ever
}

// record returns the record of counts: records, sources, and how often each reason was given.
func (c counts) record(conf *Config) authz.Record {
	r := ownRecord(conf, typeFlood)
	r.Fields = map[string]string{
		"records": strconv.FormatUint(c.records, 10),
		"sources": strconv.FormatUint(c.sources, 10),
	}
	for id, n := range c.reasons {
		r.Fields[string(id)] = strconv.FormatUint(n, 10)
		r.Reasons = append(r.Reasons, id)
	}
	for id := range c.unproven {
		r.Unproven = append(r.Unproven, id)
	}
	return r
}

// writeFloods records the counts once a second until ctx ends.
func (l *Logs) writeFloods(ctx context.Context) {
	defer close(l.stopped)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := l.writeFlood(); err != nil {
				l.c.Logger.Error("denials of a flood could not be recorded yet", "error", err)
			}
		}
	}
}

// writeFlood records the counts, if there are any, and keeps them if it can't. It has no deadline: counts that were given up but
// written all the same would be counted twice.
func (l *Logs) writeFlood() error {
	c := l.flood.take()
	if c.records == 0 {
		return nil
	}
	if err := l.append(context.Background(), c.record(&l.c)); err != nil {
		l.flood.giveBack(c)
		return fmt.Errorf("audit: %d denials of a flood are counted but not recorded: %w", c.records, err)
	}
	return nil
}
