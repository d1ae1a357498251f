package oracle_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
	"github.com/sallyport-dev/sallyport/conformance/oracle"
)

const (
	policies  = "../../policies"
	demoWorld = "../../gateway/demo/world"
	gridWorld = "testdata/world"
)

// now lies in the time of both worlds' parts.
var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// world is one bundle, and the evaluators that it is given to.
type world struct {
	oracle  *oracle.Bundle
	engines map[string]*policy.Engine
	rows    map[string]authz.ResourceProperties
}

// open loads the shipped policies with the facts of a world.
func open(t testing.TB, facts string) *world {
	t.Helper()
	dir := t.TempDir()
	for _, from := range []string{"compliance", "schemes", "reasons"} {
		layOver(t, filepath.Join(policies, from), filepath.Join(dir, "root", from))
	}
	layOver(t, filepath.Join(facts, "root"), filepath.Join(dir, "root"))
	layOver(t, filepath.Join(facts, "tenants"), filepath.Join(dir, "tenants"))
	b, err := policy.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{engines: map[string]*policy.Engine{}, rows: rows(t, b)}
	if w.oracle, err = oracle.Read(b.Document); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{policy.Wasm, policy.Topdown} {
		e, err := policy.New(context.Background(), b, policy.Config{Engine: name, Timeout: time.Minute, Shadow: -1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Close)
		w.engines[name] = e
	}
	return w
}

func layOver(t testing.TB, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
