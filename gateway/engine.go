package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

// engine is how the next generation evaluates: as the config says, until the engines have once disagreed.
func (s *Server) engine() string {
	if s.distrusted.Load() {
		return policy.Topdown
	}
	return s.c.Engine
}

// disagreed makes known that the two engines did not decide the same. The input is in the log of the decision's tenant; here, where
// other tenants' eyes are, is only its digest.
func (s *Server) disagreed(ref authz.BundleRef, d policy.Disagreement) {
	s.distrusted.Store(true)
	s.c.Metrics.Disagreement()
	input := sha256.Sum256(d.Input)
	fields := map[string]string{"input_sha256": hex.EncodeToString(input[:]), "decisions": d.String()}
	s.c.Logger.Error("the policy engines disagree: topdown alone decides from now on; report this, with the input from the decision log", "bundle", ref.Digest,
		"input_sha256", fields["input_sha256"], "decisions", fields["decisions"])
	if err := s.event(context.Background(), "disagreement", ref, fields); err != nil {
		s.c.Logger.Error("event not recorded", "error", err)
	}
}
