package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/sallyport-dev/sallyport/gateway/extauthz"
)

const (
	maxCheckBytes  = 1 << 20         // of one CheckRequest; bodies are at most 256 KiB
	healthInterval = 2 * time.Second // between looks at readiness for grpc.health.v1
	keysWait       = 2 * time.Second // for the issuers' first keys, before checks are taken
	keysInterval   = 5 * time.Millisecond
)

// Serve answers on both listeners until ctx ends, then drains: no new checks, those under way get drain to finish, and a stop
// record closes the gateway's log. It closes the listeners. With Config.TLS, checks are taken over TLS from Envoy alone.
func (s *Server) Serve(ctx context.Context, checks, http1 net.Listener, mark string, drain time.Duration) error {
	if mark == "" {
		return errors.New("the belt's mark is empty: put a secret into listen.mark_file")
	}
	options := []grpc.ServerOption{grpc.MaxRecvMsgSize(maxCheckBytes), grpc.WaitForHandlers(true)}
	if s.c.TLS != nil {
		options = append(options, s.c.TLS.options()...)
	}
	rpc := grpc.NewServer(options...)
	extauthz.Register(rpc, mark, s.Check)
	state := health.NewServer()
	report(state, false) // a new health.Server says SERVING
	healthv1.RegisterHealthServer(rpc, state)
	web := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      30 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.c.Logger.Handler(), slog.LevelWarn),
	}

	failed := make(chan error, 2)
	go func() {
		s.awaitKeys(ctx)
		failed <- fmt.Errorf("listen.extauthz: %w", rpc.Serve(checks))
	}()
	go func() { failed <- fmt.Errorf("listen.http: %w", web.Serve(http1)) }()
	watched := make(chan struct{})
	watch, stopWatching := context.WithCancel(ctx)
	go func() { defer close(watched); s.watch(watch, state) }()

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.stopping.Store(true)
	stopWatching()
	<-watched
	state.Shutdown() // NOT_SERVING for good, so Envoy's health checks turn away first
	s.drain(rpc, drain)
	web.Close()
	return errors.Join(err, s.Event(context.WithoutCancel(ctx), "stop", nil))
}

// awaitKeys waits for the keys of every issuer, for at most keysWait: a gateway that has just started would else call good tokens
// invalid, while one that does not answer yet is a 503 at Envoy. An issuer that stays away is no reason to keep the others out.
func (s *Server) awaitKeys(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, keysWait)
	defer cancel()
	for s.c.Keys.Ready() != nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(keysInterval):
		}
	}
}

// drain lets checks under way finish, for at most d.
func (s *Server) drain(rpc *grpc.Server, d time.Duration) {
	done := make(chan struct{})
	go func() { defer close(done); rpc.GracefulStop() }()
	select {
	case <-done:
	case <-time.After(d):
		s.c.Logger.Warn("checks still under way at the drain deadline were cut", "deadline", d)
		rpc.Stop()
		<-done
	}
}

func report(state *health.Server, ready bool) {
	serving := healthv1.HealthCheckResponse_NOT_SERVING
	if ready {
		serving = healthv1.HealthCheckResponse_SERVING
	}
	state.SetServingStatus("", serving)
	state.SetServingStatus(extauthz.Service, serving)
}

// watch keeps grpc.health.v1 at what Status says.
func (s *Server) watch(ctx context.Context, state *health.Server) {
	tick := time.NewTicker(healthInterval)
	defer tick.Stop()
	for {
		report(state, s.Status(ctx).Ready)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
