package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// newSuffix ends the name of the folder in which a new incarnation is made. No tenant's name has a dot.
const newSuffix = ".new"

// NewIncarnation ends a log that can't or must not go on and begins it anew, under another origin that holds the last good checkpoint
// of the old one and why. The old folder is kept as it is, beside the new one, as LOG.ID; its path is returned. No gateway may have
// the log open.
//
// It is the only way on from damage, from a log that came back shorter out of a backup, and from a lost key: a log never signs two
// trees that don't agree.
func NewIncarnation(c Config, log, why string) (old string, err error) {
	if c, err = c.complete(); err != nil {
		return "", err
	}
	if log != GatewayLog && !validTenant(log) {
		return "", fmt.Errorf("audit: %q is no log's name", log)
	}
	if why = strings.TrimSpace(why); why == "" || len(why) > maxShort {
		return "", fmt.Errorf("audit: say in 1 to %d bytes why the log must begin anew", maxShort)
	}
	dir := filepath.Join(c.Dir, log)
	d, err := os.Open(dir)
	if err != nil {
		return "", err
	}
	defer d.Close()
	if err := lockFolder(d); err != nil {
		return "", err
	}
	before, name := lastOf(dir, log)
	before.Why = why
	next := dir + newSuffix
	if old, err = finishIncarnation(c.Dir, dir, next); old != "" || err != nil {
		return old, err
	}
	if err := os.RemoveAll(next); err != nil { // begun and never used
		return "", err
	}
	if err := os.Mkdir(next, 0o700); err != nil {
		return "", err
	}
	if err := c.begin(next, log, &before); err != nil {
		return "", err
	}
	// One step for both names: at no time is the log missing, which would look like one that never was.
	if err := unix.Renameat2(unix.AT_FDCWD, dir, unix.AT_FDCWD, next, unix.RENAME_EXCHANGE); err != nil {
		return "", fmt.Errorf("exchange %s and %s: %w", dir, next, err)
	}
	old = dir + "." + name
	return old, errors.Join(os.Rename(next, old), syncDir(c.Dir))
}

// lastOf returns where a log ended, and the name that its folder gets. What can't be read is left empty: the folder is kept.
func lastOf(dir, log string) (previous, string) {
	id, err := readIdentity(dir, log)
	if err != nil {
		return previous{}, "unknown-" + randomID()[:8]
	}
	name := id.name[strings.LastIndexByte(id.name, '/')+1:]
	_, note, err := id.readCheckpoint(dir, log)
	if err != nil {
		return previous{Origin: id.name}, name
	}
	return previous{Origin: id.name, Checkpoint: string(note)}, name
}

// finishIncarnation ends what a crash interrupted: the folders are exchanged, but the old one has not got its name yet. It returns ""
// if they are not.
func finishIncarnation(top, dir, next string) (string, error) {
	now, err := readIdentity(dir, filepath.Base(dir))
	if err != nil || now.Previous == nil {
		return "", nil
	}
	was, name := lastOf(next, filepath.Base(dir))
	if _, err := os.Stat(next); err != nil || was.Origin != now.Previous.Origin {
		return "", nil
	}
	old := dir + "." + name
	return old, errors.Join(os.Rename(next, old), syncDir(top))
}

// follows refuses a log that says of the one before, which is still beside it, what is not so.
func (id identity) follows(dir string) error {
	if id.Previous == nil || id.Previous.Origin == "" {
		return nil
	}
	base, _, _ := strings.Cut(filepath.Base(dir), ".")
	old := filepath.Join(filepath.Dir(dir), base+"."+id.Previous.Origin[strings.LastIndexByte(id.Previous.Origin, '/')+1:])
	note, err := readSmall(filepath.Join(old, checkpointFile), maxOrigin)
	if errors.Is(err, os.ErrNotExist) {
		return nil // kept elsewhere
	}
	if err == nil && id.Previous.Checkpoint != "" && string(note) != id.Previous.Checkpoint {
		err = errors.New("its checkpoint is not the one that the log after it was begun with")
	}
	if err != nil {
		return &Damage{Log: filepath.Base(old), File: filepath.Join(old, checkpointFile), Cause: err.Error()}
	}
	return nil
}
