package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/authz/audit"
)

// exported writes a log of n lines and returns its export.
func exported(t testing.TB, n int) string {
	t.Helper()
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	fill(t, dir, n)
	if err := audit.ExportTiles(filepath.Join(dir, "us-defense"), to, func(string, uint64, uint64) {}); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestAnExportVerifiesWithThePublicKeyAlone(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 255, 256, 257, 600} {
		to := exported(t, n)
		report, err := audit.Verify(to, signingKey.Public().(ed25519.PublicKey))
		if err != nil {
			t.Fatalf("%d lines: %v", n, err)
		}
		if have := report.Logs[0]; have.Lines != uint64(n) || have.Signed != uint64(n) || have.Allows != uint64(n) || !have.Pinned {
			t.Errorf("%d lines: %+v", n, have)
		}
		other := bytes.Repeat([]byte{3}, 32)
		if _, err := audit.Verify(to, other); err == nil {
			t.Error("an export that another key signed is taken")
		}
	}
}

func TestAChangedFileOfAnExportIsDamage(t *testing.T) {
	t.Parallel()
	good := exported(t, 600)
	err := filepath.WalkDir(good, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(good, path)
		text := readFile(t, path)
		flipped := bytes.Clone(text)
		flipped[len(text)/2] ^= 1
		for what, change := range map[string]func(path string){
			"a flipped bit": func(path string) { writeFile(t, path, flipped) },
			"cut short":     func(path string) { writeFile(t, path, text[:len(text)-1]) },
			"one byte more": func(path string) { writeFile(t, path, append(bytes.Clone(text), 'x')) },
			"missing":       func(path string) { os.Remove(path) },
		} {
			to := filepath.Join(t.TempDir(), "copy")
			if err := os.CopyFS(to, os.DirFS(good)); err != nil {
				t.Fatal(err)
			}
			change(filepath.Join(to, rel))
			if _, err := audit.Verify(to); err == nil {
				t.Errorf("%s, %s: not found", rel, what)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, more := range []string{"tile/0/009", "tile/entries/009", "tile/0/002.p/7", "seg-00000000000000000000.jsonl", "note.txt"} {
		to := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(to, os.DirFS(good)); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(to, more), []byte("more"))
		if _, err := audit.Verify(to); err == nil {
			t.Errorf("%s more: not found", more)
		}
	}
}

// TestAnIndependentReaderAcceptsTheTiles builds tessera's fsck and client, which share no code with this package.
func TestAnIndependentReaderAcceptsTheTiles(t *testing.T) {
	t.Parallel()
	bin := filepath.Join(t.TempDir(), "tessera")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "../../conformance/tools/tessera", "-o", bin, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		if os.Getenv("REQUIRE_REAL") == "1" {
			t.Fatalf("REQUIRE_REAL=1 and tessera can't be built: %v\n%s", err, out)
		}
		t.Skipf("tessera can't be built: %v\n%s", err, out)
	}
	good := exported(t, audit.SegmentLines+700)
	read := func(dir string) (string, error) {
		out, err := exec.CommandContext(t.Context(), bin, dir, filepath.Join(good, "key.pub")).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	out, err := read(good)
	if err != nil || !strings.Contains(out, "of a log of 66236 lines: good") {
		t.Fatalf("%v: %s", err, out)
	}
	t.Log(out)
	for _, name := range []string{"checkpoint", "tile/entries/100", "tile/0/100", "tile/1/000", "tile/2/000.p/1", "tile/entries/258.p/188"} {
		path := filepath.Join(good, name)
		text := readFile(t, path)
		changed := bytes.Clone(text)
		changed[len(changed)/2] ^= 1
		writeFile(t, path, changed)
		if out, err := read(good); err == nil {
			t.Errorf("%s with a flipped bit: %s", name, out)
		}
		writeFile(t, path, text)
	}
}
