package label

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
)

// Scheme is one classification scheme as policies/schemes/<ID>/data.yaml writes it; policies/schemas/scheme.json says what each
// member means.
type Scheme struct {
	Nation     string              `json:"nation" yaml:"nation"`
	Title      string              `json:"title" yaml:"title"`
	Source     string              `json:"source,omitempty" yaml:"source,omitempty"`
	Policy     *Policy             `json:"policy,omitempty" yaml:"policy,omitempty"`
	Levels     []Level             `json:"levels" yaml:"levels"`
	TagSets    map[string]TagSet   `json:"tag_sets" yaml:"tag_sets"`
	Release    *List               `json:"release,omitempty" yaml:"release,omitempty"`
	Native     map[string]Native   `json:"native_clearances" yaml:"native_clearances"`
	Rules      *Rules              `json:"rules,omitempty" yaml:"rules,omitempty"`
	Markings   *Markings           `json:"markings,omitempty" yaml:"markings,omitempty"`
	Protective *ProtectiveMarkings `json:"protective_marking,omitempty" yaml:"protective_marking,omitempty"`
}

// Policy is what interchange formats call a scheme.
type Policy struct {
	Name string `json:"name" yaml:"name"`
	URI  string `json:"uri,omitempty" yaml:"uri,omitempty"`
}

// Level is one level; of two, the one with the larger hierarchy is higher.
type Level struct {
	ID        string   `json:"id" yaml:"id"`
	Hierarchy int      `json:"hierarchy" yaml:"hierarchy"`
	Title     string   `json:"title,omitempty" yaml:"title,omitempty"`
	Marking   string   `json:"marking,omitempty" yaml:"marking,omitempty"`
	Also      []string `json:"also,omitempty" yaml:"also,omitempty"`
	Name      string   `json:"name,omitempty" yaml:"name,omitempty"`
	LACV      string   `json:"lacv,omitempty" yaml:"lacv,omitempty"`

	LabelsFrom string `json:"labels_from,omitempty" yaml:"labels_from,omitempty"`
	LabelsTo   string `json:"labels_to,omitempty" yaml:"labels_to,omitempty"`
}

// TagSet is a set of categories.
type TagSet struct {
	Type   string  `json:"type" yaml:"type"`
	Title  string  `json:"title,omitempty" yaml:"title,omitempty"`
	Name   string  `json:"name,omitempty" yaml:"name,omitempty"`
	URI    string  `json:"uri,omitempty" yaml:"uri,omitempty"`
	Values []Value `json:"values" yaml:"values"`
}

// Value is one category. What it demands of subjects and operators is policy's business and is not held here.
type Value struct {
	ID      string   `json:"id" yaml:"id"`
	Title   string   `json:"title,omitempty" yaml:"title,omitempty"`
	Marking string   `json:"marking,omitempty" yaml:"marking,omitempty"`
	Also    []string `json:"also,omitempty" yaml:"also,omitempty"`
	Name    string   `json:"name,omitempty" yaml:"name,omitempty"`
	LACV    string   `json:"lacv,omitempty" yaml:"lacv,omitempty"`

	LabelsFrom string `json:"labels_from,omitempty" yaml:"labels_from,omitempty"`
	LabelsTo   string `json:"labels_to,omitempty" yaml:"labels_to,omitempty"`
}

// MarshalYAML writes a value of which only the id is known as people do.
func (v Value) MarshalYAML() (any, error) {
	type object Value
	if v.Title+v.Marking+v.Name+v.LACV+v.LabelsFrom+v.LabelsTo == "" && len(v.Also) == 0 {
		return v.ID, nil
	}
	return object(v), nil
}

// UnmarshalJSON reads a value: its id alone, or an object with more to say.
func (v *Value) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, &v.ID) == nil {
		return nil
	}
	type object Value
	return json.Unmarshal(b, (*object)(v))
}

// List says whether labels of a scheme may carry a list of countries, and what interchange formats call it.
type List struct {
	Allowed bool   `json:"allowed" yaml:"allowed"`
	Display bool   `json:"display,omitempty" yaml:"display,omitempty"` // a list of those who may only see
	Name    string `json:"name,omitempty" yaml:"name,omitempty"`
	URI     string `json:"uri,omitempty" yaml:"uri,omitempty"`
}

// Native is a clearance whose word is no level.
type Native struct {
	Opens map[string][]string `json:"opens" yaml:"opens"`
}

// Rules say which tag sets levels need or may not carry.
type Rules struct {
	Required []Rule `json:"required,omitempty" yaml:"required,omitempty"`
	Excluded []Rule `json:"excluded,omitempty" yaml:"excluded,omitempty"`
}

