package demo

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// envoyConfigOf returns the config of a demo in a fresh folder, and its parsed form.
func envoyConfigOf(t *testing.T) (text string, parsed map[string]any) {
	t.Helper()
	p, err := FreePorts()
	if err != nil {
		t.Fatal(err)
	}
	b, err := envoyConfig(newLayout(t), p, "the-mark")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(b, &parsed); err != nil {
		t.Fatalf("the config is no YAML: %v\n%s", err, b)
	}
	return string(b), parsed
}

func TestARealEnvoyAcceptsTheConfig(t *testing.T) {
	bin := realEnvoy(t)
	text, _ := envoyConfigOf(t)
	path := filepath.Join(t.TempDir(), "envoy.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, bin, "--mode", "validate", "--config-path", path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// realEnvoy returns an Envoy that is here already; only the end-to-end suite fetches one.
func realEnvoy(t *testing.T) string {
	t.Helper()
	if bin := os.Getenv("ENVOY_BIN"); bin != "" {
		return bin
	}
	if bin := filepath.Join("../../.tools", envoyName()); executable(bin) {
		return bin
	}
	if os.Getenv("REQUIRE_REAL") == "1" {
		t.Fatal("there is no Envoy: set ENVOY_BIN, or let the demo fetch one")
	}
	t.Skip("there is no Envoy: set ENVOY_BIN, or let the demo fetch one")
	return ""
}

// Each of these opens a lock, and Envoy's own validation accepts them all.
func TestTheConfigHasNoneOfTheSettingsThatLetRequestsSlipPast(t *testing.T) {
	_, parsed := envoyConfigOf(t)
	walk(parsed, "", func(path string, key string, value any) {
		switch key {
		case "failure_mode_allow":
			if value != false {
				t.Errorf("%s: %v", path, value)
			}
		case "shadow_mode", "disabled", "retry_policy", "retry_on", "hedge_policy", "request_mirror_policies",
			"cluster_header", "prefix_rewrite", "regex_rewrite", "host_rewrite_literal", "preserve_external_request_id",
			"metadata_context_namespaces", "upgrade_configs":
			t.Errorf("%s is set: %v", path, value)
		case "filter_enabled":
			if !strings.Contains(path, "http_filters.0.") { // the rate limit has no other way to say "always"
				t.Errorf("%s is set: %v", path, value)
			}
		case "timeout":
			if value == "0s" && strings.Contains(path, "grpc_service") {
				t.Errorf("%s waits for ever", path)
			}
		}
	})
}

func TestEveryListenerHasTheLocksInTheirOrderAndJudgesEveryHost(t *testing.T) {
	_, parsed := envoyConfigOf(t)
	listeners := at(parsed, "static_resources", "listeners").([]any)
	if len(listeners) != 2 {
		t.Fatalf("want 2 listeners, have %d", len(listeners))
	}
	for _, l := range listeners {
		name := at(l, "name").(string)
		hcm := at(at(at(l, "filter_chains").([]any)[0], "filters").([]any)[0], "typed_config")
		var filters []string
		for _, f := range at(hcm, "http_filters").([]any) {
			filters = append(filters, strings.TrimPrefix(at(f, "name").(string), "envoy.filters.http."))
		}
		if diff := cmp.Diff([]string{"local_ratelimit", "ext_authz", "rbac", "router"}, filters); diff != "" {
			t.Errorf("%s: filters (-want +have):\n%s", name, diff)
		}
		mark := at(hcm, "http_filters").([]any)[2]
		if b, _ := yaml.Marshal(mark); !strings.Contains(string(b), "the-mark") {
			t.Errorf("%s: the belt does not want the mark:\n%s", name, b)
		}
		hosts := at(hcm, "route_config", "virtual_hosts").([]any)
		last := hosts[len(hosts)-1]
		if diff := cmp.Diff([]any{"*"}, at(last, "domains")); diff != "" {
			t.Errorf("%s: the last host is no catch-all:\n%s", name, diff)
		}
		for _, route := range at(last, "routes").([]any) {
			settings := at(route, "typed_per_filter_config", "envoy.filters.http.ext_authz", "check_settings").(map[string]any)
			if _, ok := settings["context_extensions"]; ok || at(route, "direct_response") == nil {
				t.Errorf("%s: the catch-all can lead somewhere: %v", name, route)
			}
		}
	}
}

func TestEveryRouteThatLeadsUpstreamEndsAndNamesItsUpstream(t *testing.T) {
	_, parsed := envoyConfigOf(t)
	var routes int
	walk(parsed, "", func(path, key string, value any) {
		if key != "route" || !strings.Contains(path, "virtual_hosts") {
			return
		}
		routes++
		if at(value, "max_stream_duration", "max_stream_duration") == nil {
			t.Errorf("%s has no end", path)
		}
	})
	if routes != 4 {
		t.Errorf("want 2 routes to the store and 2 to the job service, have %d", routes)
	}
	var extensions []map[string]any
	walk(parsed, "", func(_, key string, value any) {
		if key == "context_extensions" {
			extensions = append(extensions, value.(map[string]any))
		}
	})
	storage := func(body string) map[string]any {
		return map[string]any{"service": "s3", "audience": "storage", "region": storageRegion, "domains": storageHost, "body": body}
	}
	compute := func(body string) map[string]any {
		return map[string]any{"service": "jobs", "audience": jobsAudience, "region": storageRegion, "domains": "compute.sallyport.test", "body": body}
	}
	want := []map[string]any{storage("present"), storage("absent"), compute("present"), compute("absent")}
	if diff := cmp.Diff(want, extensions); diff != "" {
		t.Errorf("context extensions (-want +have):\n%s", diff)
	}
}

func TestAFolderWithOddCharactersCannotBreakTheConfig(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `a "b": {c} # d`)
	l, err := NewLayout(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := envoyConfig(l, promised, "m")
	if err != nil {
		t.Fatal(err)
	}
	var parsed any
	if err := yaml.Unmarshal(b, &parsed); err != nil {
		t.Fatal(err)
	}
	var sockets []string
	walk(parsed, "", func(path, key string, value any) {
		if key == "path" && strings.Contains(path, ".pipe") {
			sockets = append(sockets, value.(string))
		}
	})
	if diff := cmp.Diff([]string{l.GatewaySocket(), l.GatewaySocket(), l.StorageSocket(), l.JobsSocket()}, sockets); diff != "" {
		t.Errorf("sockets (-want +have):\n%s", diff)
	}
}

// walk calls f with every member of every mapping under v, in the order of lists.
func walk(v any, path string, f func(path, key string, value any)) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			f(path+"."+k, k, e)
			walk(e, path+"."+k, f)
		}
	case []any:
		for i, e := range v {
			walk(e, path+"."+string(rune('0'+i)), f)
		}
	}
}

// at returns the value under keys, nil if there is none.
func at(v any, keys ...string) any {
	for _, k := range keys {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[k]
	}
	return v
}
