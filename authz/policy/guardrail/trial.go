package guardrail

import (
	"github.com/sallyport-dev/sallyport/authz"
)

// trial is one thing that an invariant says of a policy.
type trial struct {
	id      string // of the invariant
	what    string // what is asked, in words
	want    want
	check   authz.Reason // with denies: the check that must be unproven
	point                // asked
	patches []patch      // by which it came from a witness
	base    point        // with notMore, same and seenSame: compared with
	also    *point       // with notMore: it says something only where this is allowed
}

type want int

const (
	denies   want = iota // the answer is no, and check is unproven
	allows               // the answer is yes
	notMore              // a yes only if base is answered yes
	same                 // base has the same answer
	seenSame             // whoever asks sees the same of base
	rooted               // its reasons are the root causes of what is unproven
)

// book collects trials.
type book struct{ trials []trial }

// deny says that w must be denied after patches, with check unproven.
func (b *book) deny(id string, w witness, check authz.Reason, what string, patches ...patch) {
	b.trials = append(b.trials, trial{id: id, what: w.name + ", " + what, want: denies, check: check, point: w.with(patches...), patches: patches})
}

// equal says that patches change nothing about w's decision.
func (b *book) equal(id string, w witness, what string, patches ...patch) {
	b.trials = append(b.trials, trial{id: id, what: w.name + ", " + what, want: same, point: w.with(patches...), base: w.point})
}

func (b *book) allow(w witness) {
	b.trials = append(b.trials, trial{id: "I-31", what: w.name, want: allows, point: w.point})
}
