package oracle_test

import (
	"testing"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

// combine returns every combination of values of the axes, over a point.
func combine(from func() authz.Input, axes ...axis) []authz.Input {
	f := family{from: from, axes: axes}
	all := make([]authz.Input, f.size())
	for i := range all {
		all[i] = f.point(i)
	}
	return all
}

// TestNoCopyMakesAReaderOfAnyOfManyLabels is the copy theorem, tried on every pair of some hundred labels: whoever can read the
// target of an allowed copy could read its source.
func TestNoCopyMakesAReaderOfAnyOfManyLabels(t *testing.T) {
	w := open(t, gridWorld)
	readers := combine(w.read, clearances.pick(0, 3, 5, 9, 10, 11, 12, 14, 16, 17, 19), whose.pick(0, 1, 4, 12), nationalities.pick(0, 1))
	labelled := combine(w.read, levels.pick(0, 1, 2), categories.pick(0, 1, 2, 4, 5, 7), releases.pick(0, 2, 3), displays.pick(0, 2), created.pick(0, 3, 7))
	reads := make([][]bool, len(labelled)) // by label and reader
	for i, at := range labelled {
		reads[i] = make([]bool, len(readers))
		for k, who := range readers {
			at.Subject = who.Subject
			reads[i][k] = w.ask(t, policy.Wasm, at).Allow
		}
	}
	copies, broken := 0, 0
	for i, source := range labelled {
		for k, target := range labelled {
			in := w.create()
			in.Resource.Properties = target.Resource.Properties
			in.Action.Properties.From = []authz.Origin{origin(in, source.Resource.Properties.Labels[0])}
			if d := w.oracle.Decide(in); !flows(d) {
				continue
			}
			copies++
			for r, who := range readers {
				if reads[k][r] && !reads[i][r] && flows(w.ask(t, policy.Wasm, in)) {
					if broken++; broken < 5 {
						t.Errorf("%+v of %s reads the target and not the source\nsource %+v\ntarget %+v", who.Subject.Properties.Clearances, who.Subject.ID,
							source.Resource.Properties.Labels, target.Resource.Properties.Labels)
					}
				}
			}
		}
	}
	if t.Logf("%d labels, %d copies, %d readers", len(labelled), copies, len(readers)); copies <= len(labelled) || broken > 0 {
		t.Errorf("%d copies, %d of which make a reader", copies, broken)
	}
}

// flows says that nothing but the copier stands before a copy.
func flows(d authz.Decision) bool {
	for _, id := range d.Unproven {
		switch id {
		case "flow.write_down", "label.unknown", "label.invalid", "enclave.ceiling", "jurisdiction.residency", "jurisdiction.legal_control":
			return false
		}
	}
	return true
}
