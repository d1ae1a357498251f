package tlog_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"
	sumdb "golang.org/x/mod/sumdb/tlog"

	"github.com/sallyport-dev/sallyport/authz/audit/tlog"
)

const origin = "sallyport/us-defense/0123"

var key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))

func verifierKey(t testing.TB) string {
	t.Helper()
	text, err := tlog.VerifierKey(origin, key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func leaf(i int) []byte { return fmt.Appendf(nil, "leaf %d", i) }

// reference is the tree as x/mod keeps it.
type reference []tlog.Hash

func (r *reference) append(t testing.TB, i int) {
	t.Helper()
	hashes, err := sumdb.StoredHashes(int64(i), leaf(i), r)
	if err != nil {
		t.Fatal(err)
	}
	*r = append(*r, hashes...)
}

func (r *reference) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var all []tlog.Hash
	for _, i := range indexes {
		all = append(all, (*r)[i])
	}
	return all, nil
}

// tiles are kept as a log keeps them, and cut or computed as it would.
type tiles struct {
	full   map[string]tlog.Tile
	leaves int
}

func (s tiles) Tile(level int, n uint64, width int) ([]byte, error) {
	if t, ok := s.full[tlog.Tile{Level: level, N: n}.Path()]; ok {
		return t.Hashes[:width*sumdb.HashSize], nil
	}
	var b []byte
	for i := range width {
		at := int(n)*tlog.TileWidth + i
		h := tlog.LeafHash(leaf(at))
		if level > 0 {
			h = s.full[tlog.Tile{Level: level - 1, N: uint64(at)}.Path()].Root()
		}
		b = append(b, h[:]...)
	}
	return b, nil
}

// grow returns a tree of n leaves and its full tiles.
func grow(n int) (*tlog.Tree, tiles) {
	t, s := &tlog.Tree{}, tiles{full: map[string]tlog.Tile{}, leaves: n}
	for i := range n {
		t.Append(tlog.LeafHash(leaf(i)))
		for _, tile := range t.Take() {
			s.full[tile.Path()] = tile
		}
	}
	return t, s
}

func TestTheTreeIsThatOfXMod(t *testing.T) {
	t.Parallel()
	var want reference
	var have tlog.Tree
	for i := range 1000 {
		if root, err := sumdb.TreeHash(int64(i), &want); i > 0 && (err != nil || root != have.Root()) {
			t.Fatalf("root of %d leaves: %v, want %v (%v)", i, have.Root(), root, err)
		}
		want.append(t, i)
		have.Append(tlog.LeafHash(leaf(i)))
	}
	for _, tile := range have.Take() {
		data, err := sumdb.ReadTileData(sumdb.Tile{H: 8, L: tile.Level, N: int64(tile.N), W: tlog.TileWidth}, &want)
		if err != nil || !bytes.Equal(data, tile.Hashes) {
			t.Errorf("tile %s differs (%v)", tile.Path(), err)
		}
	}
}

func TestATreeThatStartsFromTilesIsTheSame(t *testing.T) {
	t.Parallel()
	const n = 65536 + 700
	whole, kept := grow(n)
	var again tlog.Tree
	again.AppendTile(kept.full["tile/1/000"])
	for i := 65536; i < n; i++ {
		again.Append(tlog.LeafHash(leaf(i)))
	}
	if again.Root() != whole.Root() || again.Size() != n {
		t.Error("the roots differ")
	}
	var paths []string
	for _, tile := range again.Take() {
		paths = append(paths, tile.Path())
		if !bytes.Equal(tile.Hashes, kept.full[tile.Path()].Hashes) {
			t.Errorf("tile %s differs", tile.Path())
		}
	}
	if diff := cmp.Diff([]string{"tile/0/256", "tile/0/257"}, paths); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}

func TestTheEmptyTreeHasTheHashOfNothing(t *testing.T) {
	t.Parallel()
	var tree tlog.Tree
	if have := tree.Root().String(); have != "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" {
		t.Error(have)
	}
}

func TestAPathOfATileIsThatOfC2SP(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]tlog.Tile{
		"tile/0/000":           {Level: 0, N: 0},
		"tile/3/999":           {Level: 3, N: 999},
		"tile/0/x001/000":      {Level: 0, N: 1000},
		"tile/1/x001/x234/067": {Level: 1, N: 1234067},
		"tile/0/x999/x999/999": {Level: 0, N: 999999999},
	} {
		have, err := tlog.ParsePath(path)
		if diff := cmp.Diff(want, have); err != nil || diff != "" || want.Path() != path {
			t.Errorf("%s: %v, %s\n%s", path, err, want.Path(), diff)
		}
	}
	for _, path := range []string{"", "tile", "tile/", "tile/0", "tile/0/", "tile/0/0", "tile/0/0000", "tile/0/x000/000", "tile/7/000", "tile/00/000",
		"tile/0/001.p/5", "tile/0/1/000", "tile/0/x001/x000", "tile/-/000", "tile/0/../000", "tile/entries/000", "tile/0/x" + strings.Repeat("9", 40)} {
		if have, err := tlog.ParsePath(path); err == nil {
			t.Errorf("%q is taken as %+v", path, have)
		}
	}
}

