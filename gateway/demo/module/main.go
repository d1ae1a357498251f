// The module of the demo's jobs: it counts the lines, words and bytes of each of its inputs and writes the same report to each of its
// outputs. It is built for GOOS=wasip1 when the demo is first started, and lies in every row of the store as module.wasm.
//
// Its arguments are the paths of its files, /in/0, /in/1, … and /out/0, …, as gateway/demo/jobs/sandbox says; it sees no others.
package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if err := report("/", os.Args[1:]); err != nil {
		os.Exit(1) // who asks for the job's state may not learn more
	}
}

// report reads the inputs among paths, which are under root, and writes what it has counted to the outputs.
func report(root string, paths []string) error {
	var text strings.Builder
	for _, path := range paths {
		if !strings.HasPrefix(path, "/in/") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "input %s: %d lines, %d words, %d bytes, SHA-256 %x\n", strings.TrimPrefix(path, "/in/"),
			bytes.Count(data, []byte("\n")), len(bytes.Fields(data)), len(data), sha256.Sum256(data))
	}
	for _, path := range paths {
		if !strings.HasPrefix(path, "/out/") {
			continue
		}
		if err := os.WriteFile(filepath.Join(root, path), []byte(text.String()), 0o600); err != nil {
			return err
		}
	}
	return nil
}
