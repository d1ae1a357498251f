package service_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheReadmeShowsTheExample(t *testing.T) {
	t.Parallel()
	between := func(file, from, to string) string {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, ok := strings.Cut(string(b), from)
		text, _, end := strings.Cut(rest, to)
		if !ok || !end {
			t.Fatalf("%s has no part from %q to %q", file, from, to)
		}
		return text
	}
	example := between("example_test.go", "func Example() {\n", "\n\tanswer :=")
	if diff := cmp.Diff(example, between("README.md", "```go\n", "```")); diff != "" {
		t.Errorf("-example +README:\n%s", diff)
	}
}
