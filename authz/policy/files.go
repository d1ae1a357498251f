package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Bounds of a folder. They keep a wrong or hostile folder from exhausting the gateway; real bundles stay far below.
const (
	maxFiles     = 20_000
	maxFileBytes = 16 << 20
	maxBytes     = 128 << 20
	maxDepth     = 10 // folders within folders
)

// file is one file of a folder; path is slash-separated and relative to it.
type file struct {
	path string
	data []byte
}

// readFolder reads every file of dir, in order of path. Symbolic links and special files are refused: what is loaded must be what
// lies in the folder.
func readFolder(dir string) ([]file, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w; name a folder with policies or a bundle", ErrEnvironment, err)
	}
	defer root.Close()
	info, err := root.Stat("root")
	bundle := err == nil && info.IsDir()

	var r report
	var files []file
	total := 0
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if strings.Count(name, "/") >= maxDepth {
				r.add(name, 0, "more than %d folders deep; move it up", maxDepth)
				return fs.SkipDir
			}
			if !bundle && name == "schemas" {
				return fs.SkipDir // the published schemas; the ones that count are built in
			}
			return nil
		case !d.Type().IsRegular():
			r.add(name, 0, "is no regular file; put the file itself there")
			return nil
		case !bundle && path.Dir(name) == "." && path.Ext(name) == ".go":
			return nil // the file that embeds policies/
		case len(files) == maxFiles:
			r.add(name, 0, "more than %d files; split the bundle", maxFiles)
			return fs.SkipAll
		}
		data, err := readFile(root, name)
		switch {
		case errors.Is(err, errTooLarge), err == nil && total+len(data) > maxBytes:
			r.add(name, 0, "more than %d MiB in a file or %d in all; split it", maxFileBytes>>20, maxBytes>>20)
			return nil
		case err != nil:
			return err
		}
		total += len(data)
		files = append(files, file{name, data})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrEnvironment, dir, err)
	}
	return files, r.err(dir)
}

var errTooLarge = errors.New("too large")

func readFile(root *os.Root, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err == nil && len(data) > maxFileBytes {
		err = errTooLarge
	}
	return data, err
}

// digest returns the hex SHA-256 over the number of files and, in order of path, the path and the bytes of each with its length
// before it.
func digest(files []file) string {
	h := sha256.New()
	length := func(n int) {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(n))
		h.Write(b[:])
	}
	length(len(files))
	for _, f := range files {
		length(len(f.path))
		io.WriteString(h, f.path)
		length(len(f.data))
		h.Write(f.data)
	}
	return hex.EncodeToString(h.Sum(nil))
}
