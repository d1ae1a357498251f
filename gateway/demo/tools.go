package demo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// tools are the paths of the real parts that the demo starts, and of the module that its jobs run.
type tools struct{ envoy, versitygw, module string }

// ensureTools finds them at the same time, since the first time each takes a while. What can't be had stops the search for the
// others, but all that is known to be missing by then is told at once.
func ensureTools(ctx context.Context, dir string, progress io.Writer) (tools, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var t tools
	ensure := []struct {
		path *string
		by   func(context.Context, string, io.Writer) (string, error)
	}{{&t.envoy, EnsureEnvoy}, {&t.versitygw, EnsureVersitygw}, {&t.module, EnsureModule}}
	errs := make([]error, len(ensure))
	var wg sync.WaitGroup
	for i, e := range ensure {
		wg.Go(func() {
			if *e.path, errs[i] = e.by(ctx, dir, progress); errs[i] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	var missing error
	for _, err := range errs {
		switch {
		case err == nil || missing != nil && errors.Is(err, context.Canceled): // stopped for the sake of another
		case missing == nil || errors.Is(missing, context.Canceled):
			missing = err
		default:
			missing = environment("%w; %w", missing, err)
		}
	}
	return t, missing
}

// cached returns the file called name in dir. If it is missing, one process makes it: to writes it to a path beside, which becomes
// the file only when all went well.
func cached(ctx context.Context, dir, name string, to func(ctx context.Context, path string) error) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", environment("tools folder %q: %w", dir, err)
	}
	path := filepath.Join(dir, name)
	if executable(path) {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", environment("tools folder: %w", err)
	}
	unlock, err := flock(path+".lock", syscall.LOCK_EX) // waits for a process that makes it now
	if err != nil {
		return "", environment("locking %s: %w", path, err)
	}
	defer unlock()
	if executable(path) {
		return path, nil
	}
	tmp := path + ".new"
	defer os.Remove(tmp)
	if err := to(ctx, tmp); err != nil {
		return "", err
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", environment("%s: %w", name, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return "", environment("%s: %w", name, err)
	}
	return path, nil
}

func executable(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0
}

// output keeps what a command says while others look at it.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) lines() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Count(o.b.Bytes(), []byte("\n"))
}

// tail returns the last lines, where the error is.
func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(o.b.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

// every calls f again and again until stop is called.
func every(d time.Duration, f func()) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		t := time.NewTicker(d)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				f()
			}
		}
	}()
	return cancel
}
