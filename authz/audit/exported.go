package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sallyport-dev/sallyport/authz/audit/tlog"
)

// An export is a log as static files of C2SP's tlog-tiles, as ExportTiles writes them: bundles instead of segments, and each partial tile
// up to the checkpoint. It is whole by itself, and verifies wherever it lies.

const bundleDir = "tile/entries"

// isExport reports whether a folder is an export.
func isExport(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(bundleDir)))
	return err == nil && info.IsDir()
}

// bundles reads the lines of an export: as many as its checkpoint covers.
func (w *walker) bundles() error {
	size := w.seal.signed.Size
	for n := uint64(0); n*tlog.TileWidth < size; n++ {
		width := min(tlog.TileWidth, size-n*tlog.TileWidth)
		rel := tlog.BundlePath(n, int(width))
		path := filepath.Join(w.dir, filepath.FromSlash(rel))
		b, err := readSmall(path, tlog.TileWidth*(2+maxLine))
		if err != nil {
			return w.damage(path, 0, err.Error())
		}
		delete(w.seal.tiles, rel)
		for i := range int(width) {
			if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
				return w.damage(path, i+1, "the bundle ends here")
			}
			end := 2 + int(binary.BigEndian.Uint16(b))
			if err := w.line(path, i+1, b[2:end]); err != nil {
				return err
			}
			b = b[end:]
		}
		if len(b) > 0 {
			return w.damage(path, int(width), fmt.Sprintf("%d bytes follow the last entry", len(b)))
		}
	}
	if w.inOpen {
		return w.damage(w.dir, 0, fmt.Sprintf("decision %s ends after part %d of %d", w.open.DecisionID, w.open.Part[0], w.open.Part[1]))
	}
	return nil
}

// partials compares the tiles at the edge of an export with the lines. Those that are full were compared before.
func (s *seal) partials() error {
	for _, t := range s.tree.Partial() {
		rel := t.PartialPath(len(t.Hashes) / len(tlog.Hash{}))
		path := filepath.Join(s.dir, filepath.FromSlash(rel))
		have, err := readSmall(path, tlog.TileBytes)
		if err == nil && string(have) != string(t.Hashes) {
			err = errors.New("the tile is not that of the lines")
		}
		if err != nil {
			return s.damage(path, s.tree.Size()-1, err.Error())
		}
		delete(s.tiles, rel)
	}
	return nil
}
