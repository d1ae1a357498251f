package demo

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestAFolderWhoseSocketsNobodyCouldOpenIsRefusedBeforeAnythingIsMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", maxSocketPath))
	_, err := NewLayout(dir)
	wantEnvironment(t, err, "--dir")
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder was made: %v", err)
	}
}

func TestTheFolderOfSocketsAndKeysIsClosedToOthers(t *testing.T) {
	l := newLayout(t)
	for _, d := range []string{"run", "keys", "keys/storage", "issuers"} {
		fi, err := os.Stat(l.path(d))
		if err != nil {
			t.Fatal(err)
		}
		if fi.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v, want 0700", d, fi.Mode().Perm())
		}
	}
}

func TestASecondDemoInTheSameFolderIsRefused(t *testing.T) {
	l := newLayout(t)
	unlock, err := l.Lock()
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Lock()
	wantEnvironment(t, err, "another demo runs in "+l.Dir)
	unlock()
	unlock, err = l.Lock()
	if err != nil {
		t.Fatalf("after the first has gone: %v", err)
	}
	unlock()
}

func TestReadyFileOfAKilledDemoIsGoneAtStart(t *testing.T) {
	l := newLayout(t)
	if err := os.WriteFile(l.Ready(), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	unlock, err := l.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := os.Stat(l.Ready()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("ready.json is still there: %v", err)
	}
}

func TestAPortInUseIsNamedWithWhatItIsFor(t *testing.T) {
	p, err := FreePorts()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Free(); err != nil {
		t.Fatalf("free ports: %v", err)
	}
	for _, port := range []int{p.Admin, p.Issuers} {
		ln, err := net.Listen("tcp", p.address(port))
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
	}
	err = p.Free()
	wantEnvironment(t, err, "port "+strconv.Itoa(p.Admin)+" (for Envoy's admin)")
	wantEnvironment(t, err, "port "+strconv.Itoa(p.Issuers)+" (for the issuers)")
}

// newLayout makes a demo folder.
func newLayout(t *testing.T) Layout {
	t.Helper()
	l, err := NewLayout(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// wantEnvironment wants an EnvironmentError with that text in it.
func wantEnvironment(t *testing.T, err error, text string) {
	t.Helper()
	var e *EnvironmentError
	if !errors.As(err, &e) {
		t.Fatalf("want an EnvironmentError, have %v", err)
	}
	if !strings.Contains(err.Error(), text) {
		t.Errorf("want an error with %q, have %v", text, err)
	}
}
