package audit

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/authz"
)

// openLog locks a log, brings it back to its last whole line and starts its committer. If something had to be cut, or a
// decision's last lines are missing, a recovered record says so before openLog returns.
func openLog(c *Config, name string) (*log, error) {
	l := &log{name: name, dir: filepath.Join(c.Dir, name), c: c, openings: store{c: c, log: name}}
	if err := l.prepare(); err != nil {
		return nil, fmt.Errorf("audit: log %s can't be opened: %w", name, err)
	}
	found, err := l.recover()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("audit: log %s can't be opened: %w", name, err), l.lock.Close())
	}
	l.stat.Recovered = !found.clean()
	l.start()
	if found.clean() {
		return l, nil
	}
	c.Logger.Warn("audit log recovered", "log", name, "line", l.next, "bytes_cut", found.cut, "unfinished", found.unfinished)
	p, err := newPending(found.record(c), nil)
	if err == nil {
		err = l.enqueue(p)
	}
	if err == nil {
		err = <-p.done
	}
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// prepare makes the log's folder, durably, and locks it.
func (l *log) prepare() error {
	if _, err := os.Stat(l.dir + newSuffix); err == nil {
		return fmt.Errorf("%s: a new incarnation was begun and not finished: run `sallyport audit new-incarnation` again", l.dir+newSuffix)
	}
	err := os.Mkdir(l.dir, 0o700)
	if err == nil {
		err = syncDir(l.c.Dir)
	}
	if err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	d, err := os.Open(l.dir)
	if err != nil {
		return err
	}
	if err := lockFolder(d); err != nil {
		return errors.Join(err, d.Close())
	}
	l.lock = d
	return nil
}

// lockWait is how long a predecessor that is ending, or a Verify that looks whether a gateway runs, may hold the lock.
const lockWait = time.Second

