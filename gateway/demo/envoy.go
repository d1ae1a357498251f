package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"text/template"
	"time"

	"github.com/sallyport-dev/sallyport/authz/resource/routed"
	"github.com/sallyport-dev/sallyport/deploy"
)

// envoyValues fill in deploy/envoy/envoy.yaml.tmpl.
type envoyValues struct {
	Ports             Ports
	GatewaySocket     string
	StorageSocket     string
	JobsSocket        string
	GatewayTLS        *GatewayTLS // nil asks the gateway on its socket
	ClientTLS         *ClientTLS  // nil takes plain HTTP
	AccessLog         string
	Mark              string
	Timeout           duration // of a check
	BodyTimeout       duration // of a check that judges a body
	RequestsPerSecond int      // that one source address may make
	Headers           string   // regular expression of the headers that the gateway may set or remove
}

// grantHeaders is a regular expression of the headers of requests that the gateway sets and removes; Envoy takes an answer with any other
// for an error. All that starts with x-sallyport- is the gateway's to say, so whatever a client sends of it is removed, by its own name.
func grantHeaders() string {
	return `^(referer|if-match|x-amz-copy-source-if-match|x-amz-date|x-amz-content-sha256|` +
		`x-envoy-upstream-(rq-timeout|stream-duration)-ms|` + routed.RemovedExpression() + `)$`
}

// checkTimeout is how long Envoy waits for a decision. Envoy's default, 200 ms, suits a machine that does nothing else; the demo
// shares its cores with builds and tests, where both a policy evaluation and an fsync can take longer.
const checkTimeout = time.Second

// GatewayTLS lets Envoy ask the gateway over TCP with mTLS. Dir holds envoy.sds.yaml and gateway-trust.sds.yaml, see deploy/envoy.
type GatewayTLS struct {
	Dir, Address string
	Port         int
	Peer         string // the gateway's SPIFFE id
}

// ClientTLS lets clients come over TLS. Dir holds server.sds.yaml and client-trust.sds.yaml, see deploy/envoy.
type ClientTLS struct {
	Dir     string
	Require bool // a certificate of every client
}

// EnvoyConfig returns the bootstrap of an Envoy in front of the demo in l, with TLS where the demo itself has none. Either may be nil.
func EnvoyConfig(l Layout, p Ports, gateway *GatewayTLS, clients *ClientTLS) ([]byte, error) {
	mark, err := os.ReadFile(l.Mark())
	if err != nil {
		return nil, environment("the mark: %w (start the demo once to make it)", err)
	}
	v := envoyOf(l, p, string(mark))
	v.GatewayTLS, v.ClientTLS = gateway, clients
	return renderEnvoy(v)
}

// envoyConfig returns the bootstrap of the demo's Envoy.
func envoyConfig(l Layout, p Ports, mark string) ([]byte, error) {
	return renderEnvoy(envoyOf(l, p, mark))
}

func envoyOf(l Layout, p Ports, mark string) envoyValues {
	return envoyValues{
		Ports:             p,
		GatewaySocket:     l.GatewaySocket(),
		StorageSocket:     l.StorageSocket(),
		JobsSocket:        l.JobsSocket(),
		AccessLog:         l.EnvoyAccessLog(),
		Mark:              mark,
		Timeout:           duration(checkTimeout),
		BodyTimeout:       duration(5 * time.Second),
		RequestsPerSecond: 3000,
		Headers:           grantHeaders(),
	}
}

func renderEnvoy(v envoyValues) ([]byte, error) {
	t, err := template.New("envoy.yaml").Option("missingkey=error").Funcs(template.FuncMap{"quote": quote, "domains": domains}).Parse(deploy.Envoy)
	if err != nil {
		return nil, fmt.Errorf("template of Envoy's config: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, v); err != nil {
		return nil, fmt.Errorf("Envoy's config: %w", err)
	}
	return b.Bytes(), nil
}

// domains are the names that a listener answers to, exact but for buckets as a first label.
func domains(name string, port int) (string, error) {
	return quote([]string{
		name, fmt.Sprintf("%s:%d", name, port), "*." + name, fmt.Sprintf("*.%s:%d", name, port),
		fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("localhost:%d", port),
	})
}

// quote writes a value as JSON, which YAML reads, whatever is in a path.
func quote(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// duration is written as Envoy reads it.
type duration time.Duration

func (d duration) String() string { return fmt.Sprintf("%gs", time.Duration(d).Seconds()) }
