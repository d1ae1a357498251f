package gateway

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"go.uber.org/goleak"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
	"github.com/sallyport-dev/sallyport/authz/grant"
	"github.com/sallyport-dev/sallyport/authz/identity"
	"github.com/sallyport-dev/sallyport/authz/policy"
	"github.com/sallyport-dev/sallyport/metrics"
)

// The tests run over the real policies and the demo's world. issuers is where its nations publish their keys; they all sign with
// the keys of this process, which is of no matter here: a key counts only within its issuer.
var (
	issuers *httptest.Server
	signer  jwk.Key
	world   *policy.Bundle
)

func TestMain(m *testing.M) {
	code, err := inWorld(m.Run)
	if err == nil && code == 0 {
		err = goleak.Find()
		for range 20 { // an evaluation that was cut ends at its next step, on a busy machine a little later
			if err == nil {
				break
			}
			err = goleak.Find()
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func inWorld(run func() int) (code int, err error) {
	keys := jwk.NewSet()
	for alg, curve := range map[jwa.SignatureAlgorithm]elliptic.Curve{jwa.ES256: elliptic.P256(), jwa.ES384: elliptic.P384()} {
		raw, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			return 1, err
		}
		key, err := jwk.FromRaw(raw)
		if err != nil {
			return 1, err
		}
		key.Set(jwk.KeyIDKey, alg.String())
		key.Set(jwk.AlgorithmKey, alg)
		key.Set(jwk.KeyUsageKey, jwk.ForSignature)
		if alg == jwa.ES256 {
			signer = key
		}
		keys.AddKey(key)
	}
	public, err := jwk.PublicSetOf(keys)
	if err != nil {
		return 1, err
	}
	published, err := json.Marshal(public)
	if err != nil {
		return 1, err
	}
	issuers = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(published) }))
	defer issuers.Close()
	dir, err := os.MkdirTemp("", "gateway-test")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if err := writeBundle(dir); err != nil {
		return 1, err
	}
	if world, err = policy.Load(dir); err != nil {
		return 1, err
	}
	return run(), nil
}

// writeBundle writes the demo's bundle, with issuers at their address here and without Rego tests, and lets edits change its files.
func writeBundle(dir string, edits ...edit) error {
	files := map[string][]byte{}
	read := func(from fs.FS, under, to string) error {
		return fs.WalkDir(from, under, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.rego") {
				return err
			}
			b, err := fs.ReadFile(from, path)
			files[to+path] = bytes.ReplaceAll(b, []byte("http://127.0.0.1:9400"), []byte(issuers.URL))
			return err
		})
	}
	for _, d := range []string{"compliance", "schemes", "reasons"} {
		if err := read(os.DirFS("../policies"), d, "root/"); err != nil {
			return err
		}
	}
	for _, d := range []string{"root", "tenants"} {
		if err := read(os.DirFS("demo/world"), d, ""); err != nil {
			return err
		}
	}
	for _, e := range edits {
		old := string(files[e.file])
		if files[e.file] = []byte(strings.Replace(old, e.old, e.new, 1)); string(files[e.file]) == old {
			return fmt.Errorf("%s has no %q", e.file, e.old)
		}
	}
	for name, b := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// edit replaces a text that stands in a file of the bundle; of a file that is not there, the whole.
type edit struct{ file, old, new string }

