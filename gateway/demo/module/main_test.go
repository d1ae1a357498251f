package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryOutputHasTheSameReportOfEveryInput(t *testing.T) {
	dir := t.TempDir()
	path := func(elem ...string) string { return filepath.Join(append([]string{dir}, elem...)...) }
	for name, data := range map[string]string{"in/0": "", "in/1": "two words\nand a line"} {
		if err := os.MkdirAll(filepath.Dir(path(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path(name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(path("out"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := report(dir, []string{"/in/0", "/in/1", "/out/0", "/out/1"}); err != nil {
		t.Fatal(err)
	}
	want := `input 0: 0 lines, 0 words, 0 bytes, SHA-256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
input 1: 1 lines, 5 words, 20 bytes, SHA-256 f05253f9c17309bed309be4d3262017cae88c0821124cd78a3d688fccde68c77
`
	for _, name := range []string{"out/0", "out/1"} {
		have, err := os.ReadFile(path(name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(have)); diff != "" {
			t.Errorf("%s (-want +have):\n%s", name, diff)
		}
	}
}

func TestAnInputThatIsNotThereIsAnError(t *testing.T) {
	if err := report(t.TempDir(), []string{"/in/0", "/out/0"}); err == nil {
		t.Error("no error")
	}
}
