package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-dev/sallyport/authz/audit/tlog"
)

// seal is what a walk holds the lines of a log against: its checkpoint and its tiles, as they were when the walk began. What is
// written later is newer than they are, so a gateway may go on meanwhile.
type seal struct {
	dir, name string
	id        identity
	signed    tlog.Checkpoint
	tree      tlog.Tree
	tiles     map[string]bool              // paths of tiles, and of an export's bundles, that no line has led to yet
	exported  bool                         // the lines are in bundles
	kept      map[uint64][]tlog.Checkpoint // checkpoints of this log that were kept elsewhere, by size
	found     uint64                       // the largest of them that the lines led to
	suspect   *Damage                      // the first tile that differs from the lines; which of both is wrong the checkpoint says
}

// openSeal reads the files of a log beside its segments. A file that is not of a log is damage: nothing covers its bytes.
func openSeal(dir, name string) (*seal, error) {
	exported := isExport(dir)
	s := &seal{dir: dir, name: name, tiles: map[string]bool{}, exported: exported}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		n := e.Name()
		switch {
		case n == originFile, n == keyFile, n == checkpointFile, n == "tile" && e.IsDir():
		case !exported && (strings.HasPrefix(n, "seg-") || strings.HasSuffix(n, tempSuffix)):
		default:
			return nil, s.damage(filepath.Join(dir, n), 0, "it is no file of a log")
		}
	}
	whose := name
	if exported {
		whose = "" // its folder may have any name
	}
	// The checkpoint first: tiles and lines that are read after it are newer.
	if s.id, err = readIdentity(dir, whose); err != nil {
		return nil, err
	}
	if s.signed, _, err = s.id.readCheckpoint(dir, name); err != nil {
		return nil, err
	}
	if err := s.id.follows(dir); err != nil && !exported {
		return nil, err
	}
	return s, s.list()
}

