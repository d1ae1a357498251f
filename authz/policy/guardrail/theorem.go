package guardrail

import (
	"fmt"

	"github.com/sallyport-dev/sallyport/authz"
)

// labelled are labels of the invented owner that differ in one thing or two.
func (s *scope) labelled() []authz.Label {
	base := authz.Label{
		Scheme: "XAA", Level: "MID", Categories: map[string][]string{}, Nation: []string{}, Handling: []string{}, Created: s.given(), Alternatives: []authz.Label{},
	}
	list := []authz.Label{base}
	add := func(f func(*authz.Label)) {
		l := base
		f(&l)
		list = append(list, l)
	}
	both := []string{"XAA", "XBB"}
	add(func(l *authz.Label) { l.Level = "LOW" })
	add(func(l *authz.Label) { l.Level, l.Handling = "TOP", []string{"CARE"} })
	add(func(l *authz.Label) { l.Handling = []string{"CARE"} })
	add(func(l *authz.Label) { l.Release = both })
	add(func(l *authz.Label) { l.Level, l.Release = "LOW", both })
	add(func(l *authz.Label) { l.Categories = map[string][]string{"comp": {"X"}} })
	add(func(l *authz.Label) { l.Categories, l.Release = map[string][]string{"comp": {"X"}}, both })
	add(func(l *authz.Label) { l.Categories = map[string][]string{"comp": {"X", "Y"}} })
	add(func(l *authz.Label) { l.Categories = map[string][]string{"comp": {"HOME"}} })
	add(func(l *authz.Label) { l.Categories = map[string][]string{"team": {"RED"}} })
	add(func(l *authz.Label) { l.Categories = map[string][]string{"team": {"RED", "BLUE"}} })
	add(func(l *authz.Label) { l.Categories, l.Release = map[string][]string{"team": {"RED", "BLUE"}}, both })
	add(func(l *authz.Label) { l.Nation = []string{"AONLY"} })
	add(func(l *authz.Label) { l.Nation = []string{"ABORN"} })
	add(func(l *authz.Label) { l.Created, l.Release = authz.At(s.given().AddDate(-1, 0, 0)), both })
	add(func(l *authz.Label) { l.Created, l.Release = authz.At(s.given().AddDate(0, 1, 0)), both })
	add(func(l *authz.Label) { l.Scheme, l.Level = "XAA-POLICY", "ONE" })
	add(func(l *authz.Label) { l.Scheme, l.Level, l.Release = "XBB", "MUCH", []string{"XBB", "XAA"} })
	return list
}

// readers are people of the invented owner and its partner who differ in what they hold.
func (s *scope) readers() map[string]authz.Input {
	partner := s.facts.Tenants["guardrail"].Partners.Partners[0]
	out := map[string]authz.Input{}
	cleared := func(scheme string, levels []string, categories map[string][]string) authz.Clearance {
		return authz.Clearance{Scheme: scheme, Levels: levels, Categories: categories, Sponsor: "x", NotBefore: s.now, NotAfter: s.later()}
	}
	all := []string{"LOW", "MID", "TOP"}
	add := func(name string, foreign bool, clearances ...authz.Clearance) {
		who := s.member("guardrail", dataRow)
		if foreign {
			who = s.asPartner(who, partner)
		}
		if clearances != nil {
			who.Subject.Properties.Clearances = clearances
		}
		out[name] = who
	}
	everything := map[string][]string{"comp": {"X", "Y", "HOME"}, "team": {"RED", "BLUE"}}
	add("a member cleared for everything", false, cleared("XAA", all, everything), cleared("XAA-POLICY", []string{"ONE", "TWO"}, map[string][]string{}))
	add("a member cleared to LOW", false, cleared("XAA", all[:1], map[string][]string{}))
	add("a member cleared to MID", false, cleared("XAA", all[:2], map[string][]string{}))
	add("a member cleared to MID with X", false, cleared("XAA", all[:2], map[string][]string{"comp": {"X"}}))
	add("a member cleared to MID with RED", false, cleared("XAA", all[:2], map[string][]string{"team": {"RED"}}))
	add("a member cleared to MID with BLUE", false, cleared("XAA", all[:2], map[string][]string{"team": {"BLUE"}}))
	add("a partner", true)
	abroad := s.member("guardrail", dataRow)
	abroad.Subject.Properties.Nationalities = []string{"XBB"}
	abroad.Subject.Properties.Clearances = []authz.Clearance{cleared("XAA", all, everything)}
	out["a member of foreign nationality"] = abroad
	return out
}

// copyTheorem: on every pair of labels, an allowed copy makes no reader of the target who could not read the source.
func (s *scope) copyTheorem(l *lab, b *book) error {
	labels, readers := s.labelled(), s.readers()
	copier := readers["a member cleared for everything"]
	copier.Subject.Properties.Clearances = append(copier.Subject.Properties.Clearances,
		authz.Clearance{Scheme: "XBB", Levels: []string{"LITTLE", "MUCH"}, Categories: map[string][]string{}, Sponsor: "x", NotBefore: s.now, NotAfter: s.later()})
	copies := make([]point, 0, len(labels)*len(labels))
	for _, source := range labels {
		for _, target := range labels {
			c := copier
			writes(&c, "create")
			c.Resource.Properties.Labels = []authz.Label{target}
			o := originOf(c.Resource.Properties)
			o.Labels = []authz.Label{source}
			c.Action.Properties.From = []authz.Origin{o}
			copies = append(copies, s.world.of(c))
		}
	}
	if err := l.ask(copies); err != nil {
		return err
	}
	read := func(who authz.Input, labels ...authz.Label) point {
		who.Resource.Properties.Labels = labels
		return s.world.of(who)
	}
	for i, c := range copies {
		source, target := labels[i/len(labels)], labels[i%len(labels)]
		if !l.answer(c).Allow || i/len(labels) == i%len(labels) {
			continue
		}
		for name, who := range readers {
			b.trials = append(b.trials, trial{
				id: "M4", what: fmt.Sprintf("%s reads %s, into which %s was copied", name, text(target), text(source)), want: notMore,
				point: read(who, target), base: read(who, source), also: &copies[i],
			})
		}
	}
	for i, first := range labels {
		for _, second := range labels[i+1:] {
			for _, name := range []string{"a member cleared to MID with X", "a member cleared to MID with RED", "a partner", "a member of foreign nationality"} {
				who := readers[name]
				for _, one := range []authz.Label{first, second} {
					b.trials = append(b.trials, trial{
						id: "I-9", what: fmt.Sprintf("%s reads what is labelled %s and %s", name, text(first), text(second)), want: notMore,
						point: read(who, first, second), base: read(who, one),
					})
				}
			}
		}
	}
	return nil
}
