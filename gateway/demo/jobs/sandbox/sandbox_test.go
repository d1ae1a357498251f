package sandbox

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Modules in bytes: a header, the type () → (), one function of that type, and what stands behind them.
const (
	header   = "0061736d01000000"
	types    = "010401600000"
	function = "03020100"
	start    = "070a01065f7374617274" + "0000" // export "_start", function 0
	// code is a body without locals: its size, the body with its end, in a section of one.
	loop  = header + types + function + start + "0a09010700" + "03400c000b0b"
	trap  = header + types + function + start + "0a05010300" + "000b"
	quiet = header + types + function + start + "0a040102000b"
	// grows by 16 pages for ever, and traps when it gets none.
	alloc = header + types + function + "0503010001" + start + "0a140112" + "00" + "0340" + "4110" + "4000" + "4100" + "48" + "0440000b" + "0c000b0b"
)

func TestAModuleThatDoesNotDoItsWorkFailsForOneClearReason(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what   string
		module []byte
		change func(*Task)
		want   string
	}{
		{"loops", unhex(t, loop), nil, "the module did not end in time"},
		{"takes memory until there is none", unhex(t, alloc), nil, "the module trapped"},
		{"traps", unhex(t, trap), nil, "the module trapped"},
		{"is empty", nil, nil, "the module is not WebAssembly"},
		{"is text", []byte("#!/bin/sh\n"), nil, "the module is not WebAssembly"},
		{"ends in the middle", unhex(t, loop)[:20], nil, "the module is WebAssembly that the engine does not take"},
		{"has no entry", unhex(t, header), nil, "the module has no function _start to call"},
		{"imports what is not there", unhex(t, header+types+"02090103656e760166"+"0000"), nil,
			`the module imports "f" from "env": there is nothing but wasi_snapshot_preview1`},
		{"writes no output", unhex(t, quiet), func(t *Task) { t.Outputs = 1 }, "the module wrote no output 0"},
		{"wants more memory at its start than it may have", unhex(t, header+"050401008002"), nil, "the module takes more memory than it may"},
		// Each of these is a few bytes and asks the decoder itself for gigabytes.
		{"says that it has four thousand million functions", unhex(t, header+"0a05"+"ffffffff0f"), nil, "the module takes more memory than it may"},
		{"has a table of a hundred million entries", unhex(t, header+types+function+"0407017000"+"80808040"+start+"0a040102000b"), nil, "the module takes more memory than it may"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			task := Task{Module: c.module, MemoryBytes: 1 << 20, OutputBytes: 1 << 10}
			if c.change != nil {
				c.change(&task)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			_, err := Run(ctx, child(), task)
			wantFailure(t, err, c.want)
		})
	}
}

func child() []string { return []string{runner} }

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func wantFailure(t *testing.T, err error, want string) {
	t.Helper()
	var f *Failure
	if !errors.As(err, &f) || f.What != want {
		t.Errorf("want the failure %q, have %v", want, err)
	}
}

func play(t *testing.T, script string, outputs int) ([]string, error) {
	t.Helper()
	module, err := os.ReadFile(puppet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	b, err := Run(ctx, child(), Task{Module: module, Inputs: [][]byte{[]byte(script)}, Outputs: outputs, MemoryBytes: 64 << 20, OutputBytes: 64 << 10})
	var out []string
	for _, o := range b {
		out = append(out, string(o))
	}
	return out, err
}

func TestAModuleWritesWhatItReadToEveryOutput(t *testing.T) {
	t.Parallel()
	have, err := play(t, "copy\nhello\n", 3)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"hello\n", "hello\n", "hello\n"}, have); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
}

func TestAnOutputCanBeWrittenAnywhereAndCutAndReadAgain(t *testing.T) {
	t.Parallel()
	have, err := play(t, "edit\n", 1)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"abCd-4-abCd"}, have); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
}

func TestAModuleThatFailsTellsNothingOfWhatItRead(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		"print\nsecret":    "the module ended with an exit code that is not 0",
		"flood":            "the module ended with an exit code that is not 0",
		"flood in silence": "the module writes more than it may",
		"allocate":         "the module ended with an exit code that is not 0",
		"panic":            "the module ended with an exit code that is not 0",
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			have, err := play(t, script, 1)
			wantFailure(t, err, want)
			if have != nil {
				t.Errorf("outputs %q", have)
			}
		})
	}
}

func TestThereIsNothingButTheFilesOfTheTask(t *testing.T) {
	t.Parallel()
	have, err := play(t, "look around\n/in/0 /in/1 /in/00 /in/../out/0 /out/1 /out/../../etc/passwd /etc/passwd /proc/self/environ", 1)
	if err != nil {
		t.Fatal(err)
	}
	want := `read /in/0: <nil>
write /in/0: open /in/0: Read-only file system
read /in/1: open /in/1: No such file or directory
write /in/1: open /in/1: Operation not permitted
read /in/00: open /in/00: No such file or directory
write /in/00: open /in/00: Operation not permitted
read /in/../out/0: open /in/../out/0: No such file or directory
write /in/../out/0: <nil>
read /out/1: open /out/1: No such file or directory
write /out/1: open /out/1: Operation not permitted
read /out/../../etc/passwd: open /out/../../etc/passwd: Bad file number
write /out/../../etc/passwd: open /out/../../etc/passwd: Bad file number
read /etc/passwd: open /etc/passwd: Bad file number
write /etc/passwd: open /etc/passwd: Bad file number
read /proc/self/environ: open /proc/self/environ: Bad file number
write /proc/self/environ: open /proc/self/environ: Bad file number
0 variables, 2022 o'clock, rename true, link true
`
	if diff := cmp.Diff([]string{want}, have); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
}

func TestAStopIsNotTheModulesFault(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	_, err := Run(ctx, child(), Task{Module: unhex(t, loop), MemoryBytes: 1 << 20})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("have %v", err)
	}
}

func TestAChildThatIsNotThereOrTalksNonsenseIsNoResult(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		argv []string
		want string
	}{
		{[]string{"/nowhere"}, "no such file"},
		{[]string{"/bin/true"}, errCrash.What},
		{[]string{"/bin/false"}, errCrash.What},
		{[]string{"/bin/sh", "-c", "head -c 100000 /dev/zero"}, errCrash.What},
		{[]string{"/bin/sh", "-c", "echo 'fatal error: runtime: out of memory' >&2; exit 2"}, errMemory.What},
		{[]string{"/bin/cat"}, errCrash.What},
	} {
		out, err := Run(t.Context(), c.argv, Task{Module: unhex(t, quiet), Outputs: 1, OutputBytes: 10})
		if err == nil || !strings.Contains(err.Error(), c.want) || out != nil {
			t.Errorf("%v: want %q, have %q and %v", c.argv, c.want, out, err)
		}
	}
}

func FuzzAFrame(f *testing.F) {
	r, err := newFrame(response{Failure: "x"}, [][]byte{[]byte("a"), nil})
	if err != nil {
		f.Fatal(err)
	}
	good, err := io.ReadAll(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{0, 0, 0, 2, '{', '}'})
	f.Add([]byte{255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		var body response
		blobs, err := readFrame(bytes.NewReader(b), &body, 100)
		var n int
		for _, blob := range blobs {
			n += len(blob)
		}
		if err == nil && n > 100 || err != nil && blobs != nil {
			t.Errorf("%d bytes and %v", n, err)
		}
	})
}
