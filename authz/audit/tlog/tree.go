// Package tlog is the Merkle tree over the lines of a log: it knows bytes, hashes, tiles, checkpoints and proofs, and nothing of
// records, files or gateways.
//
// The tree is that of RFC 6962, section 2.1; tiles, checkpoints and proofs are C2SP's tlog-tiles, tlog-checkpoint (a signed-note
// with Ed25519), tlog-cosignature and tlog-proof. Hashing, proofs and signatures themselves are golang.org/x/mod's; what is added here is a tree that
// grows by one hash at a time in constant memory, and parsers that accept each thing in one form only.
//
// Invariants: a parser refuses every text that its writer would not have written, so no bit of a file can change unnoticed. Root and
// tiles depend on the leaves only, not on when they were asked for.
//
// Non-goals: no input or output, no cosigning, no consistency proofs.
package tlog

import (
	"crypto/sha256"
	"hash"
	"slices"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a SHA-256 of a leaf or of an inner node.
type Hash = tlog.Hash

// LeafHash returns the hash of a leaf.
func LeafHash(leaf []byte) Hash {
	// Of a running hash that is kept: neither a copy of the leaf nor anything on the heap, for this is most of what a record costs.
	h := hashers.Get().(*hasher)
	h.Reset()
	h.Write(leafPrefix)
	h.Write(leaf)
	h.Sum(h.sum[:0])
	sum := h.sum
	hashers.Put(h)
	return sum
}

var leafPrefix = []byte{0}

type hasher struct {
	hash.Hash
	sum Hash
}

var hashers = sync.Pool{New: func() any { return &hasher{Hash: sha256.New()} }}

// Tree is the right edge of a growing tree: enough to add leaves, to know the root, and to give each tile when it is full. The
// zero Tree is empty.
type Tree struct {
	size  uint64
	stack []Hash   // roots of the perfect subtrees that size is made of, the largest first
	edge  [][]byte // hashes of the tile that is not full yet, by level
	full  []Tile   // full tiles that Take has not given yet
}

// Size returns the number of leaves.
func (t *Tree) Size() uint64 { return t.size }

// Append adds a leaf by its hash.
func (t *Tree) Append(leaf Hash) { t.add(0, leaf) }

// AppendTile adds all leaves under a full tile, whose hashes must be right. The size must be a multiple of their number.
func (t *Tree) AppendTile(tile Tile) { t.add(tileHeight*(tile.Level+1), tile.Root()) }

// add adds a perfect subtree of a height by its root.
func (t *Tree) add(height int, h Hash) {
	before := t.size
	t.size += 1 << height
	t.node(height, h)
	for n := before >> height; n&1 == 1; n >>= 1 {
		last := len(t.stack) - 1
		h = tlog.NodeHash(t.stack[last], h)
		t.stack = t.stack[:last]
		height++
		t.node(height, h)
	}
	t.stack = append(t.stack, h)
}

// node puts a node that is complete into its tile, if one holds nodes of its height.
func (t *Tree) node(height int, h Hash) {
	if height%tileHeight != 0 {
		return
	}
	level := height / tileHeight
	for len(t.edge) <= level {
		t.edge = append(t.edge, nil)
	}
	t.edge[level] = append(t.edge[level], h[:]...)
	if len(t.edge[level]) == TileBytes {
		n := t.size>>(tileHeight*(level+1)) - 1
		t.full = append(t.full, Tile{Level: level, N: n, Hashes: t.edge[level]})
		t.edge[level] = make([]byte, 0, TileBytes)
	}
}

// Take returns the tiles that have become full since it was asked last, in the order in which they did.
func (t *Tree) Take() []Tile {
	full := t.full
	t.full = nil
	return full
}

// Partial returns the tile of each level that is not full yet, where it is not empty: with fewer than TileWidth hashes.
func (t *Tree) Partial() []Tile {
	var all []Tile
	for level, hashes := range t.edge {
		if len(hashes) > 0 {
			all = append(all, Tile{Level: level, N: t.size >> (tileHeight * (level + 1)), Hashes: hashes})
		}
	}
	return all
}

// Root returns the tree's hash; that of the empty tree is the hash of nothing.
func (t *Tree) Root() Hash {
	if t.size == 0 {
		return sha256.Sum256(nil)
	}
	root := t.stack[len(t.stack)-1]
	for _, left := range slices.Backward(t.stack[:len(t.stack)-1]) {
		root = tlog.NodeHash(left, root)
	}
	return root
}
