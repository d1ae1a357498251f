// Package demo is the demo world: one command that starts a real Envoy, the gateway, a real S3 store, a job service and the issuers
// of seven nations on loopback, asks three dozen questions through Envoy, and checks every answer against the logs.
//
// Everything it makes lives in one folder (see Layout), and everything it starts is a process of its own, started again when it
// dies and gone when the demo is gone. People, keys and data are synthetic; what must be decided about them is model.md's table,
// written down as the tour (see cases).
//
// Non-goals: it is no deployment tool and no test framework, though the suites start their real parts with it. It decides nothing:
// the gateway that it starts is the same binary with the same kind of config as anywhere else.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Options say where the demo lives and what it does once everything runs.
type Options struct {
	Dir      string    // holds all state; ".demo" if empty
	Tour     string    // "" asks the tour's questions and then serves, "once" stops after them, "none" only serves
	Out      io.Writer // what the user reads
	Binary   string    // the sallyport binary that runs the gateway and the issuers
	Ports    Ports     // the zero value is the promised ports
	ToolsDir string    // cache of Envoy and the S3 server; ".tools" if empty
}

// EnvironmentError is trouble with the machine or the folder, not with Sallyport: a port in use, no Python, a path too long.
type EnvironmentError struct{ Err error }

// Error returns the message of the error inside.
func (e *EnvironmentError) Error() string { return e.Err.Error() }

// Unwrap returns the error inside.
func (e *EnvironmentError) Unwrap() error { return e.Err }

// environment makes an EnvironmentError.
func environment(format string, args ...any) error {
	return &EnvironmentError{Err: fmt.Errorf(format, args...)}
}

// ErrTour says that a request of the tour was not decided as the model says, or left another trace than it should.
var ErrTour = errors.New("the tour did not go as it must")

// Run starts the demo world and returns when ctx ends, when the tour is over (Tour "once"), or when something can't be started.
// Its error is an EnvironmentError, wraps ErrTour, or holds an *audit.Damage if the decision logs did not verify.
// It sets the process's umask, so that nothing it makes can be read by others.
func Run(ctx context.Context, o Options) error {
	began := time.Now()
	o, err := o.complete()
	if err != nil {
		return err
	}
	l, err := NewLayout(o.Dir)
	if err != nil {
		return err
	}
	unlock, err := l.Lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := o.Ports.Free(); err != nil {
		return err
	}
	tools, err := ensureTools(ctx, o.ToolsDir, o.Out)
	if err != nil {
		return err
	}
	syscall.Umask(0o077)
	w, err := makeWorld(l, o.Ports, time.Now())
	if err != nil {
		return err
	}
	s := newSupervisor(l.Ready(), o.Ports.addresses())
	defer s.stop(stopTimeout)
	for _, p := range w.parts(o.Binary, tools) {
		if err := s.start(ctx, p); err != nil {
			return err
		}
	}
	if err := s.announce(); err != nil {
		return err
	}
	fmt.Fprintf(o.Out, "ready in %.1f s: Envoy %s asks the gateway, which guards the store; all of it is in %s\n\n",
		time.Since(began).Seconds(), o.Ports.url(o.Ports.Storage), o.Dir)
	if o.Tour != "none" {
		if err := tour(ctx, l, o); err != nil || o.Tour == "once" {
			return err
		}
	}
	fmt.Fprint(o.Out, invitation(o))
	<-ctx.Done()
	fmt.Fprintln(o.Out, "stopping")
	return nil
}

// complete fills in the defaults.
func (o Options) complete() (Options, error) {
	switch o.Tour {
	case "", "once", "none":
	default:
		return o, environment(`tour %q: want "once", "none" or nothing`, o.Tour)
	}
	if o.Dir == "" {
		o.Dir = ".demo"
	}
	if o.ToolsDir == "" {
		o.ToolsDir = ".tools"
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	o.Out = &lockedWriter{w: o.Out}
	if o.Ports == (Ports{}) {
		o.Ports = promised
	}
	if o.Binary == "" {
		exe, err := os.Executable()
		if err != nil {
			return o, environment("finding the sallyport binary: %w", err)
		}
		o.Binary = exe
	}
	var err error
	if o.Binary, err = filepath.Abs(o.Binary); err != nil {
		return o, environment("sallyport binary %q: %w", o.Binary, err)
	}
	return o, nil
}

// invitation tells the user what to try next.
func invitation(o Options) string {
	dir := ""
	if o.Dir != ".demo" {
		dir = " --dir " + o.Dir
	}
	return fmt.Sprintf(`Serving until Ctrl-C. In another terminal:

  TOKEN=$(%[1]s demo token sam%[2]s)
  curl -H "Authorization: Bearer $TOKEN" %[3]s/us-defense-plans/welcome.txt

  People: %[4]s
`, shown(o.Binary), dir, o.Ports.url(o.Ports.Storage), names())
}

// shown returns path as a user in the working directory would type it.
func shown(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(wd, path)
	if err != nil || strings.HasPrefix(rel, "..") {
		return path
	}
	return "." + string(filepath.Separator) + rel
}

// lockedWriter lets parts that work at the same time report progress on one writer.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (w *lockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.w.Write(b)
}
