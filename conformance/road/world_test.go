package road_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/gateway/demo"
)

// world is a running demo on ports of its own.
type world struct {
	demo.Layout
	ports  demo.Ports
	traces *traces
	said   *said // what the supervisor printed

	cancel context.CancelFunc
	ended  chan struct{} // closed when the supervisor has returned
	err    error         // what it returned; read after ended
}

// startWorld starts a world in dir and waits until it is ready.
func startWorld(dir string) (*world, error) {
	ports, err := demo.FreePorts()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &world{Layout: demo.Layout{Dir: dir}, ports: ports, said: &said{}, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		w.err = demo.Run(ctx, demo.Options{Dir: dir, Tour: "none", Out: w.said, Binary: binary, Ports: ports, ToolsDir: toolsDir})
	}()
	if err := w.waitReady(2 * time.Minute); err != nil {
		cancel()
		<-w.ended
		return nil, fmt.Errorf("the world did not start: %w\n%s", errors.Join(err, w.err), w.said)
	}
	w.traces, err = newTraces(w.Layout)
	return w, err
}

// newWorld starts a world that the test may break, and stops it when the test ends.
func newWorld(t *testing.T) *world {
	t.Helper()
	real(t)
	dir, err := os.MkdirTemp("/tmp", "sp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w, err := startWorld(filepath.Join(dir, "w"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.stop(); err != nil {
			t.Error("stopping the world:", err)
		}
	})
	return w
}

// sharedWorld returns the world that tests only look at.
func sharedWorld(t testing.TB) *world {
	t.Helper()
	real(t)
	return shared
}

// stop ends the world and returns what its supervisor says.
func (w *world) stop() error {
	w.cancel()
	<-w.ended
	return w.err
}

// ready is the promised content of ready.json.
type ready struct {
	Addresses map[string]string `json:"addresses"`
	PIDs      map[string]int    `json:"pids"`
}

// ready reads ready.json, which is there while every part is ready.
func (w *world) ready() (ready, error) {
	b, err := os.ReadFile(w.Ready())
	if err != nil {
		return ready{}, err
	}
	var r ready
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return ready{}, fmt.Errorf("ready.json: %w", err)
	}
	return r, nil
}

// waitReady waits for ready.json, or for the supervisor's end.
func (w *world) waitReady(limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for {
		_, err := w.ready()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not ready after %v: %w", limit, err)
		}
		select {
		case <-w.ended:
			return errors.New("the supervisor ended")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// pid returns the process of a part.
func (w *world) pid(t *testing.T, part string) int {
	t.Helper()
	r, err := w.ready()
	if err != nil {
		t.Fatal(err)
	}
	if r.PIDs[part] == 0 {
		t.Fatalf("ready.json names no process %q: %v", part, r.PIDs)
	}
	return r.PIDs[part]
}

func (w *world) url(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) }

// storage is the address of Envoy in front of the store.
func (w *world) storage() string { return fmt.Sprintf("127.0.0.1:%d", w.ports.Storage) }

// token returns a fresh token of somebody.
func (w *world) token(t testing.TB, name string, edits ...func(demo.Claims)) string {
	t.Helper()
	token, err := demo.Token(w.Dir, name, edits...)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// said keeps what a process or the supervisor printed.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
