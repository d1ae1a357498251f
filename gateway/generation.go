package gateway

import (
	"context"
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
}

// Activate makes b the law for every request that begins from now on, or changes nothing and returns why.
func (s *Server) Activate(ctx context.Context, b *policy.Bundle) error {
	if err := s.c.Log.Use(b.Tenants()); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	g, err := s.build(ctx, b)
	result := metrics.Activated
	if err != nil {
		result = metrics.Refused
	}
	s.c.Metrics.Activate(b.Ref(), b.Expires(), b.Tenants(), b.Controls(), result)
	if err != nil {
		return err
	}
	s.c.Keys.Use(g.identity)
	old := s.generation.Swap(g)
	if old != nil {
		// Requests that began under the old generation still use it; none outlives the decision timeout by this much.
		time.AfterFunc(time.Minute, old.engine.Close)
	}
	return s.Event(ctx, "activation", map[string]string{"revision": b.Ref().Revision, "digest": b.Ref().Digest})
}

func (s *Server) build(ctx context.Context, b *policy.Bundle) (*generation, error) {
	for _, id := range s.c.Enclaves {
		if !b.HasEnclave(id) {
			return nil, fmt.Errorf("config: enclaves: the bundle has no enclave %q: name one of its enclaves", id)
		}
	}
	verifier, err := identity.New(identity.Config{
		Tenants: b.Document("tenants"), Issuers: b.Document("issuers"), Schemes: b.Document("schemes"),
		Audiences: append(slices.Clone(s.c.Enclaves), s.c.ID),
		Keys:      s.c.Keys,
		Now:       func() time.Time { now, _ := s.clock.now(); return now },
	})
	if err != nil {
		return nil, err
	}
	catalogue, err := resource.New(b.Document("tenants"), resource.Limits{Accesses: s.c.MaxAccesses})
	if err != nil {
		return nil, err
	}
	engine, err := policy.New(ctx, b, policy.Config{Timeout: s.c.DecisionTimeout})
	if err != nil {
		return nil, err
	}
	return &generation{bundle: b, identity: verifier, catalogue: catalogue, engine: engine}, nil
}
