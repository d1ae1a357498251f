package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"go.yaml.in/yaml/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/sallyport-dev/sallyport/gateway/demo"
)

const (
	nullName    = "null (always allows)"
	gatewayName = "sallyport"
)

// start brings up the upstream, the null server, and an Envoy in front of each server.
func start(ctx context.Context, dir, world, tools string, gateway int) (sides []side, stop func(), err error) {
	var stops []func()
	stop = func() {
		for i := len(stops) - 1; i >= 0; i-- {
			stops[i]()
		}
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	upstream := filepath.Join(dir, "upstream.sock")
	l, err := net.Listen("unix", upstream)
	if err != nil {
		return nil, nil, err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("welcome\n")) })}
	go server.Serve(l)
	stops = append(stops, func() { server.Close() })

	mark, err := os.ReadFile(filepath.Join(world, "keys", "mark"))
	if err != nil {
		return nil, nil, err
	}
	socket := filepath.Join(dir, "null.sock")
	null := exec.CommandContext(ctx, os.Args[0], "-null", socket)
	null.Env = append(os.Environ(), "NULL_MARK="+strings.TrimSpace(string(mark)))
	null.Stderr = os.Stderr
	if err := null.Start(); err != nil {
		return nil, nil, err
	}
	stops = append(stops, func() { null.Process.Signal(syscall.SIGTERM); null.Wait() })

	binary, err := demo.EnsureEnvoy(ctx, tools, os.Stderr)
	if err != nil {
		return nil, nil, err
	}
	sides = []side{{name: nullName, pid: null.Process.Pid}, {name: gatewayName, pid: gateway}}
	for i := range sides {
		edits := map[string]string{filepath.Join(world, "run", "storage.sock"): upstream}
		if sides[i].name == nullName {
			edits[filepath.Join(world, "run", "extauthz.sock")] = socket
		}
		envoy, port, err := startEnvoy(ctx, binary, world, filepath.Join(dir, strconv.Itoa(i)), edits)
		if err != nil {
			return nil, nil, err
		}
		sides[i].port = port
		stops = append(stops, envoy)
	}
	return sides, stop, nil
}

// startEnvoy runs the demo's Envoy config with other ports, other sockets and no rate limit, and waits until it is live.
func startEnvoy(ctx context.Context, binary, world, dir string, sockets map[string]string) (stop func(), port int, err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, 0, err
	}
	b, err := os.ReadFile(filepath.Join(world, "envoy", "envoy.yaml"))
	if err != nil {
		return nil, 0, err
	}
	ports, err := demo.FreePorts()
	if err != nil {
		return nil, 0, err
	}
	var root yaml.Node
	if err := yaml.Unmarshal(b, &root); err != nil {
		return nil, 0, err
	}
	free := []int{ports.Admin, ports.Storage, ports.Compute}
	edit(&root, func(key string, v *yaml.Node) {
		switch key {
		case "port_value":
			if len(free) > 0 {
				v.Value, free = strconv.Itoa(free[0]), free[1:]
			}
		case "path":
			if s, ok := sockets[v.Value]; ok {
				v.Value = s
			} else if strings.HasPrefix(v.Value, filepath.Join(world, "logs")) {
				v.Value = filepath.Join(dir, filepath.Base(v.Value))
			}
		case "max_tokens", "tokens_per_fill":
			v.Value = "1000000000"
		}
	})
	config := filepath.Join(dir, "envoy.yaml")
	if b, err = yaml.Marshal(&root); err != nil {
		return nil, 0, err
	}
	if err := os.WriteFile(config, b, 0o600); err != nil {
		return nil, 0, err
	}
	c := exec.CommandContext(ctx, binary, "-c", config, "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning")
	var log bytes.Buffer
	c.Stderr = &log
	if err := c.Start(); err != nil {
		return nil, 0, err
	}
	stop = func() { c.Process.Signal(syscall.SIGTERM); c.Wait() }
	for range 100 {
		time.Sleep(100 * time.Millisecond)
		resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/ready", ports.Admin))
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return stop, ports.Storage, nil
			}
		}
	}
	stop()
	return nil, 0, fmt.Errorf("Envoy did not become ready:\n%s", log.Bytes())
}

// edit calls f for each scalar member of each mapping below n, in the order of the file.
func edit(n *yaml.Node, f func(key string, v *yaml.Node)) {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && c.Kind == yaml.ScalarNode {
			f(n.Content[i-1].Value, c)
		}
		edit(c, f)
	}
}

// null is an ext_authz server that decides nothing.
type null struct{ answer *authv3.CheckResponse }

func (n null) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return n.answer, nil
}

// serveNull answers OK, with the belt's mark, to everything until ctx ends. It is stock grpc-go with stock settings.
func serveNull(ctx context.Context, socket, mark string) error {
	if mark == "" {
		return errors.New(usage)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	s := grpc.NewServer()
	authv3.RegisterAuthorizationServer(s, null{&authv3.CheckResponse{
		Status: &status.Status{},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
			ResponseHeadersToAdd: []*corev3.HeaderValueOption{{
				Header:       &corev3.HeaderValue{Key: "x-sallyport-decision-id", Value: "null"},
				AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
			}},
		}},
		DynamicMetadata: &structpb.Struct{Fields: map[string]*structpb.Value{"sallyport": structpb.NewStringValue(mark)}},
	}})
	go func() { <-ctx.Done(); s.Stop() }()
	return s.Serve(l)
}

// cpu returns what the process has used so far, from the kernel's accounting (proc_pid_stat(5), fields 14 and 15).
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
