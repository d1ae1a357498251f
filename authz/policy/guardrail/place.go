package guardrail

import (
	"fmt"
	"slices"

	"github.com/sallyport-dev/sallyport/authz"
)

// denyPlace: where data rests, is processed and leaves to, whose law reaches it, and what a place may hold.
func (s *scope) denyPlace(b *book, w witness) {
	p, to := w.in.Resource.Properties, w.in.Action.Properties.To
	residency, reach := authz.Reason("jurisdiction.residency"), authz.Reason("jurisdiction.legal_control")
	place := p.Place.Enclave
	b.deny("I-18", w, "enclave.mismatch", "at a gateway of other places", in("context.gateway.enclaves", []string{"guardrail-else"}))
	b.deny("I-18", w, "enclave.mismatch", "at a gateway of nobody knows which places", in("context.gateway.enclaves", nil))
	if w.in.Resource.Type == "job" {
		return // the other checks protect content
	}
	elsewhere := "guardrail-elsewhere"
	for what, change := range map[string]patch{
		"where it rests":   in(res+"place.enclave", elsewhere),
		"of a replica":     in(res+"place.replicas", []string{elsewhere}),
		"of a backup":      in(res+"place.backups", []string{elsewhere}),
		"of replicas is":   in(res+"place.replicas", nil),
		"of backups is":    in(res+"place.backups", nil),
		"of the resource:": in(res+"place", nil),
	} {
		b.deny("I-17", w, residency, "where the place "+what+" unknown", change)
		b.deny("I-17", w, reach, "where the place "+what+" unknown", change)
		b.deny("I-18", w, "enclave.ceiling", "where the place "+what+" unknown", change)
	}
	enclave := func(value any, name ...string) patch {
		return fact(value, append([]string{"enclaves", place}, name...)...)
	}
	b.deny("I-17", w, residency, "after the place moved nobody knows where", enclave(nil, "country"))
	if c := p.Constraints; c != nil && !c.Residency.Any {
		b.deny("I-17", w, residency, "after the place moved to an unlisted country", enclave(nowhere, "country"))
		abroad := map[string]any{"country": nowhere, "operator": map[string]any{"name": "Fo", "law": nowhere, "reach": []string{nowhere}}, "keys": "provider", "ceiling": get(s.data, "enclaves", place, "ceiling")}
		for _, list := range []string{"replicas", "backups"} {
			b.deny("I-17", w, residency, "with one of the "+list+" in an unlisted country", in(res+"place."+list, []string{elsewhere}), fact(abroad, "enclaves", elsewhere))
			if !c.Reach.Any {
				b.deny("I-17", w, reach, "with one of the "+list+" under unlisted law", in(res+"place."+list, []string{elsewhere}), fact(abroad, "enclaves", elsewhere))
			}
		}
	}
	if c := p.Constraints; c != nil && !c.Reach.Any {
		b.deny("I-17", w, reach, "after another law reaches the operator", enclave(append(slices.Clone(c.Reach.List), nowhere), "operator", "reach"))
		b.deny("I-17", w, reach, "whose operator nobody knows the law of", enclave(nil, "operator", "reach"))
	}
	for _, l := range p.Labels {
		if carries(l, "HOME") {
			b.deny("I-17", w, reach, "under an operator of another law than HOME wants", enclave(nowhere, "operator", "law"))
		}
	}
	b.deny("I-18", w, "enclave.ceiling", "in a place that may hold nothing", enclave([]any{}, "ceiling"))
	s.denyCeiling(b, w, place)
	s.denyRules(b, w)
	if to.Kind == "enclave" {
		b.deny("I-17", w, "jurisdiction.processing", "into a job in an unknown place", in("action.properties.to.enclave", elsewhere))
		b.deny("I-17", w, "jurisdiction.processing", "into a job in nobody knows which place", in("action.properties.to.enclave", nil))
		b.deny("I-17", w, "jurisdiction.processing", "into a job in an unlisted country", in("action.properties.to.enclave", "guardrail-abroad"))
		b.deny("I-17", w, reach, "into a job under unlisted law", in("action.properties.to.enclave", "guardrail-abroad"))
	}
}

