package extauthz

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/sallyport-dev/sallyport/authz"
)

// decisionHeader carries the decision id to the caller, on allows and denials.
const decisionHeader = "x-sallyport-decision-id"

// obligationsHeader tells the caller what it owes for what it gets.
const obligationsHeader = "x-sallyport-obligations"

// Answer is what Envoy will be told. Only Allow and Deny make one; the zero Answer renders as a deny.
type Answer struct {
	grant   authz.Grant
	refused refusal
}

type refusal struct {
	decisionID string
	service    string
	code       int
	reasons    []authz.Reason
	nonce      string
}

// Allow answers with status OK and the grant's headers. Of the zero Grant it is a deny.
func Allow(g authz.Grant) Answer {
	return Answer{grant: g, refused: refusal{reasons: []authz.Reason{authz.SystemInternal}}}
}

// Deny answers with what the caller may know of r, in the form of the service he asked: see Visible. A record that allows is a
// deny too: what was asked of Deny is a deny.
func Deny(r authz.Record, service string) Answer {
	return Answer{refused: refusal{decisionID: r.DecisionID, service: service, code: statusOf(r), reasons: Visible(r)}}
}

// statusOf is 401 where no credential held, 501 for what S3 clients must do otherwise (signed chunks), 403 for everything else.
func statusOf(r authz.Record) int {
	switch {
	case r.Subject == nil && slices.ContainsFunc(r.Reasons, func(id authz.Reason) bool { return group(id) == "identity" }):
		return http.StatusUnauthorized
	case slices.Contains(r.Reasons, authz.RequestUnsupported) && strings.HasPrefix(r.Detail, authz.SignedChunks):
		return http.StatusNotImplemented
	}
	return http.StatusForbidden
}

// Visible returns what the caller may know, sorted: identity.*, request.*, freshness.* and system.*; action.not_granted,
// personnel.* and service.* if the subject is the owner's tenant, partner or provider; everything else is access.denied. If an
// identity.* is unproven, only that. It does not depend on label, catalogue or existence (domain.md I-28).
func Visible(r authz.Record) []authz.Reason {
	related := len(r.Accesses) > 0
	for _, a := range r.Accesses {
		if a.Input == nil || slices.Contains(a.Unproven, "tenant.mismatch") {
			related = false
		}
	}
	var identity, seen []authz.Reason
	for _, id := range r.Reasons {
		switch group(id) {
		case "identity":
			identity = append(identity, id)
		case "request", "freshness", "system":
			seen = append(seen, id)
		case "action", "personnel", "service":
			if related {
				seen = append(seen, id)
				continue
			}
			seen = append(seen, authz.AccessDenied)
		default:
			seen = append(seen, authz.AccessDenied)
		}
	}
	if len(identity) > 0 {
		seen = identity
	}
	if len(seen) == 0 {
		seen = append(seen, authz.AccessDenied)
	}
	slices.Sort(seen)
	return slices.Compact(seen)
}

func group(id authz.Reason) string {
	g, _, _ := strings.Cut(string(id), ".")
	return g
}

// WithNonce is a refusal that also tells the client which nonce its next DPoP proof must hold (RFC 9449 §9).
func (a Answer) WithNonce(nonce string) Answer {
	a.refused.nonce = nonce
	return a
}

// Render writes a as Envoy's answer. mark is the belt's secret: an RBAC filter after ext_authz refuses what does not carry it.
func Render(a Answer, mark string) *authv3.CheckResponse {
	if !a.grant.Valid() || mark == "" {
		return denied(a.refused)
	}
	back := []authz.HeaderField{{Name: decisionHeader, Value: a.grant.DecisionID()}}
	if a.grant.DisplayOnly() { // caches would keep what may only be shown
		back = append(back, authz.HeaderField{Name: obligationsHeader, Value: "display-only"}, authz.HeaderField{Name: "cache-control", Value: "no-store"})
	}
	ok := &authv3.OkHttpResponse{
		Headers:              options(a.grant.Headers()),
		HeadersToRemove:      a.grant.Remove(),
		ResponseHeadersToAdd: options(back),
	}
	return &authv3.CheckResponse{
		Status:          &status.Status{Code: int32(codes.OK)},
		HttpResponse:    &authv3.CheckResponse_OkResponse{OkResponse: ok},
		DynamicMetadata: metadata(map[string]string{"sallyport": mark, "decision_id": a.grant.DecisionID()}),
	}
}

