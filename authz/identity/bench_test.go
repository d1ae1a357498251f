package identity_test

import (
	"context"
	"testing"
)

// BenchmarkVerify is one whole verification; the ES256 signature is most of it.
func BenchmarkVerify(b *testing.B) {
	w := newWorld(b)
	req := bearer(w.token("sam"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.verifier.Verify(context.Background(), req); err != nil {
			b.Fatal(err)
		}
	}
}
