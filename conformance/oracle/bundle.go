package oracle

import (
	"encoding/json"
	"fmt"

	"github.com/sallyport-dev/sallyport/authz"
)

// Bundle is what the oracle knows of a bundle's data: the documents of the root and of each tenant.
type Bundle struct {
	schemes     map[string]scheme
	enclaves    map[string]enclave
	issuers     map[string]json.RawMessage // by id; only that they are there counts
	revocations revocations
	tenants     map[string]tenant
	manifests   struct {
		Root    manifest
		Tenants map[string]manifest
	}
}

type manifest struct {
	NotBefore authz.Time `json:"not_before"`
	Expires   authz.Time
}

type revocations struct {
	MaxAgeSeconds *int64 `json:"max_age_seconds"`
	Subjects      []string
}

type scheme struct {
	Nation  string
	Members []struct {
		Country   string
		NotBefore authz.Time `json:"not_before"`
		NotAfter  authz.Time `json:"not_after"`
	}
	Levels  []level
	TagSets map[string]tagSet `json:"tag_sets"`
	Release struct{ Allowed, Display bool }
	Native  map[string]struct{ Opens map[string][]string } `json:"native_clearances"`
	Rules   struct{ Required, Excluded []combination }
}

// span is of which date labels may be, the last day not among them.
type span struct {
	From authz.Time `json:"labels_from"`
	To   authz.Time `json:"labels_to"`
}

func (s span) holds(created authz.Time) bool {
	return !created.IsZero() && !created.Before(s.From.Time) && (s.To.IsZero() || created.Before(s.To.Time))
}

type level struct {
	ID        string
	Hierarchy int
	span
}

// combination says of labels which tag sets and values they need, or may not carry.
type combination struct {
	Levels         []string
	TagSets        []string `json:"tag_sets"`
	Beside, Values map[string][]string
	span
}

type tagSet struct {
	Type   string // restrictive, permissive, nation, handling or informative
	Values []tag
}

// tag is one value of a tag set, and the attributes that it tests.
type tag struct {
	ID                string
	Nationalities     []string
	Affiliations      []string
	OperatorLaw       []string `json:"operator_law"`
	OriginatorConsent bool     `json:"originator_consent"`
	ClearanceLevels   []string `json:"clearance_levels"`
	WithRelease       bool     `json:"with_release"`
	span
}

// UnmarshalJSON reads a value that is written as its id alone, or as an object.
func (t *tag) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, &t.ID) == nil {
		return nil
	}
	type object tag
	return json.Unmarshal(b, (*object)(t))
}

type enclave struct {
	Country  *string
	Operator struct {
		Law   string
		Reach []string
	}
	Ceiling []struct {
		Scheme, Level string
		Tags          []string
	}
}

type tenant struct {
	Tenant struct {
		Nation   string
		Sessions struct{ Tracked bool }
		Members  struct{ Actions []string }
		Roles    map[string][]string
		Services map[string]map[string][]string
	}
	Catalogue struct{ Rows map[string]row }
	Partners  struct{ Partners []partner }
	Personnel struct {
		Citizenships, Locations, Justifications []string
		Approvers                               int
		BreakGlass                              *breakGlass `json:"break_glass"`
	}
	Agreements struct {
		Agreements   map[string]agreement
		Equivalences []equivalence
		Consents     []consent
		Licences     []licence
		Authorities  map[string]authority
		Downgrades   []downgrade
	}
	Issuers map[string]json.RawMessage
}

// breakGlass is the emergency that a tenant has foreseen.
type breakGlass struct {
	Codes, Operators, Actions []string
	WindowSeconds             int64 `json:"window_seconds"`
}

// row holds those facts of a catalogue row that the input has no copy of.
type row struct {
	Labels          []authz.Label
	Communities     []string
	LabelsOnObjects *bool `json:"labels_on_objects"`
}

type partner struct {
	Organization, Country  string
	Issuers, Rows, Actions []string
	NotBefore              authz.Time `json:"not_before"`
	NotAfter               authz.Time `json:"not_after"`
}

type agreement struct {
	Parties   []string
	NotBefore authz.Time `json:"not_before"`
	NotAfter  authz.Time `json:"not_after"`
}

// equivalence says: labels so marked may be read (use clearance), translated (marking) or held (ceiling) as the other.
type equivalence struct {
	Use, Agreement   string
	Label, Clearance [2]string // scheme and level
	Categories       map[string][]string
	LabelsFrom       authz.Time `json:"labels_from"`
	LabelsTo         authz.Time `json:"labels_to"`
}

type consent struct {
	Originator, Recipient string
	Rows                  []string
	Until                 authz.Time
}

// licence lets foreign persons of these organizations have what is under an export regime.
type licence struct {
	Regime                         string
	Rows, Recipients, Citizenships []string
	NotBefore                      authz.Time `json:"not_before"`
	NotAfter                       authz.Time `json:"not_after"`
}

// authority is who may lower the labels of a nation.
type authority struct {
	Nation    string
	Holders   []string
	NotBefore authz.Time `json:"not_before"`
	NotAfter  authz.Time `json:"not_after"`
}

// downgrade is an approval to lower labels: from those with these digests to those with the others.
type downgrade struct {
	Authority, Row      string
	From, To, Approvers []string
	NotBefore           authz.Time `json:"not_before"`
	NotAfter            authz.Time `json:"not_after"`
}

// Read decodes the documents of a bundle, which document returns as JSON by their name: schemes, enclaves, issuers, revocations,
// bundle and tenants.
func Read(document func(name string) json.RawMessage) (*Bundle, error) {
	b := &Bundle{}
	for name, into := range map[string]any{
		"schemes": &b.schemes, "enclaves": &b.enclaves, "issuers": &b.issuers, "revocations": &b.revocations,
		"bundle": &b.manifests, "tenants": &b.tenants,
	} {
		if err := json.Unmarshal(document(name), into); err != nil {
			return nil, fmt.Errorf("oracle: document %s: %w", name, err)
		}
	}
	return b, nil
}
