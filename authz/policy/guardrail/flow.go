package guardrail

import (
	"fmt"
	"slices"

	"github.com/sallyport-dev/sallyport/authz"
)

// denyFlow: nothing is written below what flows in or what the session has seen, and no label gets looser.
func (s *scope) denyFlow(b *book, w witness) {
	verb, p := w.in.Action.Name, w.in.Resource.Properties
	if verb == "delete" {
		b.deny("I-27", w, "resource.held", "of what is under a hold", in(res+"hold", true))
		b.deny("I-6", w, "resource.held", "of what nobody knows whether it is under a hold", in(res+"hold", nil))
	}
	if verb == "update" || verb == "relabel" {
		s.denyRelabel(b, w)
	}
	if verb != "create" && verb != "update" {
		return
	}
	down := authz.Reason("flow.write_down")
	b.deny("I-6", w, down, "from nobody knows what", in("action.properties.from", nil))
	if w.in.Subject.Properties.Session.Tracked {
		b.deny("I-12", w, down, "in a session of unknown height", in(subject+"session.high_water", nil))
		for what, l := range s.looser(p.Labels[0]) {
			b.deny("I-12", w, down, "in a session that has seen "+what, in(subject+"session.high_water", []authz.Label{l}))
		}
	}
	from := originOf(p)
	source := func(o authz.Origin) patch { return in("action.properties.from", []authz.Origin{from, o}) }
	for what, l := range s.looser(p.Labels[0]) {
		o := from
		o.Labels = append(slices.Clone(from.Labels), l)
		b.deny("I-13", w, down, "from what is also labelled "+what, source(o))
	}
	o := from
	o.Labels = []authz.Label{}
	b.deny("I-6", w, down, "from what has no label", source(o))
	o.Labels = nil
	b.deny("I-6", w, down, "from what nobody knows the label of", source(o))
	o = from
	o.Owner = &authz.Owner{Nation: p.Owner.Nation, Originator: nowhere}
	b.deny("I-13", w, down, "from what another originator gave", source(o))
	o.Owner = nil
	b.deny("I-6", w, down, "from nobody knows whose", source(o))
	if p.Constraints == nil {
		return
	}
	for name, check := range map[string]authz.Reason{
		"residency": "jurisdiction.residency", "reach": "jurisdiction.legal_control", "processing": down, "egress": down,
	} {
		for what, rule := range map[string]any{"allows nowhere": []any{}, "lists other countries": []string{nowhere}, "is unknown": nil} {
			b.deny("I-17", w, check, "from a source whose rule "+name+" "+what, in("action.properties.from", set(plain([]authz.Origin{from}), []string{"0", "constraints", name}, plain(rule))))
		}
	}
	export := func(e any) patch {
		return in("action.properties.from", set(plain([]authz.Origin{from}), []string{"0", "constraints", "export"}, plain(e)))
	}
	b.deny("I-19", w, down, "from a source of unknown export rules", export(nil))
	b.deny("I-19", w, down, "from a source under another export regime", export(authz.Export{Mode: "EAR", Destinations: []string{"XAA", "XBB", "XCC"}}))
	if e := p.Constraints.Export; e != nil && e.Mode != "none" && len(e.Destinations) > 0 {
		b.deny("I-19", w, down, "from a source with fewer destinations", export(authz.Export{Mode: e.Mode, Destinations: []string{}}))
	}
}

// looser returns labels that l does not protect enough, by what each has beyond l.
func (s *scope) looser(l authz.Label) map[string]authz.Label {
	out := map[string]authz.Label{}
	sc := s.facts.Schemes[l.Scheme]
	for _, level := range sc.ladder()[len(sc.upTo(l.Level)):] {
		k := l
		k.Level = level
		out["the level "+level] = k
	}
	if sc.Nation != "" && len(l.Release) > 1 {
		k := l
		k.Release = nil
		out["no release"] = k
	}
	for _, name := range sc.sets("restrictive") {
		for _, v := range sc.TagSets[name].Values {
			if !carries(l, v.ID) {
				k := withCategory(l, name, append(slices.Clone(l.Categories[name]), v.ID))
				out["the category "+v.ID] = k
				break
			}
		}
	}
	for _, name := range sc.sets("permissive") {
		if values := l.Categories[name]; len(values) > 1 {
			out["fewer of "+name] = withCategory(l, name, values[:1])
		} else if len(values) == 0 && len(sc.TagSets[name].Values) > 0 {
			out["a value of "+name] = withCategory(l, name, []string{sc.TagSets[name].Values[0].ID})
		}
	}
	for _, name := range sc.sets("handling") {
		for _, v := range sc.TagSets[name].Values {
			if !carries(l, v.ID) {
				k := l
				k.Handling = append(slices.Clone(l.Handling), v.ID)
				out["the handling "+v.ID] = k
				break
			}
		}
	}
	for _, id := range []string{"XAA-POLICY", "XCC"} { // no order stands between two schemes
		k := l
		k.Scheme, k.Level, k.Categories, k.Release, k.Nation, k.Handling = id, s.facts.Schemes[id].Levels[0].ID, map[string][]string{}, nil, []string{}, []string{}
		out["a label of "+id] = k
	}
	k := l
	k.Created = authz.At(l.Created.AddDate(-1, 0, 0))
	out["the same on an earlier date"] = k
	return out
}

func withCategory(l authz.Label, name string, values []string) authz.Label {
	categories := map[string][]string{}
	for n, v := range l.Categories {
		categories[n] = v
	}
	categories[name] = values
	l.Categories = categories
	return l
}

// denyRelabel gives an object a label of its own that the new labels do not cover.
func (s *scope) denyRelabel(b *book, w witness) {
	labels := w.in.Resource.Properties.Labels
	if text(labels) != text(s.resource(*w.in.Resource.Properties.Tenant, *w.in.Resource.Properties.Row).Labels) {
		return // it has one already
	}
	for what, l := range s.looser(labels[0]) {
		b.deny("I-12", w, "flow.relabel", "of an object that also has "+what, in(fmt.Sprintf(res+"labels.%d", len(labels)), l))
	}
	b.deny("I-12", w, "flow.relabel", "to nobody knows what label", in("action.properties.request_labels", nil))
}
