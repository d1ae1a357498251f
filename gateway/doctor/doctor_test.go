package doctor_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/sallyport-dev/sallyport/gateway/demo"
	"github.com/sallyport-dev/sallyport/gateway/doctor"
)

// shipped is the configuration of deploy/envoy, as the demo fills it in.
func shipped(t testing.TB, gateway *demo.GatewayTLS, clients *demo.ClientTLS) []byte {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "d") // short: the paths of sockets end at 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l := demo.Layout{Dir: dir}
	for _, file := range []string{l.Mark(), l.EnvoyAccessLog()} {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(l.Mark(), []byte("0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := demo.EnvoyConfig(l, demo.Ports{Storage: 10000, Compute: 10001, Admin: 9901}, gateway, clients)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func examine(t testing.TB, name string, text []byte, m doctor.Measured) []doctor.Finding {
	t.Helper()
	found, err := doctor.Examine(name, bytes.NewReader(text), m)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestTheShippedConfigurationsAreClean(t *testing.T) {
	t.Parallel()
	gateway := &demo.GatewayTLS{Dir: "/etc/envoy/tls", Address: "10.0.0.2", Port: 9191, Peer: "spiffe://sallyport.test/gateway"}
	clients := &demo.ClientTLS{Dir: "/etc/envoy/tls", Require: true}
	for name, text := range map[string][]byte{
		"over a unix socket": shipped(t, nil, nil),
		"over mTLS":          shipped(t, gateway, clients),
	} {
		if found := examine(t, name, text, doctor.Measured{}); len(found) > 0 {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

// bad is a file of testdata/bad: what is done to the shipped configuration.
type bad struct {
	Edits []struct {
		Set, Insert, Remove string // a path; Insert puts an element before the one that has it
		To                  any
	}
	TLS  bool     // of the configuration with TLS to the gateway and from clients
	Also []string // findings beside the one that the file is called by; "*" for any
}

func TestEachBadConfigurationIsFoundAndEnvoyAcceptsIt(t *testing.T) {
	t.Parallel()
	envoy, err := demo.EnsureEnvoy(t.Context(), filepath.Join("..", "..", ".tools"), os.Stderr)
	if err != nil && os.Getenv("REQUIRE_REAL") != "" {
		t.Fatal(err)
	}
	good := map[bool][]byte{
		false: shipped(t, nil, nil),
		true: shipped(t, &demo.GatewayTLS{Dir: "/etc/envoy/tls", Address: "10.0.0.2", Port: 9191, Peer: "spiffe://sallyport.test/gateway"},
			&demo.ClientTLS{Dir: "/etc/envoy/tls", Require: true}),
	}
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	proven := map[string]bool{}
	for _, file := range files {
		id, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".yaml"), "-")
		for _, known := range doctor.IDs() { // ids have hyphens themselves
			if name := strings.TrimSuffix(filepath.Base(file), ".yaml"); (name == known || strings.HasPrefix(name, known+"-")) && len(known) > len(id) {
				id = known
			}
		}
		proven[id] = true
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var b bad
			d := yaml.NewDecoder(bytes.NewReader(text))
			d.KnownFields(true)
			if err := d.Decode(&b); err != nil {
				t.Fatal(err)
			}
			edited := edit(t, good[b.TLS], b)
			ids := []string{}
			for _, f := range examine(t, file, edited, doctor.Measured{}) {
				if f.Line == 0 || f.Why == "" || f.Fix == "" || f.Risk == "" {
					t.Errorf("a finding without its place, reason or fix: %+v", f)
				}
				ids = append(ids, f.ID)
			}
			slices.Sort(ids)
			ids = slices.Compact(ids)
			want := slices.Sorted(slices.Values(append(slices.Clone(b.Also), id)))
			if slices.Contains(b.Also, "*") {
				want, ids = []string{id}, slices.DeleteFunc(ids, func(s string) bool { return s != id })
			}
			if diff := cmp.Diff(want, ids); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if envoy == "" || b.TLS { // Envoy wants to see the files of certificates
				return
			}
			path := filepath.Join(t.TempDir(), "envoy.yaml")
			if err := os.WriteFile(path, edited, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(envoy, "--mode", "validate", "-c", path, "--log-level", "error").CombinedOutput(); err != nil {
				t.Errorf("Envoy would not have taken it: %v\n%s", err, out)
			}
		})
	}
	for _, id := range doctor.IDs() {
		if !proven[id] {
			t.Errorf("testdata/bad has no file for %s", id)
		}
	}
	if envoy == "" {
		t.Skip("Envoy can't be had, so nothing shows that it accepts these")
	}
}

// edit returns text with b's edits.
func edit(t *testing.T, text []byte, b bad) []byte {
	t.Helper()
	var root any
	if err := yaml.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	for _, e := range b.Edits {
		var steps []any
		for _, s := range splitPath(e.Set + e.Insert + e.Remove) {
			if n, err := strconv.Atoi(s); err == nil {
				steps = append(steps, n)
			} else {
				steps = append(steps, s)
			}
		}
		root = change(t, root, steps, func(v any, last any) any {
			switch v := v.(type) {
			case map[string]any:
				if e.Remove == "" {
					v[last.(string)] = e.To
				} else if _, ok := v[last.(string)]; !ok {
					t.Fatalf("%s is not there", e.Remove)
				} else {
					delete(v, last.(string))
				}
				return v
			case []any:
				switch i := last.(int); {
				case e.Insert != "":
					return slices.Insert(v, i, e.To)
				case e.Remove != "":
					return slices.Delete(v, i, i+1)
				default:
					v[i] = e.To
					return v
				}
			}
			t.Fatalf("%v: %v is no place in %T", steps, last, v)
			return nil
		})
	}
	out, err := yaml.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func change(t *testing.T, v any, steps []any, f func(v, last any) any) any {
	t.Helper()
	if len(steps) == 1 {
		return f(v, steps[0])
	}
	switch at := v.(type) {
	case map[string]any:
		name := steps[0].(string)
		if at[name] == nil {
			at[name] = map[string]any{}
		}
		at[name] = change(t, at[name], steps[1:], f)
	case []any:
		i := steps[0].(int)
		at[i] = change(t, at[i], steps[1:], f)
	default:
		t.Fatalf("%v leads nowhere", steps)
	}
	return v
}

// splitPath splits a.b[0]["c.d"] into its steps.
func splitPath(path string) []string {
	var steps []string
	for path != "" {
		switch {
		case strings.HasPrefix(path, `["`):
			end := strings.Index(path, `"]`)
			steps, path = append(steps, path[2:end]), path[end+2:]
		case path[0] == '[':
			end := strings.IndexByte(path, ']')
			steps, path = append(steps, path[1:end]), path[end+1:]
		case path[0] == '.':
			path = path[1:]
		default:
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			steps, path = append(steps, path[:end]), path[end:]
		}
	}
	return steps
}

// start runs a real Envoy with a configuration and returns its admin address.
func start(t *testing.T, edits string) string {
	t.Helper()
	envoy, err := demo.EnsureEnvoy(t.Context(), filepath.Join("..", "..", ".tools"), os.Stderr)
	if err != nil && os.Getenv("REQUIRE_REAL") != "" {
		t.Fatal(err)
	} else if err != nil {
		t.Skipf("Envoy can't be had: %v", err)
	}
	ports, err := demo.FreePorts()
	if err != nil {
		t.Fatal(err)
	}
	var b bad
	if err := yaml.Unmarshal(fmt.Appendf(nil, `
edits:
- {set: admin.address.socket_address.port_value, to: %d}
- {set: "static_resources.listeners[0].address.socket_address.port_value", to: %d}
- {set: "static_resources.listeners[1].address.socket_address.port_value", to: %d}
%s`, ports.Admin, ports.Storage, ports.Compute, edits), &b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "envoy.yaml")
	if err := os.WriteFile(path, edit(t, shipped(t, nil, nil), b), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, envoy, "-c", path, "--disable-hot-restart", "--concurrency", "1", "--log-level", "error")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); cmd.Wait() })
	admin := fmt.Sprintf("http://127.0.0.1:%d", ports.Admin)
	for range 300 {
		if resp, err := http.Get(admin + "/ready"); err == nil {
			resp.Body.Close()
			return admin
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("Envoy does not start")
	return ""
}

func TestARunningEnvoyIsExaminedByItsAdminInterface(t *testing.T) {
	t.Parallel()
	found, err := doctor.Live(t.Context(), start(t, ""))
	if err != nil || len(found) > 0 {
		t.Errorf("the shipped configuration, running: %v, %+v", err, found)
	}
	found, err = doctor.Live(t.Context(), start(t, `
- {set: "static_resources.listeners[1].filter_chains[0].filters[0].typed_config.http_filters[1].typed_config.failure_mode_allow", to: true}
- {insert: "layered_runtime.layers[1]", to: {name: admin, admin_layer: {}}}`))
	var ids []string
	for _, f := range found {
		ids = append(ids, f.ID)
	}
	if diff := cmp.Diff([]string{"runtime.mutable", "ext-authz.fail-open"}, ids); err != nil || diff != "" {
		t.Errorf("a bad one, running (-want +got), %v:\n%s", err, diff)
	}
	for _, admin := range []string{"http://127.0.0.1:1", "ftp://127.0.0.1", "http://127.0.0.1:9901/config_dump", "unix:/nowhere.sock"} {
		if _, err := doctor.Live(t.Context(), admin); err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(admin, "http://")) {
			t.Errorf("%s: %v", admin, err)
		}
	}
}

func TestWhatXDSHasOnDiskIsExamined(t *testing.T) {
	t.Parallel()
	var whole struct {
		Static map[string][]map[string]any `yaml:"static_resources"`
	}
	if err := yaml.Unmarshal(shipped(t, nil, nil), &whole); err != nil {
		t.Fatal(err)
	}
	response := map[string]any{"version_info": "1", "resources": []any{}}
	for name, kind := range map[string]string{"listeners": "listener.v3.Listener", "clusters": "cluster.v3.Cluster"} {
		for _, r := range whole.Static[name] {
			r["@type"] = "type.googleapis.com/envoy.config." + kind
			response["resources"] = append(response["resources"].([]any), r)
		}
	}
	text, err := yaml.Marshal(response)
	if err != nil {
		t.Fatal(err)
	}
	if found := examine(t, "lds.yaml", text, doctor.Measured{}); len(found) > 0 {
		t.Errorf("the shipped listeners and clusters as a discovery response: %+v", found)
	}
	text = bytes.Replace(text, []byte("enable_reuse_port: false"), []byte("enable_reuse_port: true"), 1)
	text = bytes.Replace(text, []byte("failure_mode_allow: false"), []byte("failure_mode_allow: true"), 1)
	var ids []string
	for _, f := range examine(t, "lds.yaml", text, doctor.Measured{}) {
		ids = append(ids, f.ID)
	}
	slices.Sort(ids)
	if diff := cmp.Diff([]string{"ext-authz.fail-open", "listener.shared-port"}, ids); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestATimeoutIsHeldAgainstWhatWasMeasured(t *testing.T) {
	t.Parallel()
	found := examine(t, "envoy.yaml", shipped(t, nil, nil), doctor.Measured{P99: map[string]time.Duration{"sallyport": 700 * time.Millisecond, "storage": time.Hour}})
	var got []string
	for _, f := range found {
		got = append(got, f.ID+": "+f.Detail)
	}
	want := "ext-authz.timeout: the timeout is 1s, and one check in a hundred took 700ms or longer"
	if len(got) != 2 || got[0] != want || got[1] != want { // both listeners; the routes with bodies have 5 s
		t.Errorf("found %q, want twice %q", got, want)
	}
}

func TestWhatIsNoConfigurationIsAnErrorWithItsPlace(t *testing.T) {
	t.Parallel()
	bomb := "a: &a [x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += fmt.Sprintf("%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n", c, c, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
	}
	rows := []struct{ name, text, want string }{
		{"nothing", "", "x.yaml: neither YAML nor JSON: EOF"},
		{"a text", "hello", "x.yaml:1: no Envoy configuration: want a bootstrap (static_resources …), a config dump (configs …) or a discovery response (resources …)"},
		{"another tool's file", "\nscrape_configs: []", "x.yaml:2: no Envoy configuration: want a bootstrap (static_resources …), a config dump (configs …) or a discovery response (resources …)"},
		{"two documents", "static_resources: {}\n---\nstatic_resources: {}", "x.yaml: want one document, there are more"},
		{"a bomb of aliases", bomb, "x.yaml: its aliases make more than 4194304 places of it"},
	}
	for _, r := range rows {
		found, err := doctor.Examine("x.yaml", strings.NewReader(r.text), doctor.Measured{})
		if err == nil || err.Error() != r.want {
			t.Errorf("%s: %v, %v, want %s", r.name, found, err, r.want)
		}
	}
}

func FuzzExamine(f *testing.F) {
	f.Add(shipped(f, nil, nil))
	f.Add([]byte(`{"configs": [{"bootstrap": {"static_resources": {"listeners": [{"filter_chains": [null]}]}}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		doctor.Examine("x", bytes.NewReader(text), doctor.Measured{})
	})
}
