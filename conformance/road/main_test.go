package road_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/gateway/demo"
)

// What the tests share: the binary under test, and one world that no test may break.
var (
	binary   string // the built sallyport
	toolsDir string // cache of the real parts
	shared   *world
	missing  string // why there is no world; tests that need one are skipped
	skipped  atomic.Int32
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(superviseIn); dir != "" {
		os.Exit(supervise(dir))
	}
	os.Exit(run(m))
}

// superviseIn makes the test binary a demo in the folder that it names, so that a test can kill the supervisor.
const superviseIn = "SALLYPORT_ROAD_SUPERVISE"

// supervisor is a demo in dir as a process of its own.
func supervisor(dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), superviseIn+"="+dir, "SALLYPORT_ROAD_BINARY="+binary, "SALLYPORT_ROAD_TOOLS="+toolsDir)
	return cmd
}

func supervise(dir string) int {
	ports, err := demo.FreePorts()
	if err == nil {
		err = demo.Run(context.Background(), demo.Options{Dir: dir, Tour: "none", Out: os.Stdout, Ports: ports,
			Binary: os.Getenv("SALLYPORT_ROAD_BINARY"), ToolsDir: os.Getenv("SALLYPORT_ROAD_TOOLS")})
	}
	fmt.Println(err)
	return 1
}

func run(m *testing.M) (code int) {
	fail := func(err error) int {
		fmt.Println("FAIL:", err)
		return 1
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return fail(err)
	}
	toolsDir = filepath.Join(root, ".tools")
	dir, err := os.MkdirTemp("/tmp", "sp") // short: sockets lie below it
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "sallyport")
	if err := build(root, binary); err != nil {
		return fail(err)
	}
	if missing = missingPart(); missing != "" {
		if os.Getenv("REQUIRE_REAL") == "1" {
			return fail(fmt.Errorf("REQUIRE_REAL=1, but the real suite can't run: %s", missing))
		}
		code := m.Run()
		fmt.Printf("SKIP: the real suite, %d tests: %s\n", skipped.Load(), missing)
		return code
	}
	if shared, err = startWorld(filepath.Join(dir, "w")); err != nil {
		return fail(err)
	}
	code = m.Run()
	if err := shared.settle(); err != nil {
		fmt.Println("FAIL: when all was done:", err)
		code = 1
	}
	if err := shared.stop(); err != nil {
		fmt.Println("FAIL: stopping the world:", err)
		code = 1
	}
	return code
}

// build makes the binary that is tested, as `make build` does.
func build(root, path string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, "./gateway/cmd/sallyport")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building sallyport: %w\n%s", err, out)
	}
	return nil
}

// missingPart says which real part can't be had and why, or "". It fetches what is not cached yet.
func missingPart() string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	for _, part := range []struct {
		name   string
		ensure func(context.Context, string, io.Writer) (string, error)
	}{{"Envoy", demo.EnsureEnvoy}, {"versitygw", demo.EnsureVersitygw}, {"the module", demo.EnsureModule}} {
		if _, err := part.ensure(ctx, toolsDir, os.Stdout); err != nil {
			return fmt.Sprintf("%s: %v", part.name, err)
		}
	}
	return ""
}

// real skips a test that needs the real parts where they can't be had.
func real(t testing.TB) {
	t.Helper()
	if missing != "" {
		skipped.Add(1)
		t.Skip("the real suite: " + missing)
	}
}
