package authz

// Label is a confidentiality label in the sense of X.841 and ADatP-4774: one level of one scheme, and values by tag set.
type Label struct {
	Scheme       string              `json:"scheme"`
	Level        string              `json:"level"`
	Categories   map[string][]string `json:"categories"`   // tag set → values
	Release      []string            `json:"release"`      // countries; nil is "no release list"
	Display      []string            `json:"display"`      // countries that may be shown it and not given it; nil is "no display list"
	Nation       []string            `json:"nation"`       // nation tags, such as NOFORN
	Handling     []string            `json:"handling"`     // handling tags, such as CUI
	Created      Time                `json:"created"`      // when the label was given: the clock of equivalences
	Alternatives []Label             `json:"alternatives"` // ADatP-4774 alternatives: of a label and these, one must pass
}

// Clearance is what one sponsor says a subject may see in one scheme. Levels is the expanded set (X.501, RFC 5913), never a
// number; Native is the word of the clearance itself where it is not a level ("RELIABILITY").
type Clearance struct {
	Scheme     string              `json:"scheme"`
	Levels     []string            `json:"levels"`
	Native     string              `json:"native"`
	Categories map[string][]string `json:"categories"`
	Sponsor    string              `json:"sponsor"` // id of the issuer that vouches
	NotBefore  Time                `json:"not_before"`
	NotAfter   Time                `json:"not_after"`
}