func denied(r refusal) *authv3.CheckResponse {
	if r.code == 0 {
		r.code = http.StatusForbidden
	}
	if len(r.reasons) == 0 {
		r.reasons = []authz.Reason{authz.SystemInternal}
	}
	contentType, body := r.body()
	fields := []authz.HeaderField{{Name: "content-type", Value: contentType}, {Name: "cache-control", Value: "no-store"}}
	if r.decisionID != "" {
		fields = append(fields, authz.HeaderField{Name: decisionHeader, Value: r.decisionID})
	}
	code := codes.PermissionDenied
	if r.code == http.StatusUnauthorized {
		code = codes.Unauthenticated
		fields = append(fields, authz.HeaderField{Name: "www-authenticate", Value: r.challenge()})
		if r.nonce != "" {
			fields = append(fields, authz.HeaderField{Name: "dpop-nonce", Value: r.nonce})
		}
	}
	return &authv3.CheckResponse{
		Status: &status.Status{Code: int32(code)},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status:  &typev3.HttpStatus{Code: typev3.StatusCode(r.code)},
			Headers: options(fields),
			Body:    body,
		}},
		DynamicMetadata: metadata(map[string]string{"decision_id": r.decisionID}),
	}
}

// challenge is RFC 6750 §3: no error code where the request had no credential at all; and RFC 9449 §9 where a nonce is asked for.
func (r refusal) challenge() string {
	if r.nonce != "" {
		return `DPoP realm="sallyport", error="use_dpop_nonce", error_description="put the nonce of DPoP-Nonce into the proof"`
	}
	if slices.Contains(r.reasons, authz.IdentityMissing) {
		return `Bearer realm="sallyport"`
	}
	return `Bearer realm="sallyport", error="invalid_token"`
}

// body writes the refusal in the form of the service that was asked: S3's error document, JSON for all others.
func (r refusal) body() (contentType, body string) {
	ids := make([]string, len(r.reasons))
	for i, id := range r.reasons {
		ids[i] = string(id)
	}
	message := fmt.Sprintf("Refused: %s. Ask about decision %s.", strings.Join(ids, ", "), r.decisionID)
	if r.service == "s3" {
		e := s3Error{Code: "AccessDenied", Message: message, RequestID: r.decisionID}
		if r.code == http.StatusNotImplemented {
			e.Code = "NotImplemented"
			e.Message = "Chunk signatures cannot be carried over: use https, or unsigned payloads. " + message
		}
		b, err := xml.Marshal(e)
		if err != nil {
			return "text/plain", "AccessDenied"
		}
		return "application/xml", xml.Header + string(b)
	}
	b, err := json.Marshal(map[string]any{"decision_id": r.decisionID, "reasons": ids, "message": message})
	if err != nil {
		return "text/plain", "denied"
	}
	return "application/json", string(b)
}

// s3Error is the error document of the Amazon S3 API.
type s3Error struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	RequestID string `xml:"RequestId"`
}

// options sets fields so that neither the client nor the upstream can add a second value.
func options(fields []authz.HeaderField) []*corev3.HeaderValueOption {
	out := make([]*corev3.HeaderValueOption, len(fields))
	for i, f := range fields {
		out[i] = &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: f.Name, Value: f.Value}, // raw_value would arrive empty
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		}
	}
	return out
}

func metadata(fields map[string]string) *structpb.Struct {
	s := &structpb.Struct{Fields: make(map[string]*structpb.Value, len(fields))}
	for k, v := range fields {
		s.Fields[k] = structpb.NewStringValue(v)
	}
	return s
}
