package guardrail

// trials makes what is tried: in the invented world everything, and of the bundle's own accesses those that are allowed.
func (s *scope) trials(l *lab) ([]trial, error) {
	var points []point
	for _, w := range s.own {
		points = append(points, w.point)
	}
	if err := l.ask(points); err != nil {
		return nil, err
	}
	b := &book{}
	for i, w := range s.invented {
		b.allow(w)
		from := len(b.trials)
		s.deny(b, w)
		if i < basic {
			denyPairs(b, w, b.trials[from:])
			s.denyFacts(b, w)
		}
		if i < basic || wholly[w.name] {
			s.denyFields(b, w)
		}
		s.equalities(b, w)
		s.asNational(b, w)
	}
	s.strangers(b, s.invented[0])
	s.underPrefix(b)
	s.everyScheme(b)
	for _, w := range s.own {
		s.asNational(b, w)
		if l.answer(w.point).Allow {
			s.deny(b, w)
			s.equalities(b, w)
		}
	}
	return b.trials, s.copyTheorem(l, b)
}

// basic is how many of the invented witnesses stand for the rest where two things change at a time: a member, a partner and an operator.
const basic = 3

// wholly names the other witnesses of which each field is taken away: those that read other fields than the basic ones.
var wholly = map[string]bool{
	"a member creates a copy": true, "a member of a role relabels": true, "a member deletes": true, "a member reads into a job": true,
	"a member reads what only nationals may": true, "a member reads through a device": true, "a member starts a job": true,
}

// deny tries, one at a time, everything that must deny w.
func (s *scope) deny(b *book, w witness) {
	s.denyIdentity(b, w)
	s.denyTenant(b, w)
	s.denyPersonnel(b, w)
	s.denyLabel(b, w)
	s.denyPlace(b, w)
	if w.in.Resource.Type != "job" { // a queue gives no content away
		s.denyClearance(b, w)
		s.denyEquivalence(b, w)
		s.denyComposition(b, w)
		s.denyRelease(b, w)
		s.denyFlow(b, w)
	}
}
