package config_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/sallyport-dev/sallyport/gateway/config"
)

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("sallyport.yaml", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("sallyport.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// instance returns a YAML text as what a JSON Schema judges.
func instance(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	i, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestTheSchemaHasTheKeysOfTheStructAndTheFilesOfDeployHaveThemAll(t *testing.T) {
	t.Parallel()
	var want []string
	var ofStruct func(reflect.Type, string)
	ofStruct = func(typ reflect.Type, prefix string) {
		if typ.Kind() == reflect.Map {
			typ, prefix = typ.Elem(), prefix+"*."
		}
		if typ.Kind() != reflect.Struct {
			want = append(want, strings.TrimSuffix(prefix, "."))
			return
		}
		for f := range typ.Fields() {
			if key, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); key != "" {
				ofStruct(f.Type, prefix+key+".")
			}
		}
	}
	ofStruct(reflect.TypeFor[config.Config](), "")
	slices.Sort(want)

	var got []string
	var ofSchema func(map[string]any, string)
	ofSchema = func(s map[string]any, prefix string) {
		if props, ok := s["properties"].(map[string]any); ok {
			if s["additionalProperties"] != false {
				t.Errorf("%q is not closed", prefix)
			}
			for key, sub := range props {
				ofSchema(sub.(map[string]any), prefix+key+".")
			}
		} else if each, ok := s["additionalProperties"].(map[string]any); ok {
			ofSchema(each, prefix+"*.")
		} else {
			got = append(got, strings.TrimSuffix(prefix, "."))
		}
	}
	var doc map[string]any
	if err := json.Unmarshal(config.Schema(), &doc); err != nil {
		t.Fatal(err)
	}
	ofSchema(doc, "")
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("keys of the struct and of the schema (-struct +schema):\n%s", d)
	}

	got = nil
	var ofFile func(any, string)
	ofFile = func(v any, prefix string) {
		m, ok := v.(map[string]any)
		if !ok {
			got = append(got, strings.TrimSuffix(strings.Replace(prefix, ".us-defense.", ".*.", 1), "."))
		}
		for key, sub := range m {
			ofFile(sub, prefix+key+".")
		}
	}
	for _, name := range []string{"sallyport-full.yaml", "sallyport-tls.yaml"} {
		b, err := os.ReadFile("../../deploy/" + name)
		if err != nil {
			t.Fatal(err)
		}
		ofFile(instance(t, string(b)), "")
	}
	slices.Sort(got)
	got = slices.Compact(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("keys of the struct and of the two files (-struct +files):\n%s", d)
	}
}

func TestTheDefaultsOfTheSchemaAreThoseOfTheProgram(t *testing.T) {
	t.Parallel()
	var doc map[string]any
	if err := json.Unmarshal(config.Schema(), &doc); err != nil {
		t.Fatal(err)
	}
	var ours map[string]any
	if err := yaml.Unmarshal([]byte(config.Default().String()), &ours); err != nil {
		t.Fatal(err)
	}
	n := 0
	var walk func(schema map[string]any, value any, key string)
	walk = func(schema map[string]any, value any, key string) {
		if d, ok := schema["default"]; ok {
			n++
			if f, isNumber := d.(float64); isNumber {
				d = int(f)
			}
			if d := cmp.Diff(value, d); d != "" {
				t.Errorf("%s (-program +schema):\n%s", key, d)
			}
		}
		props, _ := schema["properties"].(map[string]any)
		m, _ := value.(map[string]any)
		for k, sub := range props {
			walk(sub.(map[string]any), m[k], key+"."+k)
		}
	}
	walk(doc, ours, "")
	if n != 11 {
		t.Errorf("the schema has %d defaults, want 11: each key with one", n)
	}
}

func TestTheSchemaAndLoadAgree(t *testing.T) {
	t.Parallel()
	schema := compile(t)
	const limits = "audit:\n  directory"
	limit := func(s string) string { return edit(t, limits, "limits: {"+s+"}\n"+limits) }
	services := func(s string) string { return edit(t, "audit:", "  services: {"+s+"}\naudit:") }
	const jobs = "audience: jobs, issuer: sallyport, key_file: /keys"
	listen := func(s string) string { return edit(t, "bundle:", "  "+s+"\nbundle:") }
	extauthz := func(s string) string { return edit(t, "unix:/run/sallyport/extauthz.sock", s) }
	full, err := os.ReadFile("../../deploy/sallyport-full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tls, err := os.ReadFile("../../deploy/sallyport-tls.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const peer = "spiffe://example.org/envoy"
	secured := func(old, new string) string {
		t.Helper()
		if !strings.Contains(string(tls), old) {
			t.Fatalf("sallyport-tls.yaml has no %q", old)
		}
		return strings.Replace(string(tls), old, new, 1)
	}
	for _, tt := range []struct {
		name, content string
		ok            bool
	}{
		{"the minimal file", edit(t, "id: sallyport", "id: sallyport"), true},
		{"the full file", string(full), true},
		{"the file for TLS", string(tls), true},
		{"TLS on a unix socket", secured("192.0.2.10:9191", "unix:/run/sallyport/extauthz.sock"), false},
		{"an empty section of TLS", edit(t, "unix:/run/sallyport/extauthz.sock", "127.0.0.1:9191\n  tls: {}"), false},
		{"TLS without a peer", secured("    peer: "+peer+"\n", ""), false},
		{"TLS without authorities", secured("    trust_file: /etc/sallyport/tls/trust.pem\n", ""), false},
		{"TLS with a relative key", secured("key_file: /etc", "key_file: etc"), false},
		{"a peer that is a whole trust domain", secured(peer, "spiffe://example.org"), false},
		{"a peer with an empty segment", secured(peer, peer+"/"), false},
		{"a peer with a dot segment", secured(peer, "spiffe://example.org/../envoy"), false},
		{"a peer with a wildcard", secured(peer, "spiffe://example.org/*"), false},
		{"a peer that is a DNS name", secured(peer, "envoy.example.org"), false},
		{"a peer in capitals", secured(peer, "spiffe://Example.org/envoy"), false},
		{"an unknown key of TLS", secured("    peer:", "    client_auth: false\n    peer:"), false},
		{"an unknown section", edit(t, "bundle:", "cache: {}\nbundle:"), false},
		{"an unknown key", listen("port: 1"), false},
		{"no id", edit(t, "id: sallyport\n", ""), false},
		{"an empty id", edit(t, "id: sallyport", "id: ''"), false},
		{"an id of 63", edit(t, "id: sallyport", "id: "+strings.Repeat("a", 63)), true},
		{"an id of 64", edit(t, "id: sallyport", "id: "+strings.Repeat("a", 64)), false},
		{"an id that is a number", edit(t, "id: sallyport", "id: 7"), false},
		{"an id that is null", edit(t, "id: sallyport", "id: null"), false},
		{"a socket with a path of 107 bytes", extauthz("unix:/" + strings.Repeat("a", 106)), true},
		{"a socket with a path of 108 bytes", extauthz("unix:/" + strings.Repeat("a", 107)), false},
		{"a relative socket", extauthz("unix:run/x"), false},
		{"TCP with insecure", edit(t, "unix:/run/sallyport/extauthz.sock", "127.0.0.1:9191\n  insecure: true"), true},
		{"a name with insecure", edit(t, "unix:/run/sallyport/extauthz.sock", "envoy:9191\n  insecure: true"), false},
		{"no mark", edit(t, "  mark_file: /etc/sallyport/keys/mark\n", ""), false},
		{"a relative mark", edit(t, "mark_file: /etc/", "mark_file: etc/"), false},
		{"no peer", listen("peers: []"), false},
		{"a peer twice", listen("peers: [1, 1]"), false},
		{"the last uid", listen("peers: [4294967295]"), true},
		{"a uid beyond the last", listen("peers: [4294967296]"), false},
		{"http on IPv6", listen("http: '[::1]:8282'"), true},
		{"http on all addresses, unnamed", listen("http: ':8282'"), false},
		{"insecure as a text", listen("insecure: 'true'"), false},
		{"a bundle from the network", edit(t, "source: /var/lib/sallyport/bundle", "source: oci://x/y"), false},
		{"an unsigned bundle that is not said to be one", edit(t, "  unsigned: true\n", ""), false},
		{"a file of denials", edit(t, "  unsigned: true\n", "  unsigned: true\n  denials_file: /x\n"), true},
		{"a relative file of denials", edit(t, "  unsigned: true\n", "  unsigned: true\n  denials_file: x\n"), false},
		{"an empty file name of denials", edit(t, "  unsigned: true\n", "  unsigned: true\n  denials_file: ''\n"), false},
		{"no enclave", edit(t, "[iad-1]", "[]"), false},
		{"an enclave twice", edit(t, "[iad-1]", "[iad-1, iad-1]"), false},
		{"no audience", edit(t, "    audience: storage\n", ""), false},
		{"a store over TCP", edit(t, "unix:/run/storage/storage.sock", "127.0.0.1:1"), false},
		{"a host in capitals", edit(t, "host: storage", "host: Storage"), false},
		{"no region", edit(t, "    region: us-east-1\n", ""), false},
		{"a tenant called gateway", edit(t, "      us-defense:", "      gateway:"), false},
		{"a tenant of one letter", edit(t, "      us-defense:", "      u:"), false},
		{"a credential without a key", edit(t, "{access_key: us-defense, ", "{"), false},
		{"grants for services", services(jobs + ", ttl: 30s"), true},
		{"an empty section of services", services(""), false},
		{"services without a life of grants", services(jobs), false},
		{"grants that live too long", services(jobs + ", ttl: 31s"), false},
		{"grants that live for a fraction", services(jobs + ", ttl: 0.5s"), false},
		{"services with an unknown key", services(jobs + ", ttl: 1s, port: 1"), false},
		{"no log folder", edit(t, "  directory: /var/lib/sallyport/audit", "  durability: durable"), false},
		{"no key for the logs", edit(t, "  signing_key: /etc/sallyport/keys/audit.pem\n", ""), false},
		{"buffered logs", edit(t, "  directory:", "  durability: buffered\n  directory:"), true},
		{"logs of another durability", edit(t, "  directory:", "  durability: eventual\n  directory:"), false},
		{"one access", limit("accesses: 1"), true},
		{"no access", limit("accesses: 0"), false},
		{"too many accesses", limit("accesses: 1001"), false},
		{"a duration without a unit", limit("drain_timeout: 10"), false},
		{"a compound duration", limit("drain_timeout: 1s500ms"), true},
		{"a negative duration", limit("drain_timeout: -1s"), false},
		{"hours", limit("drain_timeout: 1h"), false},
		{"an unknown level", edit(t, limits, "telemetry: {log_level: trace}\n"+limits), false},
		{"OPA's interpreter", edit(t, limits, "policy: {engine: topdown}\n"+limits), true},
		{"an unknown engine", edit(t, limits, "policy: {engine: jit}\n"+limits), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, loadErr := config.Load(write(t, tt.content), nil, nil)
			schemaErr := schema.Validate(instance(t, tt.content))
			if (loadErr == nil) != tt.ok || (schemaErr == nil) != tt.ok {
				t.Errorf("want ok = %v\nLoad:   %v\nschema: %v", tt.ok, loadErr, schemaErr)
			}
		})
	}
}
