package audit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sallyport-dev/sallyport/authz/audit/tlog"
)

const (
	checkpointEvery = time.Second // while there is something new
	checkpointLines = 1000        // or after so many lines
	maxUnpublished  = 1 << 17     // lines; beyond it the committer waits for the publisher, so that what it holds is bounded
)

// snapshot is the tree at a size whose lines are all durable, and the tiles that became full since the snapshot before.
type snapshot struct {
	size  uint64
	root  tlog.Hash
	tiles []tlog.Tile
}

// hash adds the leaves of lines, each ended by a newline, to the tree. Only the committer, or who it waits for, may call it.
func (l *log) hash(lines []byte) {
	for len(lines) > 0 {
		end := bytes.IndexByte(lines, '\n')
		l.tree.Append(tlog.LeafHash(lines[:end]))
		lines = lines[end+1:]
	}
}

// offer hands a snapshot to the publisher if it is time for one, or if now is set. It waits only if the publisher is far behind.
// Only the committer calls it.
func (l *log) offer(now bool) error {
	fresh := l.tree.Size() - l.offered
	if fresh == 0 && len(l.tiles) == 0 || !now && fresh < checkpointLines && time.Since(l.offeredAt) < checkpointEvery {
		return nil
	}
	if len(l.snapshots) > 0 && fresh < maxUnpublished {
		return nil // the publisher is busy; the next offer has it all
	}
	if err := l.flush(); err != nil { // of records that did not wait for the disk
		return err
	}
	l.last()
	return nil
}

// last hands over a snapshot of the tree, whose lines must all be durable.
func (l *log) last() {
	l.tiles = append(l.tiles, l.tree.Take()...)
	if l.tree.Size() == l.offered && len(l.tiles) == 0 {
		return
	}
	l.snapshots <- snapshot{size: l.tree.Size(), root: l.tree.Root(), tiles: l.tiles}
	l.offered, l.offeredAt, l.tiles = l.tree.Size(), time.Now(), nil
}

// publish writes tiles and checkpoints, off the commit path, until the committer has ended. Once a second it reminds the committer,
// which may be idle, that a checkpoint may be due.
func (l *log) publish() {
	defer close(l.published)
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	for {
		select {
		case s, more := <-l.snapshots:
			if !more {
				return
			}
			if l.failure() != nil {
				continue // nothing is flushed any more
			}
			if err := l.write(s); err != nil {
				l.fail(fmt.Errorf("checkpoint of %d lines: %w", s.size, err))
			}
		case <-tick.C:
			l.mu.Lock()
			l.due = true
			l.wake.Signal()
			l.mu.Unlock()
		}
	}
}

// write makes the tiles durable and then the checkpoint that needs them.
func (l *log) write(s snapshot) error {
	dirs := map[string]bool{}
	for _, t := range s.tiles {
		dir, err := l.writeTile(t)
		if err != nil {
			return err
		}
		dirs[dir] = true
	}
	for dir := range dirs {
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	signed, err := tlog.Checkpoint{Origin: l.id.name, Size: s.size, Root: s.root}.Sign(l.c.Key)
	if err != nil {
		return err
	}
	if err := l.c.replace(l.dir, checkpointFile, signed); err != nil {
		return err
	}
	l.mu.Lock()
	l.stat.Signed = s.size
	l.mu.Unlock()
	return nil
}

// writeTile writes a full tile and returns its folder, which is not synced. One that can be there, from before a crash, is left if it
// is right.
func (l *log) writeTile(t tlog.Tile) (string, error) {
	path := filepath.Join(l.dir, filepath.FromSlash(t.Path()))
	if t.End() <= l.began {
		if have, err := readSmall(path, tlog.TileBytes); err == nil && bytes.Equal(have, t.Hashes) {
			return filepath.Dir(path), nil
		}
	}
	if err := mkdirs(l.dir, filepath.Dir(path)); err != nil {
		return "", err
	}
	return filepath.Dir(path), l.c.put(l.dir, filepath.FromSlash(t.Path()), t.Hashes)
}

// mkdirs makes the folders between top and dir, durably.
func mkdirs(top, dir string) error {
	if dir == top {
		return nil
	}
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if err := mkdirs(top, parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return err
	}
	return syncDir(parent)
}
