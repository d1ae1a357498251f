package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// EnsureVersitygw returns the path of the S3 server: VERSITYGW_BIN, or a build of conformance/tools/versitygw that is kept in
// toolsDir.
func EnsureVersitygw(ctx context.Context, toolsDir string, progress io.Writer) (string, error) {
	if bin := os.Getenv("VERSITYGW_BIN"); bin != "" {
		if !executable(bin) {
			return "", environment("VERSITYGW_BIN %s: not an executable file", bin)
		}
		return filepath.Abs(bin)
	}
	name := fmt.Sprintf("versitygw-%s-%s-%s", versitygwVersion, runtime.GOOS, runtime.GOARCH)
	return cached(ctx, toolsDir, name, func(ctx context.Context, path string) error {
		module, err := toolModule()
		if err != nil {
			return err
		}
		return buildVersitygw(ctx, module, path, progress)
	})
}

const (
	versitygwVersion = "v1.8.0" // as in the tool module; a test compares them
	versitygwPackage = "github.com/versity/versitygw/cmd/versitygw"
	versitygwModule  = "conformance/tools/versitygw"
)

// toolModule returns the folder of the module that pins versitygw, in the source tree around the working directory or the binary.
// Go can't embed another module's go.mod, so a binary far from its source needs VERSITYGW_BIN.
func toolModule() (string, error) {
	var from []string
	if wd, err := os.Getwd(); err == nil {
		from = append(from, wd)
	}
	if exe, err := os.Executable(); err == nil {
		from = append(from, filepath.Dir(exe))
	}
	for _, dir := range from {
		for {
			module := filepath.Join(dir, filepath.FromSlash(versitygwModule))
			if _, err := os.Stat(filepath.Join(module, "go.mod")); err == nil {
				return module, nil
			}
			parent := filepath.Dir(dir)
			if parent == dir {
				break
			}
			dir = parent
		}
	}
	return "", environment("the S3 server is built from %s, and there is no source tree around %s: run the demo in Sallyport's "+
		"source tree, or set VERSITYGW_BIN to a versitygw %s", versitygwModule, strings.Join(from, " or "), versitygwVersion)
}

// buildVersitygw builds the S3 server at path.
func buildVersitygw(ctx context.Context, module, path string, progress io.Writer) error {
	if _, err := exec.LookPath("go"); err != nil {
		return environment("building versitygw: %w: install Go 1.26 or later, or set VERSITYGW_BIN", err)
	}
	began := time.Now()
	fmt.Fprintf(progress, "building the S3 server, versitygw %s: once, a few minutes\n", versitygwVersion)
	cmd := exec.CommandContext(ctx, "go", "build", "-C", module, "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-v", "-o", path, versitygwPackage)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	var log output
	cmd.Stdout, cmd.Stderr = &log, &log
	stop := every(10*time.Second, func() {
		fmt.Fprintf(progress, "  versitygw: %.0f s, %d packages built\n", time.Since(began).Seconds(), log.lines()) // with -v, a line a package
	})
	err := cmd.Run()
	stop()
	if ctx.Err() != nil {
		return environment("building versitygw: %w", ctx.Err())
	}
	if err != nil {
		return environment("building versitygw: %w: %s", err, log.tail())
	}
	fmt.Fprintf(progress, "  versitygw: built in %.0f s\n", time.Since(began).Seconds())
	return nil
}
