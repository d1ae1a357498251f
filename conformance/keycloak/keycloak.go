// Package keycloak runs a real Keycloak for tests: it is fetched once by Maven, built for a fast start and kept in the tools folder,
// and started with an empty database of its own on a loopback port.
//
// Non-goals: it knows no realm and no token; see deploy/keycloak and the tests that use it.
package keycloak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// startLimit is for a machine that does much else meanwhile; alone, a start takes 6 s.
const startLimit = 2 * time.Minute

// Keycloak is one that runs.
type Keycloak struct {
	URL      string // http://127.0.0.1:port
	Password string // of admin in the realm master

	command *exec.Cmd
	ended   chan struct{} // closed when the process has ended
}

// Start starts the Keycloak in home, which Ensure returned, with all of its state in dir, and waits until it answers. What it says
// goes to log.
func Start(ctx context.Context, home, dir string, log io.Writer) (*Keycloak, error) {
	password, err := os.ReadFile(filepath.Join(home, passwordFile))
	if err != nil {
		return nil, err
	}
	database, err := os.ReadFile(filepath.Join(home, emptyDatabase))
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, filepath.Base(emptyDatabase)), database, 0o600); err != nil {
		return nil, err
	}
	return start(ctx, home, dir, string(password), log)
}

func start(ctx context.Context, home, dir, password string, log io.Writer) (*Keycloak, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	k := &Keycloak{URL: fmt.Sprintf("http://127.0.0.1:%d", port), Password: password, ended: make(chan struct{})}
	// Without --hostname the iss would be whatever Host a request names, without --cache=local it would open cluster ports.
	k.command = exec.Command(filepath.Join(home, "bin", "kc.sh"), "start", "--optimized",
		"--http-enabled=true", "--http-host=127.0.0.1", fmt.Sprintf("--http-port=%d", port), "--hostname="+k.URL, "--cache=local",
		"--http-management-host=127.0.0.1", "--log-level=warn",
		"--db-url=jdbc:h2:file:"+filepath.Join(dir, "keycloakdb")+";NON_KEYWORDS=VALUE;DB_CLOSE_ON_EXIT=FALSE")
	k.command.Env = append(environment(), "KC_BOOTSTRAP_ADMIN_USERNAME=admin", "KC_BOOTSTRAP_ADMIN_PASSWORD="+password,
		"JAVA_OPTS_APPEND=-XX:TieredStopAtLevel=1") // short runs gain nothing from the second compiler
	k.command.Stdout, k.command.Stderr = log, log
	k.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the kernel ends a child with the thread that started it
		defer close(k.ended)
		err := k.command.Start()
		started <- err
		if err == nil {
			k.command.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		// The realm's own URL would create a key of another algorithm, which then stays.
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.URL+"/realms/master/.well-known/openid-configuration", nil)
		if err != nil {
			return nil, err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return k, nil
			}
		}
		select {
		case <-k.ended:
			return nil, fmt.Errorf("keycloak ended: %v", k.command.ProcessState)
		case <-ctx.Done():
			k.Stop(syscall.SIGKILL)
			return nil, fmt.Errorf("keycloak did not answer: %w", context.Cause(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Stop ends it by a signal, SIGTERM in order or SIGKILL at once.
func (k *Keycloak) Stop(s syscall.Signal) {
	syscall.Kill(-k.command.Process.Pid, s)
	select {
	case <-k.ended:
	case <-time.After(20 * time.Second):
		syscall.Kill(-k.command.Process.Pid, syscall.SIGKILL)
		<-k.ended
	}
}

// environment is what Java needs; a KC_ variable of the caller would change the configuration.
func environment() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "JAVA_HOME", "LANG"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	a, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.New("no TCP address")
	}
	return a.Port, nil
}
