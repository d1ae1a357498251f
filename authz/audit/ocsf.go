package audit

import (
	"encoding/json"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
)

// ocsf writes events of the Open Cybersecurity Schema Framework: class 6005 (Datastore Activity) for accesses to stored objects, 6003
// (API Activity) for everything else.
type ocsf struct{ enc *json.Encoder }

const (
	ocsfAPI       = 6003
	ocsfDatastore = 6005
	ocsfCategory  = 6 // application activity
	ocsfOther     = 99

	ocsfDatabucket = 2
)

// Activities of the two classes by the action of an access.
var (
	ocsfDatastoreActivity = map[string]int{"read": 1, "update": 2, "create": 6, "delete": 7, "list": 8}
	ocsfAPIActivity       = map[string]int{"create": 1, "read": 2, "list": 2, "update": 3, "delete": 4}
)

type ocsfEvent struct {
	ActivityID int            `json:"activity_id"`
	Category   int            `json:"category_uid"`
	Class      int            `json:"class_uid"`
	Type       int            `json:"type_uid"`
	Time       int64          `json:"time"` // milliseconds
	Severity   int            `json:"severity_id"`
	Status     int            `json:"status_id"`         // 1 success, 2 failure
	Store      int            `json:"type_id,omitempty"` // of a datastore: 2 is a databucket
	Detail     string         `json:"status_detail,omitempty"`
	Metadata   map[string]any `json:"metadata"`
	Actor      map[string]any `json:"actor"`
	Source     map[string]any `json:"src_endpoint"`
	API        map[string]any `json:"api,omitempty"`
	HTTP       map[string]any `json:"http_request,omitempty"`
	Bucket     map[string]any `json:"databucket,omitempty"`
	Resources  []any          `json:"resources,omitempty"`
	Unmapped   map[string]any `json:"unmapped"`
}

func (e ocsf) Write(log string, line []byte, r authz.Record) error {
	n, err := numberOf(line)
	if err != nil {
		return err
	}
	accesses := r.Accesses
	if len(accesses) == 0 {
		accesses = []authz.RecordAccess{{Action: r.Type, Allow: r.Allow || r.Type != typeDecision}}
	}
	for _, a := range accesses {
		event := newOCSF(r, a)
		event.Metadata["log_name"], event.Metadata["sequence"] = log, n
		if err := e.enc.Encode(event); err != nil {
			return err
		}
	}
	return nil
}

func (ocsf) Flush() error { return nil }

func newOCSF(r authz.Record, a authz.RecordAccess) ocsfEvent {
	e := ocsfEvent{
		Category: ocsfCategory, Class: ocsfAPI, Time: r.Time.UnixMilli(), Severity: 1, Status: 2, Detail: ids(r.Reasons),
		Metadata: map[string]any{"version": "1.5.0", "uid": r.DecisionID, "correlation_uid": r.RequestID,
			"product": map[string]any{"name": "Sallyport", "vendor_name": "Sallyport"}},
		Actor:    ocsfActor(r),
		Source:   ocsfSource(r),
		Unmapped: map[string]any{"marking": r.Marking, "tenant": a.Tenant, "row": a.Row, "bundle_digest": r.Bundle.Digest, "clock": r.Clock},
	}
	if a.Allow {
		e.Status = 1
	}
	if r.Request != nil && r.Request.Path != "" {
		e.HTTP = map[string]any{"http_method": r.Request.Method, "url": map[string]any{"hostname": r.Request.Host, "path": r.Request.Path}}
	}
	activity := ocsfAPIActivity
	if bucket, stored := strings.CutPrefix(a.Resource, "s3://"); stored {
		name, key, _ := strings.Cut(bucket, "/")
		e.Class, activity, e.Store = ocsfDatastore, ocsfDatastoreActivity, ocsfDatabucket
		e.Bucket = map[string]any{"name": name, "type_id": 1, "type": "S3", "uid": a.Resource}
		if key != "" {
			e.Bucket["file"] = map[string]any{"name": key, "type_id": 1}
		}
	} else {
		e.API = map[string]any{"operation": a.Action}
		if a.Resource != "" {
			e.Resources = []any{map[string]any{"name": a.Resource}}
		}
	}
	e.ActivityID = ocsfOther
	if id, ok := activity[a.Action]; ok {
		e.ActivityID = id
	}
	e.Type = e.Class*100 + e.ActivityID
	return e
}

// ocsfActor is who asked; of an event, the gateway. One that is masked is named by its commitment, which is another in each record.
func ocsfActor(r authz.Record) map[string]any {
	if r.Subject == nil {
		return map[string]any{"app_name": "sallyport", "app_uid": r.Gateway.ID}
	}
	uid := r.Subject.ID
	if commitment := r.Masked["/subject/id"]; commitment != "" {
		uid = "masked:" + commitment
	}
	return map[string]any{"user": map[string]any{"uid": uid, "type_id": ocsfOther, "type": r.Subject.Type}}
}

// ocsfSource is where the request came from; of an event, the gateway.
func ocsfSource(r authz.Record) map[string]any {
	if r.RequestedBy == "" {
		return map[string]any{"svc_name": "sallyport"}
	}
	return map[string]any{"ip": r.RequestedBy}
}
