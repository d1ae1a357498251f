package oracle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"slices"

	"github.com/sallyport-dev/sallyport/authz"
)

// sources are what flows into a write; ok is false where that is not known. What writes nothing has none.
func (j *judge) sources() (from []authz.Origin, ok bool) {
	if j.writes() {
		return j.Action.Properties.From, j.Action.Properties.From != nil
	}
	return nil, j.writesNothing()
}

// flowsUp says that a write takes nothing down: neither from its sources, nor from what the session has seen.
func (j *judge) flowsUp() bool {
	if j.writesNothing() {
		return true
	}
	from, ok := j.sources()
	return ok && j.sessionBelow() && !slices.ContainsFunc(from, func(f authz.Origin) bool { return !j.takes(f) })
}

// sessionBelow says that what is written is at least as strict as what a tracked session has seen. Partners and operators have no
// tenant that tracks.
func (j *judge) sessionBelow() bool {
	session := j.Subject.Properties.Session
	switch {
	case j.Subject.Properties.Tenant == nil:
		return j.kind() == "partner" || j.kind() == "provider"
	case !session.Tracked:
		return true
	}
	labels, ok := j.labels()
	return ok && session.HighWater != nil && j.cover(j.Resource.Properties.Tenant, labels, session.HighWater)
}

// takes says that what is written may hold what comes from f.
func (j *judge) takes(f authz.Origin) bool {
	t := j.Resource.Properties
	labels, ok := j.labels()
	if !ok || len(f.Labels) == 0 || t.Owner == nil || f.Owner == nil || t.Constraints == nil || f.Constraints == nil {
		return false
	}
	for _, l := range f.Labels {
		if !j.valuesKnown(l) || !j.labelValid(l) {
			return false
		}
	}
	return j.cover(f.Tenant, labels, f.Labels) &&
		// Owner and originator stay the same, or the originator lets it pass.
		(*t.Owner == *f.Owner || j.consented(f.Tenant, f.Row, f.Owner.Originator, t.Owner.Originator)) &&
		narrower(t.Constraints.Processing, f.Constraints.Processing) &&
		narrower(t.Constraints.Reach, f.Constraints.Reach) &&
		narrower(t.Constraints.Egress, f.Constraints.Egress) &&
		exportsNoMore(t.Constraints.Export, f.Constraints.Export)
}

// exportsNoMore says that t is under all the export control that s is under.
func exportsNoMore(t, s *authz.Export) bool {
	if s == nil {
		return false
	}
	return s.Mode == "none" || t != nil && t.Mode == s.Mode && t.Destinations != nil && s.Destinations != nil && subset(t.Destinations, s.Destinations)
}

// cover says that for each label below there is one above that dominates it, or is it. tenant owns the labels below, and so their rows.
func (j *judge) cover(tenant *string, above, below []authz.Label) bool {
	return !slices.ContainsFunc(below, func(l authz.Label) bool {
		return !slices.ContainsFunc(above, func(t authz.Label) bool { return reflect.DeepEqual(t, l) || j.dominates(tenant, t, l) })
	})
}

// dominates says that t and all its alternatives are at least as strict as l: whoever may read one of them may read l.
func (j *judge) dominates(tenant *string, t, l authz.Label) bool {
	return everyVariant(func(_ *judge, v authz.Label) bool {
		if v.Scheme == l.Scheme {
			return j.stricter(v, l, l.Level)
		}
		return slices.ContainsFunc(j.equivalences(tenant, "marking", l), func(e equivalence) bool {
			return e.Clearance[0] == v.Scheme && j.agreementInForce(tenant, e) && j.translates(e, l) && j.stricter(v, l, e.Clearance[1])
		})
	})(j, t)
}

// translates says that a row says of everything on l what it is in the other scheme. A value is only what the row lists, never what
// has the same name there; no row can list nation and handling tags.
func (j *judge) translates(e equivalence, l authz.Label) bool {
	for name, values := range l.Categories {
		if j.schemes[l.Scheme].TagSets[name].Type != "informative" && !subset(values, e.Categories[name]) {
			return false
		}
	}
	return l.Nation != nil && len(l.Nation) == 0 && l.Handling != nil && len(l.Handling) == 0
}

