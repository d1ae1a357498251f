package identity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxDenials     = 8 << 20     // bytes of the file
	denialInterval = time.Second // between looks at it
)

// Denials are revocations that somebody at this gateway adds to those of the bundle, when there is no time for a new one. They are
// a file of JSON objects, one a line, that only grows; each has the serial of the one before and one more, from 1:
//
//	{"serial": 1, "subject": "usa|sam"}
//	{"serial": 2, "token": "usa|<token_digest of a record>"}
//	{"serial": 3, "key": "usa|k1"}
//	{"serial": 4, "reissued": {"subject": "usa|sam", "not_before": "2026-11-24T12:00:00Z"}}
//
// Nothing in it can allow. A file that is gone, is shorter than it was, has a gap in its serials or a line that can't be read is
// stale: what may be missing could be about anybody, so everybody is refused until it is whole again.
type Denials struct {
	path    string
	logger  *slog.Logger
	stop    context.CancelFunc
	watch   sync.WaitGroup
	current atomic.Pointer[denials] // swapped whole
}

// denials are one reading of the file.
type denials struct {
	list   revocations
	serial int64
	err    error // why the list may lack something; nil if it does not
}

// OpenDenials reads the file at path, and looks at it each second until Close.
func OpenDenials(path string, logger *slog.Logger) (*Denials, error) {
	d := &Denials{path: path, logger: logger}
	first := readDenials(path)
	if first.err != nil {
		return nil, first.err
	}
	d.current.Store(first)
	ctx, stop := context.WithCancel(context.Background())
	d.stop = stop
	d.watch.Go(func() { d.run(ctx) })
	return d, nil
}

// Close ends the looking.
func (d *Denials) Close() {
	d.stop()
	d.watch.Wait()
}

// Ready returns why the file is stale, nil if it is not.
func (d *Denials) Ready() error { return d.current.Load().err }

func (d *Denials) run(ctx context.Context) {
	tick := time.NewTicker(denialInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			d.look()
		}
	}
}

// look reads the file again. It is read whole each time: a file that was written to in the same second, or put back, need not show it
// in its date or size.
func (d *Denials) look() {
	last, next := d.current.Load(), readDenials(d.path)
	if next.err == nil && next.serial < last.serial {
		next.err = fmt.Errorf("%s: ends with serial %d, but %d was there: put back what was taken away", d.path, next.serial, last.serial)
	}
	if next.err != nil {
		if last.err == nil {
			d.logger.Error("local revocations are stale: every request is denied", "error", next.err)
		}
		next.list, next.serial = last.list, last.serial
	} else if next.serial > last.serial || last.err != nil {
		d.logger.Info("local revocations read", "path", d.path, "serial", next.serial)
	}
	d.current.Store(next)
}

func readDenials(path string) *denials {
	d := &denials{list: newRevocations()}
	var b []byte
	if b, d.err = readDenialFile(path); d.err != nil {
		return d
	}
	n := 0
	for line := range bytes.Lines(b) {
		n++
		whole, ended := bytes.CutSuffix(line, []byte("\n"))
		if !ended {
			d.err = fmt.Errorf("%s:%d: the line does not end, so it may be cut: end it", path, n)
			return d
		}
		serial, err := d.add(whole)
		if err == nil && serial != d.serial+1 {
			err = fmt.Errorf("serial is %d, want %d: an entry is missing or there twice", serial, d.serial+1)
		}
		if err != nil {
			d.err = fmt.Errorf("%s:%d: %w", path, n, err)
			return d
		}
		d.serial = serial
	}
	return d
}

func readDenialFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: make it, empty if nothing is revoked", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxDenials+1))
	if err == nil && len(b) > maxDenials {
		err = fmt.Errorf("%s: longer than %d bytes: move its entries into the bundle's revocations", path, maxDenials)
	}
	return b, err
}

// add reads one entry, and returns its serial for the caller to judge.
func (d *denials) add(entry []byte) (serial int64, err error) {
	o, err := parseObject(entry)
	if err != nil {
		return 0, err
	}
	var r reader
	serial = r.date(o["serial"], "serial")
	r.closed(o, "the entry", "serial", "subject", "token", "key", "reissued")
	if r.err != nil {
		return 0, r.err
	}
	if len(o) != 2 {
		return 0, errors.New("want serial, and one of subject, token, key, reissued")
	}
	for name, v := range o {
		switch name {
		case "subject":
			err = d.list.add("subject", subjectForm, d.list.subjects, r.text(v, name))
		case "token":
			err = d.list.add("token", tokenForm, d.list.tokens, r.text(v, name))
		case "key":
			err = d.list.add("key", keyForm, d.list.keys, r.text(v, name))
		case "reissued":
			e := r.object(v, name)
			r.closed(e, name, "subject", "not_before")
			err = d.list.reissue(reissue{r.text(e["subject"], name+".subject"), r.time(e, "not_before", name+".")})
		}
	}
	return serial, errors.Join(r.err, err)
}
