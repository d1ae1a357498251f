package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	maxSecret = 4096
	maxKeySet = 64 << 10
	maxPublic = 256 << 10
)

// Check reports, as an *Errors, every way in which this machine is not as c says: files and folders that are missing, that the
// gateway may not use, or that others may. It changes nothing.
func (c Config) Check() error {
	v := validator{where: c.where}
	if network, path := SplitAddress(c.Listen.ExtAuthz); network == "unix" {
		v.socketFolder("listen.extauthz", filepath.Dir(path), c.Listen.Insecure)
	}
	v.secret("listen.mark_file", c.Listen.MarkFile)
	if t := c.Listen.TLS; t.Enabled() {
		v.file("listen.tls.certificate_file", t.CertificateFile, "put it there, in PEM")
		if _, what, do := readPrivate(t.KeyFile, maxKeySet); what != "" {
			v.refuse("listen.tls.key_file", what, do)
		}
		v.file("listen.tls.trust_file", t.TrustFile, "put them there, in PEM")
	}
	v.folder("bundle.source", c.Bundle.Source, unix.R_OK|unix.X_OK, "put the bundle there")
	if c.Bundle.DenialsFile != "" {
		v.file("bundle.denials_file", c.Bundle.DenialsFile, "make it, empty if it has nothing to say")
	}
	s := c.Grants.Storage
	for _, tenant := range slices.Sorted(maps.Keys(s.Credentials)) {
		v.secret("grants.storage.credentials."+tenant+".secret_key_file", s.Credentials[tenant].SecretKeyFile)
	}
	if g := c.Grants.Services; g.Enabled() {
		if _, what, do := readPrivate(g.KeyFile, maxKeySet); what != "" {
			v.refuse("grants.services.key_file", what, do)
		}
	}
	// The folder is not made here: a log folder that is not there is more likely a disk that is not mounted.
	v.folder("audit.directory", c.Audit.Directory, unix.R_OK|unix.W_OK|unix.X_OK, "make it, on the disk that is meant to keep the logs")
	if _, what, do := readPrivate(c.Audit.SigningKey, maxKeySet); what != "" {
		v.refuse("audit.signing_key", what, do)
	}
	return v.err()
}

// folder refuses what is no folder or does not permit access, and reports whether it is one.
func (v *validator) folder(key, path string, access uint32, make string) bool {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.refuse(key, "there is no folder "+quote(path), make)
	case err != nil:
		v.refuse(key, quote(path)+": "+cause(err), "let the gateway's user enter the folders above it")
	case !info.IsDir():
		v.refuse(key, quote(path)+" is not a folder", "name a folder")
	default:
		err := unix.Faccessat(unix.AT_FDCWD, path, access, unix.AT_EACCESS)
		if err != nil {
			v.refuse(key, quote(path)+": "+err.Error(), "let the gateway's user "+verbs(access)+" it")
		}
		return err == nil
	}
	return false
}

// file refuses what is no regular file, or may not be read.
func (v *validator) file(key, path, make string) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.refuse(key, "there is no file "+quote(path), make)
	case err != nil:
		v.refuse(key, quote(path)+": "+cause(err), "let the gateway's user enter the folders above it")
	case !info.Mode().IsRegular():
		v.refuse(key, quote(path)+" is not a regular file", "name a file")
	default:
		if err := unix.Faccessat(unix.AT_FDCWD, path, unix.R_OK, unix.AT_EACCESS); err != nil {
			v.refuse(key, quote(path)+": "+err.Error(), "let the gateway's user read it")
		}
	}
}

func verbs(access uint32) string {
	if access&unix.W_OK != 0 {
		return "read and write"
	}
	return "read"
}

// socketFolder refuses a folder into which anybody but its user and one group can come: while the gateway is away, whoever can
// write there can put a socket in its place and allow everything.
func (v *validator) socketFolder(key, path string, insecure bool) {
	if !v.folder(key, path, unix.W_OK|unix.X_OK, "make it with mode 0700, or 0750 and Envoy's group") || insecure {
		return
	}
	info, err := os.Stat(path)
	if err != nil {
		v.refuse(key, quote(path)+": "+cause(err), "make it again")
		return
	}
	if mode := info.Mode().Perm(); mode&0o027 != 0 {
		v.refuse(key, fmt.Sprintf("the folder %s has mode %04o, so others can reach or replace the socket", quote(path), mode), "chmod 0750 it, or stricter")
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		v.refuse(key, fmt.Sprintf("the folder %s belongs to uid %d, who can replace the socket", quote(path), st.Uid),
			fmt.Sprintf("chown it to the gateway's uid %d", os.Geteuid()))
	}
}

func (v *validator) secret(key, path string) {
	if _, what, do := readSecret(path); what != "" {
		v.refuse(key, what, do)
	}
}

// ReadSecret returns the one line of text that a secret's file holds, without its end of line. The file must be closed to group
// and others. No error tells what is in it.
func ReadSecret(path string) (string, error) {
	secret, what, do := readSecret(path)
	if what != "" {
		return "", problems{{What: what, Do: do}}.err()
	}
	return secret, nil
}

// ReadPublic returns the content of a file that is no secret, such as certificates.
func ReadPublic(path string) ([]byte, error) {
	b, _, err := readFile(path, maxPublic)
	switch {
	case err == nil:
		return b, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, problems{{What: "there is no file " + quote(path), Do: "make it, readable by the gateway's user"}}.err()
	case errors.Is(err, errNotRegular):
		return nil, problems{{What: quote(path) + " is not a regular file", Do: "name a file"}}.err()
	case errors.Is(err, errTooLong):
		return nil, problems{{What: fmt.Sprintf("%s is longer than %d bytes", quote(path), maxPublic), Do: "leave in it only what is needed"}}.err()
	}
	return nil, problems{{What: quote(path) + " can't be read: " + cause(err), Do: "let the gateway's user read it"}}.err()
}

// ReadKeySet returns the content of a file of private keys, which must be closed to group and others.
func ReadKeySet(path string) ([]byte, error) {
	b, what, do := readPrivate(path, maxKeySet)
	if what != "" {
		return nil, problems{{What: what, Do: do}}.err()
	}
	return b, nil
}

func readSecret(path string) (secret, what, do string) {
	b, what, do := readPrivate(path, maxSecret)
	if what != "" {
		return "", what, do
	}
	secret = strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if secret == "" || strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", quote(path) + " does not hold one line of visible ASCII", "write only the secret into it"
	}
	return secret, "", ""
}

// readPrivate returns what a file holds that nobody but its owner may read or change.
func readPrivate(path string, limit int64) (content []byte, what, do string) {
	b, mode, err := readFile(path, limit)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "there is no file " + quote(path), "make it, with mode 0600, as a file of the gateway's user"
	case errors.Is(err, errNotRegular):
		return nil, quote(path) + " is not a regular file", "name the secret's own file"
	case errors.Is(err, errTooLong):
		return nil, fmt.Sprintf("%s is longer than %d bytes", quote(path), limit), "write only the secret into it"
	case err != nil:
		return nil, quote(path) + " can't be read: " + cause(err), "make it a file of the gateway's user"
	case mode&0o077 != 0:
		return nil, fmt.Sprintf("%s has mode %04o, so others can read or change the secret", quote(path), mode), "chmod 0600 it"
	}
	return b, "", ""
}
