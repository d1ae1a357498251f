package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTimeout  = 60 * time.Second       // for a part's first readiness
	stopTimeout   = 10 * time.Second       // for all parts together
	restartPause  = 100 * time.Millisecond // so that a part that dies at once does not burn a core
	probeInterval = 25 * time.Millisecond
	probeTimeout  = time.Second
	tailOfLog     = 4 << 10
)

// part is a process of the demo.
type part struct {
	name    string   // its key in ready.json
	argv    []string // argv[0] is a path
	env     []string // nothing is inherited
	sockets []string // removed before each start, since a killed process leaves them
	log     string   // file for what the process says of itself

	// extra, if set, makes the file that the process finds as descriptor 3, anew for each start; what it returns is closed by
	// the supervisor once the process has it.
	extra func() (*os.File, error)
	// ready reports whether the part can do its work; a nil error is yes.
	ready func(context.Context) error
	// provision runs once, after the first readiness and before the next part starts.
	provision func(context.Context) error
}

// supervisor starts parts and keeps them running: one that dies is started again at once, without back-off or limit, since a
// demo is there to have its parts killed. ready.json exists exactly while all are ready.
type supervisor struct {
	readyFile string
	addresses map[string]string

	mu        sync.Mutex
	running   []*runner
	announced bool // every part has been started, so ready.json may be written
}

// runner is a part that was started. process and up are guarded by supervisor.mu.
type runner struct {
	part
	process *os.Process // nil while there is none
	up      bool
	end     context.CancelFunc // no more restarts, and stop the process
	gone    chan struct{}      // closed when the process has ended for good
}

func newSupervisor(readyFile string, addresses map[string]string) *supervisor {
	return &supervisor{readyFile: readyFile, addresses: addresses}
}

// start runs p and returns when it is ready and provisioned. If it ends before that, the error has its last words.
func (s *supervisor) start(ctx context.Context, p part) error {
	life, end := context.WithCancel(context.Background())
	r := &runner{part: p, end: end, gone: make(chan struct{})}
	s.mu.Lock()
	s.running = append(s.running, r)
	s.mu.Unlock()

	ctx, stopWaiting := context.WithTimeoutCause(ctx, startTimeout, errors.New("it did not become ready in time"))
	defer stopWaiting()
	first := make(chan error, 1)
	go s.keep(life, r, first)
	var err error
	select {
	case err = <-first:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		end()
		return &EnvironmentError{Err: &PartError{part: p.name, err: err, lastWords: lastWords(p.log)}}
	}
	if p.provision == nil {
		return nil
	}
	if err := p.provision(ctx); err != nil {
		return environment("setting up %s: %w", p.name, err)
	}
	return nil
}

// keep runs r's process again and again until life ends. The first time it tells whether the process became ready. It keeps its
// thread to itself: the kernel ends a child with the thread that started it, and Go ends threads as it likes.
func (s *supervisor) keep(life context.Context, r *runner, first chan<- error) {
	runtime.LockOSThread()
	defer close(r.gone)
	for life.Err() == nil {
		err := s.once(life, r, first)
		report(first, fmt.Errorf("it ended: %w", err))
		select {
		case <-life.Done():
		case <-time.After(restartPause):
		}
	}
}

// once runs r's process to its end and returns why it ended, or why it could not be started.
func (s *supervisor) once(life context.Context, r *runner, first chan<- error) error {
	cmd, err := r.command()
	if err != nil {
		return err
	}
	s.set(r, cmd.Process, false)
	defer s.set(r, nil, false)
	life, ended := context.WithCancel(life)
	defer ended()
	go s.probe(life, r, cmd.Process, first)
	exited := make(chan struct{})
	go endWith(life, cmd.Process, exited)
	defer close(exited)
	if err := cmd.Wait(); err != nil {
		return err
	}
	return errors.New("exit status 0")
}

