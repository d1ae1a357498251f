package audit

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit/tlog"
)

// Report is what Verify found.
type Report struct {
	Logs []LogReport `json:"logs"`
}

// LogReport is what Verify found in one log, up to its first damage.
type LogReport struct {
	Log       string     `json:"log"`
	Lines     uint64     `json:"lines"`
	Records   uint64     `json:"records"` // a decision of several lines is one
	Allows    uint64     `json:"allows"`
	Denies    uint64     `json:"denies"`    // decisions; those counted in a flood are not among them
	Counted   uint64     `json:"counted"`   // denials in flood records
	Recovered uint64     `json:"recovered"` // times that a torn end was cut
	First     authz.Time `json:"first"`     // time of the first record
	Last      authz.Time `json:"last"`      // time of the last record, which is not the latest where the clock went back
	InFlight  int64      `json:"in_flight"` // bytes at the end that the running gateway has not finished
	Origin    string     `json:"origin"`    // the name that the checkpoint signs
	Signed    uint64     `json:"signed"`    // lines that the checkpoint covers; those after it are new, or the gateway was killed
	Kept      uint64     `json:"kept"`      // lines of the largest checkpoint that was kept elsewhere and found again
	Pinned    bool       `json:"pinned"`    // the key is one that the caller gave, and not only the folder's own
	Damage    *Damage    `json:"damage,omitempty"`
}

// Reader reads logs. The zero Reader is ready to use.
type Reader struct {
	// Keys are those that may have signed. Without keys, each log's own public key is trusted, which shows damage but no forger who
	// also changed the key.
	Keys []ed25519.PublicKey
	// Kept are checkpoints, as they were signed, that were kept where the gateway can't write: the log of each one's origin must go on from
	// it. Each must have been signed by all Witnesses too.
	Kept      [][]byte
	Witnesses []*tlog.Witness
	// Progress, if it is set, is called now and then: how many lines of a log are done, of how many its checkpoint covers.
	Progress func(log string, done, all uint64)
}

// Verify reads every line of dir, which is one log, an export of one, or a folder of these, and changes nothing. A gateway may be
// running: bytes that it has not finished are no damage. Without one a torn end is damage too, since nobody can tell what tore it:
// starting the gateway cuts and records it.
//
// The error is nil only if all of dir is whole. It holds a *Damage for each log that is not; Verify goes on with the next log,
// so the report is complete in any case.
func (rd Reader) Verify(dir string) (Report, error) {
	var report Report
	err := eachLog(dir, func(dir, name string) error {
		r := LogReport{Log: name}
		w := walker{dir: dir, name: name, reader: rd, quick: true, visit: func(e entry) error {
			r.add(e)
			return nil
		}}
		tail, err := w.walk()
		r.InFlight = tail
		if w.seal != nil {
			r.Origin, r.Signed, r.Pinned, r.Kept = w.seal.id.name, w.seal.signed.Size, len(rd.Keys) > 0, w.seal.found
		}
		errors.As(err, &r.Damage)
		report.Logs = append(report.Logs, r)
		return err
	})
	return report, err
}

// Read calls f with each line of dir, which is one log, an export of one, or a folder of these, in the order of each log. It checks what
// Verify checks and ends a log at its first damage, after f had the lines before it; then it goes on with the next log, and its error
// holds a *Damage. An error of f ends it. line is only valid during the call.
func (rd Reader) Read(dir string, f func(log string, line []byte, r authz.Record) error) error {
	return eachLog(dir, func(dir, name string) error {
		w := walker{dir: dir, name: name, reader: rd, visit: func(e entry) error {
			if err := f(name, e.text, e.record); err != nil {
				return stopped{err}
			}
			return nil
		}}
		_, err := w.walk()
		return err
	})
}

// Verify is Reader.Verify with these keys.
func Verify(dir string, keys ...ed25519.PublicKey) (Report, error) {
	return Reader{Keys: keys}.Verify(dir)
}

// Read is Reader.Read of the zero Reader.
func Read(dir string, f func(log string, line []byte, r authz.Record) error) error {
	return Reader{}.Read(dir, f)
}

const progressEvery = 10_000 // lines

// stopped is an error of a caller's function, which ends everything, not only one log.
type stopped struct{ error }

func (s stopped) Unwrap() error { return s.error }

// add counts a line that is good.
func (r *LogReport) add(e entry) {
	if r.Lines == 0 {
		r.First = e.record.Time
	}
	r.Lines++
	r.Last = e.record.Time
	if p := e.record.Part; p != nil && p[0] != p[1] {
		return // counted with its last line
	}
	r.Records++
	switch e.record.Type {
	case typeDecision:
		if e.record.Allow {
			r.Allows++
		} else {
			r.Denies++
		}
	case typeFlood:
		var n uint64
		if _, err := fmt.Sscan(e.record.Fields["records"], &n); err == nil {
			r.Counted += n
		}
	case typeRecovered:
		r.Recovered++
	}
}

// eachLog calls f with the folder and name of each log in dir. Errors of one log don't keep it from the next.
func eachLog(dir string, f func(dir, name string) error) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	if isLog(entries) {
		dir, names = filepath.Dir(dir), []string{filepath.Base(dir)}
	}
	if len(names) == 0 {
		return fmt.Errorf("%s: neither a log (no seg-….jsonl and no origin.json in it) nor a folder of logs", dir)
	}
	var errs []error
	for _, name := range names {
		err := f(filepath.Join(dir, name), name)
		var s stopped
		if errors.As(err, &s) {
			return s.error
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// isLog reports whether a folder with these entries is a log.
func isLog(entries []os.DirEntry) bool {
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		return e.Name() == originFile || strings.HasPrefix(e.Name(), "seg-")
	})
}

