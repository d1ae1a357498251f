package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// What the tests run, built from testdata: the process for a module, and the module.
var runner, puppet string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "sandbox")
	if err == nil {
		runner, puppet = filepath.Join(dir, "runner"), filepath.Join(dir, "puppet.wasm")
		err = build(runner, "./testdata/runner")
	}
	if err == nil {
		err = build(puppet, "./testdata/puppet", "GOOS=wasip1", "GOARCH=wasm")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(dir)
		os.Exit(code)
	}))
}

func build(out, source string, env ...string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, source)
	cmd.Env = append(os.Environ(), append(env, "CGO_ENABLED=0", "GOFLAGS=")...)
	if b, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w: %s", source, err, b)
	}
	return nil
}
