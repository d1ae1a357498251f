package audit

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"slices"
)

// key is a decision id in half the memory.
type key [16]byte

func keyOf(id string) (key, bool) {
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != len(key{}) {
		return key{}, false
	}
	return key(b), true
}

// fact is what one line of some log says of a decision.
type fact struct {
	key  key
	kind uint8 // which log says it, by the sorter's owner; facts of one key come in this order
	log  uint16
	good bool
	n    int64
}

const factBytes = 16 + 1 + 2 + 1 + 8

func (f fact) compare(g fact) int {
	return cmp.Or(slices.Compare(f.key[:], g.key[:]), cmp.Compare(f.kind, g.kind), cmp.Compare(f.log, g.log), cmp.Compare(f.n, g.n))
}

// sorter brings facts of tens of millions of lines together by decision, in bounded memory: what is more than max is sorted in runs
// on the disk, which are merged at the end.
type sorter struct {
	max  int // facts in memory
	held []fact
	runs []*os.File // without a name any more
}

const maxHeld = 1 << 20

func newSorter() *sorter { return &sorter{max: maxHeld} }

func (s *sorter) add(f fact) error {
	s.held = append(s.held, f)
	if len(s.held) < s.max {
		return nil
	}
	return s.spill()
}

// spill writes what is held as a run.
func (s *sorter) spill() error {
	slices.SortFunc(s.held, fact.compare)
	run, err := os.CreateTemp("", "sallyport-audit-*")
	if err != nil {
		return err
	}
	s.runs = append(s.runs, run)
	if err := os.Remove(run.Name()); err != nil {
		return err
	}
	w := bufio.NewWriterSize(run, 1<<16)
	b := make([]byte, 0, factBytes)
	for _, f := range s.held {
		b = append(append(b[:0], f.key[:]...), f.kind, 0)
		if f.good {
			b[17] = 1
		}
		b = binary.BigEndian.AppendUint16(b, f.log)
		b = binary.BigEndian.AppendUint64(b, uint64(f.n))
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	s.held = s.held[:0]
	return w.Flush()
}

// close lets the disk go.
func (s *sorter) close() error {
	var errs []error
	for _, r := range s.runs {
		errs = append(errs, r.Close())
	}
	s.runs = nil
	return errors.Join(errs...)
}

// ordered is one sorted sequence of facts.
type ordered struct {
	next fact
	read func() (fact, error)
}

// each calls f with all facts in order.
func (s *sorter) each(f func(fact)) error {
	slices.SortFunc(s.held, fact.compare)
	at := 0
	heads := []*ordered{{read: func() (fact, error) {
		if at == len(s.held) {
			return fact{}, io.EOF
		}
		at++
		return s.held[at-1], nil
	}}}
	for _, run := range s.runs {
		if _, err := run.Seek(0, io.SeekStart); err != nil {
			return err
		}
		in := bufio.NewReaderSize(run, 1<<16)
		heads = append(heads, &ordered{read: func() (fact, error) { return readFact(in) }})
	}
	live := heads[:0]
	for _, h := range heads {
		var err error
		if h.next, err = h.read(); err == nil {
			live = append(live, h)
		} else if !errors.Is(err, io.EOF) {
			return err
		}
	}
	for len(live) > 0 {
		least := 0
		for i, h := range live {
			if h.next.compare(live[least].next) < 0 {
				least = i
			}
		}
		f(live[least].next)
		var err error
		if live[least].next, err = live[least].read(); errors.Is(err, io.EOF) {
			live = slices.Delete(live, least, least+1)
		} else if err != nil {
			return err
		}
	}
	return nil
}

func readFact(in io.Reader) (f fact, err error) {
	var b [factBytes]byte
	if _, err := io.ReadFull(in, b[:]); err != nil {
		return f, err
	}
	f.key = key(b[:16])
	f.kind, f.good = b[16], b[17] == 1
	f.log = binary.BigEndian.Uint16(b[18:])
	f.n = int64(binary.BigEndian.Uint64(b[20:]))
	return f, nil
}