// Rule is about labels of any of Levels that carry one of With, where that is not empty.
type Rule struct {
	Levels  []string            `json:"levels" yaml:"levels"`
	With    map[string][]string `json:"with,omitempty" yaml:"with,omitempty"`
	TagSets []string            `json:"tag_sets" yaml:"tag_sets"`
	Values  map[string][]string `json:"values,omitempty" yaml:"values,omitempty"`
}

// Markings say how a label is written for people.
type Markings struct {
	Parts         []Part         `json:"parts" yaml:"parts"`
	Release       *Punctuation   `json:"release,omitempty" yaml:"release,omitempty"`
	Display       *Punctuation   `json:"display,omitempty" yaml:"display,omitempty"`
	CountryGroups []CountryGroup `json:"country_groups,omitempty" yaml:"country_groups,omitempty"`
}

// Part is one of the things that follow the level.
type Part struct {
	Before  string   `json:"before" yaml:"before"`
	Between string   `json:"between,omitempty" yaml:"between,omitempty"`
	After   string   `json:"after,omitempty" yaml:"after,omitempty"`
	TagSets []string `json:"tag_sets,omitempty" yaml:"tag_sets,omitempty"`
	Lists   []string `json:"lists,omitempty" yaml:"lists,omitempty"`
}

// Punctuation is the text before a list of countries and that between its members.
type Punctuation struct {
	Before  string `json:"before" yaml:"before"`
	Between string `json:"between" yaml:"between"`
}

// CountryGroup is a word that stands for several countries, in labels created in [From, Until).
type CountryGroup struct {
	ID      string     `json:"id" yaml:"id"`
	Members []string   `json:"members" yaml:"members"`
	From    authz.Time `json:"from" yaml:"-"`
	Until   authz.Time `json:"until" yaml:"-"`
}

// ProtectiveMarkings say how a label is written in X-Protective-Marking.
type ProtectiveMarkings struct {
	Namespace string              `json:"namespace" yaml:"namespace"`
	Versions  []string            `json:"versions" yaml:"versions"`
	Words     map[string]string   `json:"words" yaml:"words"`
	Caveats   map[string][]string `json:"caveats" yaml:"caveats"`
	Access    []string            `json:"access" yaml:"access"`
	Release   *struct {
		Caveat  string   `json:"caveat" yaml:"caveat"`
		Before  string   `json:"before" yaml:"before"`
		Also    []string `json:"also" yaml:"also"` // read as Before
		Between string   `json:"between" yaml:"between"`
	} `json:"release" yaml:"release"`
}

// Schemes are the classification schemes of one bundle.
type Schemes struct {
	byID     map[string]*scheme
	byPolicy map[string][]*scheme // by folded name of the policy
}

// scheme is a Scheme with its look-ups.
type scheme struct {
	id     string
	data   Scheme
	levels []word
	sets   map[string]*tagSet
	order  []string // names of the sets, sorted
	parts  []part
	groups []CountryGroup
	lists  map[string]Punctuation // of markings, by name of the list
}

// word is a level or a value in its spellings.
type word struct {
	id      string
	name    string   // of interchange formats
	marking string   // as people write it
	texts   []string // what a marking may say for it, normal
}

type tagSet struct {
	name  string // in the data and in labels
	kind  string // type
	tag   string // of interchange formats
	uri   string
	words []word
}

// New reads data.schemes of a bundle: the schemes by their id.
func New(doc json.RawMessage) (*Schemes, error) {
	var all map[string]Scheme
	if err := json.Unmarshal(doc, &all); err != nil {
		return nil, fmt.Errorf("schemes: %w", err)
	}
	s := &Schemes{byID: map[string]*scheme{}, byPolicy: map[string][]*scheme{}}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		sc, err := newScheme(id, all[id])
		if err != nil {
			return nil, fmt.Errorf("schemes: %s: %w", id, err)
		}
		policy := fold(sc.data.Policy.Name)
		s.byID[id], s.byPolicy[policy] = sc, append(s.byPolicy[policy], sc)
	}
	return s, nil
}

// Check returns an error unless the words of the scheme are clear: each level, and each value with the highest level, is written in a
// way that is read as nothing else.
func (s Scheme) Check(id string) error {
	sc, err := newScheme(id, s)
	if err != nil {
		return err
	}
	all := &Schemes{byID: map[string]*scheme{id: sc}}
	l := empty()
	l.Scheme = id
	for _, level := range sc.levels {
		l.Level = level.id
		if _, err := all.PrintMarking(l); err != nil {
			return fmt.Errorf("level %s: %w", quote(level.id), err)
		}
	}
	for _, p := range sc.parts {
		for _, set := range p.sets {
			for _, w := range set.words {
				with := clone(l)
				_ = set.add(&with, w.id) // the first of its set
				if _, err := all.PrintMarking(with); err != nil {
					return fmt.Errorf("value %s of tag set %s: %w", quote(w.id), quote(set.name), err)
				}
			}
		}
	}
	return nil
}

