package policy

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// The facts that documents state, as far as they are compared with each other. Their shapes are those of policies/schemas, which
// hold before anything here is read.
type (
	scheme struct {
		Nation  string
		Sources map[string]struct{ Basis string }
		Members []memberState
		Levels  []level
		TagSets map[string]tagSet `json:"tag_sets"`
		Native  map[string]struct {
			Opens  map[string][]string
			Source string
		} `json:"native_clearances"`
		Rules     struct{ Required, Excluded []schemeRule }
		Published []published `json:"equivalences"`
	}
	level struct {
		ID        string
		Hierarchy int
		Source    string
		From      string `json:"labels_from"`
		To        string `json:"labels_to"`
	}
	tagSet struct {
		Type, Source string
		Values       []tagValue
	}
	tagValue struct {
		ID, Source      string
		ClearanceLevels []string `json:"clearance_levels"`
		From            string   `json:"labels_from"`
		To              string   `json:"labels_to"`
	}
	schemeRule struct {
		Levels  []string
		TagSets []string `json:"tag_sets"`
		Beside  map[string][]string
		Values  map[string][]string
		Source  string
		From    string `json:"labels_from"`
		To      string `json:"labels_to"`
	}
	memberState struct {
		Country, Source string
		From            string  `json:"not_before"`
		To              *string `json:"not_after"`
	}
	published struct {
		ID, Use, Level, Source string
		Clearance              [2]string
		From                   string  `json:"labels_from"`
		To                     *string `json:"labels_to"`
	}
	enclave struct {
		Ceiling []struct {
			Scheme, Level string
			Tags          []string
		}
	}
	reason struct {
		Requires []string
		Scope    string
	}
	issuer struct {
		Issuer string
		Grant  issuerGrant
	}
	issuerGrant struct {
		Nations, Tenants []string
		Affiliations     []struct{ Kind string }
		Clearances       []clearance
		Relay            map[string]string
	}
	clearance struct {
		Scheme, Level string
		Categories    map[string][]string
	}
	tenant struct {
		Nation   string
		Services map[string]map[string][]string
		Binding  map[string][]string
		Audit    struct {
			Mask []struct {
				Fields []string
				Levels map[string][]string
			}
			Buffered map[string][]string
		}
	}
	label struct {
		Scheme, Level    string
		Categories       map[string][]string
		Release, Display []string
		Nation, Handling []string
		Alternatives     []label
	}
	row struct {
		Service string
		Labels  []label
		Place   struct {
			Enclave           string
			Replicas, Backups []string
		}
		Looser bool
	}
	partner struct {
		Issuers, Rows []string
		From          string `json:"not_before"`
		To            string `json:"not_after"`
	}
	agreement struct {
		Parties []string
		From    string `json:"not_before"`
		To      string `json:"not_after"`
	}
	equivalence struct {
		ID, Use, Agreement string
		Label, Clearance   [2]string
		Categories         map[string][]string
		Published          string
		ApprovedBy         string  `json:"approved_by"`
		From               string  `json:"labels_from"`
		To                 *string `json:"labels_to"`
	}
	consent struct{ Rows []string }
	licence struct {
		Rows []string
		From string `json:"not_before"`
		To   string `json:"not_after"`
	}
	authority struct {
		Nation  string
		Holders []string
		From    string `json:"not_before"`
		To      string `json:"not_after"`
	}
	downgrade struct {
		ID, Authority, Row string
		Approvers          []string
		From               string `json:"not_before"`
		To                 string `json:"not_after"`
	}
	approval struct {
		ID, Operator, Row, Enclave string
		Approvers                  []string
		From                       string `json:"not_before"`
		To                         string `json:"not_after"`
	}
)

// UnmarshalJSON reads a value of a tag set: its name alone, or an object with more to say.
func (v *tagValue) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, &v.ID) == nil {
		return nil
	}
	type object tagValue
	return json.Unmarshal(b, (*object)(v))
}

// tenantFacts are the documents of one tenant's part.
type tenantFacts struct {
	part         *part
	tenant       tenant
	rows         map[string]row
	partners     []partner
	agreements   map[string]agreement
	equivalences []equivalence
	consents     []consent
	licences     []licence
	authorities  map[string]authority
	downgrades   []downgrade
	approvals    []approval
	issuers      map[string]issuer
}

// facts are the documents of the whole bundle.
type facts struct {
	*loader
	schemes  map[string]scheme
	enclaves map[string]enclave
	reasons  map[string]reason
	issuers  map[string]issuer // the root's
	tenants  []tenantFacts     // by id
}

