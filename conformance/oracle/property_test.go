package oracle_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

// somewhere draws a point up to six steps away from an allowed one: further than the grid goes.
func (w *world) somewhere(t *rapid.T) authz.Input {
	in := rapid.SampledFrom([]func() authz.Input{w.read, w.create, w.operate, w.partner, w.job}).Draw(t, "base")()
	for range rapid.IntRange(0, 6).Draw(t, "steps") {
		rapid.SampledFrom(every).Draw(t, "step")(&in)
	}
	return in
}

func TestTheOracleAndThePolicyAgreeFarFromTheGrid(t *testing.T) {
	w := open(t, gridWorld)
	rapid.Check(t, func(t *rapid.T) {
		in := w.somewhere(t)
		got, want := w.ask(t, policy.Wasm, in), w.oracle.Decide(in)
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("(-oracle +policy):\n%s", d)
		}
	})
}

func TestAnAllowIsNothingUnprovenAndADenialHasARootCause(t *testing.T) {
	w := open(t, gridWorld)
	rapid.Check(t, func(t *rapid.T) {
		d := w.ask(t, policy.Wasm, w.somewhere(t))
		if d.Allow != (len(d.Unproven) == 0) || d.Allow != (len(d.Reasons) == 0) {
			t.Fatalf("allow %v, unproven %v, reasons %v", d.Allow, d.Unproven, d.Reasons)
		}
	})
}

// A change that takes something from the subject, or adds something to the data, never turns a denial into an allow. Writes are held
// to what the session has seen instead, so what binds the target may be what a write needs.
func TestNothingThatIsTakenAwayAllows(t *testing.T) {
	w := open(t, gridWorld)
	for name, change := range map[string]func(*rapid.T, *authz.Input){
		"a clearance": func(_ *rapid.T, in *authz.Input) {
			if c := in.Subject.Properties.Clearances; len(c) > 0 {
				in.Subject.Properties.Clearances = slices.Delete(slices.Clone(c), 0, 1)
			}
		},
		"a level of a clearance": func(_ *rapid.T, in *authz.Input) {
			if c := slices.Clone(in.Subject.Properties.Clearances); len(c) > 0 && len(c[0].Levels) > 0 {
				c[0].Levels = c[0].Levels[1:]
				in.Subject.Properties.Clearances = c
			}
		},
		"the categories of a clearance": func(_ *rapid.T, in *authz.Input) {
			if c := slices.Clone(in.Subject.Properties.Clearances); len(c) > 0 {
				c[0].Categories = map[string][]string{}
				in.Subject.Properties.Clearances = c
			}
		},
		"nationalities and communities": func(_ *rapid.T, in *authz.Input) {
			in.Subject.Properties.Nationalities, in.Subject.Properties.Communities = names(), names()
		},
		"approvals": func(_ *rapid.T, in *authz.Input) { in.Context.Approvals = []authz.Approval{} },
		"what the issuer may say": func(t *rapid.T, in *authz.Input) {
			rapid.SampledFrom(cuts[1:]).Draw(t, "cut")(in)
		},
		"readers, by one more label": func(_ *rapid.T, in *authz.Input) {
			if p := &in.Resource.Properties; in.Action.Name == "read" && len(p.Labels) > 0 {
				p.Labels = append(slices.Clone(p.Labels), label("HIGH"))
			}
		},
		"the authority of the chain, by one more member": func(_ *rapid.T, in *authz.Input) {
			in.Subject.Properties.Via = append(slices.Clone(in.Subject.Properties.Via), via(nor("LOW"))...)
		},
		"the trust in the clock": func(_ *rapid.T, in *authz.Input) { in.Context.Freshness.Clock = "unknown" },
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				in := w.somewhere(t)
				if !slices.Contains([]string{"read", "list", "execute", "delete"}, in.Action.Name) || in.Subject.Properties.Cut == nil || in.Subject.Properties.Via == nil {
					t.Skip("not about reads")
				}
				before := w.ask(t, policy.Wasm, in)
				cut := len(in.Subject.Properties.Cut) > 0
				change(t, &in)
				if after := w.ask(t, policy.Wasm, in); after.Allow && !before.Allow && !cut {
					t.Fatalf("was denied for %v", before.Reasons)
				}
			})
		})
	}
}

// Nationalities that a subject holds beside those that count, and how lists are ordered, decide nothing; nor does his name, unless an
// approval or a revocation names him.
func TestNamesAndOrderDecideNothing(t *testing.T) {
	w := open(t, gridWorld)
	rapid.Check(t, func(t *rapid.T) {
		in := w.somewhere(t)
		before := w.ask(t, policy.Wasm, in)
		if c := in.Resource.Properties.Constraints; c == nil || c.Export == nil || c.Export.Mode == "none" { // else a licence may ask for them
			in.Subject.Properties.HeldNationalities = names("RUS")
		}
		in.Subject.Properties.Clearances = slices.Clone(in.Subject.Properties.Clearances)
		slices.Reverse(in.Subject.Properties.Clearances)
		if in.Action.Name == "read" {
			in.Resource.Properties.Labels = slices.Clone(in.Resource.Properties.Labels)
			slices.Reverse(in.Resource.Properties.Labels)
		}
		if in.Subject.ID == "nor|nils" {
			in.Subject.ID = "nor|nina"
		}
		if d := cmp.Diff(before, w.ask(t, policy.Wasm, in)); d != "" {
			t.Fatalf("(-before +after):\n%s", d)
		}
	})
}
