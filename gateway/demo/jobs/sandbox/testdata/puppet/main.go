// The puppet does what the first line of its first input says; tests build it for GOOS=wasip1.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

func main() {
	b, err := os.ReadFile("/in/0")
	check(err)
	verb, rest, _ := strings.Cut(string(b), "\n")
	switch verb {
	case "copy": // to every output
		for _, path := range os.Args[1:] {
			if strings.HasPrefix(path, "/out/") {
				check(os.WriteFile(path, []byte(rest), 0o600))
			}
		}
	case "print":
		fmt.Println(rest)
		fmt.Fprintln(os.Stderr, rest)
		os.Exit(3)
	case "flood":
		f, err := os.Create("/out/0")
		check(err)
		for {
			_, err := f.Write(bytes.Repeat([]byte("x"), 4096))
			check(err)
		}
	case "flood in silence": // and end well
		f, err := os.Create("/out/0")
		check(err)
		_, err = f.WriteAt([]byte("x"), 1<<40)
		fmt.Fprint(f, err)
	case "edit":
		f, err := os.OpenFile("/out/0", os.O_CREATE|os.O_RDWR, 0o600)
		check(err)
		fmt.Fprint(f, "abcdefgh")
		_, err = f.WriteAt([]byte("C"), 2)
		check(err)
		check(f.Truncate(4))
		_, err = f.Seek(0, io.SeekStart)
		check(err)
		all, err := io.ReadAll(f)
		check(err)
		fi, err := f.Stat()
		check(err)
		fmt.Fprintf(f, "-%d-%s", fi.Size(), all)
	case "look around":
		var out strings.Builder
		for _, path := range strings.Fields(rest) {
			_, err := os.ReadFile(path)
			fmt.Fprintf(&out, "read %s: %v\n", path, err)
			fmt.Fprintf(&out, "write %s: %v\n", path, os.WriteFile(path, nil, 0o600))
		}
		fmt.Fprintf(&out, "%d variables, %d o'clock, rename %v, link %v\n", len(os.Environ()), time.Now().Year(),
			os.Rename("/in/0", "/out/0") != nil, os.Symlink("/etc/passwd", "/out/0") != nil)
		check(os.WriteFile("/out/0", []byte(out.String()), 0o600))
	case "allocate":
		var kept [][]byte
		for {
			kept = append(kept, bytes.Repeat([]byte("x"), 1<<20))
		}
	default:
		panic(verb)
	}
}

func check(err error) {
	if err != nil {
		os.Exit(1)
	}
}