// denyCeiling takes from what the place may hold.
func (s *scope) denyCeiling(b *book, w witness, place string) {
	ceilings, _ := get(s.data, "enclaves", place, "ceiling").([]any)
	for i, l := range w.in.Resource.Properties.Labels {
		sc := s.facts.Schemes[l.Scheme]
		lower := sc.upTo(l.Level)
		change := func(name string, value any) patch {
			var changed []any
			for _, c := range ceilings {
				if get(c, "scheme") == l.Scheme {
					changed = append(changed, set(c, []string{name}, plain(value)))
				}
			}
			return fact(changed, "enclaves", place, "ceiling")
		}
		if n := len(lower); n > 1 {
			b.deny("I-18", w, "enclave.ceiling", "in a place up to "+lower[n-2], change("level", lower[n-2]))
		}
		tags := slices.Concat(l.Nation, l.Handling)
		for _, name := range sc.sets("restrictive") {
			tags = append(tags, l.Categories[name]...)
		}
		if len(tags) > 0 {
			b.deny("I-18", w, "enclave.ceiling", "in a place that may not hold its tags", change("tags", []any{}))
		}
		for _, tag := range tags {
			var others []string
			for _, c := range ceilings {
				for _, t := range list(get(c, "tags")) {
					if t != tag {
						others = append(others, t)
					}
				}
			}
			b.deny("I-18", w, "enclave.ceiling", "in a place that may not hold "+tag, change("tags", append([]string{}, others...)))
		}
		for j, level := range sc.ladder() {
			if j >= len(lower) && !slices.ContainsFunc(ceilings, func(c any) bool {
				name, _ := get(c, "level").(string)
				return get(c, "scheme") == l.Scheme && slices.Contains(sc.upTo(name), level)
			}) {
				b.deny("I-18", w, "enclave.ceiling", "to the same label raised to "+level+", above the ceiling", in(fmt.Sprintf(res+"labels.%d.level", i), level))
			}
		}
	}
}

func list(v any) (out []string) {
	for _, e := range asList(v) {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func asList(v any) []any {
	l, _ := v.([]any)
	return l
}

// denyRules shrinks the row's constraints, one at a time.
func (s *scope) denyRules(b *book, w witness) {
	c, to := w.in.Resource.Properties.Constraints, w.in.Action.Properties.To.Kind
	if c == nil {
		return
	}
	rules := map[string]authz.Reason{"residency": "jurisdiction.residency", "reach": "jurisdiction.legal_control"}
	name := w.in.Action.Name
	writes := name == "create" || name == "update"
	leaves := to == "client"
	if leaves {
		rules["egress"] = "jurisdiction.egress"
	}
	if to == "enclave" {
		rules["processing"] = "jurisdiction.processing"
	}
	for name, check := range rules {
		at := res + "constraints." + name
		b.deny("I-17", w, check, "where the rule "+name+" allows nowhere", in(at, []any{}))
		b.deny("I-17", w, check, "where the rule "+name+" lists other countries", in(at, []string{"XYZ"}))
		b.deny("I-6", w, check, "where the rule "+name+" is unknown", in(at, nil))
		b.deny("I-6", w, check, "where the rule "+name+" is a word that is no rule", in(at, nowhere))
	}
	b.deny("I-6", w, "jurisdiction.residency", "where the row's rules are unknown", in(res+"constraints", nil))
	if leaves && !c.Egress.Any {
		b.deny("I-17", w, "jurisdiction.egress", "from an unlisted country", in("context.source.country", nowhere))
		b.deny("I-17", w, "jurisdiction.egress", "from nobody knows where", in("context.source.country", nil))
		b.deny("I-17", w, "jurisdiction.egress", "from a country that rests on nothing", in("context.source.basis", "unknown"))
	}
	b.deny("I-19", w, "export.foreign_person", "under an unknown export regime", in(res+"constraints.export.mode", "SECRET"))
	b.deny("I-6", w, "export.foreign_person", "where the export rule is unknown", in(res+"constraints.export", nil))
	if e := c.Export; e != nil && e.Mode != "none" {
		b.deny("I-19", w, "export.foreign_person", "of no export status", in(subject+"export_status", []any{}))
		b.deny("I-19", w, "export.foreign_person", "of another export status", in(subject+"export_status", []string{"foreign_person"}))
		b.deny("I-19", w, "export.foreign_person", "of unknown export status", in(subject+"export_status", nil))
		if !writes {
			b.deny("I-19", w, "export.destination", "where no destination is licensed", in(res+"constraints.export.destinations", []any{}))
			b.deny("I-19", w, "export.destination", "where other destinations are licensed", in(res+"constraints.export.destinations", []string{"XYZ"}))
			b.deny("I-19", w, "export.destination", "where the licensed destinations are unknown", in(res+"constraints.export.destinations", nil))
		}
		if leaves {
			b.deny("I-19", w, "export.destination", "from an unlicensed country", in("context.source.country", nowhere))
			b.deny("I-19", w, "export.destination", "from nobody knows where", in("context.source.country", nil))
		}
	}
}