// checkFacts compares the documents with each other: what one names exists in another, and no part speaks of what is not its own.
func (l *loader) checkFacts() {
	f := &facts{loader: l, schemes: map[string]scheme{}}
	for name, d := range l.root.docs {
		if _, id, ok := strings.Cut(name, "/"); ok {
			f.schemes[id] = decode[scheme](d)
		}
	}
	f.enclaves = decode[map[string]enclave](l.root.docs["enclaves"])
	f.reasons = decode[map[string]reason](l.root.docs["reasons"])
	f.issuers = decode[map[string]issuer](l.root.docs["issuers"])
	for _, p := range l.parts()[1:] {
		law := decode[struct {
			Agreements   map[string]agreement
			Equivalences []equivalence
			Consents     []consent
			Licences     []licence
			Authorities  map[string]authority
			Downgrades   []downgrade
		}](p.docs["agreements"])
		f.tenants = append(f.tenants, tenantFacts{
			part:         p,
			tenant:       decode[tenant](p.docs["tenant"]),
			rows:         decode[struct{ Rows map[string]row }](p.docs["catalogue"]).Rows,
			partners:     decode[struct{ Partners []partner }](p.docs["partners"]).Partners,
			agreements:   law.Agreements,
			equivalences: law.Equivalences,
			consents:     law.Consents,
			licences:     law.Licences,
			authorities:  law.Authorities,
			downgrades:   law.Downgrades,
			approvals:    decode[struct{ Approvals []approval }](p.docs["personnel"]).Approvals,
			issuers:      decode[map[string]issuer](p.docs["issuers"]),
		})
	}
	f.checkSchemes()
	f.checkReasons()
	f.checkEnclaves()
	f.checkIssuers()
	for _, t := range f.tenants {
		f.checkTenant(t)
		f.checkRows(t)
		f.checkPartners(t)
		f.checkAgreements(t)
		f.checkDowngrades(t)
		f.checkApprovals(t)
	}
	if len(f.problems) > 0 {
		return // labels and levels that don't exist have no order
	}
	for _, t := range f.tenants {
		f.checkLooser(t)
		f.checkClosed(t)
	}
}

// decode reads a document into its facts; of an absent one it returns the zero value.
func decode[T any](d document) (v T) {
	b, err := json.Marshal(d.value)
	must(err) // strings, numbers, booleans, lists and objects only
	must(json.Unmarshal(b, &v))
	return v
}

// known reports that d speaks, at path, of something that does not exist, unless word is among the members of m.
func known[T any](f *facts, d document, m map[string]T, what, word string, path ...string) bool {
	if _, ok := m[word]; ok {
		return true
	}
	f.refer(d, what, word, slices.Collect(maps.Keys(m)), path...)
	return false
}

func (f *facts) refer(d document, what, word string, known []string, path ...string) {
	f.add(d.file, d.line(path...), "%s: unknown %s %q%s", strings.Join(path, "."), what, word, oneOf(word, known))
}

// hierarchy returns the place of a level in its scheme.
func (s scheme) hierarchy(id string) (int, bool) {
	i := slices.IndexFunc(s.Levels, func(l level) bool { return l.ID == id })
	if i < 0 {
		return 0, false
	}
	return s.Levels[i].Hierarchy, true
}

func (s scheme) levelIDs() []string {
	var ids []string
	for _, l := range s.Levels {
		ids = append(ids, l.ID)
	}
	return ids
}

// values returns the values of the tag sets of the given types.
func (s scheme) values(types ...string) []string {
	var ids []string
	for _, name := range slices.Sorted(maps.Keys(s.TagSets)) {
		if set := s.TagSets[name]; slices.Contains(types, set.Type) {
			ids = append(ids, set.ids()...)
		}
	}
	return ids
}

func (s tagSet) ids() []string {
	var ids []string
	for _, v := range s.Values {
		ids = append(ids, v.ID)
	}
	return ids
}

// checkLevel wants a level that exists.
func (f *facts) checkLevel(d document, scheme, level string, path ...string) {
	if !known(f, d, f.schemes, "scheme", scheme, path...) {
		return
	}
	if _, ok := f.schemes[scheme].hierarchy(level); !ok {
		f.refer(d, "level of "+scheme, level, f.schemes[scheme].levelIDs(), path...)
	}
}

// checkCategories wants restrictive or permissive tag sets of the scheme, and values of theirs.
func (f *facts) checkCategories(d document, scheme string, categories map[string][]string, path ...string) {
	s, ok := f.schemes[scheme]
	if !ok {
		return // reported with the level
	}
	var sets []string
	for name, set := range s.TagSets {
		if set.Type == "restrictive" || set.Type == "permissive" {
			sets = append(sets, name)
		}
	}
	for name, values := range categories {
		at := append(slices.Clone(path), name)
		if !slices.Contains(sets, name) {
			f.refer(d, "restrictive or permissive tag set of "+scheme, name, sets, at...)
			continue
		}
		ids := s.TagSets[name].ids()
		for _, v := range values {
			if !slices.Contains(ids, v) {
				f.refer(d, "value of "+scheme+"'s "+name, v, ids, at...)
			}
		}
	}
}

// checkSpan wants a time to end after it began.
func (f *facts) checkSpan(d document, from, to string, path ...string) {
	if from >= to {
		f.add(d.file, d.line(path...), "%s: ends %s, before or when it begins, %s; correct one", strings.Join(path, "."), to, from)
	}
}
