package audit_test

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/authz/audit"
	"github.com/sallyport-dev/sallyport/authz/audit/tlog"
)

func archive(t testing.TB, dir string) *audit.Archive {
	t.Helper()
	a, err := audit.OpenArchive(filepath.Join(dir, "us-defense"))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestEveryLineIsFoundAndProvenByThePublicKeyAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fill(t, dir, 600)
	a := archive(t, dir)
	key := signingKey.Public().(ed25519.PublicKey)
	for n := uint64(0); n < 600; n += 7 {
		line, err := a.Line(n)
		if err != nil {
			t.Fatal(err)
		}
		p, err := a.Prove(n)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := audit.VerifyProof(p.Marshal(), line, key); err != nil {
			t.Errorf("line %d: %v", n, err)
		}
		line[len(line)/2] ^= 1
		if _, _, err := audit.VerifyProof(p.Marshal(), line, key); err == nil {
			t.Errorf("line %d: another line is proven", n)
		}
		if _, _, err := audit.VerifyProof(p.Marshal(), line, ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)); err == nil {
			t.Errorf("line %d: another key proves it", n)
		}
	}
	for _, n := range []uint64{600, 65536, 1 << 55} {
		if _, err := a.Line(n); err == nil {
			t.Errorf("line %d is there", n)
		}
		if _, err := a.Prove(n); err == nil {
			t.Errorf("line %d is proven", n)
		}
	}
}

func TestAKeyIsReadInItsOneForm(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fill(t, dir, 1)
	text := readFile(t, filepath.Join(dir, "us-defense/key.pub"))
	if key, err := audit.ParsePublicKey(text); err != nil || !key.Equal(signingKey.Public()) {
		t.Errorf("%v, %v", key, err)
	}
	for i := range len(text) - 1 {
		changed := append([]byte{}, text...)
		changed[i] ^= 2
		if _, err := audit.ParsePublicKey(changed); err == nil {
			t.Errorf("byte %d changed: %s", i, changed)
		}
	}
	pem, err := audit.MarshalKey(signingKey)
	if err != nil {
		t.Fatal(err)
	}
	if key, err := audit.ParseKey(pem); err != nil || !key.Equal(signingKey) {
		t.Error(err)
	}
	for name, text := range map[string]string{"nothing": "", "no PEM": "key", "two keys": string(pem) + string(pem), "a public key": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
		"no key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if _, err := audit.ParseKey([]byte(text)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestExportedTilesAreThoseOfTheTree(t *testing.T) {
	t.Parallel()
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "out")
	fill(t, dir, 600)
	if err := audit.ExportTiles(filepath.Join(dir, "us-defense"), to, func(string, uint64, uint64) {}); err != nil {
		t.Fatal(err)
	}
	var tree tlog.Tree
	for n, path := range []string{"tile/entries/000", "tile/entries/001", "tile/entries/002.p/88"} {
		b := readFile(t, filepath.Join(to, path))
		for len(b) > 0 {
			size := int(b[0])<<8 | int(b[1])
			tree.Append(tlog.LeafHash(b[2 : 2+size]))
			b = b[2+size:]
		}
		if n < 2 && tree.Size() != uint64(n+1)*256 {
			t.Errorf("%s ends at %d", path, tree.Size())
		}
	}
	a := archive(t, dir)
	if tree.Root() != a.Checkpoint().Root || tree.Size() != 600 {
		t.Error("the exported entries have another root")
	}
	c, err := tlog.OpenCheckpoint(readFile(t, filepath.Join(to, "checkpoint")), a.VerifierKey())
	if err != nil || c != a.Checkpoint() {
		t.Errorf("%v, %+v", err, c)
	}
	for path, size := range map[string]int{"tile/0/000": 8192, "tile/0/001": 8192, "tile/0/002.p/88": 88 * 32, "tile/1/000.p/2": 64} {
		if b := readFile(t, filepath.Join(to, path)); len(b) != size {
			t.Errorf("%s has %d bytes", path, len(b))
		}
	}
	if err := audit.ExportTiles(filepath.Join(dir, "us-defense"), to, func(string, uint64, uint64) {}); !os.IsExist(err) {
		t.Errorf("a second export: %v", err)
	}
}

func BenchmarkProve(b *testing.B) {
	dir := b.TempDir()
	fill(b, dir, 20_200)
	n := uint64(0)
	a := archive(b, dir)
	if _, err := a.Prove(0); err != nil { // reads the tree's edge, once
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := a.Prove(n % 20_000); err != nil {
			b.Fatal(err)
		}
		n += 777
	}
}

// BenchmarkRecovery is the start on a log of a million lines, of which the last segment is read.
func BenchmarkRecovery(b *testing.B) {
	if testing.Short() {
		b.Skip("writes a gigabyte")
	}
	dir := b.TempDir()
	fill(b, dir, 1_000_000)
	b.ResetTimer()
	for b.Loop() {
		began := time.Now()
		l := openLogs(b, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms/open")
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
