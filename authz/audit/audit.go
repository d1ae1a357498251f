// Package audit keeps the decision logs: one of each tenant and one of the gateway. FORMAT.md beside this file is the
// specification of what is on disk; this package is one writer and one reader of it.
//
// Invariants:
//   - Append returns nil only when the record is durable in every log that it belongs to (of denials counted in a flood, see below).
//   - The first error of a write or flush ends that log for good: everything that waits or comes later fails, and nothing is
//     retried as if it had succeeded. The other logs go on.
//   - Bytes that were acknowledged are never cut. A log whose acknowledged bytes are damaged, or shorter than its checkpoint says,
//     is not opened.
//   - A checkpoint covers only lines that are durable, and its tiles are durable before it is published.
//   - One line is printable ASCII, so bytes that a caller chose can't forge a line or move a terminal's cursor.
//   - An allow is recorded whole or not at all; a denial that does not fit is recorded in short and says so.
//
// The one kind of answer without a line of its own is a denial before a subject is known, above Config.FloodRate: those are
// counted exactly, and the counts are recorded once a second.
//
// Non-goals: it asks no witnesses, though it reads what they cosigned; no rotation by age, no deletion, no policy about what a record holds. It knows nothing of metrics: see
// Stats. The tree, its tiles and its signatures are package tlog's.
package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
)

// GatewayLog is the name of the gateway's own log. No tenant has it.
const GatewayLog = "gateway"

// Durabilities.
const (
	Durable  = "durable"  // Append waits for the disk: survives a crash of the machine
	Buffered = "buffered" // Append waits for the kernel: survives a crash of the process only
)

// Config says where the logs are and how they behave. The zero value of a field that is not marked as needed is its default.
type Config struct {
	Dir        string             // needed: the folder of the logs, made with mode 0700 if it is missing; openings go to one beside it
	Key        ed25519.PrivateKey // needed: signs the checkpoints of all logs
	Durability string             // Durable (default) or Buffered
	Gateway    authz.Gateway      // for the records that the logs write themselves: recovered and flood
	Logger     *slog.Logger       // default: none
	Now        func() time.Time   // default: time.Now
	MaxQueue   int                // records that may wait in one log, default 4096; one more is refused at once
	Reserve    uint64             // free bytes of the disk that decisions leave for events, default 16 MiB
	FloodRate  float64            // denials a second of one source without a subject that get a line each, default 100
	FloodBurst int                // and so many at once, default 200

	open func(path string, flag int) (file, error) // where tests inject faults
	free func(dir string) (uint64, error)          // likewise
}

