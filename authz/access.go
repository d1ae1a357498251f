package authz

// Action is what an access does, in AuthZEN's sense.
type Action struct {
	Name       string           `json:"name"` // read, list, create, update, delete, relabel, execute or administer
	Properties ActionProperties `json:"properties"`
}

// ActionProperties are the protocol's operation and the flow that the access is part of.
type ActionProperties struct {
	Protocol      string   `json:"protocol"`  // s3, kubernetes, jobs or http
	Operation     string   `json:"operation"` // the protocol's own name, such as GetObject
	RequestLabels []Label  `json:"request_labels"`
	From          []Origin `json:"from"` // the whole sources of a copy or job, not their labels only
	To            To       `json:"to"`
}

// Origin is a source that flows into what an access writes.
type Origin struct {
	Row         *string      `json:"row"`
	Tenant      *string      `json:"tenant"`
	Owner       *Owner       `json:"owner"`
	Labels      []Label      `json:"labels"`
	Constraints *Constraints `json:"constraints"`
}

// To is where the data goes: to the client, into an object (Row), or into an enclave.
type To struct {
	Kind    string  `json:"kind"` // client, object or enclave
	Row     *string `json:"row"`
	Enclave *string `json:"enclave"`
}

// Resource is what an access touches, in AuthZEN's sense.
type Resource struct {
	Type       string             `json:"type"` // object, bucket or job
	ID         string             `json:"id"`   // s3://bucket/key
	Properties ResourceProperties `json:"properties"`
}

// ResourceProperties are a copy of the catalogue row that governs the resource. With no row, everything is null.
type ResourceProperties struct {
	Row         *string      `json:"row"`
	Tenant      *string      `json:"tenant"`
	Service     *string      `json:"service"`
	Owner       *Owner       `json:"owner"`
	Labels      []Label      `json:"labels"`
	Constraints *Constraints `json:"constraints"`
	Place       *Place       `json:"place"`
	Hold        *bool        `json:"hold"`
}

// Owner is the nation that owns the data and the organization it came from.
type Owner struct {
	Nation     string `json:"nation"`
	Originator string `json:"originator"`
}

// Constraints are the places and laws that data of a row may meet.
type Constraints struct {
	Residency    Countries `json:"residency"`
	Processing   Countries `json:"processing"`
	Reach        Countries `json:"reach"`
	Egress       Countries `json:"egress"`
	Export       *Export   `json:"export"`
	PersonalData *bool     `json:"personal_data"`
}

// Export is an export control regime (22 CFR 120-130, 15 CFR 730-774) and its licensed destinations.
type Export struct {
	Mode         string   `json:"mode"` // none, ITAR or EAR
	Destinations []string `json:"destinations"`
}

// Place names enclaves, not countries: a backup has an operator and a law too.
type Place struct {
	Enclave  string   `json:"enclave"`
	Replicas []string `json:"replicas"`
	Backups  []string `json:"backups"`
}

// Context is everything else that a decision depends on; whatever is not here does not count.
type Context struct {
	Time      Time       `json:"time"`
	Gateway   Gateway    `json:"gateway"`
	Source    Source     `json:"source"`
	Freshness Freshness  `json:"freshness"`
	Approvals []Approval `json:"approvals"`
	Purpose   *string    `json:"purpose"`
}

// Gateway names this gateway and the enclaves it stands in front of.
type Gateway struct {
	ID       string   `json:"id"`
	Enclaves []string `json:"enclaves"`
}

// Source is where the request came from. ext_authz cannot prove the path of a packet: Basis says what Country rests on.
type Source struct {
	Address   *string `json:"address"`
	Principal *string `json:"principal"`
	Network   *string `json:"network"`
	Country   *string `json:"country"`
	Basis     string  `json:"basis"` // network, device, claim or unknown
}

// Freshness is the age of what the decision rests on, in seconds, and the state of the clock.
type Freshness struct {
	BundleAge        *int64 `json:"bundle_age"`
	RevocationSerial *int64 `json:"revocation_serial"`
	RevocationAge    *int64 `json:"revocation_age"`
	Clock            string `json:"clock"` // trusted, floor or unknown
}

// Approval is a tenant's leave for one operator of the provider, on exactly one row.
type Approval struct {
	ID            string   `json:"id"`
	Operator      string   `json:"operator"` // issuer|sub
	Row           string   `json:"row"`
	Actions       []string `json:"actions"`
	Enclave       string   `json:"enclave"`
	Justification string   `json:"justification"`
	Approvers     []string `json:"approvers"` // issuer|sub
	NotBefore     Time     `json:"not_before"`
	NotAfter      Time     `json:"not_after"`
}

// Access is one thing that a request would do to one resource.
type Access struct {
	Action   Action   `json:"action"`
	Resource Resource `json:"resource"`
}

// Input is what policy sees of one access: reference for the schema in policies/schemas/input.json.
type Input struct {
	Subject  Subject  `json:"subject"`
	Action   Action   `json:"action"`
	Resource Resource `json:"resource"`
	Context  Context  `json:"context"`
}

// Resolution is every access of one request, and the request as the upstream will be shown it.
type Resolution struct {
	Service   string // s3, jobs, …
	Operation string
	Accesses  []Access // at least one
	Upstream  Upstream

	// Objects carry labels of their own, which count beside their rows'. Until they have been read, the accesses have the rows' labels.
	Objects []ObjectID
}

// ObjectID names an object of a tenant's.
type ObjectID struct{ Tenant, Path string } // bucket/key

// Object is what a store says of an object that carries labels of its own. The zero Object is not there.
type Object struct {
	ETag     string            // names the content beside which Metadata and Tags were read
	Metadata map[string]string // by lower-case name, without x-amz-meta-
	Tags     map[string]string
}

// Upstream is the canonical form of the request that a grant is made for.
type Upstream struct {
	Audience    string        // which upstream, from the route's context extensions
	Region      string        // SigV4 region, from the route's context extensions
	Tenant      string        // whose account: the tenant of the row that is written, else read; "" if there is no row
	Method      string        //
	Host        string        // as the client sent it and Envoy forwards it
	Path        string        // canonical, escaped
	Query       string        // canonical, escaped, sorted by name
	Headers     []HeaderField // those that the grant must cover, lower-case names, sorted by name
	Bound       []HeaderField // those that the grant sets and covers, in place of the client's: they hold the store to what was judged
	PayloadHash string        // SigV4's x-amz-content-sha256: hex SHA-256, UNSIGNED-PAYLOAD or STREAMING-UNSIGNED-PAYLOAD-TRAILER
	Remove      []string      // the client's headers that must not go upstream
}
