package audit

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit/tlog"
)

const (
	maxWaiting = 64 << 20 // bytes that may wait in one log
	keepBuffer = 4 << 20  // a larger buffer is let go after its group
	aside      = 64 << 10 // bytes of a group from which on its hashing is worth a goroutine beside the flush
)

// pending is one record that waits for its group.
type pending struct {
	lines    [][]byte // the members of each of its lines
	openings []byte   // what opens its commitments, if it has any
	bytes    int
	maskAll  bool
	event    bool       // may use the disk's reserve
	buffered bool       // its answer need not wait for the disk
	answered bool       // the committer's: it has answered before the flush
	done     chan error // has room for the one answer, so the committer never waits for a caller that left
}

func newPending(r authz.Record, opened openings) (*pending, error) {
	lines, err := encode(r)
	if err != nil {
		return nil, err
	}
	p := &pending{lines: lines, event: r.Type != typeDecision, buffered: buffered(r), maskAll: r.MaskingError != "", done: make(chan error, 1)}
	if opened != nil {
		if p.openings, err = opened.lines(r); err != nil {
			return nil, err
		}
		p.bytes = len(p.openings)
	}
	for _, b := range lines {
		p.bytes += len(b)
	}
	return p, nil
}

// log is one open log. One goroutine, commits, writes to it: it takes everything that waits, writes and flushes it at once, and
// only then answers. While the disk flushes, the next group gathers by itself, so there is no delay to tune.
type log struct {
	name, dir string
	c         *Config
	lock      *os.File  // the folder; holds the flock
	latest    time.Time // latest time in the last segment when the log was opened, of records whose clock was trusted

	mu      sync.Mutex // guards what follows
	wake    *sync.Cond // something is queued, or the log is closed
	queue   []*pending
	waiting int // bytes in queue
	failed  error
	closed  bool
	due     bool // a checkpoint may be due
	stat    Stat

	// Only the committer touches these.
	file        file
	first, next uint64 // first line of the open segment; line to be written next
	group       uint64 // first line that no flush has made durable: the group of the next line
	buf         []byte
	openings    store
	tree        tlog.Tree
	tiles       []tlog.Tile // full ones that were not offered yet
	offered     uint64      // lines of the last snapshot
	offeredAt   time.Time
	ended       chan struct{} // closed when the committer has ended
	closeErr    error         // what its end brought; read after ended

	id        identity
	began     uint64        // lines when the log was opened; read only
	snapshots chan snapshot // from the committer to the publisher
	published chan struct{} // closed when the publisher has ended
}

// start begins to commit.
func (l *log) start() {
	l.wake = sync.NewCond(&l.mu)
	l.ended = make(chan struct{})
	l.snapshots = make(chan snapshot, 1)
	l.published = make(chan struct{})
	l.offeredAt = time.Now()
	l.tiles = l.tree.Take()
	l.due = l.tree.Size() > l.offered || len(l.tiles) > 0 // what was recovered
	go l.commits()
	go l.publish()
}

// enqueue hands p to the committer, or says at once why it can't.
func (l *log) enqueue(p *pending) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.failed != nil:
		return l.failed
	case l.closed:
		return errClosed
	case len(l.queue) >= l.c.MaxQueue || l.waiting+p.bytes > maxWaiting:
		return fmt.Errorf("audit: log %s: %d records (%d bytes) are waiting: the disk does not keep up", l.name, len(l.queue), l.waiting)
	}
	l.queue = append(l.queue, p)
	l.waiting += p.bytes
	l.wake.Signal()
	return nil
}

// gather is how long a group waits to become large, and as large as the last one. A flush costs as much CPU as half a decision, whether
// it is for one record or for twenty, so this made 15 % more requests of it (64 in flight, three logs); who asks alone never waits.
const (
	gather = 300 * time.Microsecond
	large  = 16
)

// commits writes group after group until the log is closed and its queue is empty.
func (l *log) commits() {
	defer close(l.ended)
	var group []*pending
	last := 0 // how many the last group had
	for {
		l.mu.Lock()
		for len(l.queue) == 0 && !l.closed && !l.due {
			l.wake.Wait()
		}
		if len(l.queue) == 0 && l.closed {
			l.mu.Unlock()
			l.closeErr = l.finish()
			return
		}
		for waited := time.Duration(0); last > 1 && waited < gather && len(l.queue) < max(last, large) && !l.closed; waited += gather / 3 {
			l.mu.Unlock()
			time.Sleep(gather / 3)
			l.mu.Lock()
		}
		group, l.queue = l.queue, group[:0]
		last = len(group)
		l.waiting = 0
		failed, due := l.failed, l.due
		l.due = false
		l.mu.Unlock()

		if failed == nil {
			group = l.refuseIfFull(group)
			failed = l.commitAndCount(group)
		}
		answer(group, failed)
		clear(group)
		if failed == nil {
			if err := l.offer(due); err != nil {
				l.fail(err)
			}
		}
	}
}

// answer tells those who wait for a group what came of it. Who did not wait for the disk has been told.
func answer(group []*pending, err error) {
	for _, p := range group {
		if !p.answered {
			p.done <- err
		}
	}
}

// refuseIfFull answers the decisions of a group if the disk is down to its reserve, and returns the rest. Nothing has been
// written then, so the log has not failed and takes decisions again as soon as there is room.
func (l *log) refuseIfFull(group []*pending) []*pending {
	full := l.room()
	if full == nil {
		return group
	}
	rest := group[:0]
	for _, p := range group {
		if p.event {
			rest = append(rest, p)
		} else {
			p.done <- full
		}
	}
	clear(group[len(rest):])
	return rest
}

