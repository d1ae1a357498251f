package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/sallyport-dev/sallyport/authz/grant/service"
	"github.com/sallyport-dev/sallyport/gateway/demo/jobs"
)

const (
	jobsAudience = "jobs" // by which routes, gateway and job service call the job service

	keysInterval = time.Second // between looks at the gateway's public keys
)

// makeGrantKeys makes the key by which the gateway signs grants for services, if there is none, and tells services its public half.
func makeGrantKeys(l Layout) error {
	if _, err := os.Stat(l.GrantKeys()); errors.Is(err, fs.ErrNotExist) {
		key, err := newKey("grants", jwa.ES256)
		if err != nil {
			return err
		}
		set := jwk.NewSet()
		if err := set.AddKey(key); err != nil {
			return fmt.Errorf("keys of grants: %w", err)
		}
		if err := writeKeys(l.GrantKeys(), set); err != nil {
			return err
		}
	} else if err != nil {
		return environment("keys of grants: %w", err)
	}
	set, err := readKeys(l.GrantKeys())
	if err != nil {
		return err
	}
	if set, err = jwk.PublicSetOf(set); err != nil {
		return environment("keys of grants %s: %w", l.GrantKeys(), err)
	}
	return writeKeys(l.GrantPublicKeys(), set)
}

func writeKeys(path string, set jwk.Set) error {
	b, err := json.MarshalIndent(set, "", "  ")
	if err != nil {
		return fmt.Errorf("keys %s: %w", path, err)
	}
	return writeFile(path, append(b, '\n'))
}

// jobsPart is the job service's process.
func jobsPart(l Layout, sallyport string) part {
	return part{
		name:    "jobs",
		argv:    []string{sallyport, "demo", "jobs", "--dir", l.Dir},
		sockets: []string{l.JobsSocket()},
		log:     l.log("jobs"),
		ready:   func(ctx context.Context) error { return dial(ctx, l.JobsSocket()) },
	}
}

// ServeJobs is the process of the job service in the demo in dir, which runs modules in processes of the command line runner. Of the
// folder it uses the sockets in run/, the gateway's public keys, which it reads again when they change, and its access log.
func ServeJobs(ctx context.Context, dir string, runner []string) error {
	l := Layout{Dir: dir}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	syscall.Umask(0o077)
	keys, err := os.ReadFile(l.GrantPublicKeys())
	if err != nil {
		return environment("jobs: the gateway's keys: %w (start the demo once to make them)", err)
	}
	access, err := os.OpenFile(l.JobsAccessLog(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return environment("jobs: %w", err)
	}
	defer access.Close()
	started := nextSecond(ctx, time.Now())
	verifier, err := service.New(service.Config{Issuer: gatewayID, Audience: jobsAudience, Keys: keys, Started: started})
	if err != nil {
		return environment("jobs: %s: %w", l.GrantPublicKeys(), err)
	}
	listener, err := net.Listen("unix", l.JobsSocket())
	if err != nil {
		return environment("jobs: %w", err)
	}
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watchKeys(watching, l.GrantPublicKeys(), keys, verifier, log)
	}()
	defer func() { stop(); <-watched }()
	log.Info("jobs ready", "socket", l.JobsSocket())
	return jobs.New(jobs.Config{
		Store: l.StorageSocket(), Verifier: verifier, Runner: runner, AccessLog: access, Logger: log,
	}).Serve(ctx, listener)
}

// nextSecond waits for the next whole second and returns it. Grants are dated in whole seconds, and one of this second could be from
// before this process: it would be refused, so nobody is to send one yet.
func nextSecond(ctx context.Context, now time.Time) time.Time {
	next := now.Truncate(time.Second).Add(time.Second)
	select {
	case <-ctx.Done():
	case <-time.After(next.Sub(now)):
	}
	return next
}

// watchKeys gives the verifier the keys in a file whenever they change. Keys that can't be used change nothing.
func watchKeys(ctx context.Context, path string, have []byte, verifier *service.Verifier, log *slog.Logger) {
	ticker := time.NewTicker(keysInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		keys, err := os.ReadFile(path)
		if err == nil && bytes.Equal(keys, have) {
			continue
		}
		if err == nil {
			have = keys
			err = verifier.SetKeys(keys)
		}
		if err != nil {
			log.Error("the gateway's keys stay as they were", "file", path, "error", err)
			continue
		}
		log.Info("the gateway's keys changed")
	}
}
