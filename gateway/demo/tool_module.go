package demo

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// moduleSource is embedded, so that a binary far from its source tree can build it too.
//
//go:embed module/main.go
var moduleSource []byte

// EnsureModule returns the path of the WebAssembly module that lies in every row: MODULE_WASM, or a build of gateway/demo/module that
// is kept in toolsDir, one for each version of its source and of Go.
func EnsureModule(ctx context.Context, toolsDir string, progress io.Writer) (string, error) {
	if path := os.Getenv("MODULE_WASM"); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", environment("MODULE_WASM: %w", err)
		}
		return filepath.Abs(path)
	}
	name := fmt.Sprintf("module-%.8x-%s.wasm", sha256.Sum256(moduleSource), runtime.Version())
	return cached(ctx, toolsDir, name, func(ctx context.Context, path string) error {
		fmt.Fprintln(progress, "building the module of the demo's jobs: once, some seconds")
		return buildModule(ctx, path)
	})
}

// buildModule compiles the embedded source to path.
func buildModule(ctx context.Context, path string) error {
	if _, err := exec.LookPath("go"); err != nil {
		return environment("building the module of the demo's jobs: %w: install Go 1.26 or later, or set MODULE_WASM", err)
	}
	dir, err := os.MkdirTemp("", "sallyport-module")
	if err != nil {
		return environment("building the module of the demo's jobs: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "main.go"), moduleSource, 0o600); err != nil {
		return environment("building the module of the demo's jobs: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-C", dir, "-trimpath", "-ldflags=-s -w", "-o", path, "main.go")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return environment("building the module of the demo's jobs: %w", ctx.Err())
	}
	if err != nil {
		return environment("building the module of the demo's jobs: %w: %s", err, out)
	}
	return nil
}
