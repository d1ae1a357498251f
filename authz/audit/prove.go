package audit

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/sallyport-dev/sallyport/authz/audit/tlog"
)

// Archive is one log that is read at single lines, as it was when it was opened. It needs no index: lines are found by their numbers.
// Its methods may be called at the same time.
type Archive struct {
	dir    string
	id     identity
	signed tlog.Checkpoint
	note   []byte // the checkpoint as it is signed

	mu   sync.Mutex
	edge map[int][]byte // the partial tile of each level, which every proof needs and no file has
}

// OpenArchive opens one log for reading. It checks the checkpoint's signature, and of the lines only those that it reads.
func OpenArchive(dir string) (*Archive, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if entries, err := os.ReadDir(dir); err != nil {
		return nil, err
	} else if !isLog(entries) {
		return nil, fmt.Errorf("%s is not one log (no seg-….jsonl and no origin.json in it)", dir)
	}
	name := filepath.Base(dir)
	a := &Archive{dir: dir, edge: map[int][]byte{}}
	if a.id, err = readIdentity(dir, name); err != nil {
		return nil, err
	}
	a.signed, a.note, err = a.id.readCheckpoint(dir, name)
	return a, err
}

// Checkpoint returns the last checkpoint.
func (a *Archive) Checkpoint() tlog.Checkpoint { return a.signed }

// VerifierKey returns the log's public key as a signed note's verifiers read it.
func (a *Archive) VerifierKey() string { return a.id.key }

// Line returns line n without its newline.
func (a *Archive) Line(n uint64) ([]byte, error) {
	var line []byte
	err := a.lines(n, 1, func(text []byte) { line = bytes.Clone(text) })
	return line, err
}

// Prove returns the proof that line n is in the last checkpoint's tree.
func (a *Archive) Prove(n uint64) (tlog.Proof, error) {
	if n >= a.signed.Size {
		return tlog.Proof{}, fmt.Errorf("line %d is not covered by the last checkpoint, which has %d lines", n, a.signed.Size)
	}
	hashes, err := tlog.Prove(a.signed.Size, n, a)
	return tlog.Proof{Index: n, Hashes: hashes, Checkpoint: a.note}, err
}

// Tile returns the first width hashes of a tile: from its file if it is full, else computed from what is below it.
func (a *Archive) Tile(level int, n uint64, width int) ([]byte, error) {
	t := tlog.Tile{Level: level, N: n}
	if t.End() <= a.signed.Size {
		b, err := a.full(t)
		if err != nil {
			return nil, err
		}
		return b[:width*len(tlog.Hash{})], nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if have := a.edge[level]; have != nil {
		return have[:width*len(tlog.Hash{})], nil
	}
	b, err := a.partial(level, n, width)
	if err == nil {
		a.edge[level] = b
	}
	return b, err
}

// full reads the file of a full tile.
func (a *Archive) full(t tlog.Tile) ([]byte, error) {
	b, err := readSmall(filepath.Join(a.dir, filepath.FromSlash(t.Path())), tlog.TileBytes)
	if err == nil && len(b) != tlog.TileBytes {
		err = fmt.Errorf("tile %s has %d bytes, not %d", t.Path(), len(b), tlog.TileBytes)
	}
	return b, err
}

// partial computes the tile of a level that is not full: there is one at most.
func (a *Archive) partial(level int, n uint64, width int) ([]byte, error) {
	var out []byte
	if level == 0 {
		err := a.lines(n*tlog.TileWidth, uint64(width), func(text []byte) {
			h := tlog.LeafHash(text)
			out = append(out, h[:]...)
		})
		return out, err
	}
	for i := range uint64(width) {
		below := tlog.Tile{Level: level - 1, N: n*tlog.TileWidth + i}
		var err error
		if below.Hashes, err = a.full(below); err != nil {
			return nil, err
		}
		root := below.Root()
		out = append(out, root[:]...)
	}
	return out, nil
}

// lines calls f with count lines from line n on, all of one segment.
func (a *Archive) lines(n, count uint64, f func(text []byte)) error {
	path := segmentPath(a.dir, n/segmentLines*segmentLines)
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the log has no line %d", n)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	at, err := find(file, n)
	if errors.Is(err, errAbsent) {
		return fmt.Errorf("the log has no line %d", n)
	}
	if err != nil {
		return fmt.Errorf("%s: line %d: %w", path, n, err)
	}
	in := newLines(io.NewSectionReader(file, at, 1<<62-at))
	for i := range count {
		c, err := in.next()
		if err != nil || c.torn {
			return fmt.Errorf("%s: the log has no line %d", path, n+i)
		}
		parsed, err := parseLine(c.text)
		if err == nil && parsed.n != n+i {
			err = fmt.Errorf("the line has index %d", parsed.n)
		}
		if err != nil {
			return &Damage{Log: filepath.Base(a.dir), File: path, Line: int((n+i)%segmentLines) + 1, Index: n + i, Cause: err.Error()}
		}
		f(c.text)
	}
	return nil
}

var errAbsent = errors.New("it is not there")

// find returns where line n begins. Lines stand in the order of their numbers, so it halves what can hold it until that is short.
func find(file *os.File, n uint64) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	low, high := int64(0), info.Size() // the line begins at or after low, and before high
	for high-low > 4*maxLine {
		middle := low + (high-low)/2
		begin, number, err := lineAfter(file, middle)
		switch {
		case errors.Is(err, io.EOF):
			high = middle
		case err != nil:
			return 0, err
		case number <= n:
			low = begin
		default:
			high = middle + 1 // the line before may begin before middle
		}
	}
	in := newLines(io.NewSectionReader(file, low, 1<<62-low))
	for {
		c, err := in.next()
		if err != nil {
			return 0, errAbsent
		}
		if number, err := numberOf(c.text); err == nil && number == n {
			return low, nil
		}
		low += c.size
	}
}

