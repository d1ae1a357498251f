package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
	"github.com/sallyport-dev/sallyport/authz/grant"
	"github.com/sallyport-dev/sallyport/authz/identity"
	"github.com/sallyport-dev/sallyport/authz/policy"
	"github.com/sallyport-dev/sallyport/gateway"
	"github.com/sallyport-dev/sallyport/gateway/config"
	"github.com/sallyport-dev/sallyport/metrics"
)

func newServe() *cobra.Command {
	var flags configFlags
	c := &cobra.Command{
		Use: "serve -c FILE", Short: "Run the gateway", Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			loaded, err := flags.load()
			if err != nil {
				return err
			}
			if err := loaded.Check(); err != nil {
				return fail(exitUsage, err)
			}
			return serve(c.Context(), loaded, c.ErrOrStderr())
		},
	}
	flags.add(c)
	return c
}

// serve wires the gateway and runs it until ctx ends.
func serve(ctx context.Context, c config.Config, stderr io.Writer) (err error) {
	logger := newLogger(c, stderr)
	for _, s := range c.Insecure() {
		logger.Warn("insecure setting", "setting", s)
	}
	bundle, err := policy.Load(c.Bundle.Source)
	if err != nil {
		return fail(policy.ExitCode(err), err)
	}
	mark, err := config.ReadSecret(c.Listen.MarkFile)
	if err != nil {
		return fail(exitUsage, fmt.Errorf("listen.mark_file: %w", err))
	}
	storage, err := newStorage(c)
	if err != nil {
		return fail(exitUsage, err)
	}
	services, err := newServices(c, storage)
	if err != nil {
		return fail(exitUsage, err)
	}
	var secured *gateway.TLS
	if c.Listen.TLS.Enabled() {
		if secured, err = gateway.OpenTLS(gateway.TLSConfig{TLS: c.Listen.TLS, Logger: logger}); err != nil {
			return fail(exitUsage, err)
		}
		defer secured.Close()
	}
	checks, web, err := listen(c, logger)
	if err != nil {
		return fail(exitUsage, err)
	}
	defer checks.Close()
	defer web.Close()
	key, err := signingKey(c)
	if err != nil {
		return err
	}
	logs, err := audit.Open(audit.Config{
		Dir: c.Audit.Directory, Key: key, Durability: c.Audit.Durability, Logger: logger,
		Gateway: authz.Gateway{ID: c.ID, Enclaves: c.Enclaves},
	})
	if err != nil {
		return fail(auditCode(err), err)
	}
	defer func() { err = errors.Join(err, fail(exitInternal, logs.Close())) }()
	keys := identity.NewKeys(identity.KeysConfig{
		Refresh: c.Issuers.Refresh, MinRefresh: c.Issuers.MinRefresh, MaxStale: c.Issuers.MaxStale, Logger: logger,
	})
	defer keys.Close()
	var denials *identity.Denials
	if c.Bundle.DenialsFile != "" {
		if denials, err = identity.OpenDenials(c.Bundle.DenialsFile, logger); err != nil {
			return fail(exitUsage, fmt.Errorf("bundle.denials_file: %w", err))
		}
		defer denials.Close()
	}

	info := buildInfo()
	m := metrics.New(info.Version, info.Revision)
	m.Issuers(func() map[string]metrics.IssuerKeys {
		out := map[string]metrics.IssuerKeys{}
		for id, s := range keys.States() {
			out[id] = metrics.IssuerKeys(s)
		}
		return out
	})
	m.RememberedTokens(keys.Remembered)
	m.Insecure(c.Insecure())
	m.AuditLogs(func() map[string]metrics.AuditLog { return logStates(logs) })
	if secured != nil {
		m.TLSListener(secured.Stats)
	}
	server := gateway.New(gateway.Config{
		ID: c.ID, Enclaves: c.Enclaves, Keys: keys, Denials: denials, Storage: storage, Services: services, TLS: secured, Log: logs, Metrics: m, Logger: logger,
		Engine: c.Policy.Engine, MaxAccesses: c.Limits.Accesses, DecisionTimeout: c.Limits.DecisionTimeout, Insecure: c.Insecure(),
		Last: logs.Last(),
	})
	defer server.Close()
	if err := server.Event(ctx, "start", map[string]string{"version": info.Version, "revision": info.Revision}); err != nil {
		return fail(exitUsage, err)
	}
	if err := server.Activate(ctx, bundle); err != nil {
		return fail(activationCode(err), err)
	}
	paceCollector()
	logger.Info("serving", "extauthz", c.Listen.ExtAuthz, "http", c.Listen.HTTP, "bundle", bundle.Ref().Revision)
	return fail(exitInternal, server.Serve(ctx, checks, web, mark, c.Limits.DrainTimeout))
}

