package road_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/gateway/demo"
)

// change turns Envoy's config into a worse one. It fails if there is nothing to change.
type change struct {
	old *regexp.Regexp
	new string
}

// replace changes every old to new.
func replace(old, new string) change {
	return change{regexp.MustCompile(regexp.QuoteMeta(old)), strings.ReplaceAll(new, "$", "$$")}
}

// withoutBelt takes the second lock away.
var withoutBelt = change{regexp.MustCompile(`(?s)          - name: envoy\.filters\.http\.rbac\n.*?(          - name: envoy\.filters\.http\.router)`), "$1"}

// secondEnvoy starts another Envoy and returns the address of its storage listener.
func (w *world) secondEnvoy(t *testing.T, changes ...change) (address string) {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", w.anotherEnvoy(t, changes...).Storage)
}

// anotherEnvoy starts another Envoy in front of w's gateway, store and job service, from the config of the first with some changes,
// and returns its ports. It ends with the test.
func (w *world) anotherEnvoy(t *testing.T, changes ...change) demo.Ports {
	t.Helper()
	b, err := os.ReadFile(w.EnvoyConfig())
	if err != nil {
		t.Fatal(err)
	}
	ports, err := demo.FreePorts()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := string(b)
	for _, c := range append(changes,
		replace(fmt.Sprintf(":%d\"", w.ports.Storage), fmt.Sprintf(":%d\"", ports.Storage)),
		replace(fmt.Sprintf(":%d\"", w.ports.Compute), fmt.Sprintf(":%d\"", ports.Compute)),
		replace(fmt.Sprintf("port_value: %d}", w.ports.Storage), fmt.Sprintf("port_value: %d}", ports.Storage)),
		replace(fmt.Sprintf("port_value: %d}", w.ports.Compute), fmt.Sprintf("port_value: %d}", ports.Compute)),
		replace(fmt.Sprintf("port_value: %d}", w.ports.Admin), fmt.Sprintf("port_value: %d}", ports.Admin)),
		replace(w.EnvoyAccessLog(), filepath.Join(dir, "access.jsonl")),
	) {
		if !c.old.MatchString(config) {
			t.Fatalf("Envoy's config has no %s to change", c.old)
		}
		config = c.old.ReplaceAllString(config, c.new)
	}
	startEnvoy(t, config, ports)
	return ports
}

// startEnvoy starts an Envoy with that config and waits until it is ready. It ends with the test.
func startEnvoy(t *testing.T, config string, ports demo.Ports) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "envoy.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	bin, err := demo.EnsureEnvoy(context.Background(), toolsDir, os.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	log := &said{}
	cmd := exec.Command(bin, "--config-path", path, "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		<-exited
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/ready", ports.Admin)); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case err := <-exited:
			exited <- err
			t.Fatalf("the second Envoy ended: %v\n%s", err, log)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("the second Envoy did not become ready\n%s", log)
		}
	}
}

// socket returns the path of a unix socket that can be listened on; the paths of t.TempDir are too long for one.
func socket(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "sp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// listen listens on a unix socket.
func listen(t *testing.T, path string) net.Listener {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// over returns a client of a unix socket.
func over(path string) *http.Client {
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DisableKeepAlives:  true,
		DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}}
}
