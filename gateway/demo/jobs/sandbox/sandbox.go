// Package sandbox runs one WebAssembly module (WASI preview 1, wazero) on bytes that it is given and returns the bytes that it wrote.
//
// Each run is a process of its own, started from the same binary, which has nothing: an empty environment, the pipe on which its
// task comes and the one on which its result goes, and hard limits. So what a module makes the engine do, be it to loop, to take
// all memory or to crash, ends that process and nothing else, and one tenant's module never shares a process with another's data.
//
// A module is called with the paths of its inputs and outputs as arguments: /in/0, /in/1, …, /out/0, …. These files are in memory
// and there are no others; nothing of a run is ever on disk. It has no environment, no network, no entropy and no clock (each
// reading of its clock is a little later than the last), so what it writes depends on what it reads alone. What it prints goes nowhere.
//
// Invariants: no output is returned unless the module ended well and wrote every output, within the limits. An error says nothing
// that the module could choose, other than which of the few ways to fail it was.
//
// Non-goals: no fetching, no permission, no cache of compiled modules (it would outlive the run that filled it).
package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// Task is what is to be run.
type Task struct {
	Module      []byte
	Inputs      [][]byte
	Outputs     int   // how many files it must write
	MemoryBytes int64 // of the module's own memory
	OutputBytes int64 // of all outputs together
}

// Failure is why a run gave nothing: the module's fault, in words for who asked.
type Failure struct{ What string }

// Error returns what went wrong.
func (f *Failure) Error() string { return f.What }

// What can go wrong but for what the engine says of a module that it refuses.
var (
	errTime    = &Failure{"the module did not end in time"}
	errMemory  = &Failure{"the module takes more memory than it may"}
	errCrash   = &Failure{"the module broke the engine that ran it"}
	errTrap    = &Failure{"the module trapped"}
	errExit    = &Failure{"the module ended with an exit code that is not 0"}
	errNoEntry = &Failure{"the module has no function _start to call"}
)

// Run does t in a process of its own, argv, whose main must be Main. The error is a *Failure if it is the module's fault, and the
// context's if that was cancelled. When ctx's deadline comes, the process is killed, and that is the module's fault too.
func Run(ctx context.Context, argv []string, t Task) ([][]byte, error) {
	head := request{Outputs: t.Outputs, MemoryBytes: t.MemoryBytes, OutputBytes: t.OutputBytes}
	task, err := newFrame(head, append([][]byte{t.Module}, t.Inputs...))
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env, cmd.Dir, cmd.SysProcAttr = []string{}, "/", alone()
	cmd.WaitDelay = time.Second // for pipes that somebody else still holds
	var result, last bytes.Buffer
	cmd.Stdin = task
	cmd.Stdout = &bounded{Buffer: &result, left: t.OutputBytes + maxHead + 4}
	cmd.Stderr = &bounded{Buffer: &last, left: 4 << 10}

	// The kernel kills the child when the thread that started it ends: see alone.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, errTime
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, crash(err, last.String())
	}
	var answer response
	outputs, err := readFrame(&result, &answer, t.OutputBytes)
	switch {
	case err != nil:
		return nil, errCrash
	case answer.Failure != "":
		return nil, &Failure{answer.Failure}
	case len(outputs) != t.Outputs:
		return nil, errCrash
	}
	return outputs, nil
}

// crash tells what a child died of from its exit and its last words, which are Go's runtime's.
func crash(err error, last string) error {
	var exit *exec.ExitError
	switch {
	case !errors.As(err, &exit):
		return fmt.Errorf("sandbox: %w", err)
	case strings.Contains(last, "out of memory"), strings.Contains(last, "cannot allocate memory"):
		return errMemory
	}
	return errCrash
}

// bounded drops what is too much: a child that says more than it may has broken its word, and then the frame is not whole.
type bounded struct {
	*bytes.Buffer
	left int64
}

func (b *bounded) Write(p []byte) (int, error) {
	n := min(int64(len(p)), b.left)
	b.left -= n
	b.Buffer.Write(p[:n])
	return len(p), nil
}