// headroom is what may be allocated between two runs of the garbage collector, beside as much again as is in use.
const headroom = 64 << 20

// paceCollector gives the collector headroom, which costs a small bundle memory once and saves a twentieth of the CPU of a request;
// by itself Go would let a small heap only double. Whoever sets GOGC knows better.
func paceCollector() {
	if os.Getenv("GOGC") != "" {
		return
	}
	runtime.GC() // what activation has left behind is not in use
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	debug.SetGCPercent(int(100 + 100*headroom/max(m.HeapAlloc, 1<<20)))
}

// signingKey reads the key that signs the decision logs.
func signingKey(c config.Config) (ed25519.PrivateKey, error) {
	b, err := config.ReadKeySet(c.Audit.SigningKey)
	if err != nil {
		return nil, fail(exitUsage, fmt.Errorf("audit.signing_key: %w", err))
	}
	key, err := audit.ParseKey(b)
	if err != nil {
		return nil, fail(exitUsage, fmt.Errorf("audit.signing_key: %s: %w", c.Audit.SigningKey, err))
	}
	return key, nil
}

// logStates is what a scrape is told of the decision logs.
func logStates(logs *audit.Logs) map[string]metrics.AuditLog {
	states := map[string]metrics.AuditLog{}
	for name, s := range logs.Stats() {
		states[name] = metrics.AuditLog{Failed: s.Failed, Refusing: s.Refusing, Queued: s.Queued, Unsigned: s.Lines - min(s.Lines, s.Signed),
			Flush: s.LastFlush, Counted: s.Counted, MaskingErrors: s.MaskAll, Recovered: s.Recovered}
	}
	return states
}

func newLogger(c config.Config, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Telemetry.LogLevel)); err != nil {
		level = slog.LevelInfo // Validate has refused it already
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}

func newStorage(c config.Config) (*grant.Storage, error) {
	s := c.Grants.Storage
	accounts := make(map[string]grant.Account, len(s.Credentials))
	for tenant, cred := range s.Credentials {
		secret, err := config.ReadSecret(cred.SecretKeyFile)
		if err != nil {
			return nil, fmt.Errorf("grants.storage.credentials.%s.secret_key_file: %w", tenant, err)
		}
		accounts[tenant] = grant.Account{AccessKey: cred.AccessKey, SecretKey: secret}
	}
	return grant.NewStorage(grant.StorageConfig{
		Audience: s.Audience, Endpoint: s.Endpoint, Host: s.Host, Region: s.Region, Accounts: accounts,
	})
}

// newServices returns nil where the config has no grants.services.
func newServices(c config.Config, storage *grant.Storage) (*grant.Services, error) {
	s := c.Grants.Services
	if !s.Enabled() {
		return nil, nil
	}
	keys, err := config.ReadKeySet(s.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("grants.services.key_file: %w", err)
	}
	return grant.NewServices(grant.ServicesConfig{Audience: s.Audience, Issuer: s.Issuer, Keys: keys, TTL: s.TTL, Storage: storage})
}

// listen opens both listeners, Envoy's first.
func listen(c config.Config, logger *slog.Logger) (checks, web net.Listener, err error) {
	network, address := config.SplitAddress(c.Listen.ExtAuthz)
	if network == "unix" {
		checks, err = gateway.ListenUnix(address, c.Listen.Peers, c.Listen.Insecure, logger)
	} else if checks, err = net.Listen(network, address); err != nil {
		err = fmt.Errorf("listen.extauthz: %w: choose a free port", err)
	}
	if err != nil {
		return nil, nil, err
	}
	web, err = net.Listen("tcp", c.Listen.HTTP)
	if err != nil {
		checks.Close()
		return nil, nil, fmt.Errorf("listen.http: %w: stop what uses the port or choose another", err)
	}
	return checks, web, nil
}

// activationCode is 3 for a bundle that is no law to use, 6 for a damaged log, 2 for a config or a folder that does not fit.
func activationCode(err error) int {
	if errors.Is(err, gateway.ErrBundle) {
		return exitPolicy
	}
	return auditCode(err)
}

// auditCode is 6 for a log that was tampered with or damaged, 2 for a folder that can't be used.
func auditCode(err error) int {
	var damage *audit.Damage
	if errors.As(err, &damage) {
		return exitLog
	}
	return exitUsage
}
