package jobs

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/sallyport-dev/sallyport/gateway/demo/jobs/sandbox"
)

// putTime is how long outputs may take. With MaxRun before it, it ends before the URLs do, which live a minute.
const putTime = 20 * time.Second

// do fetches, runs and puts, and returns the outputs that were put; with an error these can be some, each of them whole. The error
// is for who asks for the job's state.
func (s *Service) do(ctx context.Context, p plan) (written []string, err error) {
	defer func() {
		if r := recover(); r != nil {
			s.c.Logger.Error("panic", "decision_id", p.decision, "stack", string(debug.Stack()))
			err = errInternal
		}
	}()
	task := sandbox.Task{Outputs: len(p.outputs), MemoryBytes: p.memory, OutputBytes: p.output}
	if task.Module, err = s.store.get(ctx, p.module, p.decision, maxModule); err != nil {
		return nil, s.failure(ctx, fmt.Errorf("module: %w", err))
	}
	left := int64(maxInputs)
	for i, o := range p.inputs {
		data, err := s.store.get(ctx, o.url, p.decision, left)
		if err != nil {
			return nil, s.failure(ctx, fmt.Errorf("input %d: %w", i, err))
		}
		left -= int64(len(data))
		task.Inputs = append(task.Inputs, data)
	}
	outputs, err := sandbox.Run(ctx, s.c.Runner, task)
	if err != nil {
		return nil, s.failure(ctx, err)
	}
	ctx, cancel := context.WithTimeout(s.life, putTime) // the module has used its time; this is the store's
	defer cancel()
	for i, o := range p.outputs {
		if err := s.store.put(ctx, o.url, p.decision, outputs[i]); err != nil {
			return written, s.failure(ctx, fmt.Errorf("output %d: %w", i, err))
		}
		written = append(written, o.uri)
	}
	return written, nil
}

var (
	errInternal = errors.New("the job service failed: see its log")
	errStopped  = errors.New("the job service was stopped")
)

// failure is err as the job's state tells it.
func (s *Service) failure(ctx context.Context, err error) error {
	var module *sandbox.Failure
	var store *storeError
	switch {
	case s.life.Err() != nil:
		return errStopped
	case errors.As(err, &module), errors.As(err, &store):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("%w: the time was over", err)
	}
	s.c.Logger.Error("job", "error", err)
	return errInternal
}
