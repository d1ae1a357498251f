package config_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/gateway/config"
)

func TestWhatIsNotValidIsRefused(t *testing.T) {
	t.Parallel()
	long := "/" + strings.Repeat("a", 107)
	type edit func(*config.Config)
	credentials := func(m map[string]config.Credential) edit {
		return func(c *config.Config) { c.Grants.Storage.Credentials = m }
	}
	services := func(change func(*config.Services)) edit {
		return func(c *config.Config) {
			c.Grants.Services = config.Services{Audience: "jobs", Issuer: "sallyport", KeyFile: "/keys", TTL: time.Second}
			change(&c.Grants.Services)
		}
	}
	for _, tt := range []struct {
		name string
		edit edit
		want string
	}{
		{"no id", func(c *config.Config) { c.ID = "" },
			"id: is missing; set it to 1 to 63 of a-z, 0-9, dot and hyphen, beginning with a letter or digit"},
		{"an id in capitals", func(c *config.Config) { c.ID = "Sallyport" },
			`id: "Sallyport" has the wrong form; use 1 to 63 of a-z, 0-9, dot and hyphen, beginning with a letter or digit`},
		{"an id with an end of line", func(c *config.Config) { c.ID = "sallyport\n" },
			`id: "sallyport\n" has the wrong form; use 1 to 63 of a-z, 0-9, dot and hyphen, beginning with a letter or digit`},
		{"no address for Envoy", func(c *config.Config) { c.Listen.ExtAuthz = "" },
			"listen.extauthz: is missing; set it to unix: and an absolute path"},
		{"plain TCP for Envoy", func(c *config.Config) { c.Listen.ExtAuthz = "127.0.0.1:9191" },
			`listen.extauthz: "127.0.0.1:9191" is plain TCP: whoever reaches the port can ask, or take it and answer for the gateway; ` +
				"use unix: and an absolute path, or listen.tls, or set listen.insecure: true to run without that protection"},
		{"TLS on a unix socket", func(c *config.Config) {
			c.Listen.TLS = config.TLS{CertificateFile: "/c", KeyFile: "/k", TrustFile: "/t", Peer: "spiffe://example.org/envoy"}
		}, "listen.tls: is for TCP, but listen.extauthz is a unix socket; remove it, or listen on IP:PORT"},
		{"TLS of nothing but a peer that is no SPIFFE id", func(c *config.Config) {
			c.Listen.ExtAuthz, c.Listen.Peers, c.Listen.TLS = "127.0.0.1:9191", nil, config.TLS{KeyFile: "k", Peer: "envoy"}
		}, "listen.tls.certificate_file: is missing; set it to an absolute path\n" +
			`listen.tls.key_file: "k" is not an absolute path; write it from / on` + "\n" +
			"listen.tls.trust_file: is missing; set it to an absolute path\n" +
			`listen.tls.peer: "envoy" has the wrong form; use a SPIFFE id such as spiffe://example.org/envoy`},
		{"peers by uid beside TLS", func(c *config.Config) {
			c.Listen.ExtAuthz = "127.0.0.1:9191"
			c.Listen.TLS = config.TLS{CertificateFile: "/c", KeyFile: "/k", TrustFile: "/t", Peer: "spiffe://example.org/envoy"}
		}, "listen.peers: a TCP connection has no uid to check; remove it, or use a unix socket"},
		{"a path without unix:", func(c *config.Config) { c.Listen.ExtAuthz = "/run/x.sock" },
			`listen.extauthz: "/run/x.sock" is neither unix:PATH nor IP:PORT; use unix: and an absolute path`},
		{"an abstract socket", func(c *config.Config) { c.Listen.ExtAuthz = "unix:@x" },
			`listen.extauthz: "unix:@x" holds no absolute path; write unix: and the path from / on`},
		{"a socket's path of 108 bytes", func(c *config.Config) { c.Listen.ExtAuthz = "unix:" + long },
			fmt.Sprintf("listen.extauthz: the socket's path %q has 108 bytes; use a shorter folder: the system takes 107", long)},
		{"peers of a TCP port", func(c *config.Config) { c.Listen.ExtAuthz, c.Listen.Insecure = "127.0.0.1:9191", true },
			"listen.peers: a TCP connection has no uid to check; remove it, or use a unix socket"},
		{"no peer", func(c *config.Config) { c.Listen.Peers = nil },
			"listen.peers: is empty, so nobody could connect; list the uid that Envoy runs as, or remove the key for the gateway's own"},
		{"a peer twice", func(c *config.Config) { c.Listen.Peers = []uint32{1, 2, 1} },
			"listen.peers[2]: 1 is listed twice; remove one of the two"},
		{"no address for metrics", func(c *config.Config) { c.Listen.HTTP = "" },
			"listen.http: is missing; set it to an address such as 127.0.0.1:8282"},
		{"every address for metrics", func(c *config.Config) { c.Listen.HTTP = ":8282" },
			`listen.http: ":8282" is not IP:PORT; write an address such as 127.0.0.1:8282`},
		{"a name for metrics", func(c *config.Config) { c.Listen.HTTP = "metrics.example:8282" },
			`listen.http: "metrics.example:8282" is not IP:PORT; write an address such as 127.0.0.1:8282`},
		{"a port beyond 65535", func(c *config.Config) { c.Listen.HTTP = "127.0.0.1:65536" },
			`listen.http: "127.0.0.1:65536" is not IP:PORT; write an address such as 127.0.0.1:8282`},
		{"no mark", func(c *config.Config) { c.Listen.MarkFile = "" },
			"listen.mark_file: is missing; set it to an absolute path"},
		{"a relative mark", func(c *config.Config) { c.Listen.MarkFile = "keys/mark" },
			`listen.mark_file: "keys/mark" is not an absolute path; write it from / on`},
		{"no bundle", func(c *config.Config) { c.Bundle.Source = "" },
			"bundle.source: is missing; set it to an absolute path"},
		{"a bundle from the network", func(c *config.Config) { c.Bundle.Source = "https://bundles.example/b.tar.gz" },
			`bundle.source: "https://bundles.example/b.tar.gz" is not a folder, and nothing else is supported; copy the bundle to this machine and name its folder`},
		{"an unsigned bundle that is not said to be one", func(c *config.Config) { c.Bundle.Unsigned = false },
			"bundle.unsigned: is not true, but signatures of a bundle are not checked yet; write unsigned: true to run one that only its folder protects; /readyz and a metric show it"},
		{"no enclave", func(c *config.Config) { c.Enclaves = nil },
			"enclaves: names no enclave; list the ids of those that this gateway stands in front of, as in the bundle"},
		{"an enclave twice", func(c *config.Config) { c.Enclaves = []string{"iad-1", "iad-1"} },
			`enclaves[1]: "iad-1" is listed twice; remove one of the two`},
		{"a store over a network", func(c *config.Config) { c.Grants.Storage.Endpoint = "https://store.example" },
			`grants.storage.endpoint: "https://store.example" is not unix:PATH; over a network a grant could be taken and used again; use unix: and the absolute path of the store's socket`},
		{"a host with a port", func(c *config.Config) { c.Grants.Storage.Host = "storage.test:443" },
			`grants.storage.host: "storage.test:443" has the wrong form; use a lower-case DNS name without a port`},
		{"a host beyond DNS", func(c *config.Config) { c.Grants.Storage.Host = strings.Repeat("a.", 127) + "a" }, // 255
			fmt.Sprintf("grants.storage.host: %q (255 bytes) is too long; use at most 253 bytes", strings.Repeat("a.", 60)+"…")},
		{"a region that would split a signature's scope", func(c *config.Config) { c.Grants.Storage.Region = "us/east" },
			`grants.storage.region: "us/east" has the wrong form; use a region such as us-east-1`},
		{"no credential", credentials(nil),
			"grants.storage.credentials: names no tenant; give each tenant its own account: tenant: {access_key: …, secret_key_file: …}"},
		{"a tenant called root", credentials(map[string]config.Credential{"root": {AccessKey: "a", SecretKeyFile: "/a"}}),
			`grants.storage.credentials.root: "root" is no tenant's id; use the id of a folder in the bundle's tenants/`},
		{"a tenant with a dot", credentials(map[string]config.Credential{"a.b": {AccessKey: "a", SecretKeyFile: "/a"}}),
			`grants.storage.credentials.a.b: "a.b" has the wrong form; use 2 to 63 of a-z, 0-9 and hyphen, beginning with a letter`},
		{"an access key that would end early", credentials(map[string]config.Credential{"aa": {AccessKey: "a/b", SecretKeyFile: "/a"}}),
			`grants.storage.credentials.aa.access_key: "a/b" has the wrong form; use 1 to 128 of A-Z, a-z, 0-9, dot, underscore and hyphen`},
		{"two tenants with one account", credentials(map[string]config.Credential{"aa": {AccessKey: "k", SecretKeyFile: "/a"}, "bb": {AccessKey: "k", SecretKeyFile: "/x/../a"}}),
			`grants.storage.credentials.bb.access_key: "k" is that of aa too; give each tenant an account of its own` + "\n" +
				`grants.storage.credentials.bb.secret_key_file: "/a" is that of aa too; give each tenant an account of its own`},
		{"services without an audience", services(func(s *config.Services) { s.Audience = "" }),
			"grants.services.audience: is missing; set it to 1 to 63 of a-z, 0-9, dot and hyphen, beginning with a letter or digit"},
		{"services with the store's audience", services(func(s *config.Services) { s.Audience = "storage" }),
			`grants.services.audience: "storage" is that of grants.storage too; name the service otherwise, here and in its route`},
		{"services without an issuer", services(func(s *config.Services) { s.Issuer = "" }),
			"grants.services.issuer: is missing; set it to 1 to 63 of a-z, 0-9, dot and hyphen, beginning with a letter or digit"},
		{"services with a relative key file", services(func(s *config.Services) { s.KeyFile = "keys" }),
			`grants.services.key_file: "keys" is not an absolute path; write it from / on`},
		{"grants that live for a minute", services(func(s *config.Services) { s.TTL = time.Minute }),
			"grants.services.ttl: 1m0s is no number of whole seconds from 1s to 30s; choose 30s, or less"},
		{"grants that live for no whole second", services(func(s *config.Services) { s.TTL = 1500 * time.Millisecond }),
			"grants.services.ttl: 1.5s is no number of whole seconds from 1s to 30s; choose 30s, or less"},
		{"grants that do not live", services(func(s *config.Services) { s.TTL = 0 }),
			"grants.services.ttl: 0s is no number of whole seconds from 1s to 30s; choose 30s, or less"},
		{"a relative key for the logs", func(c *config.Config) { c.Audit.SigningKey = "keys/audit.pem" },
			`audit.signing_key: "keys/audit.pem" is not an absolute path; write it from / on`},
		{"logs of another durability", func(c *config.Config) { c.Audit.Durability = "eventual" },
			`audit.durability: "eventual" is not supported; use durable, buffered`},
		{"no access", func(c *config.Config) { c.Limits.Accesses = 0 }, "limits.accesses: 0 is out of range; choose 1 to 1000"},
		{"too many accesses", func(c *config.Config) { c.Limits.Accesses = 1001 }, "limits.accesses: 1001 is out of range; choose 1 to 1000"},
		{"no time to decide", func(c *config.Config) { c.Limits.DecisionTimeout = 0 },
			"limits.decision_timeout: 0s is out of range; choose 1ms to 1m"},
		{"keys that are never fetched", func(c *config.Config) { c.Issuers.Refresh = 0 }, "issuers.refresh: 0s is out of range; choose 1s to 1h0m0s"},
		{"a fetch for each unknown kid", func(c *config.Config) { c.Issuers.MinRefresh = time.Millisecond }, "issuers.min_refresh: 1ms is out of range; choose 1s to 1h0m0s"},
		{"keys that are good for ever", func(c *config.Config) { c.Issuers.MaxStale = 721 * time.Hour }, "issuers.max_stale: 721h0m0s is out of range; choose 1s to 720h0m0s"},
		{"keys that are too old between two fetches", func(c *config.Config) { c.Issuers.MaxStale = time.Minute },
			"issuers.max_stale: 1m0s is less than issuers.refresh; choose more, or keys would be too old between two fetches"},
		{"endless draining", func(c *config.Config) { c.Limits.DrainTimeout = time.Minute + 1 },
			"limits.drain_timeout: 1m0.000000001s is out of range; choose 1ms to 1m"},
		{"an unknown level", func(c *config.Config) { c.Telemetry.LogLevel = "trace" },
			`telemetry.log_level: "trace" is not supported; use debug, info, warn, error`},
		{"an unknown engine", func(c *config.Config) { c.Policy.Engine = "jit" },
			`policy.engine: "jit" is not supported; use wasm, topdown`},
		{"every problem at once", func(c *config.Config) { c.ID, c.Policy.Engine = "!", "" },
			`id: "!" has the wrong form; use 1 to 63 of a-z, 0-9, dot and hyphen, beginning with a letter or digit` + "\n" +
				`policy.engine: "" is not supported; use wasm, topdown`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := config.Load(minimal, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			tt.edit(&c)
			diffError(t, tt.want, withoutPlaces(c).Validate())
		})
	}
}