func TestACheckpointIsASignedNoteOfItsOrigin(t *testing.T) {
	t.Parallel()
	tree, _ := grow(5)
	want := tlog.Checkpoint{Origin: origin, Size: 5, Root: tree.Root()}
	signed, err := want.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	have, err := tlog.OpenCheckpoint(signed, verifierKey(t))
	if diff := cmp.Diff(want, have); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	v, err := note.NewVerifier(verifierKey(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := note.Open(signed, note.VerifierList(v)); err != nil {
		t.Errorf("a reader of signed notes does not take it: %v", err)
	}
	for i := range signed {
		for bit := range 8 {
			changed := bytes.Clone(signed)
			changed[i] ^= 1 << bit
			if _, err := tlog.OpenCheckpoint(changed, verifierKey(t)); err == nil {
				t.Fatalf("bit %d of byte %d flipped: not found in\n%s", bit, i, changed)
			}
		}
	}
}

func TestOpenCheckpointRefuses(t *testing.T) {
	t.Parallel()
	tree, _ := grow(5)
	good, err := tlog.Checkpoint{Origin: origin, Size: 5, Root: tree.Root()}.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, 32))
	forged, err := tlog.Checkpoint{Origin: origin, Size: 5, Root: tree.Root()}.Sign(other)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := tlog.Checkpoint{Origin: "sallyport/fr-space/0123", Size: 5, Root: tree.Root()}.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	_, signature, _ := bytes.Cut(good, []byte("\n\n"))
	for name, text := range map[string][]byte{
		"nothing":                        nil,
		"a signature of another key":     forged,
		"a checkpoint of another log":    foreign,
		"no signature":                   bytes.TrimSuffix(good, signature),
		"the signature twice":            append(bytes.Clone(good), signature...),
		"a second signature":             append(bytes.Clone(good), []byte("— other AAAAAAAA\n")...),
		"an extension":                   bytes.Replace(good, []byte("\n\n"), []byte("\nextra\n\n"), 1),
		"a size with a leading zero":     bytes.Replace(good, []byte("\n5\n"), []byte("\n05\n"), 1),
		"a size beyond what can be":      bytes.Replace(good, []byte("\n5\n"), []byte("\n72057594037927937\n"), 1),
		"an end of line of two bytes":    bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")),
		"something after it":             append(bytes.Clone(good), '\n'),
		"more than a checkpoint is":      bytes.Repeat([]byte("x"), 10_000),
		"a root of another length":       bytes.Replace(good, []byte("=\n\n"), []byte("\n\n"), 1),
		"a smaller size, same signature": bytes.Replace(good, []byte("\n5\n"), []byte("\n4\n"), 1),
	} {
		t.Run(name, func(t *testing.T) {
			if c, err := tlog.OpenCheckpoint(text, verifierKey(t)); err == nil {
				t.Errorf("taken as %+v", c)
			}
		})
	}
	if _, err := tlog.OpenCheckpoint(good, "no key"); err == nil {
		t.Error("a key that is none is taken")
	}
	if _, err := (tlog.Checkpoint{Origin: "two words"}).Sign(key); err == nil {
		t.Error("an origin that no note can have is signed")
	}
	if _, err := (tlog.Checkpoint{Origin: origin}).Sign(nil); err == nil {
		t.Error("no key signs")
	}
}

