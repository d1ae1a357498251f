package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sallyport-dev/sallyport/gateway/demo"
)

// startEnvoy runs the demo's Envoy config for another server, and waits until it is live. What differs from the demo: the ports, the
// access log, the rate limit and the deadline of a check, which would be what is measured, and the store, instead of which Envoy itself says 200.
func startEnvoy(ctx context.Context, binary, world, dir, gateway string, t target) (proxy *os.Process, port int, err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, 0, err
	}
	b, err := os.ReadFile(demo.Layout{Dir: world}.EnvoyConfig())
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
	edit(&root, func(key, v *yaml.Node) {
		switch key.Value {
		case "port_value":
			if len(free) > 0 {
				v.Value, free = strconv.Itoa(free[0]), free[1:]
			}
		case "path":
			if v.Value == gateway {
				v.Value = t.address
			} else if strings.HasPrefix(v.Value, filepath.Join(world, "logs")) {
				v.Value = filepath.Join(dir, filepath.Base(v.Value))
			}
		case "timeout": // of a check: the slowest server must be able to answer
			v.Value = answerTimeout.String()
		case "encode_raw_headers": // OPA's Envoy plugin reads the plain ones
			v.Value = strconv.FormatBool(!t.plain)
		case "max_tokens", "tokens_per_fill":
			v.Value = "1000000000"
		case "route":
			key.Value = "direct_response"
			*v = yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{scalar("status"), scalar("200")}}
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
	for range 100 {
		time.Sleep(100 * time.Millisecond)
		resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/ready", ports.Admin))
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return c.Process, ports.Storage, nil
			}
		}
	}
	c.Process.Kill()
	c.Wait()
	return nil, 0, fmt.Errorf("Envoy did not become ready:\n%s", log.Bytes())
}

// edit calls f for each member of each mapping below n, in the order of the file.
func edit(n *yaml.Node, f func(key, v *yaml.Node)) {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 {
			f(n.Content[i-1], c)
		}
		edit(c, f)
	}
}

func scalar(v string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: v} }
