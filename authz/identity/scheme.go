package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// scheme is what identity needs of a classification scheme: which words exist, and what a clearance opens.
type scheme struct {
	nation string
	levels []string // from the lowest
	rank   map[string]int
	tags   map[string]map[string]bool     // tag set → values
	native map[string]map[string][]string // native clearance → scheme → levels
}

// parseSchemes reads data.schemes. Members that identity has no use for are other rooms' business.
func parseSchemes(doc json.RawMessage) (map[string]*scheme, error) {
	var docs map[string]struct {
		Nation string
		Levels []struct {
			ID        string
			Hierarchy int
		}
		TagSets map[string]struct{ Values []tagValue }         `json:"tag_sets"`
		Native  map[string]struct{ Opens map[string][]string } `json:"native_clearances"`
	}
	if err := json.Unmarshal(orEmpty(doc), &docs); err != nil {
		return nil, fmt.Errorf("schemes: %w", err)
	}
	all := make(map[string]*scheme, len(docs))
	for _, id := range slices.Sorted(maps.Keys(docs)) {
		d := docs[id]
		if !isCountry(d.Nation) {
			return nil, fmt.Errorf("schemes: %s: nation: want three upper-case letters, have %s", id, quote(d.Nation))
		}
		s := &scheme{nation: d.Nation, rank: map[string]int{}, tags: map[string]map[string]bool{}, native: map[string]map[string][]string{}}
		for _, l := range d.Levels {
			if _, ok := s.rank[l.ID]; ok || l.ID == "" {
				return nil, fmt.Errorf("schemes: %s: levels: %s is empty or there twice", id, quote(l.ID))
			}
			s.rank[l.ID] = l.Hierarchy
			s.levels = append(s.levels, l.ID)
		}
		slices.SortStableFunc(s.levels, func(a, b string) int { return s.rank[a] - s.rank[b] })
		for set, t := range d.TagSets {
			s.tags[set] = map[string]bool{}
			for _, v := range t.Values {
				s.tags[set][string(v)] = true
			}
		}
		for word, n := range d.Native {
			s.native[word] = n.Opens
		}
		all[id] = s
	}
	return all, checkNative(all)
}

// checkNative holds that a nation's word opens levels of that nation's schemes and of no other's.
func checkNative(all map[string]*scheme) error {
	for _, id := range slices.Sorted(maps.Keys(all)) {
		for word, opens := range all[id].native {
			for other, levels := range opens {
				s, ok := all[other]
				if !ok || s.nation != all[id].nation {
					return fmt.Errorf("schemes: %s: native_clearances.%s opens %s, which is no scheme of %s", id, word, quote(other), all[id].nation)
				}
				for _, l := range levels {
					if _, ok := s.rank[l]; !ok {
						return fmt.Errorf("schemes: %s: native_clearances.%s opens %s, which is no level of %s", id, word, quote(l), other)
					}
				}
			}
		}
	}
	return nil
}

// upTo returns the levels that a clearance for level opens: it and everything below it in this scheme.
func (s *scheme) upTo(level string) []string {
	top := s.rank[level]
	return slices.DeleteFunc(slices.Clone(s.levels), func(l string) bool { return s.rank[l] > top })
}

// knows returns the first thing that the scheme has no word for.
func (s *scheme) knows(level string, categories map[string][]string) error {
	if _, ok := s.rank[level]; level != "" && !ok {
		return errors.New("a level that its scheme does not have")
	}
	for set, values := range categories {
		for _, v := range values {
			if !s.tags[set][v] {
				return errors.New("a category that its scheme does not have")
			}
		}
		if s.tags[set] == nil {
			return errors.New("a tag set that its scheme does not have")
		}
	}
	return nil
}

// tagValue is one value of a tag set: a text, or an object whose id it is where the value carries rules of its own.
type tagValue string

func (v *tagValue) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, (*string)(v)); err == nil {
		return nil
	}
	var o struct{ ID string }
	if err := json.Unmarshal(b, &o); err != nil || o.ID == "" {
		return fmt.Errorf("tag set value %s: want a text or an object with an id", b)
	}
	*v = tagValue(o.ID)
	return nil
}
