package extauthz

import (
	"context"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	"github.com/sallyport-dev/sallyport/authz"
)

const mark = "belt"

type log struct{}

func (log) Append(context.Context, authz.Record) error { return nil }

// granted is a grant as only Commit makes it.
func granted(t *testing.T, obligations ...authz.Obligation) authz.Grant {
	t.Helper()
	g, err := authz.Commit(t.Context(), log{}, authz.Record{DecisionID: "d1", Allow: true, Obligations: obligations}, authz.Seal(authz.Credential{
		Set: []authz.HeaderField{{Name: "authorization", Value: "s"}}, Remove: []string{"x-amz-security-token"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// sent is what a client and an upstream would see of an answer.
type sent struct {
	Status   codes.Code
	HTTP     int32
	Set      map[string]string // upstream
	Remove   []string
	Response map[string]string // to the client
	Body     string
	Metadata map[string]any
}

func wire(r *authv3.CheckResponse) sent {
	s := sent{Status: codes.Code(r.GetStatus().GetCode()), Metadata: r.GetDynamicMetadata().AsMap(), Response: map[string]string{}}
	if ok := r.GetOkResponse(); ok != nil {
		s.Set = map[string]string{}
		for _, h := range ok.GetHeaders() {
			s.Set[h.GetHeader().GetKey()] = h.GetHeader().GetValue()
		}
		s.Remove = ok.GetHeadersToRemove()
		for _, h := range ok.GetResponseHeadersToAdd() {
			s.Response[h.GetHeader().GetKey()] = h.GetHeader().GetValue() + " " + h.GetAppendAction().String()
		}
	}
	if d := r.GetDeniedResponse(); d != nil {
		s.HTTP, s.Body = int32(d.GetStatus().GetCode()), d.GetBody()
		for _, h := range d.GetHeaders() {
			s.Response[h.GetHeader().GetKey()] = h.GetHeader().GetValue()
		}
	}
	return s
}

func TestOnlyAGrantRendersAsOK(t *testing.T) {
	want := sent{
		Status: codes.OK, Set: map[string]string{"authorization": "s"}, Remove: []string{"x-amz-security-token"},
		Response: map[string]string{decisionHeader: "d1 OVERWRITE_IF_EXISTS_OR_ADD"},
		Metadata: map[string]any{"sallyport": mark, "decision_id": "d1"},
	}
	if diff := cmp.Diff(want, wire(Render(Allow(granted(t)), mark))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, wire(Render(Allow(granted(t, authz.Obligation{ID: authz.AuditMask})), mark))); diff != "" {
		t.Errorf("an obligation of the log reached the caller (-want +got):\n%s", diff)
	}
	want.Response["x-sallyport-obligations"] = "display-only OVERWRITE_IF_EXISTS_OR_ADD"
	want.Response["cache-control"] = "no-store OVERWRITE_IF_EXISTS_OR_ADD"
	shown := granted(t, authz.Obligation{ID: authz.AuditMask}, authz.Obligation{ID: authz.DisplayOnly})
	if diff := cmp.Diff(want, wire(Render(Allow(shown), mark))); diff != "" {
		t.Errorf("what may only be shown (-want +got):\n%s", diff)
	}
	for name, a := range map[string]Answer{
		"the zero answer":               {},
		"an allow of the zero grant":    Allow(authz.Grant{}),
		"a denial of no record":         Deny(authz.Record{}, ""),
		"a denial of an allow":          Deny(authz.Record{Allow: true, DecisionID: "d1"}, "s3"),
		"a denial for a strange reason": Deny(authz.Record{Reasons: []authz.Reason{"no.such"}}, "s3"),
	} {
		t.Run(name, func(t *testing.T) {
			r := Render(a, mark)
			if r.GetStatus() == nil || r.GetStatus().GetCode() == 0 || r.GetDeniedResponse().GetStatus().GetCode() < 400 || r.GetOkResponse() != nil {
				t.Errorf("Envoy would take it for an allow: %v", r)
			}
			if _, ok := r.GetDynamicMetadata().AsMap()["sallyport"]; ok {
				t.Error("a denial carries the belt's mark")
			}
		})
	}
	if r := Render(Allow(granted(t)), ""); r.GetStatus().GetCode() == 0 {
		t.Error("an allow without the belt's mark was rendered as OK")
	}
}

func TestDenialsSpeakTheServicesLanguage(t *testing.T) {
	subject := &authz.RecordSubject{ID: "nzl|moana"}
	for name, c := range map[string]struct {
		record  authz.Record
		service string
		want    sent
	}{
		"S3 gets an error document": {
			authz.Record{DecisionID: "d1", Subject: subject, Reasons: []authz.Reason{"clearance.level"}}, "s3",
			sent{codes.PermissionDenied, 403, nil, nil, map[string]string{
				"content-type": "application/xml", "cache-control": "no-store", decisionHeader: "d1",
			}, `<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
				`<Error><Code>AccessDenied</Code><Message>Refused: access.denied. Ask about decision d1.</Message><RequestId>d1</RequestId></Error>`,
				map[string]any{"decision_id": "d1"}},
		},
		"all others get JSON": {
			authz.Record{DecisionID: "d1", Subject: subject, Reasons: []authz.Reason{"request.unsupported"}}, "jobs",
			sent{codes.PermissionDenied, 403, nil, nil, map[string]string{
				"content-type": "application/json", "cache-control": "no-store", decisionHeader: "d1",
			}, `{"decision_id":"d1","message":"Refused: request.unsupported. Ask about decision d1.","reasons":["request.unsupported"]}`,
				map[string]any{"decision_id": "d1"}},
		},
		"a missing credential is asked for": {
			authz.Record{DecisionID: "d1", Reasons: []authz.Reason{"identity.missing"}}, "",
			sent{codes.Unauthenticated, 401, nil, nil, map[string]string{
				"content-type": "application/json", "cache-control": "no-store", decisionHeader: "d1", "www-authenticate": `Bearer realm="sallyport"`,
			}, `{"decision_id":"d1","message":"Refused: identity.missing. Ask about decision d1.","reasons":["identity.missing"]}`,
				map[string]any{"decision_id": "d1"}},
		},
		"a bad credential is called invalid": {
			authz.Record{DecisionID: "d1", Reasons: []authz.Reason{"identity.expired"}}, "",
			sent{codes.Unauthenticated, 401, nil, nil, map[string]string{
				"content-type": "application/json", "cache-control": "no-store", decisionHeader: "d1", "www-authenticate": `Bearer realm="sallyport", error="invalid_token"`,
			}, `{"decision_id":"d1","message":"Refused: identity.expired. Ask about decision d1.","reasons":["identity.expired"]}`,
				map[string]any{"decision_id": "d1"}},
		},
		"signed chunks get 501": {
			authz.Record{DecisionID: "d1", Subject: subject, Detail: authz.SignedChunks + ": x", Reasons: []authz.Reason{"request.unsupported"}}, "s3",
			sent{codes.PermissionDenied, 501, nil, nil, map[string]string{
				"content-type": "application/xml", "cache-control": "no-store", decisionHeader: "d1",
			}, `<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
				`<Error><Code>NotImplemented</Code><Message>Chunk signatures cannot be carried over: use https, or unsigned payloads. ` +
				`Refused: request.unsupported. Ask about decision d1.</Message><RequestId>d1</RequestId></Error>`,
				map[string]any{"decision_id": "d1"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, wire(Render(Deny(c.record, c.service), mark))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheCallerSeesOnlyWhatHeMayKnow(t *testing.T) {
	access := func(unproven ...authz.Reason) authz.RecordAccess {
		return authz.RecordAccess{Unproven: unproven, Input: []byte("{}")}
	}
	related := []authz.RecordAccess{access("clearance.level")}
	for name, c := range map[string]struct {
		reasons  []authz.Reason
		accesses []authz.RecordAccess
		want     []authz.Reason
	}{
		"labels stay hidden from the owner's people too": {[]authz.Reason{"clearance.level", "category.restrictive"}, related, []authz.Reason{"access.denied"}},
		"a missing verb shows to the related":            {[]authz.Reason{"action.not_granted"}, related, []authz.Reason{"action.not_granted"}},
		"an operator learns what to ask for":             {[]authz.Reason{"personnel.unapproved", "personnel.eligibility"}, related, []authz.Reason{"personnel.eligibility", "personnel.unapproved"}},
		"a stranger learns nothing of verbs":             {[]authz.Reason{"action.not_granted"}, []authz.RecordAccess{access("tenant.mismatch")}, []authz.Reason{"access.denied"}},
		"related to one of two is a stranger":            {[]authz.Reason{"service.not_contracted"}, []authz.RecordAccess{access(), access("tenant.mismatch")}, []authz.Reason{"access.denied"}},
		"one whom policy did not judge is a stranger":    {[]authz.Reason{"personnel.unapproved"}, []authz.RecordAccess{{}}, []authz.Reason{"access.denied"}},
		"tenant.mismatch has no name":                    {[]authz.Reason{"tenant.mismatch"}, []authz.RecordAccess{access("tenant.mismatch")}, []authz.Reason{"access.denied"}},
		"identity hides everything else":                 {[]authz.Reason{"identity.issuer", "clearance.issuer", "freshness.bundle"}, related, []authz.Reason{"identity.issuer"}},
		"freshness shows beside a hidden reason":         {[]authz.Reason{"freshness.bundle", "label.missing"}, related, []authz.Reason{"access.denied", "freshness.bundle"}},
		"no reason at all is access.denied":              {nil, nil, []authz.Reason{"access.denied"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Visible(authz.Record{Reasons: c.reasons, Accesses: c.accesses})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAPanicInACheckIsADenial(t *testing.T) {
	s := service{mark: mark, check: func(context.Context, authz.Request) Answer { panic("boom") }}
	r, err := s.Check(t.Context(), checkOf(request()))
	if err != nil || codes.Code(r.GetStatus().GetCode()) != codes.PermissionDenied {
		t.Errorf("%v, %v", r, err)
	}
}

func TestAClientIsToldTheNonceOfItsNextProof(t *testing.T) {
	refused := authz.Record{DecisionID: "d1", Reasons: []authz.Reason{authz.IdentityBinding}}
	have := wire(Render(Deny(refused, "jobs").WithNonce("n1"), mark))
	want := map[string]string{
		"content-type": "application/json", "cache-control": "no-store", decisionHeader: "d1", "dpop-nonce": "n1",
		"www-authenticate": `DPoP realm="sallyport", error="use_dpop_nonce", error_description="put the nonce of DPoP-Nonce into the proof"`,
	}
	if d := cmp.Diff(want, have.Response); d != "" || have.HTTP != 401 {
		t.Errorf("status %d, headers (-want +have):\n%s", have.HTTP, d)
	}
	for name, a := range map[string]Answer{
		"a refusal that is no 401": Deny(authz.Record{DecisionID: "d1", Reasons: []authz.Reason{authz.SystemAuditUnavailable}}, "jobs").WithNonce("n1"),
		"an allow":                 Allow(granted(t)).WithNonce("n1"),
	} {
		if r := wire(Render(a, mark)); r.Set["dpop-nonce"] != "" || r.Response["dpop-nonce"] != "" {
			t.Errorf("%s tells a nonce: %+v", name, r)
		}
	}
}
