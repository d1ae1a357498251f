// Package gateway is one request's way from Envoy's question to Envoy's answer: Server.Check calls the steps in order, each over
// the same immutable generation of the bundle, and commits what came out. It also owns what surrounds that: generations,
// readiness, the listener that only Envoy may use, and shutdown.
//
// Invariants: every way through Check goes through authz.Commit, so no answer leaves without a durable record, except the denial
// that says the log has failed; an error of a step is a deny with that step's reason; a panic is system.internal.
//
// Non-goals: no policy, cryptography or parsing lives here.
package gateway

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/grant"
	"github.com/sallyport-dev/sallyport/authz/identity"
	"github.com/sallyport-dev/sallyport/authz/policy"
	"github.com/sallyport-dev/sallyport/gateway/extauthz"
	"github.com/sallyport-dev/sallyport/metrics"
)

// commitTimeout bounds Commit, which must not end with the caller: a decision that Envoy no longer waits for is recorded too.
const commitTimeout = time.Second

// eventTimeout bounds the record of an event, which nobody waits for at Envoy.
const eventTimeout = 10 * time.Second

// Config is what a Server is made of. All fields are required but TLS, Denials, Services and Insecure.
type Config struct {
	ID       string
	Enclaves []string
	Keys     *identity.Keys
	Denials  *identity.Denials // nil revokes nothing beyond the bundle
	Storage  *grant.Storage
	Services *grant.Services // nil grants nothing for services
	TLS      *TLS            // nil for a unix socket, whose peers the kernel vouches for
	Log      Log
	Metrics  *metrics.Metrics
	Logger   *slog.Logger

	Engine          string // policy.Wasm or policy.Topdown; default Wasm
	MaxAccesses     int
	DecisionTimeout time.Duration
	Insecure        []string  // settings that weaken the gateway, to be shown
	Last            time.Time // of the last record in the gateway's log: a time that has passed; zero is unknown
}

// Log is authz.Log, and what the gateway must know of it: which tenants it keeps records for, and whether it can.
type Log interface {
	authz.Log
	Use(tenants []string) error
	Ready() error
}

// Server answers Envoy. It is safe for concurrent use.
type Server struct {
	c          Config
	clock      clock
	activating sync.Mutex // lets one Activate or Close run at a time; guards retired
	retired    map[*policy.Engine]*time.Timer
	generation atomic.Pointer[generation] // swapped whole; nil before the first Activate and after Close
	distrusted atomic.Bool                // the policy engines have disagreed, see engine
	stopping   atomic.Bool                // Serve drains
	grants     probe
}

// New returns a Server that denies everything until a bundle is activated.
func New(c Config) *Server {
	s := &Server{c: c, clock: newClock(), retired: map[*policy.Engine]*time.Timer{}, grants: probe{err: errors.New("not tried yet")}}
	s.clock.raise(c.Last, floorLog)
	return s
}

// Check decides one request and answers it: the steps, then Commit, then the answer that Commit allows.
func (s *Server) Check(ctx context.Context, req authz.Request) extauthz.Answer {
	d := s.begin(req)
	sealed, err := s.judge(ctx, d)
	record, nonce := s.finish(d, err), nonceOf(err)

	commit, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	start := time.Now()
	granted, err := s.commit(commit, record, sealed)
	s.c.Metrics.Step("commit", time.Since(start))
	if errors.Is(err, authz.ErrNotRecorded) {
		s.c.Logger.Error("decision not recorded", "decision_id", record.DecisionID, "error", err)
		record.Allow, record.Reasons = false, []authz.Reason{authz.SystemAuditUnavailable}
		record.Unproven = record.Reasons
	}
	s.c.Metrics.Append(time.Since(start), !errors.Is(err, authz.ErrNotRecorded))
	s.c.Metrics.Decision(record)
	s.c.Metrics.Step("total", time.Since(req.Received))
	if err != nil {
		return extauthz.Deny(record, req.Extensions["service"]).WithNonce(nonce)
	}
	return extauthz.Allow(granted)
}

// nonceOf returns the nonce that a client is told to use, "" if err is about something else.
func nonceOf(err error) string {
	if refusal := (*authz.Refusal)(nil); errors.As(err, &refusal) {
		return refusal.Nonce
	}
	return ""
}