func lockFolder(d *os.File) error {
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	for {
		err := unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			return fmt.Errorf("lock %s: %w", d.Name(), err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is locked by another process: is a second gateway running with the same audit directory?", d.Name())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// isLocked reports whether a gateway has the log in dir open.
func isLocked(dir string) (bool, error) {
	d, err := os.Open(dir)
	if err != nil {
		return false, err
	}
	defer d.Close()
	err = unix.Flock(int(d.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

// found is what a recovery met behind the last whole line.
type found struct {
	cut        int64  // bytes of no whole line
	unfinished string // id of a decision whose last lines are missing
}

func (f found) clean() bool { return f.cut == 0 && f.unfinished == "" }

func (f found) record(c *Config) authz.Record {
	r := ownRecord(c, typeRecovered)
	r.Fields = map[string]string{"bytes_cut": strconv.FormatInt(f.cut, 10)}
	if f.unfinished != "" {
		r.Fields["unfinished"] = f.unfinished
	}
	return r
}

// ownRecord begins a record that the logs write by themselves. They don't know how far the clock is to be trusted.
func ownRecord(c *Config, kind string) authz.Record {
	return authz.Record{Type: kind, DecisionID: randomID(), Time: authz.At(c.Now()), Clock: "unknown", Gateway: c.Gateway}
}

// randomID returns 128 random bits in hex.
func randomID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: it ends the program instead
	return hex.EncodeToString(b[:])
}

func (l *log) damage(path string, line int, index uint64, cause string) error {
	return &Damage{Log: l.name, File: path, Line: line, Index: index, Cause: cause}
}

// position is how far a log is good.
type position struct {
	next  uint64    // index of the line that comes next
	group uint64    // first line of the last group
	last  []byte    // members of the last good line, nil if there is none
	size  int64     // good bytes of the segment
	total int64     // all bytes of the segment
	time  time.Time // latest of the segment's lines by a trusted clock
}

// clocked returns when a record was written, zero if its clock was not trusted. It reads the beginning of the line only, where the writer
// puts both.
func clocked(members []byte) time.Time {
	head := members[:min(len(members), 512)]
	_, rest, _ := bytes.Cut(head, []byte(`,"timestamp":"`))
	at, rest, ok := bytes.Cut(rest, []byte(`","clock":"`))
	if !ok || !bytes.HasPrefix(rest, []byte(`trusted"`)) && !bytes.HasPrefix(rest, []byte(`floor"`)) {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, string(at))
	if err != nil {
		return time.Time{}
	}
	return t
}

// takes says why a line can't stand at p, nil if it can: the next index, in the same group or the first of a new one.
func (p position) takes(f frame) error {
	switch {
	case f.n != p.next:
		return fmt.Errorf("the line has index %d", f.n)
	case f.g != f.n && (f.g != p.group || f.n == 0):
		return fmt.Errorf("the line is of group %d, after one of group %d", f.g, p.group)
	}
	return nil
}

// lastOfFull checks that a segment which is not the last ends with the line that it must end with.
func (l *log) lastOfFull(first uint64) (position, error) {
	path := segmentPath(l.dir, first)
	last := first + segmentLines - 1
	f, err := os.Open(path)
	if err != nil {
		return position{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return position{}, err
	}
	tail := make([]byte, min(info.Size(), maxLine+2)) // a line between two newlines
	if _, err := f.ReadAt(tail, info.Size()-int64(len(tail))); err != nil {
		return position{}, err
	}
	line, ok := bytes.CutSuffix(tail, []byte("\n"))
	if !ok {
		return position{}, l.damage(path, segmentLines, last, "a full segment must end with a newline")
	}
	line = line[bytes.LastIndexByte(line, '\n')+1:]
	parsed, err := parseLine(line)
	if err == nil && parsed.n != last {
		err = fmt.Errorf("the segment ends with line %d", parsed.n)
	}
	if err != nil {
		return position{}, l.damage(path, segmentLines, last, err.Error())
	}
	return position{next: last + 1, group: parsed.g, last: parsed.members}, nil
}

// scan reads the last segment up to its first bad line and calls add with each good one. What follows that line decides: nothing of a later group means that the
// group was never acknowledged, so its rest may be cut; a whole line of a later group, or one out of order, is damage.
func (l *log) scan(path string, p position, add func(line []byte) error) (position, error) {
	f, err := os.Open(path)
	if err != nil {
		return p, err
	}
	defer f.Close()
	// What is read must be what the disk holds. Flushing first reports an error that nobody has seen yet; dropping the cache
	// then loses pages which a flush failed to write and which only look written.
	if err := f.Sync(); err != nil {
		return p, err
	}
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return p, fmt.Errorf("drop the cache of %s: %w", path, err)
	}
	in := newLines(f)
	for number := 1; ; number++ {
		c, err := in.next()
		if errors.Is(err, io.EOF) {
			p.total = p.size
			return p, nil
		}
		if err != nil {
			return p, err
		}
		good, err := parseLine(c.text)
		switch {
		case c.torn || err != nil:
			rest, err := l.scanTail(path, p, number, in, c)
			p.total = p.size + rest
			return p, err
		case p.next == l.first+segmentLines:
			return p, l.damage(path, number, p.next, "a line after the last of a full segment")
		}
		if err := p.takes(good); err != nil { // a torn write leaves no whole line in a wrong place
			return p, l.damage(path, number, p.next, err.Error())
		}
		if err := add(c.text); err != nil {
			return p, err
		}
		p.next, p.group, p.last = good.n+1, good.g, append(p.last[:0], good.members...)
		if l.name == GatewayLog {
			if at := clocked(good.members); at.After(p.time) {
				p.time = at
			}
		}
		p.size += c.size
	}
}

// scanTail reads from the first bad chunk to the end and returns how many bytes that is.
func (l *log) scanTail(path string, p position, number int, in lines, c chunk) (int64, error) {
	var size int64
	for {
		size += c.size
		if later, ok := laterGroup(c.text, p.next); ok {
			return 0, l.damage(path, number, p.next,
				fmt.Sprintf("the line is bad, but line %d of a later group is whole, so it had been acknowledged", later))
		}
		var err error
		if c, err = in.next(); errors.Is(err, io.EOF) {
			return size, nil
		} else if err != nil {
			return 0, err
		}
	}
}

// laterGroup looks for a whole line of a group after line bad. Lost sectors can stand directly before it.
func laterGroup(text []byte, bad uint64) (uint64, bool) {
	for {
		i := bytes.Index(text, []byte(`{"n":`))
		if i < 0 {
			return 0, false
		}
		if f, err := parseLine(text[i:]); err == nil && f.g > bad {
			return f.n, true
		}
		text = text[i+1:]
	}
}

// unfinished returns the id of the decision that a line belongs to if it is not the decision's last line.
func unfinished(members []byte) (string, error) {
	if members == nil {
		return "", nil
	}
	var r struct {
		ID   string  `json:"decision_id"`
		Part *[2]int `json:"part"`
	}
	if err := json.Unmarshal([]byte("{"+string(members)+"}"), &r); err != nil {
		return "", err
	}
	if r.Part == nil || r.Part[0] == r.Part[1] {
		return "", nil
	}
	return r.ID, nil
}