// withoutPlaces returns c as one that was not loaded.
func withoutPlaces(c config.Config) config.Config {
	return config.Config{
		ID: c.ID, Listen: c.Listen, Bundle: c.Bundle, Enclaves: c.Enclaves, Grants: c.Grants, Audit: c.Audit, Limits: c.Limits, Issuers: c.Issuers,
		Telemetry: c.Telemetry, Policy: c.Policy,
	}
}

func TestAProblemOfAFileNamesItsLineOrThatOfItsSection(t *testing.T) {
	t.Parallel()
	path := write(t, edit(t, "  mark_file: /etc/sallyport/keys/mark\n", "  http: nowhere\n")+"policy: {engine: jit}\n")
	_, err := config.Load(path, nil, nil)
	diffError(t, strings.ReplaceAll(`FILE:5: listen.http: "nowhere" is not IP:PORT; write an address such as 127.0.0.1:8282
FILE:4: listen.mark_file: is missing; set it to an absolute path
FILE:21: policy.engine: "jit" is not supported; use wasm, topdown`, "FILE", path), err)

	_, err = config.Load(write(t, edit(t, "enclaves: [iad-1]\n", "")), nil, nil)
	if want := "c.yaml: enclaves: names no enclave; "; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("want %q in it, have %v", want, err)
	}
}

func TestPlainTCPRunsWhereInsecureIsWrittenAndIsShown(t *testing.T) {
	t.Parallel()
	got, err := config.Load(minimal, nil, map[string]string{"listen.extauthz": "[::1]:0", "listen.insecure": "true"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Listen.Peers != nil {
		t.Errorf("a TCP peer has no uid, have peers %v", got.Listen.Peers)
	}
	if want := "[listen.insecure bundle.unsigned]"; fmt.Sprint(got.Insecure()) != want {
		t.Errorf("Insecure() = %v, want %s", got.Insecure(), want)
	}
	if network, address := config.SplitAddress(got.Listen.ExtAuthz); network != "tcp" || address != "[::1]:0" {
		t.Errorf("SplitAddress = %s, %s", network, address)
	}
}

func TestSettingsThatGiveUpAProtectionAreShown(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"durable":  "[bundle.unsigned]",
		"buffered": "[bundle.unsigned audit.durability]",
	} {
		c, err := config.Load(minimal, nil, map[string]string{"audit.durability": name})
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(c.Insecure()); got != want {
			t.Errorf("audit.durability %s: Insecure() = %s, want %s", name, got, want)
		}
	}
}
