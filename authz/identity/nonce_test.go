package identity_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/identity"
)

// TestAProofHoldsTheGatewaysNonceWhereTheIssuerAsksForIt: a refusal tells the client which (RFC 9449 §9), and with that it gets in.
func TestAProofHoldsTheGatewaysNonceWhereTheIssuerAsksForIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit(t, `"source": "the synthetic treaty",`, `"dpop_nonce": true, "source": "the synthetic treaty",`)
	w.now = noon.Truncate(2 * time.Minute)
	c := newClient(w, newECKey("c"))
	ask := func(jti string, edit map[string]any) (nonce string, reason authz.Reason) {
		t.Helper()
		claims := map[string]any{"iat": w.now.Unix()}
		for k, v := range edit {
			claims[k] = v
		}
		s, err := w.verifier.Verify(context.Background(), c.request(jti, claims))
		var r *authz.Refusal
		if errors.As(err, &r) {
			return r.Nonce, r.Reason
		}
		if s.Properties.Assurance.Binding != "dpop" {
			t.Errorf("binding %q", s.Properties.Assurance.Binding)
		}
		return "", ""
	}
	first, reason := ask("1", nil)
	if reason != authz.IdentityBinding || first == "" {
		t.Fatalf("without a nonce: refused for %q, told nonce %q", reason, first)
	}
	if _, reason := ask("1", map[string]any{"nonce": first}); reason != "" {
		t.Errorf("with the nonce, and the jti of a proof that was not taken: refused for %q", reason)
	}
	if told, reason := ask("2", map[string]any{"nonce": "." + first[1:]}); reason != authz.IdentityBinding || told != first {
		t.Errorf("with another's nonce: refused for %q, told %q", reason, told)
	}
	w.now = w.now.Add(2*time.Minute - time.Second)
	if _, reason := ask("3", map[string]any{"nonce": first}); reason != "" {
		t.Errorf("in the same period: refused for %q", reason)
	}
	w.now = w.now.Add(2 * time.Minute)
	if _, reason := ask("4", map[string]any{"nonce": first}); reason != "" {
		t.Errorf("in the period after: refused for %q", reason)
	}
	w.now = w.now.Add(time.Second)
	second, reason := ask("5", map[string]any{"nonce": first})
	if reason != authz.IdentityBinding || second == "" || second == first {
		t.Errorf("when it is too old: refused for %q, told %q after %q", reason, second, first)
	}
	if _, reason := ask("6", map[string]any{"nonce": 7}); reason != authz.IdentityBinding {
		t.Errorf("a nonce that is a number: refused for %q", reason)
	}
	other := identity.NewKeys(identity.KeysConfig{})
	defer other.Close()
	if other.Nonce(w.now) == second {
		t.Error("two processes give out one nonce: it can be guessed")
	}
}

func TestAClientIsToldANonceOnlyWhenNothingElseIsWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit(t, `"source": "the synthetic treaty",`, `"dpop_nonce": true, "source": "the synthetic treaty",`)
	c := newClient(w, newECKey("c"))
	for name, req := range map[string]authz.Request{
		"another URL":     c.request("1", map[string]any{"htu": "https://storage.sallyport.test/"}),
		"another's token": c.request("1", map[string]any{"ath": "AAAA"}),
		"no proof":        c.asking(""),
	} {
		_, err := w.verifier.Verify(context.Background(), req)
		var r *authz.Refusal
		if !errors.As(err, &r) || r.Reason != authz.IdentityBinding || r.Nonce != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
