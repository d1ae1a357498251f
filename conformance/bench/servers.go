package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/sallyport-dev/sallyport/gateway/demo"
)

// The servers that are compared.
const (
	null      = "null"
	peer      = "peer"
	sallyport = "sallyport"
)

// waitReady returns the gateway's process id once the demo runs.
func waitReady(ctx context.Context, path string, ended <-chan error) (pid int, err error) {
	for {
		b, err := os.ReadFile(path)
		if err == nil {
			var ready struct{ Pids map[string]int }
			if err := json.Unmarshal(b, &ready); err != nil {
				return 0, err
			}
			return ready.Pids["sallyport"], nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case err := <-ended:
			return 0, errors.Join(errors.New("the demo ended"), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// start brings up the other two servers, and an Envoy in front of each of the three.
func start(ctx context.Context, dir, world, tools, plugin string, gateway int) (targets []target, stop func(), err error) {
	var stops []func()
	stop = func() {
		for i := len(stops) - 1; i >= 0; i-- {
			stops[i]()
		}
	}
	binary, err := demo.EnsureEnvoy(ctx, tools, os.Stderr)
	if err != nil {
		return nil, stop, err
	}
	own := filepath.Join(world, "run", "extauthz.sock")
	mark, err := os.ReadFile(demo.Layout{Dir: world}.Mark())
	if err != nil {
		return nil, stop, err
	}
	folder := filepath.Join(dir, "peer")
	if err := peerFolder(world, strings.TrimSpace(string(mark)), folder); err != nil {
		return nil, stop, fmt.Errorf("the peer's folder: %w", err)
	}
	for _, server := range []string{null, peer, sallyport} {
		t := target{server: server, pid: gateway, address: own, all: server == null, plain: server == peer}
		if server != sallyport {
			t.address = filepath.Join(dir, server+".sock")
			c := exec.CommandContext(ctx, os.Args[0], "-serve", server, "-socket", t.address, "-world", world, "-folder", folder)
			if server == peer && plugin != "" {
				c = exec.CommandContext(ctx, plugin, "run", "--server", "--addr", "unix://"+filepath.Join(dir, "opa.sock"), "--log-level", "error",
					"--set", "plugins.envoy_ext_authz_grpc.addr=unix://"+t.address,
					"--set", "plugins.envoy_ext_authz_grpc.path=peer/answer", folder)
			}
			c.Stderr = os.Stderr
			if err := c.Start(); err != nil {
				return nil, stop, err
			}
			stops = append(stops, func() { c.Process.Signal(syscall.SIGTERM); c.Wait() })
			if err := waitSocket(ctx, t.address); err != nil {
				return nil, stop, fmt.Errorf("server %s: %w", server, err)
			}
			t.pid = c.Process.Pid
		}
		proxy, port, err := startEnvoy(ctx, binary, world, filepath.Join(dir, "envoy-"+server), own, t)
		if err != nil {
			return nil, stop, err
		}
		stops = append(stops, func() { proxy.Signal(syscall.SIGTERM); proxy.Wait() })
		through := t
		t.road, through.road = direct, envoy
		through.address, through.envoy = net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), proxy.Pid
		targets = append(targets, t, through)
	}
	return targets, stop, nil
}

func waitSocket(ctx context.Context, path string) error {
	for range 200 {
		c, err := net.Dial("unix", path)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("nobody listens on %s", path)
}

// serveOther is null or the peer until ctx ends, on stock grpc-go with stock settings.
func serveOther(ctx context.Context, server, socket, world, folder string) error {
	mark, err := os.ReadFile(demo.Layout{Dir: world}.Mark())
	if err != nil {
		return err
	}
	s := grpc.NewServer()
	allow := allowance(strings.TrimSpace(string(mark)))
	if server == null {
		authv3.RegisterAuthorizationServer(s, always{answer: allow})
	} else {
		interpreter, err := newInterpreter(ctx, folder, allow)
		if err != nil {
			return err
		}
		authv3.RegisterAuthorizationServer(s, interpreter)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	go func() { <-ctx.Done(); s.Stop() }()
	return s.Serve(l)
}

// always is an ext_authz server that decides nothing.
type always struct{ answer *authv3.CheckResponse }

func (a always) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return a.answer, nil
}

// allowance is an OK with the mark that Envoy's belt wants to see.
func allowance(mark string) *authv3.CheckResponse {
	return &authv3.CheckResponse{
		Status: &status.Status{},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
			ResponseHeadersToAdd: []*corev3.HeaderValueOption{{
				Header:       &corev3.HeaderValue{Key: "x-sallyport-decision-id", Value: "none"},
				AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
			}},
		}},
		DynamicMetadata: &structpb.Struct{Fields: map[string]*structpb.Value{"sallyport": structpb.NewStringValue(mark)}},
	}
}

// cpu returns what the process has used so far, from the kernel's accounting (proc_pid_stat(5), fields 14 and 15). It counts threads
// that have ended too, which schedstat of the threads does not.
func cpu(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, after, ok := bytes.Cut(b, []byte(") "))
	fields := strings.Fields(string(after))
	if !ok || len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has another form", pid)
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	const tick = 10 * time.Millisecond // USER_HZ is 100 on Linux
	return time.Duration(user+system) * tick, errors.Join(err1, err2)
}
