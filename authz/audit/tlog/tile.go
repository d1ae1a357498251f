package tlog

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	// TileWidth is the number of hashes in a full tile, and of leaves in a full entry bundle.
	TileWidth = 1 << tileHeight
	// TileBytes is the size of a full tile.
	TileBytes = TileWidth * tlog.HashSize
	maxLevel  = 6 // of a tree with less than 2^56 leaves
)

// Tile is a full tile: the hashes of 256 nodes beside each other, those with indexes N × 256 and up of their level. A node of level
// L is the root of 256^L leaves.
type Tile struct {
	Level  int
	N      uint64
	Hashes []byte
}

// Root returns the hash of the node above the tile. Hashes must have the size of a full tile.
func (t Tile) Root() Hash {
	var row [TileWidth]Hash
	for i := range row {
		row[i] = t.Hash(i)
	}
	return rootOf(row[:])
}

// rootOf returns the root over a power of two of nodes. It overwrites them.
func rootOf(row []Hash) Hash {
	for len(row) > 1 {
		for i := range len(row) / 2 {
			row[i] = tlog.NodeHash(row[2*i], row[2*i+1])
		}
		row = row[:len(row)/2]
	}
	return row[0]
}

// Hash returns the i-th hash.
func (t Tile) Hash(i int) Hash { return Hash(t.Hashes[i*tlog.HashSize:]) }

// End returns the number of leaves before the end of the tile.
func (t Tile) End() uint64 { return (t.N + 1) << (tileHeight * (t.Level + 1)) }

// Path returns where C2SP's tlog-tiles wants the tile, with slashes.
func (t Tile) Path() string { return "tile/" + strconv.Itoa(t.Level) + "/" + pathOf(t.N) }

// BundlePath returns where C2SP's tlog-tiles wants the n-th bundle of 256 entries; of the last one width entries, if they are fewer.
func BundlePath(n uint64, width int) string { return "tile/entries/" + pathOf(n) + suffix(width) }

// PartialPath returns where C2SP's tlog-tiles wants a tile that has only width hashes.
func (t Tile) PartialPath(width int) string { return t.Path() + suffix(width) }

func suffix(width int) string {
	if width == TileWidth {
		return ""
	}
	return ".p/" + strconv.Itoa(width)
}

// pathOf writes a number as three digits a folder, with an x before each but the last.
func pathOf(n uint64) string {
	text := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		text = fmt.Sprintf("x%03d/%s", n%1000, text)
	}
	return text
}

// ParsePath returns the full tile that a path names, without its hashes. It takes exactly what Path writes.
func ParsePath(path string) (Tile, error) {
	var t Tile
	rest, ok := strings.CutPrefix(path, "tile/")
	level, number, ok2 := strings.Cut(rest, "/")
	if ok && ok2 && len(level) == 1 && len(number) <= 32 {
		t.Level = int(level[0] - '0')
		for digits := range strings.SplitSeq(number, "/") {
			v, err := strconv.ParseUint(strings.TrimPrefix(digits, "x"), 10, 10)
			if err != nil || t.N > 1<<48 {
				return Tile{}, fmt.Errorf("%.100q is no path of a full tile", path)
			}
			t.N = t.N*1000 + v
		}
	}
	if t.Level < 0 || t.Level > maxLevel || t.Path() != path {
		return Tile{}, fmt.Errorf("%.100q is no path of a full tile", path)
	}
	return t, nil
}