// list notes which tiles there are.
func (s *seal) list() error {
	err := filepath.WalkDir(filepath.Join(s.dir, "tile"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(s.dir, path)
		if err == nil && !s.exported { // the lines lead to all that an export has, so what they don't lead to is found
			_, err = tlog.ParsePath(filepath.ToSlash(rel))
		}
		if err != nil {
			return s.damage(path, 0, err.Error())
		}
		s.tiles[filepath.ToSlash(rel)] = true
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (s *seal) damage(path string, index uint64, cause string) error {
	return &Damage{Log: s.name, File: path, Index: index, Cause: cause}
}

// add adds a line that is good in itself.
func (s *seal) add(line []byte) error {
	s.tree.Append(tlog.LeafHash(line))
	if s.tree.Size()%tlog.TileWidth == 0 {
		for _, t := range s.tree.Take() {
			if err := s.tile(t); err != nil {
				return err
			}
		}
	}
	if err := s.again(); err != nil {
		return err
	}
	if s.tree.Size() == s.signed.Size {
		return s.root()
	}
	return nil
}

// keep takes the checkpoints of this log among those that were kept elsewhere.
func (s *seal) keep(rd Reader) error {
	s.kept = map[uint64][]tlog.Checkpoint{}
	for _, signed := range rd.Kept {
		if c, err := tlog.ParseCheckpoint(signed); err != nil || c.Origin != s.id.name {
			continue // of another log, see Unclaimed
		}
		c, _, err := tlog.OpenKept(signed, s.id.key, rd.Witnesses)
		if err != nil {
			return s.damage(filepath.Join(s.dir, checkpointFile), 0, "a checkpoint that was kept elsewhere: "+err.Error())
		}
		s.kept[c.Size] = append(s.kept[c.Size], c)
	}
	return s.again()
}

// again compares the lines up to here with the checkpoints of this size that were kept elsewhere.
func (s *seal) again() error {
	for _, c := range s.kept[s.tree.Size()] {
		if c.Root != s.tree.Root() {
			return s.damage(filepath.Join(s.dir, checkpointFile), 0, fmt.Sprintf("the first %d lines are not those of the checkpoint that was kept elsewhere", c.Size))
		}
		s.found = max(s.found, c.Size)
		delete(s.kept, c.Size)
	}
	return nil
}

// tile compares a tile that the lines lead to with its file.
func (s *seal) tile(want tlog.Tile) error {
	path := filepath.Join(s.dir, filepath.FromSlash(want.Path()))
	if !s.tiles[want.Path()] {
		if want.End() <= s.signed.Size {
			return s.damage(path, want.End()-1, "the tile is missing")
		}
		return nil
	}
	delete(s.tiles, want.Path())
	have, err := readSmall(path, tlog.TileBytes)
	if err != nil {
		return s.damage(path, want.End()-1, err.Error())
	}
	if s.suspect != nil || string(have) == string(want.Hashes) {
		return nil
	}
	if len(have) != tlog.TileBytes {
		s.suspect = &Damage{Log: s.name, File: path, Index: want.End() - 1, Cause: fmt.Sprintf("the tile has %d bytes, not %d", len(have), tlog.TileBytes)}
		return nil
	}
	first, width := want.End(), want.End()/(want.N+1)
	first -= width
	for i := range tlog.TileWidth {
		if want.Hash(i) != (tlog.Tile{Hashes: have}).Hash(i) {
			s.suspect = &Damage{Log: s.name, File: path, Index: first + uint64(i)*width/tlog.TileWidth, Cause: "the tile is not that of the lines"}
			return nil
		}
	}
	return nil
}

// root compares the lines up to the checkpoint with it.
func (s *seal) root() error {
	if s.tree.Root() == s.signed.Root {
		if s.suspect != nil { // the lines are right, so the tile is not
			return s.suspect
		}
		return nil
	}
	first := s.signed.Size / tlog.TileWidth * tlog.TileWidth // no tile holds the lines after it
	cause := fmt.Sprintf("this line, or one after it and before line %d, is not the one that the checkpoint was signed for", s.signed.Size)
	if s.suspect != nil {
		first, cause = s.suspect.Index, "the line is not the one that the checkpoint was signed for"
	}
	if s.exported {
		return s.damage(filepath.Join(s.dir, filepath.FromSlash(bundleDir)), first, cause)
	}
	return &Damage{Log: s.name, File: segmentPath(s.dir, first/segmentLines*segmentLines), Line: int(first%segmentLines) + 1, Index: first, Cause: cause}
}

// end says what is missing after the last line.
func (s *seal) end() error {
	if s.tree.Size() < s.signed.Size {
		return s.damage(filepath.Join(s.dir, checkpointFile), s.tree.Size(),
			fmt.Sprintf("the log ends here, and its checkpoint was signed for %d lines", s.signed.Size))
	}
	for size := range s.kept {
		return s.damage(filepath.Join(s.dir, checkpointFile), s.tree.Size(),
			fmt.Sprintf("the log ends here, and a checkpoint that was kept elsewhere was signed for %d lines", size))
	}
	if s.exported {
		if err := s.partials(); err != nil {
			return err
		}
	}
	if s.suspect != nil {
		return s.suspect
	}
	for path := range s.tiles {
		return s.damage(filepath.Join(s.dir, filepath.FromSlash(path)), s.tree.Size(), "the tile is of lines that are not there")
	}
	return nil
}

// Unclaimed returns a kept checkpoint's origin that none of the reports is of: that log is missing as a whole, or has begun anew.
func (rd Reader) Unclaimed(report Report) error {
	origins := map[string]bool{}
	for _, l := range report.Logs {
		origins[l.Origin] = true
	}
	for _, signed := range rd.Kept {
		c, err := tlog.ParseCheckpoint(signed)
		if err != nil {
			return err
		}
		if !origins[c.Origin] {
			return &Damage{Log: c.Origin, File: checkpointFile, Index: 0, Cause: fmt.Sprintf("a checkpoint of %d lines was kept elsewhere, and no log of that origin is here", c.Size)}
		}
	}
	return nil
}
