package demo

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// maxSocketPath is the longest path of a unix socket on Linux: sun_path holds 108 bytes and its end.
const maxSocketPath = 107

// Layout is the demo's folder. What is in it is a promise to users and tests.
type Layout struct{ Dir string }

// NewLayout makes the folder's parts where they are missing. It refuses a folder whose sockets nobody could open, before anything
// is made.
func NewLayout(dir string) (Layout, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Layout{}, environment("demo folder %q: %w", dir, err)
	}
	l := Layout{Dir: abs}
	for _, s := range []string{l.GatewaySocket(), l.StorageSocket(), l.storageAdminSocket(), l.JobsSocket()} {
		if len(s) > maxSocketPath {
			return Layout{}, environment("demo folder %s: its socket %s would have %d bytes, and a unix socket can have %d: "+
				"choose a shorter folder with --dir", abs, s, len(s), maxSocketPath)
		}
	}
	for _, d := range []string{"", "envoy", "issuers", "keys", "keys/storage", "keys/iam", "run", "audit", "storage", "logs"} {
		if err := os.MkdirAll(l.path(d), 0o700); err != nil {
			return Layout{}, environment("demo folder: %w", err)
		}
	}
	if err := os.Chmod(l.path("run"), 0o700); err != nil {
		return Layout{}, environment("demo folder: %w", err)
	}
	return l, nil
}

func (l Layout) path(elem ...string) string {
	return filepath.Join(append([]string{l.Dir}, elem...)...)
}

// Ready is the file that exists exactly while every part is ready.
func (l Layout) Ready() string { return l.path("ready.json") }

// Config is the gateway's config, as a user would write it.
func (l Layout) Config() string { return l.path("sallyport.yaml") }

// EnvoyConfig is the running Envoy's config.
func (l Layout) EnvoyConfig() string { return l.path("envoy", "envoy.yaml") }

// IssuerKeys is the JWKS with the private keys of an issuer; the first one signs.
func (l Layout) IssuerKeys(id string) string { return l.path("issuers", id+".jwks.json") }

// Mark is the secret that Envoy's belt wants to see.
func (l Layout) Mark() string { return l.path("keys", "mark") }

// StorageSecret is the secret key of a tenant's storage account.
func (l Layout) StorageSecret(tenant string) string {
	return l.path("keys", "storage", tenant+".secret")
}

// GatewaySocket is where Envoy asks the gateway.
func (l Layout) GatewaySocket() string { return l.path("run", "extauthz.sock") }

// StorageSocket is the S3 server's.
func (l Layout) StorageSocket() string { return l.path("run", "storage.sock") }

// storageAdminSocket is where the demo makes accounts and buckets: another one, so that the road from Envoy has no admin calls.
func (l Layout) storageAdminSocket() string { return l.path("run", "storage-admin.sock") }

// JobsSocket is the job service's.
func (l Layout) JobsSocket() string { return l.path("run", "jobs.sock") }

// GrantKeys is the JWKS with the private keys of the gateway's grants for services; the first one signs.
func (l Layout) GrantKeys() string { return l.path("keys", "grants.jwks.json") }

// GrantPublicKeys is the public half of GrantKeys, for the services.
func (l Layout) GrantPublicKeys() string { return l.path("keys", "grants.pub.json") }

// Bundle is the policy bundle: root/ and tenants/.
func (l Layout) Bundle() string { return l.path("bundle") }

// AuditKey is the private key that signs the decision logs.
func (l Layout) AuditKey() string { return l.path("keys", "audit.pem") }

// Audit is the folder of the decision logs, one a tenant and the gateway's.
func (l Layout) Audit() string { return l.path("audit") }

// Storage holds the S3 server's files.
func (l Layout) Storage() string { return l.path("storage") }

// EnvoyAccessLog has one JSON line for each request that Envoy ended.
func (l Layout) EnvoyAccessLog() string { return l.path("logs", "envoy-access.jsonl") }

// StorageAccessLog has one line for each request that reached the store, other than the gateway's own probes.
func (l Layout) StorageAccessLog() string { return l.path("logs", "storage-access.log") }

// storageProbeLog has the probes.
func (l Layout) storageProbeLog() string { return l.path("logs", "storage-probes.log") }

// JobsAccessLog has one line for each request that reached the job service.
func (l Layout) JobsAccessLog() string { return l.path("logs", "jobs-access.log") }

// log is the log of a part itself.
func (l Layout) log(part string) string { return l.path("logs", part+".log") }

// Lock takes the folder for this process; a second demo in it would fight over sockets and logs.
func (l Layout) Lock() (unlock func(), err error) {
	unlock, err = flock(l.path("run", "demo.lock"), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, environment("another demo runs in %s: stop it, or choose another folder with --dir", l.Dir)
	}
	if err != nil {
		return nil, environment("locking the demo folder: %w", err)
	}
	if err := os.Remove(l.Ready()); err != nil && !errors.Is(err, os.ErrNotExist) {
		unlock()
		return nil, environment("demo folder: %w", err)
	}
	return unlock, nil
}

// flock locks the file at path, which is made if it is missing; the lock ends with the process at the latest.
func flock(path string, how int) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), how); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
