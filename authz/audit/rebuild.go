package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-dev/sallyport/authz/audit/tlog"
)

// rebuild is the tree of a log that is being opened, held against the checkpoint that was published last.
type rebuild struct {
	l         *log
	signed    tlog.Checkpoint
	tree      tlog.Tree
	fromTiles bool // its beginning was taken from tiles and not from lines
}

// errTiles says that the tiles of a log don't lead to its checkpoint. The lines may.
var errTiles = errors.New("the tiles don't lead to the checkpoint")

// check compares the root when the tree has the checkpoint's size.
func (r *rebuild) check() error {
	if r.tree.Size() != r.signed.Size || r.tree.Root() == r.signed.Root {
		return nil
	}
	if r.fromTiles {
		return errTiles
	}
	return r.l.damage(filepath.Join(r.l.dir, checkpointFile), 0, r.signed.Size,
		"the lines before are not those that the checkpoint was signed for")
}

// add adds a line.
func (r *rebuild) add(line []byte) error {
	r.tree.Append(tlog.LeafHash(line))
	return r.check()
}

// until brings the tree to the beginning of segment base: from tiles of level 1, one a segment, or where they are not to be trusted
// from all lines.
func (r *rebuild) until(base uint64) error {
	if !r.fromTiles {
		for first := uint64(0); first < base*segmentLines; first += segmentLines {
			if err := r.segment(first); err != nil {
				return err
			}
		}
		return r.check()
	}
	for n := range base {
		t := tlog.Tile{Level: 1, N: n}
		var err error
		if t.Hashes, err = readSmall(filepath.Join(r.l.dir, filepath.FromSlash(t.Path())), tlog.TileBytes); err != nil || len(t.Hashes) != tlog.TileBytes {
			return fmt.Errorf("%w: tile %s (%w)", errTiles, t.Path(), err)
		}
		r.tree.AppendTile(t)
	}
	return r.check()
}

// segment adds the lines of a segment that is not the last.
func (r *rebuild) segment(first uint64) error {
	path := segmentPath(r.l.dir, first)
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := wholeSegment(f)
	for i := range uint64(segmentLines) {
		c, err := in.next()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		var parsed frame
		if err == nil {
			parsed, err = parseLine(c.text)
		}
		if err == nil && (c.torn || parsed.n != first+i) {
			err = fmt.Errorf("the line has index %d", parsed.n)
		}
		if err != nil {
			return r.l.damage(path, int(i)+1, first+i, err.Error())
		}
		if err := r.add(c.text); err != nil {
			return err
		}
	}
	return nil
}

// recover finds the end of the log, holds it against its checkpoint, cuts what a crash left behind it, and opens the last segment for
// appending.
func (l *log) recover() (found, error) {
	firsts, err := segments(l.dir)
	if err != nil {
		return found{}, err
	}
	if err := l.begun(len(firsts) > 0); err != nil {
		return found{}, err
	}
	if l.id, err = readIdentity(l.dir, l.name); err != nil {
		return found{}, err
	}
	if err := l.c.ours(l.id); err != nil {
		return found{}, err
	}
	signed, _, err := l.id.readCheckpoint(l.dir, l.name)
	if err != nil {
		return found{}, err
	}
	if len(firsts) == 0 {
		if signed.Size > 0 {
			return found{}, l.damage(l.dir, 0, 0, fmt.Sprintf("the log has no segment, and its checkpoint was signed for %d lines", signed.Size))
		}
		l.file, err = l.c.create(l.dir, 0)
		return found{}, err
	}
	f, err := l.recoverFrom(firsts, signed, true)
	if errors.Is(err, errTiles) {
		l.c.Logger.Warn("audit log is read from its beginning", "log", l.name, "error", err)
		f, err = l.recoverFrom(firsts, signed, false)
	}
	return f, err
}

// begun makes what a new log, or one whose making a crash ended, still lacks. A log that has lines has everything.
func (l *log) begun(lines bool) error {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), tempSuffix) {
			if err := os.Remove(filepath.Join(l.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if lines {
		return nil
	}
	return l.c.begin(l.dir, l.name, nil)
}

func (l *log) recoverFrom(firsts []uint64, signed tlog.Checkpoint, fromTiles bool) (found, error) {
	end := position{}
	var err error
	for _, first := range firsts[:len(firsts)-1] {
		if end, err = l.lastOfFull(first); err != nil {
			return found{}, err
		}
	}
	// The checkpoint can be of a segment before the last one; from there on every line is read.
	l.first = firsts[len(firsts)-1]
	base := min(signed.Size/segmentLines, uint64(len(firsts)-1))
	r := &rebuild{l: l, signed: signed, fromTiles: fromTiles && base > 0}
	if err := r.until(base); err != nil {
		return found{}, err
	}
	for _, first := range firsts[base : len(firsts)-1] {
		if err := r.segment(first); err != nil {
			return found{}, err
		}
	}
	path := segmentPath(l.dir, l.first)
	if end, err = l.scan(path, end, r.add); err != nil {
		return found{}, err
	}
	if end.next < signed.Size {
		return found{}, l.damage(path, 0, end.next, fmt.Sprintf("the log has %d whole lines, and its checkpoint was signed for %d", end.next, signed.Size))
	}
	l.latest, l.began = end.time, end.next
	l.next, l.group, l.tree, l.offered, l.stat.Lines, l.stat.Signed = end.next, end.next, r.tree, signed.Size, end.next, signed.Size
	return l.reopen(path, end)
}

// reopen cuts what follows the last good line and opens the segment for appending.
func (l *log) reopen(path string, end position) (found, error) {
	f := found{cut: end.total - end.size}
	var err error
	if f.unfinished, err = unfinished(end.last); err != nil {
		return found{}, l.damage(path, 0, end.next-1, err.Error())
	}
	if l.file, err = l.c.open(path, os.O_WRONLY|os.O_APPEND); err != nil {
		return found{}, err
	}
	if f.cut > 0 {
		if err := l.file.Truncate(end.size); err != nil {
			return found{}, errors.Join(err, l.file.Close())
		}
	}
	if err := errors.Join(l.file.Sync(), syncDir(l.dir)); err != nil {
		return found{}, errors.Join(err, l.file.Close())
	}
	return f, nil
}
