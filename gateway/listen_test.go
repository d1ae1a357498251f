package gateway

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestListenUnixRefusesAPlaceThatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	me := []uint32{uint32(os.Getuid())}
	for name, c := range map[string]struct {
		prepare  func(t *testing.T, path string)
		insecure bool
		want     string // "" listens
	}{
		"a closed folder":             {func(*testing.T, string) {}, false, ""},
		"a folder of user and group":  {mode(0o750), false, ""},
		"a folder that others see":    {mode(0o755), false, "open to others (mode 0755): chmod o-rwx it"},
		"a folder that others enter":  {mode(0o701), false, "open to others (mode 0701): chmod o-rwx it"},
		"an open folder, if insecure": {mode(0o755), true, ""},
		"no folder":                   {func(t *testing.T, path string) { os.Remove(filepath.Dir(path)) }, false, "no such file"},
		"a file in the way":           {func(t *testing.T, path string) { os.WriteFile(path, nil, 0o600) }, false, "exists and is not a socket: move it away"},
		"a folder in the way":         {func(t *testing.T, path string) { os.Mkdir(path, 0o700) }, false, "exists and is not a socket: move it away"},
		"a link in the way":           {func(t *testing.T, path string) { os.Symlink("/nowhere", path) }, false, "exists and is not a socket: move it away"},
		"a socket that nobody has":    {stale, false, ""},
		"a socket that a process has": {live, false, "is in use by another process: stop it or choose another path"},
		"the same, although insecure": {live, true, "is in use by another process: stop it or choose another path"},
		"a file, although insecure":   {func(t *testing.T, path string) { os.WriteFile(path, nil, 0o600) }, true, "is not a socket"},
		"a path that is no folder's": {func(t *testing.T, path string) {
			os.Remove(filepath.Dir(path))
			os.WriteFile(filepath.Dir(path), nil, 0o600)
		}, false, "open to others"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := socketPath(t)
			c.prepare(t, path)
			l, err := ListenUnix(path, me, c.insecure, slog.New(slog.DiscardHandler))
			if err == nil {
				defer l.Close()
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("%v, want …%s…", err, c.want)
			}
			if err != nil {
				return
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
				t.Errorf("the socket has mode %v, %v; want 0660", info.Mode(), err)
			}
			if answer, err := talk(path, l); err != nil || answer != "hello" {
				t.Errorf("its own user gets %q, %v", answer, err)
			}
		})
	}
}

func mode(m os.FileMode) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		if err := os.Chmod(filepath.Dir(path), m); err != nil {
			t.Fatal(err)
		}
	}
}

// stale leaves a socket behind, as a killed process does.
func stale(t *testing.T, path string) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

func live(t *testing.T, path string) {
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
}

// talk connects to path and returns what the one connection that l accepts sends, or how the other end was cut off.
func talk(path string, l net.Listener) (string, error) {
	go func() {
		if c, err := l.Accept(); err == nil {
			c.Write([]byte("hello"))
			c.Close()
		}
	}()
	c, err := net.Dial("unix", path)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	b, err := io.ReadAll(c)
	return string(b), err
}

func TestAPeerThatIsNotListedIsCutOff(t *testing.T) {
	t.Parallel()
	for _, insecure := range []bool{false, true} {
		path := socketPath(t)
		l, err := ListenUnix(path, []uint32{uint32(os.Getuid()) + 1}, insecure, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := talk(path, l)
		if answer != "" || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("insecure %v: another user's process gets %q, %v", insecure, answer, err)
		}
		l.Close()
	}
}