// judge runs the steps up to the sealed credential. What it learns goes into d; why it stopped is its error, nil if policy allows.
func (s *Server) judge(ctx context.Context, d *decision) (sealed authz.Sealed, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.c.Logger.Error("panic in a decision", "decision_id", d.id, "panic", fmt.Sprint(p))
			sealed, err = authz.Sealed{}, authz.Refuse(authz.SystemInternal, "panic")
		}
	}()
	if d.generation == nil {
		return authz.Sealed{}, authz.Refuse(authz.SystemInternal, "no bundle is active")
	}
	if d.req.Problem != nil {
		return authz.Sealed{}, d.req.Problem
	}
	timed := s.timer()
	subject, err := d.generation.identity.Verify(ctx, d.req)
	timed("verify")
	if err != nil {
		return authz.Sealed{}, err
	}
	d.subject = &subject
	resolution, err := d.generation.catalogue.Resolve(d.req)
	timed("resolve")
	if err != nil {
		return authz.Sealed{}, err
	}
	d.resolution = resolution
	d.outcomes, err = d.generation.engine.Decide(ctx, subject, s.context(d), resolution.Accesses)
	timed("decide")
	if err != nil {
		return authz.Sealed{}, err
	}
	if d.wantsLabels() {
		err = s.judgeLabels(ctx, d)
		timed("labels")
		if err != nil {
			return authz.Sealed{}, err
		}
	}
	if err := d.denied(); err != nil {
		return authz.Sealed{}, err
	}
	sealed, err = s.prepare(d)
	timed("prepare")
	return sealed, err
}

// finish writes the record of d. Where even that panics, a record says so and no more: there is none without, and it allows nothing.
func (s *Server) finish(d *decision, err error) (r authz.Record) {
	defer func() {
		if p := recover(); p != nil {
			s.c.Logger.Error("panic in a record", "decision_id", d.id, "panic", fmt.Sprint(p))
			d.generation, d.subject, d.resolution, d.outcomes = nil, nil, authz.Resolution{}, nil
			r = d.finish(authz.Refuse(authz.SystemInternal, "panic in a record"))
		}
	}()
	return d.finish(err)
}

// prepare seals what d's upstream wants to see.
func (s *Server) prepare(d *decision) (authz.Sealed, error) {
	authority := d.subject.Evidence.Expires.Time
	switch service := d.resolution.Service; {
	case service == "s3":
		return s.c.Storage.Prepare(d.resolution.Upstream, d.id, d.now, authority)
	case (service == "jobs" || service == "http" || service == "grpc") && s.c.Services != nil:
		return s.c.Services.Prepare(d.resolution, d.subject.ID, d.id, d.now, authority)
	default:
		return authz.Sealed{}, authz.Refuse(authz.SystemGrantUnavailable, "this gateway makes no grants for "+service)
	}
}

// commit is authz.Commit, whose log may panic: then nobody knows what is recorded.
func (s *Server) commit(ctx context.Context, r authz.Record, sealed authz.Sealed) (g authz.Grant, err error) {
	defer func() {
		if p := recover(); p != nil {
			g, err = authz.Grant{}, fmt.Errorf("%w: panic: %v", authz.ErrNotRecorded, p)
		}
	}()
	return authz.Commit(ctx, s.c.Log, r, sealed)
}

// timer returns a function that observes the time since its last call as the duration of a step.
func (s *Server) timer() func(step string) {
	last := time.Now()
	return func(step string) {
		now := time.Now()
		s.c.Metrics.Step(step, now.Sub(last))
		last = now
	}
}

// context is what policy sees beside subject and access.
func (s *Server) context(d *decision) authz.Context {
	c := authz.Context{
		Time:      authz.At(d.now),
		Gateway:   authz.Gateway{ID: s.c.ID, Enclaves: s.c.Enclaves},
		Source:    authz.Source{Basis: "unknown"},
		Freshness: d.generation.bundle.Freshness(d.now),
		Approvals: d.subject.Approvals,
		Purpose:   d.subject.Purpose,
	}
	c.Freshness.Clock = d.clock
	if a := d.req.Peer.Address; a != "" {
		c.Source.Address = &a
	}
	if p := d.req.Peer.Principal; p != "" {
		c.Source.Principal = &p
	}
	if l := d.subject.Location; l != "" {
		c.Source.Country, c.Source.Basis = &l, "claim"
	}
	return c
}

// Event appends a record of something that the gateway did (type start, stop, …) to its own log.
func (s *Server) Event(ctx context.Context, kind string, fields map[string]string) error {
	var ref authz.BundleRef
	if g := s.generation.Load(); g != nil {
		ref = g.bundle.Ref()
	}
	return s.event(ctx, kind, ref, fields)
}

func (s *Server) event(ctx context.Context, kind string, ref authz.BundleRef, fields map[string]string) error {
	ctx, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	now, state := s.clock.now()
	r := authz.Record{
		Type: kind, DecisionID: randomHex(), Time: authz.At(now), Clock: state, Marking: unmarked,
		Gateway: authz.Gateway{ID: s.c.ID, Enclaves: s.c.Enclaves},
		Reasons: []authz.Reason{}, Unproven: []authz.Reason{}, Bundle: ref, Fields: fields,
	}
	if err := s.c.Log.Append(ctx, r); err != nil {
		return fmt.Errorf("%s not recorded: %w", kind, err)
	}
	return nil
}

// randomHex returns 128 random bits.
func randomHex() string {
	var b [16]byte
	rand.Read(b[:]) // never fails, see crypto/rand
	return hex.EncodeToString(b[:])
}
