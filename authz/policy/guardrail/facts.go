package guardrail

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"github.com/sallyport-dev/sallyport/authz"
)

// facts is what probes need to know of a bundle's data; its schemas hold already.
type facts struct {
	Schemes map[string]scheme
	Issuers map[string]issuer
	Tenants map[string]tenant
	Bundle  struct {
		Root    *manifest
		Tenants map[string]manifest
	}
}

type (
	manifest struct {
		From authz.Time `json:"not_before"`
		To   authz.Time `json:"expires"`
	}
	scheme struct {
		Nation  string
		Levels  []level
		TagSets map[string]tagSet `json:"tag_sets"`
	}
	level struct {
		ID        string
		Hierarchy int
	}
	tagSet struct {
		Type   string
		Values []tag
	}
	tag struct {
		ID                          string
		Nationalities, Affiliations []string
		OriginatorConsent           bool `json:"originator_consent"`
		WithRelease                 bool `json:"with_release"` // a nation tag that may stand beside a release list
	}
	issuer struct {
		Grant struct {
			Tenants      []string
			Affiliations []struct {
				Kind                     string
				Organizations, Countries []string
			}
		}
	}
	tenant struct {
		Tenant struct {
			Nation   string
			Members  struct{ Actions []string }
			Sessions struct{ Tracked bool }
		}
		Catalogue struct {
			Rows map[string]json.RawMessage
		}
		Issuers    map[string]issuer
		Partners   struct{ Partners []partner }
		Agreements struct {
			Agreements   map[string]json.RawMessage
			Equivalences []equivalence
		}
		Personnel struct {
			Citizenships, Locations, Justifications []string
			Approvers                               int
			Approvals                               []authz.Approval
		}
	}
	partner struct {
		Organization, Country  string
		Issuers, Rows, Actions []string
		From                   authz.Time `json:"not_before"`
	}
	equivalence struct {
		Use, Agreement   string
		Label, Clearance [2]string
		Categories       map[string][]string
	}
)

// UnmarshalJSON reads a value that is written as its id alone, or as an object.
func (t *tag) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, &t.ID) == nil {
		return nil
	}
	type object tag
	return json.Unmarshal(b, (*object)(t))
}

func read[T any](data any) (v T, err error) {
	b, err := json.Marshal(data)
	if err != nil {
		return v, err
	}
	return v, json.Unmarshal(b, &v)
}

// upTo returns the levels of s from the lowest to the one named, lowest first.
func (s scheme) upTo(id string) []string {
	ids := s.ladder()
	return ids[:slices.Index(ids, id)+1]
}

// ladder returns the levels, lowest first.
func (s scheme) ladder() []string {
	levels := slices.SortedFunc(slices.Values(s.Levels), func(a, b level) int { return cmp.Compare(a.Hierarchy, b.Hierarchy) })
	ids := make([]string, len(levels))
	for i, l := range levels {
		ids[i] = l.ID
	}
	return ids
}

// sets returns the names of the tag sets of a type.
func (s scheme) sets(kind string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.TagSets)) {
		if s.TagSets[name].Type == kind {
			names = append(names, name)
		}
	}
	return names
}

// reaches reports whether a clearance of a scheme with these levels may carry a level of l's, as far as rows of the tenant say.
func (t tenant) reaches(l authz.Label, scheme string, levels []string) bool {
	if scheme == l.Scheme {
		return slices.Contains(levels, l.Level)
	}
	return slices.ContainsFunc(t.Agreements.Equivalences, func(e equivalence) bool {
		return e.Use == "clearance" && e.Label == [2]string{l.Scheme, l.Level} && e.Clearance[0] == scheme && slices.Contains(levels, e.Clearance[1])
	})
}