// stricter compares inside t's scheme, where l is of this level.
func (j *judge) stricter(t, l authz.Label, level string) bool {
	high, ok := j.schemes[t.Scheme].level(t.Level)
	low, there := j.schemes[t.Scheme].level(level)
	if !ok || !there || high < low || l.Categories == nil || t.Categories == nil && len(l.Categories) > 0 {
		return false
	}
	for name, values := range l.Categories {
		switch j.schemes[l.Scheme].TagSets[name].Type {
		case "restrictive":
			if values == nil || !subset(values, t.Categories[name]) {
				return false
			}
		case "permissive":
			if len(t.Categories[name]) == 0 || !subset(t.Categories[name], values) {
				return false
			}
		case "informative":
		default:
			return false
		}
	}
	return l.Handling != nil && t.Handling != nil && subset(l.Handling, t.Handling) &&
		l.Nation != nil && t.Nation != nil && subset(l.Nation, t.Nation) &&
		subset(j.audience(t), j.audience(l)) &&
		(t.Display == nil || subset(t.Display, slices.Concat(j.audience(l), l.Display))) &&
		!t.Created.IsZero() && !l.Created.IsZero() && !t.Created.After(l.Created.Time) && !j.endsBetween(t, l)
}

// endsBetween says that an equivalence reaches labels of t's date and no longer those of l's: whom it serves would read t only.
func (j *judge) endsBetween(t, l authz.Label) bool {
	return slices.ContainsFunc(j.equivalences(j.Resource.Properties.Tenant, "clearance", t), func(e equivalence) bool {
		return !e.LabelsTo.IsZero() && !l.Created.Before(e.LabelsTo.Time)
	})
}

// relabelsUp says that the labels which stand after a change are at least as strict as those before, or that a relabelling lowers them
// as the owner's nation has approved it.
func (j *judge) relabelsUp() bool {
	if j.Action.Name != "update" && j.Action.Name != "relabel" {
		return j.Action.Name == "create" || j.writesNothing()
	}
	r, ok := j.row()
	old := j.Resource.Properties.Labels
	if !ok || len(old) == 0 || j.Action.Properties.RequestLabels == nil {
		return false
	}
	after := slices.Concat(old[:min(len(r.Labels), len(old))], j.Action.Properties.RequestLabels)
	return j.cover(j.Resource.Properties.Tenant, after, old) || j.Action.Name == "relabel" && j.lowered(old, after)
}

// lowered says that a downgrade is on file of exactly these labels to exactly those, by two holders of the owner's authority of whom
// none is the requester.
func (j *judge) lowered(old, after []authz.Label) bool {
	t, _ := j.owner()
	p := j.Resource.Properties
	if p.Owner == nil {
		return false
	}
	for _, l := range old {
		if !everyVariant(func(j *judge, v authz.Label) bool { return j.schemes[v.Scheme].Nation == p.Owner.Nation })(j, l) {
			return false
		}
	}
	return slices.ContainsFunc(t.Agreements.Downgrades, func(d downgrade) bool {
		a, ok := t.Agreements.Authorities[d.Authority]
		if !ok || a.Nation != p.Owner.Nation || d.Row != *p.Row ||
			!during(j.Context.Time, a.NotBefore, a.NotAfter) || !during(j.Context.Time, d.NotBefore, d.NotAfter) {
			return false
		}
		approvers := map[string]bool{}
		for _, by := range d.Approvers {
			if slices.Contains(a.Holders, by) && by != j.Subject.ID {
				approvers[by] = true
			}
		}
		was, will := digests(old), digests(after)
		return len(approvers) >= 2 && subset(was, d.From) && subset(d.From, was) && subset(will, d.To) && subset(d.To, will)
	})
}

// digests names labels by the SHA-256 of their JSON without spaces and with sorted members.
func digests(labels []authz.Label) []string {
	var all []string
	for _, l := range labels {
		text, err := json.Marshal(l)
		if err != nil {
			return nil
		}
		var members any
		if json.Unmarshal(text, &members) != nil {
			return nil
		}
		text, _ = json.Marshal(members) // a map's keys come sorted
		sum := sha256.Sum256(text)
		all = append(all, hex.EncodeToString(sum[:]))
	}
	return all
}
