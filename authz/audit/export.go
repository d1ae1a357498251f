package audit

import (
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit/tlog"
)

// Exporter writes records of logs in another form. Flush must be called at the end.
type Exporter interface {
	Write(log string, line []byte, r authz.Record) error
	Flush() error
}

// NewExporter returns an exporter to w: jsonl (the lines as they are), csv (a row for each access) or ocsf (an event for each access).
func NewExporter(format string, w io.Writer) (Exporter, error) {
	switch format {
	case "jsonl":
		return jsonl{w}, nil
	case "csv":
		return newCSV(w)
	case "ocsf":
		return ocsf{json.NewEncoder(w)}, nil
	}
	return nil, fmt.Errorf("format %q: want jsonl, csv, ocsf or tiles", format)
}

type jsonl struct{ io.Writer }

func (e jsonl) Write(_ string, line []byte, _ authz.Record) error {
	_, err := e.Writer.Write(append(line[:len(line):len(line)], '\n'))
	return err
}

func (jsonl) Flush() error { return nil }

type csvExporter struct{ w *csv.Writer }

func newCSV(w io.Writer) (Exporter, error) {
	e := csvExporter{csv.NewWriter(w)}
	return e, e.w.Write([]string{"log", "index", "timestamp", "type", "decision_id", "marking", "source", "subject", "action", "resource", "row",
		"tenant", "access_allowed", "request_allowed", "reasons", "bundle_digest"})
}

func (e csvExporter) Write(log string, line []byte, r authz.Record) error {
	n, err := numberOf(line)
	if err != nil {
		return err
	}
	subject := ""
	if r.Subject != nil {
		subject = r.Subject.ID
	}
	accesses := r.Accesses
	if len(accesses) == 0 {
		accesses = []authz.RecordAccess{{}}
	}
	for _, a := range accesses {
		row := []string{log, strconv.FormatUint(n, 10), r.Time.String(), r.Type, r.DecisionID, r.Marking, r.RequestedBy, subject, a.Action, a.Resource,
			text(a.Row), text(a.Tenant), strconv.FormatBool(a.Allow), strconv.FormatBool(r.Allow), ids(r.Reasons), r.Bundle.Digest}
		for i, cell := range row {
			row[i] = inert(cell)
		}
		if err := e.w.Write(row); err != nil {
			return err
		}
	}
	return nil
}

func (e csvExporter) Flush() error {
	e.w.Flush()
	return e.w.Error()
}

// inert keeps a cell whose bytes a caller chose from being a formula where the file is opened.
func inert(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func ids(all []authz.Reason) string {
	texts := make([]string, len(all))
	for i, id := range all {
		texts[i] = string(id)
	}
	return strings.Join(texts, " ")
}

// ExportTiles writes the log in dir as static files of C2SP's tlog-tiles into to, which must not exist: checkpoint, tiles, entry
// bundles, origin and public key. progress is called with the number of lines that are done.
func ExportTiles(dir, to string, progress func(log string, done, all uint64)) error {
	a, err := OpenArchive(dir)
	if err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(to, filepath.FromSlash(bundleDir)), 0o700); err != nil { // which an empty log has too
		return err
	}
	size := a.signed.Size
	for n := uint64(0); n*tlog.TileWidth < size; n++ {
		width := min(tlog.TileWidth, size-n*tlog.TileWidth)
		var bundle []byte
		err := a.lines(n*tlog.TileWidth, width, func(text []byte) {
			bundle = binary.BigEndian.AppendUint16(bundle, uint16(len(text)))
			bundle = append(bundle, text...)
		})
		if err != nil {
			return err
		}
		if err := put(to, tlog.BundlePath(n, int(width)), bundle); err != nil {
			return err
		}
		progress(a.id.Log, n*tlog.TileWidth+width, size)
	}
	for level, nodes := 0, size; nodes > 0; level, nodes = level+1, nodes/tlog.TileWidth {
		for n := uint64(0); n*tlog.TileWidth < nodes; n++ {
			width := int(min(tlog.TileWidth, nodes-n*tlog.TileWidth))
			hashes, err := a.Tile(level, n, width)
			if err != nil {
				return err
			}
			if err := put(to, tlog.Tile{Level: level, N: n}.PartialPath(width), hashes); err != nil {
				return err
			}
		}
	}
	origin, err := a.id.marshal()
	if err == nil {
		err = errors.Join(put(to, originFile, origin), put(to, keyFile, []byte(a.id.key+"\n")))
	}
	if err != nil {
		return err
	}
	return put(to, checkpointFile, a.note) // last: what it says is there
}

func put(dir, path string, b []byte) error {
	path = filepath.Join(dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}
