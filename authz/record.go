package authz

import (
	"encoding/json"
	"time"
)

// Record is what a log keeps of one decision or one event of the gateway. authz/audit/FORMAT.md is its specification; field
// names follow OPA's decision log where it has one. No token, secret or body ever enters it.
type Record struct {
	Type       string  `json:"type"` // decision, start, stop, activation, disagreement, recovered or flood
	DecisionID string  `json:"decision_id"`
	Salt       string  `json:"salt"`      // random and given by the log, so that nobody guesses a record from its hash
	Time       Time    `json:"timestamp"` //
	Clock      string  `json:"clock"`     // trusted, floor or unknown
	Gateway    Gateway `json:"gateway"`
	Marking    string  `json:"marking"` // the record's own classification, as a display marking

	RequestID   string   `json:"req_id,omitempty"`       // Envoy's x-request-id
	RequestedBy string   `json:"requested_by,omitempty"` // source address
	Principal   string   `json:"principal,omitempty"`    // the peer certificate's URI SAN
	Request     *Summary `json:"request,omitempty"`

	Subject  *RecordSubject `json:"subject,omitempty"`
	Accesses []RecordAccess `json:"accesses,omitempty"`

	Allow       bool         `json:"allow"`
	Reasons     []Reason     `json:"reasons"`  // sorted union over the accesses
	Unproven    []Reason     `json:"unproven"` // sorted union over the accesses
	Obligations []Obligation `json:"obligations,omitempty"`
	Controls    []string     `json:"controls,omitempty"` // of a denial: those that its reasons are evidence for, sorted
	Detail      string       `json:"detail,omitempty"`   // what a step said when it refused

	Bundle      BundleRef         `json:"bundle"`
	Facts       *Facts            `json:"facts,omitempty"`
	GrantDigest string            `json:"grant_digest,omitempty"` // hex SHA-256 of the sealed credential
	Latency     time.Duration     `json:"latency_ns,omitempty"`   // from the request's arrival to the append
	Fields      map[string]string `json:"fields,omitempty"`       // of events: what happened

	Masked       map[string]string `json:"masked,omitempty"`        // JSON pointer from this record → commitment; given by the log
	MaskingError string            `json:"masking_error,omitempty"` // why everything is masked; given by the log

	Part *[2]int `json:"part,omitempty"` // [k, n] where one decision is several lines
}

// Summary is the request line; the query is left out, since clients put secrets there.
type Summary struct {
	Protocol  string `json:"protocol"`
	Operation string `json:"operation"`
	Method    string `json:"method"`
	Host      string `json:"host"`
	Path      string `json:"path"`
	Purpose   string `json:"purpose,omitempty"` // as the client says, see Subject.Purpose
}

// RecordSubject is the subject and the evidence of its token. Issuer is the id of the issuer's entry, Evidence.Issuer its iss.
type RecordSubject struct {
	Type     string   `json:"type"`
	ID       string   `json:"id"`
	Tenant   *string  `json:"tenant"`
	Evidence Evidence `json:"token"`
}

// RecordAccess is one access with its outcome and the exact policy input, so that anybody can decide it again.
type RecordAccess struct {
	Action      string          `json:"action"`
	Resource    string          `json:"resource"`
	Row         *string         `json:"row"`
	Tenant      *string         `json:"tenant"`
	Allow       bool            `json:"allow"`
	Reasons     []Reason        `json:"reasons"`
	Unproven    []Reason        `json:"unproven"`
	Obligations []Obligation    `json:"obligations,omitempty"`
	Input       json.RawMessage `json:"input"` // null where policy was not asked

	Masked map[string]string `json:"masked,omitempty"` // JSON pointer from this access → commitment; given by the log
	Replay string            `json:"replay,omitempty"` // "openings" where Input replays only with them; given by the log
}

// Facts are what the decision rests on beside bundle and token, by serial and age in seconds; null is unknown.
type Facts struct {
	BundleAge        *int64      `json:"bundle_age"`
	RevocationSerial *int64      `json:"revocation_serial"`
	RevocationAge    *int64      `json:"revocation_age"`
	KeysAge          *int64      `json:"keys_age"` // of the key set that verified the token
	ClockFloor       *ClockFloor `json:"clock_floor"`
}

// ClockFloor is a time that has certainly passed, and who says so.
type ClockFloor struct {
	Time   Time   `json:"time"`
	Source string `json:"source"` // bundle or log
}

// BundleRef names the bundle that judged.
type BundleRef struct {
	Revision string `json:"revision"`
	Digest   string `json:"digest"` // hex SHA-256 over the bundle's files
}
