package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// OpeningsSuffix ends the name of the folder of the openings, which stands beside that of the logs. Who may read the logs need not
// be able to read it, and what is deleted there can't be opened any more, while the logs still verify.
const OpeningsSuffix = ".openings"

// openingsPath is the file of the openings of the records in the segment that begins with line n.
func openingsPath(dir, log string, n uint64) string {
	return filepath.Join(filepath.Clean(dir)+OpeningsSuffix, log, fmt.Sprintf("open-%020d.jsonl", n))
}

// store writes openings. Only the committer of its log uses it.
type store struct {
	c    *Config
	log  string
	path string // of the open file
	file file   // nil while there is nothing to open
}

// write makes openings durable, before the records that need them.
func (s *store) write(lines []byte, segment uint64) error {
	if err := s.open(openingsPath(s.c.Dir, s.log, segment)); err != nil {
		return fmt.Errorf("openings: %w", err)
	}
	_, err := s.file.Write(lines)
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("openings: %w", err)
	}
	return nil
}

// open opens a file for appending, durably. What a crash left at its end is ended by a newline.
func (s *store) open(path string) error {
	if s.path == path {
		return nil
	}
	if err := s.close(); err != nil {
		return err
	}
	top := filepath.Clean(s.c.Dir) + OpeningsSuffix
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := errors.Join(syncDir(filepath.Dir(top)), syncDir(top)); err != nil {
		return err
	}
	torn, err := endsTorn(path)
	if err != nil {
		return err
	}
	if s.file, err = s.c.open(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE); err != nil {
		return err
	}
	s.path = path
	if torn {
		_, err = s.file.Write([]byte("\n"))
	}
	return errors.Join(err, syncDir(filepath.Dir(path)))
}

func endsTorn(path string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return false, err
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, size-1)
	return last[0] != '\n', err
}

// close lets the file go. What was written is durable.
func (s *store) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file, s.path = nil, ""
	return err
}