func TestEveryLeafOfEverySizeIsProven(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 2, 3, 255, 256, 257, 600, 65536, 65537, 66_000} {
		tree, kept := grow(size)
		signed, err := tlog.Checkpoint{Origin: origin, Size: uint64(size), Root: tree.Root()}.Sign(key)
		if err != nil {
			t.Fatal(err)
		}
		for index := 0; index < size; index += 1 + size/50 {
			hashes, err := tlog.Prove(uint64(size), uint64(index), kept)
			if err != nil {
				t.Fatal(err)
			}
			p, err := tlog.ParseProof(tlog.Proof{Index: uint64(index), Hashes: hashes, Checkpoint: signed}.Marshal())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Verify(leaf(index), verifierKey(t)); err != nil {
				t.Errorf("leaf %d of %d: %v", index, size, err)
			}
			if _, err := p.Verify(leaf(index+1), verifierKey(t)); err == nil {
				t.Errorf("leaf %d of %d proves another", index, size)
			}
			if p.Index++; size > 1 {
				if _, err := p.Verify(leaf(index), verifierKey(t)); err == nil {
					t.Errorf("leaf %d of %d is proven at another index", index, size)
				}
			}
		}
	}
	if _, err := tlog.Prove(5, 5, tiles{}); err == nil {
		t.Error("a leaf after the last is proven")
	}
}

// aProof is a good proof of leaf 7 of 600.
func aProof(t testing.TB) []byte {
	t.Helper()
	tree, kept := grow(600)
	signed, err := tlog.Checkpoint{Origin: origin, Size: 600, Root: tree.Root()}.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	hashes, err := tlog.Prove(600, 7, kept)
	if err != nil {
		t.Fatal(err)
	}
	return tlog.Proof{Index: 7, Hashes: hashes, Checkpoint: signed}.Marshal()
}

func TestEveryFlippedBitOfAProofIsFound(t *testing.T) {
	t.Parallel()
	good := aProof(t)
	for i := range good {
		for bit := range 8 {
			changed := slices.Clone(good)
			changed[i] ^= 1 << bit
			p, err := tlog.ParseProof(changed)
			if err == nil {
				_, err = p.Verify(leaf(7), verifierKey(t))
			}
			if err == nil {
				t.Fatalf("bit %d of byte %d flipped: not found", bit, i)
			}
		}
	}
}

func FuzzProof(f *testing.F) {
	good := aProof(f)
	f.Add(good)
	f.Add(good[:60])
	f.Add([]byte("c2sp.org/tlog-proof@v1\nindex 0\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := tlog.ParseProof(text)
		if err != nil {
			return
		}
		if !bytes.Equal(p.Marshal(), text) {
			t.Errorf("%q is read but would not be written", text)
		}
		if _, err := p.Verify(leaf(7), verifierKey(t)); err == nil && !bytes.Equal(text, good) {
			t.Errorf("%q proves", text)
		}
	})
}

func FuzzCheckpoint(f *testing.F) {
	_, good, _ := bytes.Cut(aProof(f), []byte("\n\n"))
	f.Add(good)
	f.Add([]byte("a\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := tlog.OpenCheckpoint(text, verifierKey(t)); err == nil && !bytes.Equal(text, good) {
			t.Errorf("%q is taken as %+v", text, c)
		}
	})
}

func FuzzPath(f *testing.F) {
	f.Add("tile/0/x001/000")
	f.Add("tile/0/000.p/3")
	f.Fuzz(func(t *testing.T, path string) {
		if tile, err := tlog.ParsePath(path); err == nil && tile.Path() != path {
			t.Errorf("%q is read but %q is written", path, tile.Path())
		}
	})
}

func BenchmarkTree(b *testing.B) {
	line := bytes.Repeat([]byte("x"), 1100)
	var t tlog.Tree
	b.ReportAllocs()
	for b.Loop() {
		t.Append(tlog.LeafHash(line))
		t.Take()
	}
}
