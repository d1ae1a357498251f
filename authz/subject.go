package authz

import "encoding/json"

// Subject is who asks, in AuthZEN's sense. ID is always "issuer|sub".
type Subject struct {
	Type       string            `json:"type"` // person, service or device
	ID         string            `json:"id"`
	Properties SubjectProperties `json:"properties"`

	// Evidence is for the record only; policy never sees it.
	Evidence Evidence `json:"-"`
	// Location is the country of the signed location claim, "" if there is none; it becomes Context.Source.
	Location string `json:"-"`
	// Purpose is what the client says that the request is for; it becomes Context.Purpose. Nothing proves it but what policy makes
	// of it: an operator who says break_glass:CODE answers for that.
	Purpose *string `json:"-"`
	// Approvals are those of any tenant that name this subject as operator; they become Context.Approvals.
	Approvals []Approval `json:"-"`
}

// SubjectProperties are the issuer's claims cut to the issuer's grant in the bundle; what was cut is in Cut.
type SubjectProperties struct {
	Issuer            string       `json:"issuer"` // the id of the issuer's entry in the bundle
	Tenant            *string      `json:"tenant"`
	Affiliation       *Affiliation `json:"affiliation"`
	Nationalities     []string     `json:"nationalities"`
	HeldNationalities []string     `json:"held_nationalities"` // adverse: as claimed, never cut
	ExportStatus      []string     `json:"export_status"`
	Communities       []string     `json:"communities"`
	Roles             []string     `json:"roles"`
	Clearances        []Clearance  `json:"clearances"`
	Cut               []Cut        `json:"cut"`
	Session           Session      `json:"session"`
	Via               []Via        `json:"via"`
	Assurance         Assurance    `json:"assurance"`
}

// Affiliation is whose person this is: of a tenant, of the provider, or of a partner nation's organization.
type Affiliation struct {
	Kind         string `json:"kind"` // tenant, provider or partner
	Organization string `json:"organization"`
	Country      string `json:"country"`
}

// Cut is a claim that the issuer was not entitled to make.
type Cut struct {
	Claim string `json:"claim"` // clearance, tenant, affiliation, nationality, type, community, role or export_status
	Value any    `json:"value"` // the text as claimed; of a clearance an object with scheme, level or native, categories
	Why   string `json:"why"`
}

// Session is the high-water mark of a session (Bell-LaPadula's current level). Where sessions are tracked, a nil HighWater is
// unknown and an empty one is the bottom.
type Session struct {
	Tracked   bool    `json:"tracked"`
	HighWater []Label `json:"high_water"`
}

// Via is a device or service in between; each must carry every label by itself.
type Via struct {
	Type       string      `json:"type"`
	ID         string      `json:"id"`
	Clearances []Clearance `json:"clearances"`
}

// Assurance says how the subject was authenticated (OIDC acr and amr) and whether the token is bound to its sender.
type Assurance struct {
	ACR        *string  `json:"acr"`
	AMR        []string `json:"amr"`
	Binding    string   `json:"binding"`     // none, mtls or dpop
	AgeSeconds *int64   `json:"age_seconds"` // since auth_time, or iat where there is none
}

// Evidence is what a record needs so that the token can be judged again from the start. No token, no token id.
type Evidence struct {
	Issuer      string          `json:"issuer"`       // the token's iss
	KeyID       string          `json:"kid"`          //
	TokenDigest string          `json:"token_digest"` // hex SHA-256 of the token's jti, or of the token where it has none
	IssuedAt    Time            `json:"iat"`          //
	Expires     Time            `json:"exp"`          // Envoy's stream bound follows from it
	Claims      json.RawMessage `json:"claims"`       // the mapped claims before the cut
}
