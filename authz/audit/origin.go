package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit/tlog"
)

// Files of a log beside its segments and tiles.
const (
	originFile     = "origin.json"
	keyFile        = "key.pub"
	checkpointFile = "checkpoint"
	tempSuffix     = ".tmp" // of a file that is being written and will be renamed
)

const (
	formatVersion = 2
	maxOrigin     = 16 << 10
)

// origin is what makes one incarnation of a log this one. Its hash is part of the name that every checkpoint signs, so it can't
// change once there is a checkpoint.
type origin struct {
	Format    int        `json:"format"`
	Gateway   string     `json:"gateway"`
	Log       string     `json:"log"`
	Created   authz.Time `json:"created"`
	ID        string     `json:"id"`         // random
	PublicKey []byte     `json:"public_key"` // Ed25519
	Previous  *previous  `json:"previous"`   // null: this is the first
}

// previous is where the incarnation before ended, as far as the operator who ended it could know.
type previous struct {
	Origin     string `json:"origin"`     // "" if it can't be read
	Checkpoint string `json:"checkpoint"` // its last good checkpoint; "" if there is none
	Why        string `json:"why"`        // what the operator says
}

// marshal returns the bytes of the file.
func (o origin) marshal() ([]byte, error) {
	b, err := marshal(o)
	return append(b, '\n'), err
}

// parseOrigin reads the file. It takes only the bytes that marshal returns.
func parseOrigin(b []byte) (origin, error) {
	var o origin
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil {
		return o, err
	}
	again, err := o.marshal()
	switch {
	case err != nil:
		return o, err
	case o.Format != formatVersion:
		return o, fmt.Errorf("format %d: want %d", o.Format, formatVersion)
	case len(o.PublicKey) != ed25519.PublicKeySize:
		return o, fmt.Errorf("public_key has %d bytes: want %d", len(o.PublicKey), ed25519.PublicKeySize)
	case !bytes.Equal(again, b):
		return o, errors.New("not in the form that is written")
	}
	return o, nil
}

// identity is an origin as checkpoints know it.
type identity struct {
	origin
	name string // of the origin, in checkpoints
	key  string // the verifier key of that name
}

func (o origin) identity(file []byte) (identity, error) {
	sum := sha256.Sum256(file)
	name := o.Gateway + "/" + o.Log + "/" + hex.EncodeToString(sum[:16])
	key, err := tlog.VerifierKey(name, o.PublicKey)
	return identity{o, name, key}, err
}

// readSmall reads a file of at most limit bytes.
func readSmall(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", path, limit)
	}
	return b, err
}

// readIdentity reads origin and public key of the log in dir; any log if name is "".
func readIdentity(dir, name string) (identity, error) {
	damage := func(file string, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			err = errors.New("it is missing, so nothing says whose log this is")
		}
		return &Damage{Log: name, File: filepath.Join(dir, file), Cause: err.Error()}
	}
	b, err := readSmall(filepath.Join(dir, originFile), maxOrigin)
	if err != nil {
		return identity{}, damage(originFile, err)
	}
	o, err := parseOrigin(b)
	if err != nil {
		return identity{}, damage(originFile, err)
	}
	id, err := o.identity(b)
	if err != nil {
		return identity{}, damage(originFile, err)
	}
	if base, _, _ := strings.Cut(name, "."); o.Log != base && name != "" {
		return identity{}, damage(originFile, fmt.Errorf("it is of log %q", o.Log))
	}
	b, err = readSmall(filepath.Join(dir, keyFile), maxOrigin)
	if err == nil && string(b) != id.key+"\n" {
		err = errors.New("the public key is not that of " + originFile)
	}
	if err != nil {
		return identity{}, damage(keyFile, err)
	}
	return id, nil
}

// readCheckpoint reads the checkpoint of the log in dir.
func (id identity) readCheckpoint(dir, name string) (tlog.Checkpoint, []byte, error) {
	path := filepath.Join(dir, checkpointFile)
	b, err := readSmall(path, maxOrigin)
	if errors.Is(err, os.ErrNotExist) {
		err = errors.New("it is missing, so nothing says how long the log was")
	}
	var c tlog.Checkpoint
	if err == nil {
		c, err = tlog.OpenCheckpoint(b, id.key)
	}
	if err != nil {
		return c, nil, &Damage{Log: name, File: path, Cause: err.Error()}
	}
	return c, b, nil
}

// newOrigin makes the origin of a new incarnation.
func (c *Config) newOrigin(log string, before *previous) origin {
	gateway := c.Gateway.ID
	if gateway == "" {
		gateway = "sallyport"
	}
	return origin{Format: formatVersion, Gateway: gateway, Log: log, Created: authz.At(c.Now()), ID: randomID(),
		PublicKey: c.Key.Public().(ed25519.PublicKey), Previous: before}
}

// begin makes the files of a log without lines in dir, or those that a crash kept from being made: origin, key, and then checkpoint.
// It takes an origin that is there.
func (c *Config) begin(dir, log string, before *previous) error {
	b, err := readSmall(filepath.Join(dir, originFile), maxOrigin)
	if errors.Is(err, os.ErrNotExist) {
		if b, err = c.newOrigin(log, before).marshal(); err == nil {
			err = c.replace(dir, originFile, b)
		}
	}
	if err != nil {
		return err
	}
	o, err := parseOrigin(b)
	if err != nil {
		return &Damage{Log: log, File: filepath.Join(dir, originFile), Cause: err.Error()}
	}
	id, err := o.identity(b)
	if err != nil {
		return err
	}
	if err := c.replace(dir, keyFile, []byte(id.key+"\n")); err != nil {
		return err
	}
	if err := c.ours(id); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, checkpointFile)); errors.Is(err, os.ErrNotExist) {
		var empty tlog.Tree
		signed, err := tlog.Checkpoint{Origin: id.name, Root: empty.Root()}.Sign(c.Key)
		if err != nil {
			return err
		}
		return c.replace(dir, checkpointFile, signed)
	}
	return nil
}

// ours refuses a log that another key signs: two keys must not speak for one origin.
func (c *Config) ours(id identity) error {
	if !bytes.Equal(id.PublicKey, c.Key.Public().(ed25519.PublicKey)) {
		return fmt.Errorf("%s is signed by another key than the gateway's: give the gateway that key, or begin anew with `sallyport audit new-incarnation`", id.name)
	}
	return nil
}

// replace puts content under a name, whole or not at all, and durably.
func (c *Config) replace(dir, name string, content []byte) error {
	if err := c.put(dir, name, content); err != nil {
		return err
	}
	return syncDir(filepath.Dir(filepath.Join(dir, name)))
}

// put is replace, but the name is durable only when its folder is synced.
func (c *Config) put(dir, name string, content []byte) error {
	temp := filepath.Join(dir, filepath.Base(name)+tempSuffix)
	f, err := c.open(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(temp, filepath.Join(dir, name))
}

// ParseKey reads the gateway's signing key: an Ed25519 private key in PEM, as `openssl genpkey -algorithm ed25519` makes it.
func ParseKey(text []byte) (ed25519.PrivateKey, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("want one PRIVATE KEY in PEM; make one with: openssl genpkey -algorithm ed25519")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	ed, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("a key of type %T: want Ed25519; make one with: openssl genpkey -algorithm ed25519", key)
	}
	return ed, nil
}

// MarshalKey returns a signing key as ParseKey reads it.
func MarshalKey(key ed25519.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