// room returns nil if the disk has more than its reserve.
func (l *log) room() error {
	free, err := l.c.free(l.dir)
	if err != nil {
		return fmt.Errorf("audit: log %s: %w", l.name, err)
	}
	if free < l.c.Reserve {
		return fmt.Errorf("audit: log %s: %d bytes are free and %d are reserved: make room on the disk of %s", l.name, free, l.c.Reserve, l.dir)
	}
	return nil
}

// commitAndCount commits a group and keeps the books. An error is kept for good: after a failed flush the kernel reports the
// next one as a success although the data is gone.
func (l *log) commitAndCount(group []*pending) error {
	if len(group) == 0 {
		return nil
	}
	began := time.Now()
	err := l.commit(group)
	took := time.Since(began)

	l.mu.Lock()
	defer l.mu.Unlock()
	l.stat.LastFlush = took
	if err == nil {
		l.stat.Records += uint64(len(group))
		for _, p := range group {
			if p.maskAll {
				l.stat.MaskAll++
			}
		}
		l.stat.Groups++
		l.stat.Lines = l.next
		return nil
	}
	l.latch(err)
	return l.failed
}

// fail ends the log for good.
func (l *log) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.latch(err)
}

// latch is fail for a caller that holds l.mu. The first error stays.
func (l *log) latch(err error) {
	if l.failed != nil {
		return
	}
	l.failed = fmt.Errorf("audit: log %s has failed and takes nothing until the gateway is started again: %w", l.name, err)
	l.stat.Failed = true
	l.c.Logger.Error("audit log failed", "log", l.name, "error", err)
}

// commit writes a group and makes it durable, its openings first. A group that crosses the end of a segment has its first part durable
// before the next segment exists, so a segment that is not the last is always whole.
//
// Where nobody waits for the disk it is not flushed. Its lines then are of one group with those that come until the next flush:
// after a crash of the machine any of them may be missing.
func (l *log) commit(group []*pending) error {
	durable := l.c.Durability == Durable && slices.ContainsFunc(group, func(p *pending) bool { return !p.buffered })
	if err := l.writeOpenings(group); err != nil {
		return err
	}
	g := l.group
	buf := l.buf[:0]
	for _, p := range group {
		for _, members := range p.lines {
			if l.next == l.first+segmentLines {
				if err := l.writeLines(buf, true, nil); err != nil {
					return err
				}
				buf = buf[:0]
				if err := l.rotate(); err != nil {
					return err
				}
				l.group = g // it goes on
			}
			buf = appendLine(buf, l.next, g, members)
			lineBuffers.Put(members)
			l.next++
		}
	}
	err := l.writeLines(buf, durable, group)
	if cap(buf) > keepBuffer {
		buf = nil
	}
	l.buf = buf
	return err
}

// writeOpenings makes the openings of a group durable: a commitment that nothing opens would be a loss.
func (l *log) writeOpenings(group []*pending) error {
	var all []byte
	for _, p := range group {
		all = append(all, p.openings...)
	}
	if len(all) == 0 {
		return nil
	}
	return l.openings.write(all, l.first)
}

// writeLines writes lines and, if it is to, makes all that was written durable. Those of a group who don't wait for the disk are answered
// before it flushes.
func (l *log) writeLines(b []byte, durable bool, group []*pending) error {
	if len(b) > 0 {
		if _, err := l.file.Write(b); err != nil {
			return err
		}
	}
	for _, p := range group {
		if durable && p.buffered {
			p.done <- nil
			p.answered = true
		}
	}
	if !durable {
		l.hash(b)
		return nil
	}
	// The tree grows while the disk flushes. Should the flush fail, the tree has leaves that are not durable, but then the log has
	// failed and no checkpoint is made of it.
	if len(b) < aside { // another goroutine would cost more than it wins
		l.hash(b)
		return l.flush()
	}
	hashed := make(chan struct{})
	go func() {
		l.hash(b)
		close(hashed)
	}()
	err := l.flush()
	<-hashed
	return err
}

// flush makes all lines that were written durable; the next line begins a group.
func (l *log) flush() error {
	if l.group == l.next {
		return nil
	}
	if err := l.file.Sync(); err != nil {
		return err
	}
	l.group = l.next
	return nil
}

// rotate ends the full segment, which is durable, and begins the next.
func (l *log) rotate() error {
	if err := l.file.Close(); err != nil {
		return err
	}
	f, err := l.c.create(l.dir, l.next)
	if err != nil {
		return err
	}
	l.file, l.first = f, l.next
	return nil
}

// create makes the segment that begins with line n, durably, and opens it for appending.
func (c *Config) create(dir string, n uint64) (file, error) {
	f, err := c.open(segmentPath(dir, n), os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return nil, err
	}
	if err := syncDir(dir); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// finish makes the open segment durable, whatever the durability, publishes the last checkpoint and closes the segment. A log
// that has failed is not flushed again.
func (l *log) finish() error {
	err := l.failure()
	if err == nil {
		if err = l.flush(); err == nil {
			l.last()
		}
	}
	close(l.snapshots)
	<-l.published
	if err == nil {
		err = l.failure()
	}
	return errors.Join(err, l.openings.close(), l.file.Close())
}

// ready returns nil if a decision could be written now.
func (l *log) ready() error {
	if err := l.failure(); err != nil {
		return err
	}
	return l.room()
}

// failure returns the error that ended the log, nil if it goes on.
func (l *log) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

func (l *log) state() Stat {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stat
	s.Queued = len(l.queue)
	return s
}

// close waits until what was queued is written, then lets the folder go.
func (l *log) close() error {
	l.mu.Lock()
	l.closed = true
	l.wake.Signal()
	l.mu.Unlock()
	<-l.ended
	if err := errors.Join(l.closeErr, l.lock.Close()); err != nil {
		return fmt.Errorf("audit: closing log %s: %w", l.name, err)
	}
	return nil
}
