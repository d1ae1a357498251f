package tlog

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// proofHeader is the first line of a C2SP tlog-proof.
const proofHeader = "c2sp.org/tlog-proof@v1"

// Proof shows that a leaf stands at an index of the tree of a checkpoint.
type Proof struct {
	Index      uint64
	Hashes     []Hash
	Checkpoint []byte // the signed note
}

// Source gives the first width hashes of a tile, which need not be full.
type Source interface {
	Tile(level int, n uint64, width int) ([]byte, error)
}

// Prove returns the hashes that show that leaf index is in the tree of a size.
func Prove(size, index uint64, from Source) ([]Hash, error) {
	if index >= size || size > 1<<56 {
		return nil, fmt.Errorf("line %d is not in the tree of %d lines", index, size)
	}
	proof, err := tlog.ProveRecord(int64(size), int64(index), reader(size, from))
	return proof, err
}

// reader gives the nodes of a tree from its tiles.
func reader(size uint64, from Source) tlog.HashReader {
	type key struct {
		level int
		n     uint64
	}
	tiles := map[key][]byte{}
	return tlog.HashReaderFunc(func(indexes []int64) ([]Hash, error) {
		hashes := make([]Hash, len(indexes))
		for i, index := range indexes {
			height, n := tlog.SplitStoredHashIndex(index)
			level := height / tileHeight
			first := uint64(n) << (height % tileHeight) // of the tile's level
			k := key{level, first / TileWidth}
			if tiles[k] == nil {
				nodes := size >> (tileHeight * level)
				b, err := from.Tile(k.level, k.n, int(min(TileWidth, nodes-k.n*TileWidth)))
				if err != nil {
					return nil, err
				}
				tiles[k] = b
			}
			row := make([]Hash, 1<<(height%tileHeight))
			for j := range row {
				at := (int(first%TileWidth) + j) * tlog.HashSize
				if at+tlog.HashSize > len(tiles[k]) {
					return nil, fmt.Errorf("tile %d/%d has %d bytes: too few", k.level, k.n, len(tiles[k]))
				}
				row[j] = Hash(tiles[k][at:])
			}
			hashes[i] = rootOf(row)
		}
		return hashes, nil
	})
}

// Marshal returns p as a C2SP tlog-proof.
func (p Proof) Marshal() []byte {
	b := []byte(proofHeader + "\nindex " + strconv.FormatUint(p.Index, 10) + "\n")
	for _, h := range p.Hashes {
		b = append(b, base64.StdEncoding.EncodeToString(h[:])+"\n"...)
	}
	return append(append(b, '\n'), p.Checkpoint...)
}

const maxProof = 16 << 10

// ParseProof reads a C2SP tlog-proof. It refuses extra data, which nothing here would check.
func ParseProof(text []byte) (Proof, error) {
	var p Proof
	head, checkpoint, ok := bytes.Cut(text, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if len(text) > maxProof || !ok || len(lines) < 2 || lines[0] != proofHeader {
		return p, fmt.Errorf("not a proof: want %q, an index, hashes, an empty line and a checkpoint", proofHeader)
	}
	number, ok := strings.CutPrefix(lines[1], "index ")
	index, err := strconv.ParseUint(number, 10, 56)
	if !ok || err != nil {
		return p, fmt.Errorf("proof: %.50q: want index and a decimal number", lines[1])
	}
	p = Proof{Index: index, Checkpoint: checkpoint}
	for _, line := range lines[2:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return Proof{}, fmt.Errorf("proof: hash %.100q: want 32 bytes in base64", line)
		}
		p.Hashes = append(p.Hashes, h)
	}
	if !bytes.Equal(p.Marshal(), text) {
		return Proof{}, errors.New("proof: a number or hash is not in its one form")
	}
	return p, nil
}

// Verify returns the checkpoint that p proves leaf to be in, if the key of the verifier key text signed it.
func (p Proof) Verify(leaf []byte, verifierKey string) (Checkpoint, error) {
	c, err := OpenCheckpoint(p.Checkpoint, verifierKey)
	if err != nil {
		return Checkpoint{}, err
	}
	if p.Index >= c.Size {
		return Checkpoint{}, fmt.Errorf("line %d is not in the tree of %d lines", p.Index, c.Size)
	}
	if err := tlog.CheckRecord(p.Hashes, int64(c.Size), c.Root, int64(p.Index), LeafHash(leaf)); err != nil {
		return Checkpoint{}, fmt.Errorf("the proof does not show that these bytes are line %d of %s: %w", p.Index, c.Origin, err)
	}
	return c, nil
}
