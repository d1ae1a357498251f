package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// ListenUnix listens on a unix socket that only the given users' processes may use: whoever can ask the gateway can learn what
// policy thinks, and whoever can take its place can say yes to everything. The folder must be closed to others already; the peer
// of each connection is asked of the kernel (SO_PEERCRED) and cut off if it is another user's.
//
// With insecure the folder may be open; the peers are asked all the same.
func ListenUnix(path string, peers []uint32, insecure bool, logger *slog.Logger) (net.Listener, error) {
	if err := closedFolder(filepath.Dir(path)); err != nil && !insecure {
		return nil, err
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen.extauthz: %w", err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, fmt.Errorf("listen.extauthz: %w", err)
	}
	return &peerListener{UnixListener: l, peers: peers, logger: logger}, nil
}

// closedFolder refuses a folder that anybody but its user and one group can enter.
func closedFolder(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("listen.extauthz: the socket's folder: %w", err)
	}
	if !info.IsDir() || info.Mode().Perm()&0o007 != 0 {
		return fmt.Errorf("listen.extauthz: folder %s is open to others (mode %04o): chmod o-rwx it", dir, info.Mode().Perm())
	}
	return nil
}

// removeStale removes a socket that nobody listens on.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listen.extauthz: %w", err)
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("listen.extauthz: %s exists and is not a socket: move it away", path)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return fmt.Errorf("listen.extauthz: %s is in use by another process: stop it or choose another path", path)
	}
	return os.Remove(path)
}

// peerListener accepts only connections from peers.
type peerListener struct {
	*net.UnixListener
	peers  []uint32
	logger *slog.Logger
}

// Accept returns the next connection from an allowed peer and closes all others.
func (l *peerListener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		uid, err := peerUID(c)
		if err == nil && slices.Contains(l.peers, uid) {
			return c, nil
		}
		c.Close()
		l.logger.Warn("connection refused: not a listed peer", "uid", uid, "error", err)
	}
}

func peerUID(c *net.UnixConn) (uint32, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) { cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err := errors.Join(err, credErr); err != nil {
		return 0, err
	}
	return cred.Uid, nil
}
