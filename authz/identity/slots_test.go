package identity_test

import (
	"context"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/authz"
)

func TestAFullPoolDeniesNewTokensOfItsIssuerOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	known := bearer(w.token("sam"))
	if got, _ := refused(t, w.verifier, known); got != "" {
		t.Fatalf("refused for %q", got)
	}
	free := w.verifier.Occupy(w.base + "/usa")
	fresh := bearer(w.token("sam", map[string]any{"jti": "token-2"}))
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		name string
		req  authz.Request
		want authz.Reason
	}{
		{"a new token of the issuer", fresh, authz.SystemOverloaded},
		{"garbage under a kid of the issuer", bearer(forged(w.token("sam"))), authz.SystemOverloaded},
		{"a kid that the issuer does not have, which needs no slot", bearer(floodToken(w, 1)), authz.IdentityInvalid},
		{"a remembered token of the issuer", known, ""},
		{"a new token of another issuer", bearer(w.token("gina")), ""},
	} {
		if got, detail := refused(t, w.verifier, c.req); got != c.want {
			t.Errorf("%s is refused for %q (%s), want %q", c.name, got, detail, c.want)
		}
	}
	if _, err := w.verifier.Verify(cancelled, fresh); err == nil {
		t.Error("a request without time is let in")
	}
	free()
	if got, detail := refused(t, w.verifier, fresh); got != "" {
		t.Errorf("once slots are free the token is refused for %q (%s)", got, detail)
	}
}

// BenchmarkVerifyUnderAttack is a new token of one issuer while another's slots are filled with ES384 garbage.
func BenchmarkVerifyUnderAttack(b *testing.B) {
	w := newWorld(b)
	es384 := usaKeys()["ES384"]
	garbage := bearer(b64(text(map[string]any{"alg": "ES384", "kid": es384.kid, "typ": "at+jwt"})) + "." + b64(text(w.claims("sam"))) + "." + b64(strings.Repeat("s", 96)))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	const attackers = 16
	for range attackers {
		go func() {
			for ctx.Err() == nil {
				_, _ = w.verifier.Verify(ctx, garbage)
			}
			ended <- struct{}{}
		}()
	}
	req := bearer(w.token("gina"))
	for b.Loop() {
		if _, err := w.verifier.Verify(context.Background(), req); err != nil {
			b.Fatal(err)
		}
		w.verifier.Forget()
	}
	stop()
	for range attackers {
		<-ended
	}
}