// complete returns c with its defaults, or what is wrong with it.
func (c Config) complete() (Config, error) {
	if c.Dir == "" {
		return c, errors.New("audit: no directory is given")
	}
	if len(c.Key) != ed25519.PrivateKeySize {
		return c, errors.New("audit: no key to sign with is given")
	}
	switch c.Durability {
	case "":
		c.Durability = Durable
	case Durable, Buffered:
	default:
		return c, fmt.Errorf("audit: durability %q: want %q or %q", c.Durability, Durable, Buffered)
	}
	if c.MaxQueue < 0 || c.FloodRate < 0 || c.FloodBurst < 0 {
		return c, errors.New("audit: a limit is negative")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxQueue == 0 {
		c.MaxQueue = 4096
	}
	if c.Reserve == 0 {
		c.Reserve = 16 << 20
	}
	if c.FloodRate == 0 {
		c.FloodRate = 100
	}
	if c.FloodBurst == 0 {
		c.FloodBurst = 200
	}
	if c.open == nil {
		c.open = openFile
	}
	if c.free == nil {
		c.free = freeSpace
	}
	return c, nil
}

// Logs are the open logs of one folder. It implements authz.Log.
type Logs struct {
	c     Config
	flood *flood

	using sync.Mutex // held while logs are opened, so that Append never waits for a recovery

	mu     sync.RWMutex // guards open and closed
	open   map[string]*log
	closed bool

	stop    context.CancelFunc // ends the goroutine that writes flood records
	stopped chan struct{}      // closed when it has ended
}

// Open makes the folder if it is missing and opens the gateway's log; Use opens those of tenants. A log that another process
// holds, that can't be written or whose acknowledged lines are damaged (*Damage) is an error.
func Open(c Config) (*Logs, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	l := &Logs{c: c, open: map[string]*log{}, stopped: make(chan struct{})}
	l.flood = newFlood(c)
	if err := l.use(GatewayLog); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	go l.writeFloods(ctx)
	return l, nil
}

// Use opens the logs of these tenants; those that are open stay so, also if they are not named, since requests under the
// generation before may still need them. It tries each and returns every error: a request that needs a log which did not open
// fails.
func (l *Logs) Use(tenants []string) error {
	l.using.Lock()
	defer l.using.Unlock()
	var errs []error
	for _, t := range tenants {
		if !validTenant(t) {
			errs = append(errs, fmt.Errorf("audit: %q is no tenant id", t))
			continue
		}
		errs = append(errs, l.use(t))
	}
	return errors.Join(errs...)
}

func (l *Logs) use(name string) error {
	l.mu.RLock()
	_, found := l.open[name]
	closed := l.closed
	l.mu.RUnlock()
	if closed {
		return errClosed
	}
	if found {
		return nil
	}
	opened, err := openLog(&l.c, name)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.open[name] = opened
	l.mu.Unlock()
	return nil
}

// validTenant reports whether s can name a tenant, and with it a folder.
func validTenant(s string) bool {
	if len(s) < 2 || len(s) > 63 || s[0] < 'a' || s[0] > 'z' || s == GatewayLog || s == "root" {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

var errClosed = errors.New("audit: the logs are closed")

// Append records r in each log that it belongs to and waits until all have it. If ctx ends first it returns an error although
// the record may still become durable: an allow in the log means permitted, not performed.
func (l *Logs) Append(ctx context.Context, r authz.Record) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if err := check(r); err != nil {
		return err
	}
	if nameless(r) && !l.flood.pass(r) {
		return l.count(r)
	}
	return l.append(ctx, r)
}

// append encodes all copies of r before it hands over the first, so that a record that can't be encoded is in no log.
func (l *Logs) append(ctx context.Context, r authz.Record) error {
	r, opened, err := mask(r)
	if err != nil {
		return err
	}
	copies := route(r)
	logs := make([]*log, len(copies))
	waits := make([]*pending, len(copies))
	for i, c := range copies {
		if logs[i], err = l.log(c.log); err != nil {
			return err
		}
		if waits[i], err = newPending(c.record, opened); err != nil {
			return fmt.Errorf("audit: log %s: %w", c.log, err)
		}
	}
	for i, p := range waits {
		if err := logs[i].enqueue(p); err != nil {
			return err
		}
	}
	for i, p := range waits {
		select {
		case err := <-p.done:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return fmt.Errorf("audit: log %s: no flush in time: %w", logs[i].name, context.Cause(ctx))
		}
	}
	return nil
}

func (l *Logs) log(name string) (*log, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return nil, errClosed
	}
	found := l.open[name]
	if found == nil {
		return nil, fmt.Errorf("audit: log %s is not open", name)
	}
	return found, nil
}

// logs returns the open logs in the order of their names.
func (l *Logs) logs() []*log {
	l.mu.RLock()
	defer l.mu.RUnlock()
	all := make([]*log, 0, len(l.open))
	for _, o := range l.open {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b *log) int { return strings.Compare(a.name, b.name) })
	return all
}

// Ready returns nil if every open log can be written, else which can't and why.
func (l *Logs) Ready() error {
	if _, err := l.log(GatewayLog); err != nil {
		return err
	}
	var errs []error
	for _, o := range l.logs() {
		errs = append(errs, o.ready())
	}
	return errors.Join(errs...)
}

// Last returns the latest time that a decision or event of the gateway had when the logs were opened, by a clock that was trusted; zero if
// nothing tells. No later start can be before it.
func (l *Logs) Last() time.Time {
	if g, err := l.log(GatewayLog); err == nil {
		return g.latest
	}
	return time.Time{}
}

// Stat is the state of one open log since it was opened.
type Stat struct {
	Records   uint64        // records that are durable, each once however many lines it has
	Groups    uint64        // groups that were committed together
	Lines     uint64        // lines of the log that are durable
	Signed    uint64        // lines that the last checkpoint covers
	LastFlush time.Duration // how long the last group took to write and flush
	Queued    int           // records that wait now
	Counted   uint64        // denials that were counted instead of recorded one by one; only in the gateway's log
	MaskAll   uint64        // records of which everything is masked, since what policy asked for could not be done
	Recovered bool          // something was cut when the log was opened: the run before was killed
	Failed    bool          // a write or flush failed; this log takes nothing until it is opened again
	Refusing  bool          // it takes no decision now: it has failed, or the disk is down to its reserve
}

// Stats returns the state of each open log by its name.
func (l *Logs) Stats() map[string]Stat {
	all := map[string]Stat{}
	for _, o := range l.logs() {
		s := o.state()
		s.Refusing = o.ready() != nil
		if o.name == GatewayLog {
			s.Counted = l.flood.counted()
		}
		all[o.name] = s
	}
	return all
}

// Close records what a flood left to count, waits until everything that was queued is written and flushed, and lets the folders
// go. Appends that come later fail. A second Close does nothing.
func (l *Logs) Close() error {
	l.using.Lock()
	defer l.using.Unlock()
	l.mu.RLock()
	closed := l.closed
	l.mu.RUnlock()
	if closed {
		return nil
	}
	l.stop()
	<-l.stopped
	l.flood.close()
	errs := []error{l.writeFlood()}
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	for _, o := range l.logs() {
		errs = append(errs, o.close())
	}
	return errors.Join(errs...)
}
