package demo

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sallyport-dev/sallyport/authz/audit"
)

// setting is the demo's folder once everything is in it that the parts need.
type setting struct {
	layout Layout
	ports  Ports
	store  store
}

// makeWorld fills the folder: keys that are missing, the bundle anew, and the configs of the gateway and Envoy.
func makeWorld(l Layout, p Ports, now time.Time) (setting, error) {
	if err := makeIssuerKeys(l); err != nil {
		return setting{}, err
	}
	if err := makeGrantKeys(l); err != nil {
		return setting{}, err
	}
	if err := writeBundle(l, p, now); err != nil {
		return setting{}, err
	}
	rows, err := storageRows(l)
	if err != nil {
		return setting{}, err
	}
	root, err := secret(l.StorageSecret("root"))
	if err != nil {
		return setting{}, err
	}
	mark, err := secret(l.Mark())
	if err != nil {
		return setting{}, err
	}
	if err := signingKey(l.AuditKey()); err != nil {
		return setting{}, err
	}
	s := setting{l, p, store{layout: l, rows: rows, root: aws.Credentials{AccessKeyID: "root", SecretAccessKey: root}}}
	tenants := s.store.tenants()
	for _, t := range tenants {
		if _, err := secret(l.StorageSecret(t)); err != nil {
			return setting{}, err
		}
	}
	config, err := gatewayConfig(l, p, tenants)
	if err != nil {
		return setting{}, err
	}
	envoy, err := envoyConfig(l, p, mark)
	if err != nil {
		return setting{}, err
	}
	return s, errors.Join(writeFile(l.Config(), config), writeFile(l.EnvoyConfig(), envoy))
}

// secret returns the 256 random bits, in hex, of the file at path, which is made if it is missing.
func secret(path string) (string, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		b = []byte(randomHex(32))
		return string(b), writeFile(path, b)
	}
	if err != nil {
		return "", environment("demo folder: %w", err)
	}
	return string(b), nil
}

// signingKey makes the Ed25519 key at path if it is missing.
func signingKey(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	b, err := audit.MarshalKey(key)
	if err != nil {
		return err
	}
	return writeFile(path, b)
}

// parts are the demo's processes in the order of their start: each needs those before it.
func (s setting) parts(sallyport string, t tools) []part {
	l, p := s.layout, s.ports
	issuers := p.address(p.Issuers)
	return []part{
		{
			name:  "issuers",
			argv:  []string{sallyport, "demo", "issuers", "--dir", l.Dir, "--address", issuers},
			log:   l.log("issuers"),
			ready: get("http://" + issuers + "/usa/.well-known/openid-configuration"),
		},
		s.store.part(t.versitygw, t.module),
		jobsPart(l, sallyport),
		{
			name:    "sallyport",
			argv:    []string{sallyport, "serve", "-c", l.Config()},
			sockets: []string{l.GatewaySocket()},
			log:     l.log("sallyport"),
			ready:   get(p.url(p.HTTP) + "/readyz"),
		},
		{
			name: "envoy",
			argv: []string{t.envoy, "--config-path", l.EnvoyConfig(),
				"--disable-hot-restart", "--concurrency", "2",
				"--log-path", l.log("envoy"), "--log-level", "warning", "--file-flush-interval-msec", "1000"},
			log:   l.log("envoy"),
			ready: get(p.url(p.Admin) + "/ready"),
		},
	}
}

// get makes a probe that wants 200 from url.
func get(url string) func(context.Context) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", url, resp.Status)
		}
		return nil
	}
}
