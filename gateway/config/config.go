// Package config is the gateway's own configuration: plumbing, and nothing that a decision depends on. What a decision depends on
// is in the policy bundle.
//
// Load reads one YAML file, lays SALLYPORT_* variables and flags over it and returns a Config that Validate accepts. Check then
// looks at this machine: are the files there, are they closed to strangers. Every problem is reported at once, as an *Errors, each
// on one line with its place, its key, what is wrong and what to do. A command that gets one exits with code 2.
//
// Invariants: an unknown key, a second document, a repeated key, an anchor or a value of another type is an error, never a guess.
// A key exists only if it does something. A secret is never in the file, only the path of its own file (see ReadSecret).
//
// Non-goals: reloading, remote configuration, templates, and lists or maps in variables.
package config

import (
	"log/slog"
	"os"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Config is the whole file. deploy/sallyport-full.yaml explains each key; Schema is its JSON Schema.
type Config struct {
	ID        string    `yaml:"id"` // what tokens name as audience, and the record as gateway
	Listen    Listen    `yaml:"listen"`
	Bundle    Bundle    `yaml:"bundle"`
	Enclaves  []string  `yaml:"enclaves"` // ids in the bundle of the places this gateway stands in front of
	Grants    Grants    `yaml:"grants"`
	Audit     Audit     `yaml:"audit"`
	Limits    Limits    `yaml:"limits"`
	Issuers   Issuers   `yaml:"issuers"`
	Telemetry Telemetry `yaml:"telemetry"`
	Policy    Policy    `yaml:"policy"`

	where map[string]string // key → FILE:LINE, variable or flag that set it, for Problem.Place
}

// Listen is where Envoy and the operators reach the gateway.
type Listen struct {
	ExtAuthz string   `yaml:"extauthz"`        // unix:/path, or host:port with TLS or Insecure
	Peers    []uint32 `yaml:"peers,omitempty"` // uids that may connect to the socket; the gateway's own by default
	HTTP     string   `yaml:"http"`            // /metrics, /healthz and /readyz
	MarkFile string   `yaml:"mark_file"`       // the secret that the belt in Envoy wants to see
	TLS      TLS      `yaml:"tls,omitempty"`   // for host:port
	Insecure bool     `yaml:"insecure"`        // permits plain TCP and an open socket folder; shown by /readyz and a metric
}

// TLS is how the gateway and Envoy prove themselves to each other over TCP. The files are in PEM and are read again when they change.
type TLS struct {
	CertificateFile string `yaml:"certificate_file"` // the gateway's, and those between it and its authority
	KeyFile         string `yaml:"key_file"`         // its private key
	TrustFile       string `yaml:"trust_file"`       // the authorities that sign Envoy's certificate
	Peer            string `yaml:"peer"`             // Envoy's exact SPIFFE id
}

// Enabled reports whether the file has the section.
func (t TLS) Enabled() bool { return t != (TLS{}) }

// Bundle is where the policy comes from.
type Bundle struct {
	Source      string `yaml:"source"`                 // a folder with root/ and tenants/
	Unsigned    bool   `yaml:"unsigned"`               // must be true to run a bundle without signatures
	DenialsFile string `yaml:"denials_file,omitempty"` // revocations beside the bundle's; may be left out
}

// Grants are the upstreams that the gateway makes credentials for.
type Grants struct {
	Storage  Storage  `yaml:"storage"`
	Services Services `yaml:"services,omitempty"` // may be left out
}

// Storage is an S3 store behind Envoy.
type Storage struct {
	Audience    string                `yaml:"audience"`    // as in the route's context extensions
	Endpoint    string                `yaml:"endpoint"`    // unix:/path of the store's socket
	Host        string                `yaml:"host"`        // base of virtual-host style names
	Region      string                `yaml:"region"`      // of SigV4
	Credentials map[string]Credential `yaml:"credentials"` // tenant → its own storage account
}

// Credential is one tenant's storage account.
type Credential struct {
	AccessKey     string `yaml:"access_key"`
	SecretKeyFile string `yaml:"secret_key_file"`
}

// Services are services behind Envoy that take signed grants, such as a job service. Without them, none gets one.
type Services struct {
	Audience string        `yaml:"audience"` // as in the route's context extensions
	Issuer   string        `yaml:"issuer"`   // what the services know this gateway by
	KeyFile  string        `yaml:"key_file"` // private JWK set, of which the first key signs
	TTL      time.Duration `yaml:"ttl"`      // of a grant
}

// Enabled reports whether the file has the section.
func (s Services) Enabled() bool { return s != (Services{}) }

// Audit is where the decision logs are kept.
type Audit struct {
	Directory  string `yaml:"directory"`
	SigningKey string `yaml:"signing_key"` // file of the Ed25519 private key, in PEM, that signs the checkpoints
	Durability string `yaml:"durability"`  // durable: an answer waits until its record is on disk; buffered: until the kernel has it
}

// Limits bound the work of one request and of a stop.
type Limits struct {
	Accesses        int           `yaml:"accesses"`         // of one request
	DecisionTimeout time.Duration `yaml:"decision_timeout"` // below Envoy's own timeout, which is 200 ms by default
	DrainTimeout    time.Duration `yaml:"drain_timeout"`    // after SIGTERM
}

// Issuers say how the keys of the bundle's issuers are fetched. Keys that the bundle pins never are.
type Issuers struct {
	Refresh    time.Duration `yaml:"refresh"`     // between two fetches of one issuer's
	MinRefresh time.Duration `yaml:"min_refresh"` // least time between a fetch and one that an unknown kid asks for
	MaxStale   time.Duration `yaml:"max_stale"`   // how long the last good keys are used while their issuer can't be reached
}

// Telemetry is what the process says about itself. The decision logs are not part of it.
type Telemetry struct {
	LogLevel string `yaml:"log_level"` // debug, info, warn or error
}

// Policy chooses how Rego is evaluated.
type Policy struct {
	Engine string `yaml:"engine"` // wasm: compiled to machine code, checked against topdown; topdown: OPA's interpreter
}

// Default returns what holds where the file says nothing. It is not valid by itself: some keys have no default.
func Default() Config {
	return Config{
		Listen:    Listen{Peers: []uint32{uint32(os.Getuid())}, HTTP: "127.0.0.1:8282"},
		Audit:     Audit{Durability: "durable"},
		Limits:    Limits{Accesses: 1000, DecisionTimeout: 150 * time.Millisecond, DrainTimeout: 10 * time.Second},
		Issuers:   Issuers{Refresh: 5 * time.Minute, MinRefresh: 30 * time.Second, MaxStale: 24 * time.Hour},
		Telemetry: Telemetry{LogLevel: "info"},
		Policy:    Policy{Engine: "wasm"},
	}
}

// Insecure names the settings in force that give up a protection, for /readyz, the log and the metric.
func (c Config) Insecure() []string {
	var s []string
	if c.Listen.Insecure {
		s = append(s, "listen.insecure")
	}
	if c.Bundle.Unsigned {
		s = append(s, "bundle.unsigned")
	}
	if c.Audit.Durability == "buffered" {
		s = append(s, "audit.durability")
	}
	return s
}

// String returns c as a config file. It holds no secret, since a Config holds none.
func (c Config) String() string {
	b, err := yaml.Marshal(c)
	if err != nil { // no value of a Config can make it fail
		return "config: " + err.Error()
	}
	return string(b)
}

// LogValue returns what a start-up line should say.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("id", c.ID),
		slog.String("extauthz", c.Listen.ExtAuthz),
		slog.String("http", c.Listen.HTTP),
		slog.String("bundle", c.Bundle.Source),
		slog.Any("enclaves", c.Enclaves),
		slog.String("audit", c.Audit.Directory),
		slog.Any("insecure", c.Insecure()),
	)
}

// SplitAddress splits an address of the file into the network and the address that package net wants: unix:/path, or host:port for tcp.
func SplitAddress(s string) (network, address string) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		return "unix", path
	}
	return "tcp", s
}