func (s *Schemes) scheme(id string) (*scheme, error) {
	if sc := s.byID[id]; sc != nil {
		return sc, nil
	}
	return nil, fmt.Errorf("scheme %s: is unknown", quote(id))
}

func newScheme(id string, d Scheme) (*scheme, error) {
	if d.Policy == nil {
		d.Policy = &Policy{Name: id}
	}
	sc := &scheme{id: id, data: d, sets: map[string]*tagSet{}, lists: map[string]Punctuation{}}
	for _, l := range d.Levels {
		sc.levels = append(sc.levels, newWord(l.ID, l.Name, l.Marking, l.Also))
	}
	slices.SortStableFunc(sc.levels, func(a, b word) int { return sc.hierarchy(a.id) - sc.hierarchy(b.id) })
	if err := distinct("levels", sc.levels); err != nil {
		return nil, err
	}
	for name, set := range d.TagSets {
		t := &tagSet{name: name, kind: set.Type, tag: or(set.Name, name), uri: set.URI}
		for _, v := range set.Values {
			t.words = append(t.words, newWord(v.ID, v.Name, v.Marking, v.Also))
		}
		if err := distinct("tag set "+quote(name), t.words); err != nil {
			return nil, err
		}
		sc.sets[name] = t
	}
	sc.order = slices.Sorted(maps.Keys(sc.sets))
	return sc, errors.Join(sc.checkFlat(), sc.compileMarkings())
}

// checkFlat wants each value of the nation sets, and of the handling sets, to be in one set only: a label does not say which.
func (sc *scheme) checkFlat() error {
	in := map[[2]string]string{}
	for _, name := range sc.order {
		set := sc.sets[name]
		if set.kind != "nation" && set.kind != "handling" {
			continue
		}
		for _, w := range set.words {
			key := [2]string{set.kind, w.id}
			if other, ok := in[key]; ok {
				return fmt.Errorf("%s value %s stands in the tag sets %s and %s", set.kind, quote(w.id), other, name)
			}
			in[key] = name
		}
	}
	return nil
}

func newWord(id, name, marking string, also []string) word {
	w := word{id: id, name: or(name, id), marking: or(marking, id)}
	for _, text := range append([]string{w.marking}, also...) {
		w.texts = append(w.texts, normal(text))
	}
	return w
}

// distinct wants no two words that a reader could take for each other.
func distinct(where string, words []word) error {
	for i, w := range words {
		if w.id == "" {
			return fmt.Errorf("%s: an id is empty", where)
		}
		for _, other := range words[:i] {
			if other.id == w.id || fold(other.name) == fold(w.name) || slices.ContainsFunc(w.texts, func(t string) bool { return slices.Contains(other.texts, t) }) {
				return fmt.Errorf("%s: %s and %s are written in the same way", where, quote(other.id), quote(w.id))
			}
		}
	}
	return nil
}

func (sc *scheme) hierarchy(level string) int {
	for _, l := range sc.data.Levels {
		if l.ID == level {
			return l.Hierarchy
		}
	}
	return 0
}

func (sc *scheme) level(id string) (word, bool) { return byID(sc.levels, id) }

// levelNamed finds a level by its name in interchange formats.
func (sc *scheme) levelNamed(name string) (word, bool) { return named(sc.levels, name) }

// upTo returns a level and everything below it.
func (sc *scheme) upTo(level string) (ids []string) {
	for _, l := range sc.levels {
		if sc.hierarchy(l.id) <= sc.hierarchy(level) {
			ids = append(ids, l.id)
		}
	}
	return ids
}

// setOf returns the set of that kind that has the value.
func (sc *scheme) setOf(kind, value string) *tagSet {
	for _, name := range sc.order {
		if set := sc.sets[name]; set.kind == kind && set.has(value) {
			return set
		}
	}
	return nil
}

func (set *tagSet) has(id string) bool {
	_, ok := byID(set.words, id)
	return ok
}

func byID(words []word, id string) (word, bool) {
	i := slices.IndexFunc(words, func(w word) bool { return w.id == id })
	if i < 0 {
		return word{}, false
	}
	return words[i], true
}

func named(words []word, name string) (word, bool) {
	i := slices.IndexFunc(words, func(w word) bool { return fold(w.name) == fold(name) })
	if i < 0 {
		return word{}, false
	}
	return words[i], true
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func sortedWords(words []string) string {
	return strings.Join(slices.Sorted(slices.Values(words)), ", ")
}
