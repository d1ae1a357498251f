package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport-dev/sallyport/authz/identity"
	"github.com/sallyport-dev/sallyport/authz/policy"
	"github.com/sallyport-dev/sallyport/authz/resource"
	"github.com/sallyport-dev/sallyport/metrics"
)

// generation is everything that a decision depends on, from one bundle, immutable: a request loads it once and uses it to its
// end. Each step parses the documents of the bundle that it owns.
type generation struct {
	bundle    *policy.Bundle
	identity  *identity.Verifier
	catalogue *resource.Catalogue
	engine    *policy.Engine
	controls  map[string][]string // reason id → controls that it is evidence for
	masks     map[string]bool     // tenants whose records hide something
}

// ErrBundle says that a bundle is no law that this gateway can use. Other errors of Activate are about its config or its log.
var ErrBundle = errors.New("bundle refused")

// Activate makes b the law for every request that begins from now on, or changes nothing and returns why. The record of it is
// durable before b judges anything.
func (s *Server) Activate(ctx context.Context, b *policy.Bundle) error {
	s.activating.Lock()
	defer s.activating.Unlock()
	old := s.generation.Load()
	g, err := s.build(ctx, b)
	if err == nil {
		fields := map[string]string{"revision": b.Ref().Revision, "digest": b.Ref().Digest}
		if err = s.event(ctx, "activation", b.Ref(), fields); err != nil {
			g.engine.Close()
		}
	}
	if err != nil {
		if old != nil {
			s.c.Keys.Use(old.identity) // forget issuers that only b names, or they would count in readiness
		}
		s.c.Metrics.Activate(b.Ref(), b.Expires(), b.Tenants(), b.Controls(), metrics.Refused)
		return err
	}
	s.c.Metrics.Activate(b.Ref(), b.Expires(), b.Tenants(), b.Controls(), metrics.Activated)
	s.c.Keys.Use(g.identity)
	s.clock.raise(b.RevocationsIssued(), floorRevocations)
	s.generation.Store(g)
	if old != nil {
		s.retire(old.engine)
	}
	return nil
}

// retire closes an engine later: requests that began under its generation still use it, though none for as long as this. The
// caller holds s.activating.
func (s *Server) retire(e *policy.Engine) {
	s.retired[e] = time.AfterFunc(time.Minute, func() {
		s.activating.Lock()
		defer s.activating.Unlock()
		delete(s.retired, e)
		e.Close()
	})
}

// build makes a generation of b. What reaches beyond it, the logs of new tenants and the keys of new issuers, comes last.
func (s *Server) build(ctx context.Context, b *policy.Bundle) (*generation, error) {
	for _, id := range s.c.Enclaves {
		if !b.HasEnclave(id) {
			return nil, fmt.Errorf("enclaves: the bundle %s has no enclave %q: name one of its enclaves in the config", b.Ref().Revision, id)
		}
	}
	if err := s.takesNothingBack(b); err != nil {
		return nil, err
	}
	catalogue, err := resource.New(resource.Documents{
		Tenants: b.Document("tenants"), Schemes: b.Document("schemes"), Services: b.Document("services"),
	}, resource.Limits{Accesses: s.c.MaxAccesses})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	engine, err := policy.New(ctx, b, policy.Config{
		Engine: s.engine(), Timeout: s.c.DecisionTimeout,
		OnDisagreement: func(d policy.Disagreement) { s.disagreed(b.Ref(), d) },
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	if err := s.c.Log.Use(b.Tenants()); err != nil {
		engine.Close()
		return nil, err
	}
	verifier, err := identity.New(identity.Config{
		Tenants: b.Document("tenants"), Issuers: b.Document("issuers"), Schemes: b.Document("schemes"),
		Revoked:   b.Document("revocations"),
		Audiences: append(slices.Clone(s.c.Enclaves), s.c.ID),
		Keys:      s.c.Keys,
		Denials:   s.c.Denials,
		Now:       func() time.Time { now, _ := s.clock.now(); return now },
	})
	if err != nil {
		engine.Close()
		return nil, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	return &generation{bundle: b, identity: verifier, catalogue: catalogue, engine: engine, controls: b.Controls(), masks: b.Masks()}, nil
}

// takesNothingBack refuses a bundle whose list of revocations is older than that in force: what was revoked would count again. A list
// is whole, so one that was skipped is missed by nobody.
func (s *Server) takesNothingBack(b *policy.Bundle) error {
	old := s.generation.Load()
	if old == nil {
		return nil
	}
	was, is := old.bundle.Freshness(time.Time{}).RevocationSerial, b.Freshness(time.Time{}).RevocationSerial
	if was == nil || is != nil && *is >= *was {
		return nil
	}
	return fmt.Errorf("%w: its revocations are older than serial %d, which is in force: bring that list up to date", ErrBundle, *was)
}

// Close ends what judges: every later check is denied. Requests under way finish.
func (s *Server) Close() {
	s.activating.Lock()
	defer s.activating.Unlock()
	if g := s.generation.Swap(nil); g != nil {
		g.engine.Close()
	}
	for e, timer := range s.retired {
		timer.Stop()
		e.Close()
	}
	clear(s.retired)
}