// lineAfter returns where the first line after a place begins, and its number.
func lineAfter(file *os.File, at int64) (int64, uint64, error) {
	in := bufio.NewReaderSize(io.NewSectionReader(file, at, 1<<62-at), 4096)
	begin := at
	for {
		b, err := in.ReadSlice('\n')
		begin += int64(len(b))
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return 0, 0, err
		}
	}
	head, err := in.Peek(len(`{"n":,`) + 20)
	if len(head) == 0 {
		return 0, 0, err
	}
	number, err := numberOf(head)
	return begin, number, err
}

func numberOf(line []byte) (uint64, error) {
	rest, ok := bytes.CutPrefix(line, []byte(`{"n":`))
	n, _, ok2 := cutNumber(rest)
	if !ok || !ok2 {
		return 0, errFrame
	}
	return n, nil
}

// ParsePublicKey reads a log's public key: the text of its key.pub, or a PUBLIC KEY in PEM.
func ParsePublicKey(text []byte) (ed25519.PublicKey, error) {
	if block, _ := pem.Decode(text); block != nil {
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("public key: %w", err)
		}
		if ed, ok := key.(ed25519.PublicKey); ok {
			return ed, nil
		}
		return nil, fmt.Errorf("public key of type %T: want Ed25519", key)
	}
	fields := strings.Split(strings.TrimSpace(string(text)), "+")
	raw, err := base64.StdEncoding.DecodeString(strings.Join(fields[min(2, len(fields)):], "+"))
	if err != nil || len(raw) != 1+ed25519.PublicKeySize {
		return nil, errors.New("not a public key: want the text of a log's key.pub, or PEM")
	}
	key := ed25519.PublicKey(raw[1:])
	if again, err := tlog.VerifierKey(fields[0], key); err != nil || again != strings.TrimSpace(string(text)) {
		return nil, errors.New("not a public key: its name, hash and key don't agree")
	}
	return key, nil
}

// VerifyProof shows that line is in the log that signed the checkpoint of a proof.
func VerifyProof(proof, line []byte, key ed25519.PublicKey) (tlog.Proof, tlog.Checkpoint, error) {
	p, err := tlog.ParseProof(proof)
	if err != nil {
		return p, tlog.Checkpoint{}, err
	}
	c, err := tlog.ParseCheckpoint(p.Checkpoint)
	if err != nil {
		return p, c, err
	}
	verifier, err := tlog.VerifierKey(c.Origin, key)
	if err != nil {
		return p, c, err
	}
	c, err = p.Verify(line, verifier)
	return p, c, err
}
