package authz

// Reason is a stable id that is the same in rule, control, test, vector, metric and record. The catalogue is
// policies/reasons/data.yaml; the constants are those that Go itself can give.
type Reason string

// Reasons that steps give without asking policy.
const (
	AccessDenied Reason = "access.denied" // towards the caller only, instead of what he may not know

	IdentityMissing Reason = "identity.missing"
	IdentityInvalid Reason = "identity.invalid"
	IdentityIssuer  Reason = "identity.issuer"
	IdentityExpired Reason = "identity.expired"
	IdentityRevoked Reason = "identity.revoked"
	IdentityBinding Reason = "identity.binding"

	FreshnessRevocation Reason = "freshness.revocation"

	RequestAmbiguous   Reason = "request.ambiguous"
	RequestUnsupported Reason = "request.unsupported"

	OverlayObjected Reason = "overlay.objected"
	LabelUnbound    Reason = "label.unbound"

	ObligationUnsupported Reason = "obligation.unsupported"

	SystemInternal         Reason = "system.internal"
	SystemPolicyError      Reason = "system.policy_error"
	SystemAuditUnavailable Reason = "system.audit_unavailable"
	SystemGrantUnavailable Reason = "system.grant_unavailable"
	SystemTimeout          Reason = "system.timeout"
	SystemOverloaded       Reason = "system.overloaded"
)

// Decision is what policy says of one access. The zero Decision denies.
type Decision struct {
	Allow       bool         `json:"allow"`
	Unproven    []Reason     `json:"unproven"` // every required check not proven, sorted
	Reasons     []Reason     `json:"reasons"`  // the root causes among them, sorted
	Obligations []Obligation `json:"obligations"`
}

// Obligation is what must be done with an access (ID "audit.mask", …). A gateway that does not know one of an allowed access denies.
type Obligation struct {
	ID     string   `json:"id"`
	Fields []string `json:"fields,omitempty"` // of audit.mask: JSON pointers into the policy input
}

// DisplayOnly is the obligation of what may be shown and not given: the caller is told so, and nothing on the way may keep it.
const DisplayOnly = "display_only"

// BreakGlass is the obligation of an access in an emergency: it is recorded with its purpose, and counted as an outcome of its own.
const BreakGlass = "break_glass"

// Obligations that the log meets: which parts of a record stand there only as commitments, and that it need not wait for the disk.
const (
	AuditMask     = "audit.mask"
	AuditBuffered = "audit.buffered"
)
