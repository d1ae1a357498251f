package road_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/gateway/demo"
)

// block returns the lines of the README's n-th fenced block of a language.
func block(t *testing.T, language string, n int) []string {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(b), "```"+language+"\n")
	if len(parts) <= n+1 {
		t.Fatalf("the README has fewer than %d blocks of %s", n+1, language)
	}
	text, _, _ := strings.Cut(parts[n+1], "```")
	return strings.Split(strings.TrimRight(text, "\n"), "\n")
}

// varies is what differs from run to run: decision ids, durations, the folder and the port.
var varies = regexp.MustCompile(`[0-9a-f]{32}|[0-9]+\.[0-9] s|127\.0\.0\.1:[0-9]+| is in \S+`)

func TestTheReadmesTranscriptIsWhatIsPrinted(t *testing.T) {
	real(t)
	ports, err := demo.FreePorts()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "sp")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	var out bytes.Buffer
	err = demo.Run(t.Context(), demo.Options{
		Dir: filepath.Join(dir, "d"), Tour: "once", Out: &out, Binary: binary, Ports: ports, ToolsDir: toolsDir,
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, out.Bytes())
	}
	printed := strings.Split(varies.ReplaceAllString(out.String(), "*"), "\n")
	shown := block(t, "console", 0)
	if shown[0] != "$ make demo TOUR=once" {
		t.Errorf("the transcript begins with %q", shown[0])
	}
	for _, line := range shown[1:] {
		i := slices.Index(printed, varies.ReplaceAllString(line, "*"))
		if i < 0 {
			t.Fatalf("the README shows a line that is not printed, or not in this order:\n%s\nprinted:\n%s", line, out.Bytes())
		}
		printed = printed[i+1:]
	}
}

func TestTheReadmesCommandsWork(t *testing.T) {
	real(t)
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("the README's example asks with curl, which is not installed")
	}
	script := strings.NewReplacer(
		"bin/sallyport demo token sam", binary+" demo token sam --dir "+shared.Dir,
		"bin/sallyport", binary,
		".demo/", shared.Dir+"/",
		"http://127.0.0.1:10000", "http://127.0.0.1:"+strconv.Itoa(shared.ports.Storage),
	).Replace(strings.Join(block(t, "sh", 1), "\n"))
	out, err := exec.Command("sh", "-euc", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"us-defense-plans/", " us-defense allow usa|sam ", "verified"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the README's commands did not print %q:\n%s", want, out)
		}
	}
}
