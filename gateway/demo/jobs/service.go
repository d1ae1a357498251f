// Package jobs is the demo's compute: a service that runs WebAssembly modules on what its grants name, and on nothing else.
//
//	POST /v1/jobs       202 {"id": …, "state": "running"}; 503 if it can't start at once, and then nothing is kept
//	GET  /v1/jobs/<id>  200 {"id": …, "state": "running|succeeded|failed", …}; 404 if there is no such job (any more)
//
// It takes everything from the grant (authz/grant/service) and nothing from the body: module and inputs are fetched, and outputs put,
// by the grant's presigned URLs over the store's socket. It holds no key of the store. A module runs in a process of its own
// (package sandbox), at most Slots of them at a time.
//
// Invariants: nothing happens without a grant that Verify has taken. Outputs are put whole, each once, and only after the module has
// ended well: whatever dies at any moment, no object is half written. Nothing of a job is on this machine's disk. What is
// remembered of jobs is bounded and says nothing that a module could choose, since a job's state may be read with the rights of its
// queue, which are not those of its data. No URL, grant or data is ever logged or answered.
//
// Non-goals: no queueing, no retries, no memory across restarts: a job that was running when the service died has never been.
package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/sallyport-dev/sallyport/authz/grant/service"
	request "github.com/sallyport-dev/sallyport/authz/resource/jobs"
)

const (
	// Slots is how many jobs run at a time.
	Slots = 2
	// MaxRun is how long a job may fetch and run; its grant can say less.
	MaxRun = 30 * time.Second
	// drain is how long running jobs may go on when the service is told to stop.
	drain = 2 * time.Second
)

// Config says where the store is and who may ask.
type Config struct {
	Store     string            // the store's unix socket
	Verifier  *service.Verifier // of the gateway's grants
	Runner    []string          // command line whose main is sandbox.Main
	AccessLog io.Writer         // gets one line for each request
	Logger    *slog.Logger
}

// Service is the job service.
type Service struct {
	c     Config
	store *store
	table *table

	log sync.Mutex // keeps lines of the access log whole

	running sync.WaitGroup
	life    context.Context // of running jobs
	end     context.CancelFunc
}

// New returns a service that has not begun to serve.
func New(c Config) *Service {
	s := &Service{c: c, store: newStore(c.Store), table: newTable()}
	s.life, s.end = context.WithCancel(context.Background())
	return s
}

// Serve answers on l until ctx ends. Running jobs may then go on for a moment, and are cut off after it.
func (s *Service) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           http.HandlerFunc(s.serveHTTP),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    service.MaxSize + 16<<10,
		ErrorLog:          slog.NewLogLogger(s.c.Logger.Handler(), slog.LevelWarn),
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		late, cancel := context.WithTimeout(context.Background(), drain)
		defer cancel()
		if server.Shutdown(late) != nil {
			server.Close()
		}
	})
	defer s.close()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return fmt.Errorf("jobs: %w", err)
	}
	<-ended
	return nil
}

// close waits for running jobs, a little, and then ends them.
func (s *Service) close() {
	late := time.AfterFunc(drain, s.end)
	defer late.Stop()
	s.running.Wait()
	s.end()
	s.store.close()
}

// answer is what a client is told.
type answer struct {
	status int
	body   any
}

type errorBody struct {
	Error string `json:"error"`
}

func refuse(status int, format string, args ...any) answer {
	return answer{status, errorBody{fmt.Sprintf(format, args...)}}
}

func (s *Service) serveHTTP(w http.ResponseWriter, r *http.Request) {
	a, decision := s.answer(w, r)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(a.status)
	json.NewEncoder(w).Encode(a.body) // an error means that the client has gone
	s.record(r, a.status, decision)
}

// answer does what r's grant allows, and names the decision that it came from.
func (s *Service) answer(w http.ResponseWriter, r *http.Request) (a answer, decision string) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, request.MaxBody))
	if err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return refuse(http.StatusRequestEntityTooLarge, "the body has more than %d bytes", request.MaxBody), ""
		}
		return refuse(http.StatusBadRequest, "the body did not come whole"), ""
	}
	g, err := s.c.Verifier.Verify(r, body)
	if err != nil {
		status := http.StatusForbidden
		if refused := (*service.Error)(nil); errors.As(err, &refused) && refused.Problem == service.Full {
			status = http.StatusServiceUnavailable
		}
		return refuse(status, "%s", err), ""
	}
	switch g.Operation {
	case request.StartJob:
		return s.post(g), g.DecisionID
	case request.GetJob:
		return s.get(g), g.DecisionID
	}
	return refuse(http.StatusNotImplemented, "there is no operation %q here", g.Operation), g.DecisionID
}

// post starts the job of a grant.
func (s *Service) post(g service.Grant) answer {
	p, err := newPlan(g)
	if err != nil {
		return refuse(http.StatusBadRequest, "%s", err)
	}
	status, ok := s.table.start(p.queue, time.Now())
	if !ok {
		return refuse(http.StatusServiceUnavailable, "%d jobs are running, and no more can: ask again later", Slots)
	}
	s.running.Go(func() {
		ctx, cancel := context.WithTimeout(s.life, p.time)
		defer cancel()
		written, err := s.do(ctx, p)
		s.table.finish(status.ID, written, err, time.Now())
		s.c.Logger.Info("job ended", "id", status.ID, "decision_id", g.DecisionID, "error", err)
	})
	return answer{http.StatusAccepted, Status{ID: status.ID, State: status.State}}
}

// get tells the state of the job that a grant names.
func (s *Service) get(g service.Grant) answer {
	id, err := jobID(g)
	if err != nil {
		return refuse(http.StatusBadRequest, "%s", err)
	}
	status, ok := s.table.get(id)
	if !ok {
		return refuse(http.StatusNotFound, "there is no job %s: it never was, or it was forgotten", id)
	}
	return answer{http.StatusOK, status}
}

// record writes a line of the access log: when, what, how it ended and the decision that allowed it, "-" if none did.
func (s *Service) record(r *http.Request, status int, decision string) {
	if decision == "" {
		decision = "-"
	}
	path := r.URL.EscapedPath() // without the query, where anything could be
	if len(path) > maxPath {
		path = path[:maxPath] + "..."
	}
	s.log.Lock()
	defer s.log.Unlock()
	fmt.Fprintf(s.c.AccessLog, "%s %s %s %d %s\n", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), r.Method, path, status, decision)
}

const maxPath = 256
