package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"
)

// A probe of the store is kept for this long, so that asking for readiness often does not become load on the store.
const (
	probeFresh = time.Minute      // of a success
	probeRetry = time.Second      // of a failure
	probeLimit = 10 * time.Second // for one probe
)

// probe remembers the last signed request to the store.
type probe struct {
	mu  sync.Mutex // guards at and err, and lets one probe run at a time
	at  time.Time
	err error
}

// Status is what /readyz answers: "ok" or the problem, by part.
type Status struct {
	Ready    bool              `json:"ready"`
	Checks   map[string]string `json:"checks"`
	Bundle   map[string]string `json:"bundle,omitempty"`
	Insecure []string          `json:"insecure"` // settings that weaken this gateway
}

// Status tells whether requests can be decided: the policy is loaded and in force, the issuers' keys are known, grants can be
// made, and the logs can be written.
func (s *Server) Status(ctx context.Context) Status {
	st := Status{Ready: true, Checks: map[string]string{}, Insecure: append([]string{}, s.c.Insecure...)}
	check := func(part string, err error) {
		st.Checks[part] = "ok"
		if err != nil {
			st.Ready = false
			st.Checks[part] = err.Error()
		}
	}
	if s.stopping.Load() {
		check("gateway", errors.New("it is stopping"))
	}
	check("policy", s.policyReady())
	check("issuers", s.c.Keys.Ready())
	if s.c.TLS != nil {
		says, ready := s.c.TLS.status()
		st.Checks["tls"], st.Ready = says, st.Ready && ready
	}
	if s.c.Denials != nil {
		check("denials", s.c.Denials.Ready())
	}
	check("grants", s.grantsReady(ctx))
	check("logs", s.c.Log.Ready())
	if g := s.generation.Load(); g != nil {
		ref := g.bundle.Ref()
		st.Bundle = map[string]string{"revision": ref.Revision, "digest": ref.Digest}
	}
	return st
}

func (s *Server) policyReady() error {
	g := s.generation.Load()
	if g == nil {
		return errors.New("no bundle is active")
	}
	now, state := s.clock.now()
	if state == "unknown" {
		return errors.New("the clock went back while the gateway ran: set it right and restart")
	}
	if !now.Before(g.bundle.Expires()) {
		return errors.New("the bundle has expired: install a newer one")
	}
	return g.engine.Ready()
}

func (s *Server) grantsReady(ctx context.Context) error {
	s.grants.mu.Lock()
	defer s.grants.mu.Unlock()
	fresh := probeFresh
	if s.grants.err != nil {
		fresh = probeRetry
	}
	if time.Since(s.grants.at) < fresh {
		return s.grants.err
	}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	s.grants.err = s.c.Storage.Probe(ctx)
	s.grants.at = time.Now()
	return s.grants.err
}

// Handler serves /metrics, /healthz (the process answers) and /readyz (it can decide). It is not for the public.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.c.Metrics.Handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		st := s.Status(r.Context())
		w.Header().Set("Content-Type", "application/json")
		if !st.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		json.NewEncoder(w).Encode(st)
	})
	return mux
}
