package road_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// python returns a Python and a folder with a package for it, which is fetched once. Where it can't be had, the test is skipped.
func python(t *testing.T, name string) (python, packages string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	python, err := exec.LookPath("python3")
	if err == nil {
		packages, err = fetchPackage(ctx, python, name)
	}
	if err != nil {
		fmt.Printf("SKIP: the real suite: %s: %v\n", name, err)
		if os.Getenv("REQUIRE_REAL") == "1" {
			t.Fatalf("REQUIRE_REAL=1, but %s can't be had: %v", name, err)
		}
		t.Skipf("%s: %v", name, err)
	}
	return python, packages
}

// fetchPackage has pip put what testdata/<name>.txt pins, of which the first line is the package itself, into a folder of the tools'. A folder, not a virtual environment: that
// needs no more than pip, and can be renamed into place when it is whole.
func fetchPackage(ctx context.Context, python, name string) (packages string, err error) {
	pins := filepath.Join("testdata", name+".txt")
	b, err := os.ReadFile(pins)
	if err != nil {
		return "", err
	}
	first, _, _ := strings.Cut(string(b), " ")
	packages = filepath.Join(toolsDir, strings.Replace(first, "==", "-", 1))
	if _, err := os.Stat(packages); err == nil {
		return packages, nil
	}
	fmt.Printf("fetching %s: once\n", first)
	tmp, err := os.MkdirTemp(toolsDir, name+"-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	run := func(argv ...string) error {
		if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(argv[:min(3, len(argv))], " "), err, out)
		}
		return nil
	}
	pip := python
	if run(python, "-m", "pip", "--version") != nil {
		pip = filepath.Join(tmp, "venv", "bin", "python")
		if err := run(python, "-m", "venv", filepath.Join(tmp, "venv")); err != nil {
			return "", fmt.Errorf("%s has neither pip nor venv: %w", python, err)
		}
	}
	target := filepath.Join(tmp, "packages")
	if err := run(pip, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
		"--require-hashes", "--target", target, "--requirement", pins); err != nil {
		return "", err
	}
	if err := os.Rename(target, packages); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return packages, nil
}