// edited returns the world's bundle with changes.
func edited(t *testing.T, edits ...edit) *policy.Bundle {
	t.Helper()
	dir := t.TempDir()
	if err := writeBundle(dir, edits...); err != nil {
		t.Fatal(err)
	}
	b, err := policy.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Bundles that differ from the world in one thing.
var (
	obliges = edit{"root/compliance/compliance.rego",
		`root_causes(unproven, data.reasons),` + "\n\t" + `"obligations": obligations,`,
		`root_causes(unproven, data.reasons),` + "\n\t" + `"obligations": {{"id": "view-only"}},`}
	slow = edit{"root/compliance/hold/slow.rego", "", `package compliance.hold

satisfied contains "resource.held" if {
	input.resource.properties.tenant == "us-defense"
	some a in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
	some b in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
	some c in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
	some d in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
	some e in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
	some f in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
	some g in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
	((((((a + b) + c) + d) + e) + f) + g) < 0
}
`}
	notContracted = edit{"tenants/us-defense/tenant/data.yaml", "s3:\n    USA: [UNCLASSIFIED, CONFIDENTIAL, SECRET]", "s3:\n    USA: [UNCLASSIFIED]"}
	hides         = edit{"tenants/us-defense/tenant/data.yaml", "title: A department", "audit: {mask: [{fields: [/subject/id]}]}\ntitle: A department"}
	noEnclave     = edit{"root/enclaves/data.yaml", "edge-7:", "edge-8:"}
)

// gateway is a Server over real rooms: everything but Envoy and the store.
type gateway struct {
	*Server
	logs *audit.Logs
	dir  string // of the logs
}

// start returns a gateway with b in force and all keys known, unless changes of its Config say otherwise. A nil bundle is none.
func start(t testing.TB, b *policy.Bundle, changes ...func(*Config)) gateway {
	t.Helper()
	dir := t.TempDir()
	own := authz.Gateway{ID: "sallyport", Enclaves: []string{"iad-1", "par-1", "akl-1", "yow-1", "edge-7"}}
	logs, err := audit.Open(audit.Config{Dir: dir, Key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), Gateway: own})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { logs.Close() })
	keys := identity.NewKeys(identity.KeysConfig{})
	t.Cleanup(keys.Close)
	store := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(store.Close)
	accounts := map[string]grant.Account{}
	for _, tenant := range world.Tenants() {
		accounts[tenant] = grant.Account{AccessKey: tenant, SecretKey: "secret of " + tenant}
	}
	storage, err := grant.NewStorage(grant.StorageConfig{
		Audience: "storage", Endpoint: store.URL, Host: "storage.sallyport.test", Region: "us-east-1", Accounts: accounts,
	})
	if err != nil {
		t.Fatal(err)
	}
	c := Config{
		ID: own.ID, Enclaves: own.Enclaves, Keys: keys, Storage: storage, Log: logs, Metrics: metrics.New("test", "test"),
		Logger: slog.New(slog.DiscardHandler), MaxAccesses: 1000, DecisionTimeout: 20 * time.Second,
	}
	for _, change := range changes {
		change(&c)
	}
	s := New(c)
	t.Cleanup(s.Close)
	if b != nil {
		if err := s.Activate(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		eventually(t, "keys of every issuer", func() bool { return keys.Ready() == nil })
	}
	return gateway{Server: s, logs: logs, dir: dir}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// decisions returns the records of decisions by log, after it verified every log.
func (g gateway) decisions(t *testing.T) map[string][]authz.Record {
	t.Helper()
	if _, err := audit.Verify(g.dir); err != nil {
		t.Fatal(err)
	}
	records := map[string][]authz.Record{}
	for log, all := range g.records(t) {
		all = slices.DeleteFunc(all, func(r authz.Record) bool { return r.Type != "decision" })
		if len(all) > 0 {
			records[log] = all
		}
	}
	return records
}

func (g gateway) records(t *testing.T) map[string][]authz.Record {
	t.Helper()
	records := map[string][]authz.Record{}
	err := audit.Read(g.dir, func(log string, _ []byte, r authz.Record) error {
		records[log] = append(records[log], r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// token returns a token of an American of us-defense with that clearance.
func token(t testing.TB, level string, edits ...func(map[string]any)) string {
	t.Helper()
	now := time.Now()
	c := map[string]any{
		"iss": issuers.URL + "/usa", "sub": "sam", "aud": "sallyport", "jti": randomHex(),
		"iat": now.Unix(), "auth_time": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"subject_type": "person", "tenant": "us-defense",
		"affiliation":   map[string]string{"kind": "tenant", "organization": "us-defense", "country": "USA"},
		"nationalities": []string{"USA"}, "export_status": []string{"us_person"}, "location": "USA", "high_water": []any{},
		"clearances": []any{map[string]any{"scheme": "USA", "level": level, "categories": map[string]any{}}},
	}
	for _, edit := range edits {
		edit(c)
	}
	payload, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	h := jws.NewHeaders()
	h.Set(jws.TypeKey, "at+jwt")
	b, err := jws.Sign(payload, jws.WithKey(jwa.ES256, signer, jws.WithProtectedHeaders(h)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// faulty is a log whose Append does something else first; a nil fault does not.
type faulty struct {
	*audit.Logs
	fault func(context.Context, authz.Record) error
}

func (l faulty) Append(ctx context.Context, r authz.Record) error {
	if r.Type == "decision" {
		if err := l.fault(ctx, r); err != nil {
			return err
		}
	}
	return l.Logs.Append(ctx, r)
}

// faults makes the gateway's log fail decisions as fault says.
func faults(fault func(context.Context, authz.Record) error) func(*Config) {
	return func(c *Config) { c.Log = faulty{c.Log.(*audit.Logs), fault} }
}
