package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// file is what a log writes to. It is an interface only so that tests can fail each call.
type file interface {
	io.Writer
	Sync() error
	Truncate(size int64) error
	Close() error
}

// diskFile flushes data and size, not the times, which nothing depends on.
type diskFile struct{ *os.File }

func (f diskFile) Sync() error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func openFile(path string, flag int) (file, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

// freeSpace returns the bytes that an unprivileged process can still write to the disk of dir.
func freeSpace(dir string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return s.Bavail * uint64(s.Bsize), nil
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// segmentPath is the file of the segment whose first line is n.
func segmentPath(dir string, n uint64) string {
	return filepath.Join(dir, fmt.Sprintf("seg-%020d.jsonl", n))
}

// segments returns the first line of each segment in dir, in order, or *Damage if a name is wrong or a segment is missing.
// Files of other names are not part of the log.
func segments(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "seg-") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	firsts := make([]uint64, len(names))
	for i, name := range names {
		firsts[i] = uint64(i) * segmentLines
		if want := segmentPath(dir, firsts[i]); filepath.Base(want) != name {
			return nil, &Damage{Log: filepath.Base(dir), File: filepath.Join(dir, name), Index: firsts[i],
				Cause: "the segment here must be " + filepath.Base(want) + ": one is missing or misnamed"}
		}
	}
	return firsts, nil
}

// chunk is what stands between two newlines of a segment.
type chunk struct {
	text []byte // valid until the next call; nil if the chunk is longer than any line
	size int64  // bytes, with the newline
	torn bool   // the file ends before the newline
}

// lines reads a segment in constant memory, whatever is in it.
type lines struct{ r *bufio.Reader }

func newLines(r io.Reader) lines { return lines{bufio.NewReaderSize(r, maxLine+1)} }

// wholeSegment reads a file that is read to its end: in larger steps, which a core still has in its cache.
func wholeSegment(r io.Reader) lines { return lines{bufio.NewReaderSize(r, 1<<17)} }

// next returns the next chunk, or io.EOF after the last.
func (l lines) next() (chunk, error) {
	var c chunk
	for {
		b, err := l.r.ReadSlice('\n')
		c.size += int64(len(b))
		switch {
		case err == nil && c.size == int64(len(b)):
			c.text = b[:len(b)-1]
			return c, nil
		case err == nil:
			return c, nil
		case errors.Is(err, io.EOF) && c.size == 0:
			return c, io.EOF
		case errors.Is(err, io.EOF):
			c.torn = true
			if c.size == int64(len(b)) {
				c.text = b
			}
			return c, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return c, err
		}
	}
}

// Damage is a place in a log where its bytes are not what was written.
type Damage struct {
	Log   string `json:"log"`
	File  string `json:"file"`
	Line  int    `json:"line"`  // 1 is the file's first; 0: the file as a whole
	Index uint64 `json:"index"` // of the line that must stand there
	Cause string `json:"cause"`
}

func (d *Damage) Error() string {
	place := d.File
	if d.Line > 0 {
		place = fmt.Sprintf("%s:%d", d.File, d.Line)
	}
	return fmt.Sprintf("%s: log %s is damaged at line %d: %s", place, d.Log, d.Index, d.Cause)
}