// command starts r's process.
func (r *runner) command() (*exec.Cmd, error) {
	for _, s := range r.sockets {
		if err := os.Remove(s); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	log, err := os.OpenFile(r.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(r.argv[0], r.argv[1:]...)
	cmd.Env = append([]string{}, r.env...) // nil would inherit all
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, ownGroup()
	if r.extra != nil {
		f, err := r.extra()
		if err != nil {
			return nil, err
		}
		defer f.Close()
		cmd.ExtraFiles = []*os.File{f}
	}
	return cmd, cmd.Start()
}

// probe asks r whether it is ready until it is, or until its process has ended.
func (s *supervisor) probe(life context.Context, r *runner, process *os.Process, first chan<- error) {
	for life.Err() == nil {
		ctx, cancel := context.WithTimeout(life, probeTimeout)
		err := r.ready(ctx)
		cancel()
		if err == nil {
			s.set(r, process, true)
			report(first, nil)
			return
		}
		select {
		case <-life.Done():
		case <-time.After(probeInterval):
		}
	}
}

// endWith asks the process to end when life does, and kills it if it takes too long.
func endWith(life context.Context, process *os.Process, exited <-chan struct{}) {
	select {
	case <-exited:
		return
	case <-life.Done():
	}
	process.Signal(syscall.SIGTERM)
	select {
	case <-exited:
	case <-time.After(stopTimeout / 2):
		process.Kill()
	}
}

// set records the state of a part, and makes ready.json say the truth before anybody can act on it. That a process is up counts
// only while it is the one that runs.
func (s *supervisor) set(r *runner, process *os.Process, up bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if up && r.process != process {
		return
	}
	r.process, r.up = process, up
	s.tell()
}

// announce lets ready.json be written from now on: every part has been started.
func (s *supervisor) announce() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.announced = true
	return s.tell()
}

// tell writes ready.json if every part is up, else removes it. The caller holds mu.
func (s *supervisor) tell() error {
	if !s.announced || slices.ContainsFunc(s.running, func(r *runner) bool { return !r.up }) {
		if err := os.Remove(s.readyFile); err != nil && !errors.Is(err, os.ErrNotExist) {
			return environment("ready.json: %w", err)
		}
		return nil
	}
	pids := map[string]int{}
	for _, r := range s.running {
		pids[r.name] = r.process.Pid
	}
	b, err := json.Marshal(map[string]any{"addresses": s.addresses, "pids": pids})
	if err != nil {
		return fmt.Errorf("ready.json: %w", err)
	}
	return writeFile(s.readyFile, append(b, '\n'))
}

// stop ends all parts, the last started first, and returns when they are gone; after timeout it kills those that are left.
func (s *supervisor) stop(timeout time.Duration) {
	s.mu.Lock()
	running := slices.Clone(s.running)
	s.announced = false
	s.tell()
	s.mu.Unlock()
	late := time.AfterFunc(timeout, func() { s.kill(running) })
	defer late.Stop()
	for _, r := range slices.Backward(running) {
		r.end()
		<-r.gone
	}
}

// kill ends all parts without asking.
func (s *supervisor) kill(running []*runner) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range running {
		r.end()
		if r.process != nil {
			r.process.Kill()
		}
	}
}

// report sends err unless somebody reported before.
func report(c chan<- error, err error) {
	select {
	case c <- err:
	default:
	}
}

// PartError, inside an EnvironmentError, says that a part could not be started.
type PartError struct {
	part, lastWords string
	err             error
}

// Error returns why, with what the part said last.
func (e *PartError) Error() string {
	return fmt.Sprintf("%s did not start: %v%s", e.part, e.err, e.lastWords)
}

// Unwrap returns the error inside.
func (e *PartError) Unwrap() error { return e.err }

// ExitCode returns what the part ended with, and 0 if it did not end by itself.
func (e *PartError) ExitCode() int {
	var exit *exec.ExitError
	if !errors.As(e.err, &exit) {
		return 0
	}
	return max(0, exit.ExitCode())
}

// lastWords returns the last line of a part's log, for an error that would else send the user searching.
func lastWords(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if fi, err := f.Stat(); err == nil && fi.Size() > tailOfLog {
		f.Seek(-tailOfLog, io.SeekEnd)
	}
	b, _ := io.ReadAll(f)
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return fmt.Sprintf(": %s (more in %s)", lines[len(lines)-1], path)
}