// entry is one good line.
type entry struct {
	text   []byte // without its newline; valid until the next line
	record authz.Record
}

// walker reads one log.
type walker struct {
	dir, name string
	reader    Reader
	visit     func(entry) error
	quick     bool // visit only counts
	seal      *seal
	live      bool // a gateway had the log open when the walk began
	position
	open   authz.Record // the last line, if more lines of its decision must follow
	inOpen bool
}

// walk calls visit with each good line of the log and returns how many bytes at its end are in flight.
func (w *walker) walk() (int64, error) {
	var err error
	if w.live, err = isLocked(w.dir); err != nil {
		return 0, err
	}
	if w.seal, err = openSeal(w.dir, w.name); err != nil {
		return 0, err
	}
	if err := w.pinned(); err != nil {
		return 0, err
	}
	if err := w.seal.keep(w.reader); err != nil {
		return 0, err
	}
	if w.seal.exported {
		if err := w.bundles(); err != nil {
			return 0, err
		}
		return 0, w.seal.end()
	}
	firsts, err := segments(w.dir)
	if err != nil {
		return 0, err
	}
	if len(firsts) == 0 && !w.running() {
		return 0, w.damage(w.dir, 0, "the log has no segment")
	}
	tail, err := w.lines(firsts)
	if err != nil {
		return tail, err
	}
	return tail, w.seal.end()
}

// pinned refuses a log whose key is none of those that the caller gave.
func (w *walker) pinned() error {
	for _, k := range w.reader.Keys {
		if bytes.Equal(k, w.seal.id.PublicKey) {
			return nil
		}
	}
	if len(w.reader.Keys) == 0 {
		return nil
	}
	return w.damage(filepath.Join(w.dir, keyFile), 0, "the log is signed by another key than the one that was given")
}

// lines reads the segments.
func (w *walker) lines(firsts []uint64) (int64, error) {
	for i, first := range firsts {
		tail, err := w.segment(segmentPath(w.dir, first), first, i == len(firsts)-1)
		if err != nil || tail > 0 {
			return tail, err
		}
	}
	if w.inOpen && !w.running() {
		return 0, w.damage(segmentPath(w.dir, firsts[len(firsts)-1]), 0,
			fmt.Sprintf("decision %s ends after part %d of %d", w.open.DecisionID, w.open.Part[0], w.open.Part[1]))
	}
	return 0, nil
}

// running reports whether a gateway has, or had at the walk's begin, the log open. It is asked again at the end, since a
// gateway can have begun in between; one that ended in between makes a torn end pass only until the next walk.
func (w *walker) running() bool {
	if w.live {
		return true
	}
	live, err := isLocked(w.dir)
	return err == nil && live
}

func (w *walker) damage(path string, line int, cause string) error {
	return &Damage{Log: w.name, File: path, Line: line, Index: w.next, Cause: cause}
}

// segment reads one segment. Only the last may be short or end with bytes in flight, whose number it returns.
func (w *walker) segment(path string, first uint64, last bool) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	in := wholeSegment(f)
	number := 0
	for {
		c, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		number++
		if c.torn {
			if last && w.running() {
				return c.size, nil
			}
			return 0, w.damage(path, number, fmt.Sprintf("the file ends inside a line, after %d of its bytes", c.size))
		}
		if number > segmentLines {
			return 0, w.damage(path, number, fmt.Sprintf("a segment has %d lines", segmentLines))
		}
		if err := w.line(path, number, c.text); err != nil {
			return 0, err
		}
	}
	if !last && number < segmentLines {
		return 0, w.damage(path, number, fmt.Sprintf("the segment has %d lines, not %d, and is not the last", number, segmentLines))
	}
	return 0, nil
}

// line judges one line and visits it.
func (w *walker) line(path string, number int, text []byte) error {
	f, err := parseLine(text)
	if err != nil {
		return w.damage(path, number, err.Error())
	}
	if err := w.takes(f); err != nil {
		return w.damage(path, number, err.Error())
	}
	parse := parseRecord
	if w.quick && f.n < w.seal.signed.Size { // the gateway's own bytes, as the root will show
		parse = quickRecord
	}
	r, err := parse(f.members)
	if err == nil {
		err = w.follows(f, r)
	}
	if err != nil {
		return w.damage(path, number, err.Error())
	}
	if err := w.seal.add(text); err != nil {
		return err
	}
	w.next, w.group = f.n+1, f.g
	if w.reader.Progress != nil && w.next%progressEvery == 0 {
		w.reader.Progress(w.name, w.next, w.seal.signed.Size)
	}
	w.inOpen = r.Part != nil && r.Part[0] < r.Part[1]
	w.open = r
	return w.visit(entry{text: text, record: r})
}

// follows says why r can't come after the line before it: a decision's lines stand together, in order and in one group. Only a
// crash leaves a decision unfinished, and then a recovered record comes next.
func (w *walker) follows(f frame, r authz.Record) error {
	switch {
	case !w.inOpen && (r.Part == nil || r.Part[0] == 1):
		return nil
	case !w.inOpen:
		return fmt.Errorf("part %d of %d of decision %s comes first", r.Part[0], r.Part[1], r.DecisionID)
	case r.Type == typeRecovered && f.g == f.n:
		return nil
	case r.Part == nil || r.DecisionID != w.open.DecisionID || r.Part[0] != w.open.Part[0]+1 || r.Part[1] != w.open.Part[1] || f.g != w.group:
		return fmt.Errorf("decision %s ends after part %d of %d", w.open.DecisionID, w.open.Part[0], w.open.Part[1])
	case r.Allow != w.open.Allow:
		return fmt.Errorf("the parts of decision %s disagree on allow", r.DecisionID)
	}
	return nil
}
