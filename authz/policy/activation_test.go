package policy_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

func TestWhatTheGatewayAsksOfABundle(t *testing.T) {
	t.Parallel()
	type facts struct {
		One, Two  bool
		Controls  map[string][]string
		Freshness authz.Freshness
	}
	ask := func(b *policy.Bundle) facts {
		return facts{b.HasEnclave("one"), b.HasEnclave("two"), b.Controls(), b.Freshness(time.Date(2026, 1, 1, 0, 1, 0, 0, time.UTC))}
	}
	whole, err := policy.Load(folder(t))
	if err != nil {
		t.Fatal(err)
	}
	minute, serial := int64(60), int64(1)
	controls := map[string][]string{"label.missing": {"AC-16"}, "clearance.level": {"AC-3"}, "system.timeout": {"SC-24"}}
	want := facts{true, false, controls, authz.Freshness{BundleAge: &minute, RevocationSerial: &serial, RevocationAge: &minute}}
	if d := cmp.Diff(want, ask(whole)); d != "" {
		t.Errorf("of the world (-want +got):\n%s", d)
	}
	bare, err := policy.Load(folder(t, drop("root/revocations/data.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	want.Freshness = authz.Freshness{BundleAge: &minute}
	if d := cmp.Diff(want, ask(bare)); d != "" {
		t.Errorf("without revocations (-want +got):\n%s", d)
	}
}
