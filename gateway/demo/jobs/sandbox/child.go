package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime/debug"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/experimental/sysfs"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

const (
	pageSize = 64 << 10
	wasi     = wasi_snapshot_preview1.ModuleName
	// collectAt is the heap at which the collector works hard, well below what the process may have.
	collectAt = 400 << 20
	// features are those of WebAssembly 2.0 but for tables that grow, which no memory limit counts.
	features = api.CoreFeaturesV2 &^ api.CoreFeatureReferenceTypes
)

// Main is the whole life of the process in which a module runs: it reads its task from in and writes its result to out.
func Main(in io.Reader, out io.Writer) error {
	if err := restrain(); err != nil {
		return fmt.Errorf("sandbox: limits of the process: %w", err)
	}
	debug.SetMemoryLimit(collectAt)
	var q request
	blobs, err := readFrame(in, &q, math.MaxInt64)
	if err != nil || len(blobs) == 0 {
		return errFrame
	}
	t := Task{Module: blobs[0], Inputs: blobs[1:], Outputs: q.Outputs, MemoryBytes: q.MemoryBytes, OutputBytes: q.OutputBytes}
	outputs, err := t.run(context.Background())
	var failure *Failure
	var answer response
	if errors.As(err, &failure) {
		answer.Failure = failure.What
	} else if err != nil {
		return err
	}
	result, err := newFrame(answer, outputs)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, result)
	return err
}

// run does t in this process. Nothing in it ends a loop: the process is killed when its time is over.
func (t Task) run(ctx context.Context) ([][]byte, error) {
	runtime := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().
		WithCoreFeatures(features).
		WithDebugInfoEnabled(false).
		WithMemoryLimitPages(uint32(min(t.MemoryBytes/pageSize, 65536))).
		WithMemoryCapacityFromMax(true)) // else each growth copies, and counts twice
	defer runtime.Close(ctx)
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, runtime); err != nil {
		return nil, fmt.Errorf("sandbox: WASI: %w", err)
	}
	module, err := runtime.CompileModule(experimental.WithCompilationWorkers(ctx, 2), t.Module)
	if err != nil {
		return nil, refused(t.Module, err)
	}
	for _, f := range module.ImportedFunctions() {
		if name, function, _ := f.Import(); name != wasi {
			return nil, &Failure{fmt.Sprintf("the module imports %s from %s: there is nothing but %s", short(function), short(name), wasi)}
		}
	}
	if _, ok := module.ExportedFunctions()["_start"]; !ok {
		return nil, errNoEntry
	}
	in, out := inputs(t.Inputs), outputs(t.Outputs, t.OutputBytes)
	files := wazero.NewFSConfig().(sysfs.FSConfig).WithSysFSMount(in, "/in").(sysfs.FSConfig).WithSysFSMount(out, "/out")
	_, err = runtime.InstantiateModule(ctx, module, wazero.NewModuleConfig().
		WithName("").
		WithArgs(t.args()...).
		WithFSConfig(files))
	if err := ended(err); err != nil {
		return nil, err
	}
	return out.written()
}

// args are the module's arguments: its name, and the paths of its files.
func (t Task) args() []string {
	args := []string{"module"}
	for i := range t.Inputs {
		args = append(args, fmt.Sprintf("/in/%d", i))
	}
	for i := range t.Outputs {
		args = append(args, fmt.Sprintf("/out/%d", i))
	}
	return args
}

// magic begins each module.
var magic = []byte("\x00asm\x01\x00\x00\x00")

// refused says why the engine takes no module. Its words are about the code, which who may see the job's state may not.
func refused(module []byte, err error) error {
	switch {
	case !bytes.HasPrefix(module, magic):
		return &Failure{"the module is not WebAssembly"}
	case strings.HasPrefix(err.Error(), "section memory"):
		return errMemory
	}
	return &Failure{"the module is WebAssembly that the engine does not take"}
}

// ended tells how a module ended from what its start function returned.
func ended(err error) error {
	var exit *sys.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit):
		if exit.ExitCode() == 0 {
			return nil
		}
		return errExit // never the code: a module could say by it what it has read
	}
	return errTrap
}

// short is a name of the module's own choice, fit for a message.
func short(name string) string {
	const most = 40
	if len(name) > most {
		name = name[:most] + "…"
	}
	return fmt.Sprintf("%q", name)
}
