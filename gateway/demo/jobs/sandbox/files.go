package sandbox

import (
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/tetratelabs/wazero/experimental/sys"
	wasisys "github.com/tetratelabs/wazero/sys"
)

// directory is all that a module sees of a file system under one path: files called 0, 1, …, in memory. What is written costs budget.
type directory struct {
	sys.UnimplementedFS
	files    []*file
	writable bool
	budget   int64
	overrun  bool // somebody tried to write more than the budget
}

// file is one of them.
type file struct {
	data   []byte
	exists bool // an output is there once it was opened for writing
}

func inputs(data [][]byte) *directory {
	d := &directory{}
	for _, b := range data {
		d.files = append(d.files, &file{data: b, exists: true})
	}
	return d
}

func outputs(n int, budget int64) *directory {
	d := &directory{writable: true, budget: budget}
	for range n {
		d.files = append(d.files, &file{})
	}
	return d
}

// written returns what every output has, if every one was written and none was too long.
func (d *directory) written() ([][]byte, error) {
	if d.overrun {
		return nil, &Failure{"the module writes more than it may"}
	}
	var data [][]byte
	for i, f := range d.files {
		if !f.exists {
			return nil, &Failure{fmt.Sprintf("the module wrote no output %d", i)}
		}
		data = append(data, f.data)
	}
	return data, nil
}

// find returns the file called name. There is one spelling of each.
func (d *directory) find(name string) (*file, sys.Errno) {
	i, err := strconv.Atoi(name)
	if err != nil || i < 0 || i >= len(d.files) || strconv.Itoa(i) != name {
		return nil, sys.ENOENT
	}
	return d.files[i], 0
}

func isRoot(name string) bool { return strings.Trim(name, "./") == "" }

// OpenFile opens a file, or the directory itself.
func (d *directory) OpenFile(name string, flag sys.Oflag, _ fs.FileMode) (sys.File, sys.Errno) {
	write := flag&(sys.O_WRONLY|sys.O_RDWR) != 0
	if isRoot(name) {
		if write {
			return nil, sys.EISDIR
		}
		return &opened{directory: d}, 0
	}
	f, errno := d.find(name)
	switch create := flag&sys.O_CREAT != 0; {
	case errno != 0 && create:
		return nil, sys.EPERM // there are no other files
	case errno != 0:
		return nil, errno
	case write && !d.writable:
		return nil, sys.EROFS
	case !f.exists && !(create && write):
		return nil, sys.ENOENT
	case f.exists && create && flag&sys.O_EXCL != 0:
		return nil, sys.EEXIST
	}
	f.exists = true
	if write && flag&sys.O_TRUNC != 0 {
		d.budget += int64(len(f.data))
		f.data = nil
	}
	return &opened{directory: d, file: f, read: flag&sys.O_WRONLY == 0, write: write, end: flag&sys.O_APPEND != 0}, 0
}

// Stat describes a file, or the directory itself.
func (d *directory) Stat(name string) (wasisys.Stat_t, sys.Errno) {
	if isRoot(name) {
		return d.stat(nil), 0
	}
	f, errno := d.find(name)
	if errno != 0 || !f.exists {
		return wasisys.Stat_t{}, sys.ENOENT
	}
	return d.stat(f), 0
}

// Lstat is Stat: there are no links.
func (d *directory) Lstat(name string) (wasisys.Stat_t, sys.Errno) { return d.Stat(name) }

func (d *directory) stat(f *file) wasisys.Stat_t {
	if f == nil {
		return wasisys.Stat_t{Ino: 1, Nlink: 1, Mode: fs.ModeDir | 0o500}
	}
	return wasisys.Stat_t{Ino: uint64(slices.Index(d.files, f) + 2), Nlink: 1, Mode: 0o600, Size: int64(len(f.data))}
}

// opened is a descriptor of a file, or of the directory if file is nil.
type opened struct {
	sys.UnimplementedFile
	*directory
	*file
	read, write, end bool
	at               int64
}

func (o *opened) Stat() (wasisys.Stat_t, sys.Errno) { return o.directory.stat(o.file), 0 }
func (o *opened) IsDir() (bool, sys.Errno)          { return o.file == nil, 0 }
func (o *opened) IsAppend() bool                    { return o.end }

func (o *opened) SetAppend(end bool) sys.Errno {
	o.end = end
	return 0
}

func (o *opened) Read(p []byte) (int, sys.Errno) {
	n, errno := o.Pread(p, o.at)
	o.at += int64(n)
	return n, errno
}

func (o *opened) Pread(p []byte, at int64) (int, sys.Errno) {
	switch {
	case o.file == nil:
		return 0, sys.EISDIR
	case !o.read:
		return 0, sys.EBADF
	case at < 0:
		return 0, sys.EINVAL
	case at >= int64(len(o.data)):
		return 0, 0
	}
	return copy(p, o.data[at:]), 0
}

// position is int64 by another name, or vet would take Seek for an io.Seeker's gone wrong.
type position = int64

func (o *opened) Seek(offset position, whence int) (position, sys.Errno) {
	if o.file == nil {
		return 0, sys.EISDIR
	}
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += o.at
	case io.SeekEnd:
		offset += int64(len(o.data))
	default:
		return 0, sys.EINVAL
	}
	if offset < 0 {
		return 0, sys.EINVAL
	}
	o.at = offset
	return offset, 0
}

func (o *opened) Write(p []byte) (int, sys.Errno) {
	if o.end && o.file != nil {
		o.at = int64(len(o.data))
	}
	n, errno := o.Pwrite(p, o.at)
	o.at += int64(n)
	return n, errno
}

func (o *opened) Pwrite(p []byte, at int64) (int, sys.Errno) {
	if errno := o.resize(at, int64(len(p)), false); errno != 0 {
		return 0, errno
	}
	return copy(o.data[at:], p), 0
}

func (o *opened) Truncate(size int64) sys.Errno { return o.resize(size, 0, true) }

// resize makes room for n bytes at an offset, or ends the file there.
func (o *opened) resize(at, n int64, cut bool) sys.Errno {
	switch {
	case o.file == nil:
		return sys.EISDIR
	case !o.write:
		return sys.EBADF
	case at < 0:
		return sys.EINVAL
	}
	have := int64(len(o.data))
	if cut && at < have {
		o.budget += have - at
		o.data = o.data[:at:at]
		return 0
	}
	if at > o.budget+have || at+n-have > o.budget {
		o.overrun = true
		return sys.EIO
	}
	if more := at + n - have; more > 0 {
		o.budget -= more
		o.data = append(o.data, make([]byte, more)...)
	}
	return 0
}
