package gateway

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
)

// TestATenantThatHidesItsPeopleHasNoneInItsLog goes from the tenant's document to the line in its log.
func TestATenantThatHidesItsPeopleHasNoneInItsLog(t *testing.T) {
	t.Parallel()
	g := start(t, edited(t, hides))
	got, _ := check(t, client(t, g.Server, nil), ask("GET", plans, token(t, "SECRET")))
	if diff := cmp.Diff(passes, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r := g.decisions(t)["us-defense"][0]
	if r.Subject.ID != "" || string(r.Subject.Evidence.Claims) != "null" || strings.Contains(string(r.Accesses[0].Input), `"id":"usa|`) {
		t.Errorf("the record names the person: %+v", r)
	}
	if r.MaskingError != "" || r.Masked["/subject/id"] == "" || r.Accesses[0].Masked["/input/subject/id"] == "" || r.Accesses[0].Replay != "openings" {
		t.Errorf("the record has no commitments: %+v", r)
	}
}

// TestWherePolicyDoesNotSpeakEverythingIsHidden: of a tenant that hides something, since nobody then says what.
func TestWherePolicyDoesNotSpeakEverythingIsHidden(t *testing.T) {
	t.Parallel()
	for name, edits := range map[string][]edit{"it hides something": {hides, slow}, "it hides nothing": {slow}} {
		t.Run(name, func(t *testing.T) {
			g := start(t, edited(t, edits...), func(c *Config) { c.DecisionTimeout = 300 * time.Millisecond })
			check(t, client(t, g.Server, nil), ask("GET", plans, token(t, "SECRET")))
			r := g.decisions(t)["us-defense"][0]
			if diff := cmp.Diff([]authz.Reason{"system.timeout"}, r.Reasons); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if hidden := r.Accesses[0].Resource == "" && r.MaskingError != ""; hidden != (len(edits) == 2) {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestARecordSaysWhatItsDecisionRestsOn(t *testing.T) {
	t.Parallel()
	g := start(t, world)
	check(t, client(t, g.Server, nil), ask("GET", plans, token(t, "SECRET")))
	r := g.decisions(t)["us-defense"][0]
	f := r.Facts
	if f == nil || f.BundleAge == nil || *f.BundleAge <= 0 || f.RevocationSerial == nil || f.RevocationAge == nil || *f.RevocationAge <= 0 ||
		f.KeysAge == nil || *f.KeysAge < 0 || *f.KeysAge > 3600 {
		t.Errorf("facts: %+v", f)
	}
	if f.ClockFloor == nil || f.ClockFloor.Source != "revocations" || f.ClockFloor.Time.IsZero() || r.Clock != "trusted" {
		t.Errorf("clock %q, floor %+v", r.Clock, f.ClockFloor)
	}
}
