package identity_test

import (
	"context"
	"testing"
)

// BenchmarkVerify is one whole verification: of a token that was not seen before, of which the ES256 signature is most, and of one
// that is remembered.
func BenchmarkVerify(b *testing.B) {
	w := newWorld(b)
	req := bearer(w.token("sam"))
	for _, c := range []struct {
		name  string
		after func()
	}{{"new", w.verifier.Forget}, {"remembered", func() {}}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.verifier.Verify(context.Background(), req); err != nil {
					b.Fatal(err)
				}
				c.after()
			}
		})
	}
}
