package gateway

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
	"google.golang.org/grpc/codes"
)

// otto makes a token one of the provider's operators, whom no part of the bundle approves.
func otto(c map[string]any) {
	c["iss"], c["sub"] = issuers.URL+"/provider", "otto"
	delete(c, "tenant")
	delete(c, "export_status")
	c["affiliation"] = map[string]string{"kind": "provider", "organization": "provider", "country": "USA"}
}

// approval is one of otto's reading of plans/, by an approver of us-defense.
func approval(t *testing.T, approver string) string {
	t.Helper()
	now := time.Now()
	payload, err := json.Marshal(map[string]any{
		"iss": issuers.URL + "/usa", "sub": approver, "aud": "sallyport", "jti": randomHex(), "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"operator": "provider|otto", "row": "us-defense-plans/", "actions": []string{"read"}, "enclave": "iad-1", "justification": "CUSTOMER_INITIATED_SUPPORT",
	})
	if err != nil {
		t.Fatal(err)
	}
	h := jws.NewHeaders()
	h.Set(jws.TypeKey, "approval+jwt")
	b, err := jws.Sign(payload, jws.WithKey(jwa.ES256, signer, jws.WithProtectedHeaders(h)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAnOperatorMayBringTheTenantsApprovalsAlong(t *testing.T) {
	t.Parallel()
	approves := edit{"tenants/us-defense/issuers/data.yaml", "    nations: [USA]", "    approves: true\n    nations: [USA]"}
	g := start(t, edited(t, approves))
	c := client(t, g.Server, nil)
	tok := token(t, "SECRET", otto)
	sam, uma := approval(t, "sam"), approval(t, "uma")
	approved := func(by string) func(*authv3.CheckRequest) { return header("x-sallyport-approval", by) }

	if got, _ := check(t, c, ask("GET", plans, tok)); got.Status != codes.PermissionDenied || got.Says != "personnel.unapproved" {
		t.Errorf("without approvals: %+v", got)
	}
	if got, _ := check(t, c, ask("GET", plans, tok, approved(sam))); got.Status != codes.PermissionDenied || got.Says != "personnel.dual_control" {
		t.Errorf("with one of two approvers: %+v", got)
	}
	if got, _ := check(t, c, ask("GET", plans, tok, approved(sam+", "+sam))); got.Status != codes.PermissionDenied || got.Says != "personnel.dual_control" {
		t.Errorf("with the same approver twice: %+v", got)
	}
	got, out := check(t, c, ask("GET", plans, tok, approved(sam+", "+uma)))
	if got != passes {
		t.Errorf("with two approvers: %+v", got)
	}
	if removed := out.GetOkResponse().GetHeadersToRemove(); !slices.Contains(removed, "x-sallyport-approval") {
		t.Errorf("the approvals go upstream: only %v are removed", removed)
	}
	if got, _ := check(t, c, ask("PUT", plans, tok, approved(sam+", "+uma))); got.Status == codes.OK {
		t.Errorf("what is not approved passes: %+v", got)
	}
}
