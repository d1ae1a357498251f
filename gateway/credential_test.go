package gateway

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
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

// TestBreakingTheGlassIsAnOutcomeOfItsOwn: allowed, though nobody approved, but not as an ordinary allow; and the client's word for it
// stays here.
func TestBreakingTheGlassIsAnOutcomeOfItsOwn(t *testing.T) {
	t.Parallel()
	g := start(t, world)
	c := client(t, g.Server, nil)
	emergency := header("x-sallyport-purpose", "break_glass:PRODUCTION_ALERT")
	got, out := check(t, c, ask("GET", plans, token(t, "SECRET", otto), emergency))
	if got != passes {
		t.Errorf("in an emergency: %+v", got)
	}
	if removed := out.GetOkResponse().GetHeadersToRemove(); !slices.Contains(removed, "x-sallyport-purpose") {
		t.Errorf("the purpose goes upstream: only %v are removed", removed)
	}
	login := func(ago time.Duration) func(map[string]any) {
		return func(c map[string]any) { otto(c); c["auth_time"] = time.Now().Add(-ago).Unix() }
	}
	for name, c2 := range map[string]struct {
		req  *authv3.CheckRequest
		want string
	}{
		"without saying so":          {ask("GET", plans, token(t, "SECRET", otto)), "personnel.unapproved"},
		"to write":                   {ask("PUT", plans, token(t, "SECRET", otto), emergency), "personnel.unapproved"},
		"with another code":          {ask("GET", plans, token(t, "SECRET", otto), header("x-sallyport-purpose", "break_glass:CURIOSITY")), "personnel.unapproved"},
		"long after the log-in":      {ask("GET", plans, token(t, "SECRET", login(time.Hour)), emergency), "personnel.unapproved"},
		"without the clearance":      {ask("GET", plans, token(t, "CONFIDENTIAL", otto), emergency), "access.denied"},
		"in a form of two readings":  {ask("GET", plans, token(t, "SECRET", otto), header("x-sallyport-purpose", "break_glass:A,B")), "request.ambiguous"},
		"a member of another tenant": {ask("GET", "/fr-space-missions/a", token(t, "SECRET"), emergency), "access.denied"},
	} {
		if got, _ := check(t, c, c2.req); got.Status != codes.PermissionDenied || got.Says != c2.want {
			t.Errorf("%s: %+v, want %s", name, got, c2.want)
		}
	}
	var broken []string
	for _, r := range g.decisions(t)["us-defense"] {
		if r.Allow && len(r.Obligations) > 0 {
			broken = append(broken, r.Subject.ID+" "+r.Request.Purpose+" "+r.Obligations[0].ID)
		}
	}
	if d := cmp.Diff([]string{"provider|otto break_glass:PRODUCTION_ALERT break_glass"}, broken); d != "" {
		t.Errorf("recorded as an emergency (-want +have):\n%s", d)
	}
	if want := `sallyport_decisions_total{action="read",outcome="break_glass",protocol="s3",tenant="us-defense"} 1` + "\n"; !strings.Contains(scraped(t, g.Server), want) {
		t.Errorf("the metrics lack %s", want)
	}
}

// TestAuthorityIsTheMeetOfTheChain: who acts for a person must carry each label too, by his own clearance.
func TestAuthorityIsTheMeetOfTheChain(t *testing.T) {
	t.Parallel()
	services := edit{"tenants/us-defense/issuers/data.yaml", "    types: [person]", "    types: [person, service]"}
	g := start(t, edited(t, services))
	c := client(t, g.Server, nil)
	actor := func(sub, level string, before map[string]any) map[string]any {
		a := map[string]any{"sub": sub}
		if level != "" {
			a["clearances"] = []any{map[string]any{"scheme": "USA", "level": level}}
		}
		if before != nil {
			a["act"] = before
		}
		return a
	}
	for name, c2 := range map[string]struct {
		act  map[string]any
		want received
	}{
		"a service with as much":              {actor("planner", "SECRET", nil), passes},
		"a service with less":                 {actor("planner", "CONFIDENTIAL", nil), denied(403, "access.denied")},
		"a service with nothing":              {actor("planner", "", nil), denied(403, "access.denied")},
		"two services with as much":           {actor("planner", "SECRET", actor("door", "SECRET", nil)), passes},
		"two services, of which one has less": {actor("planner", "SECRET", actor("door", "CONFIDENTIAL", nil)), denied(403, "access.denied")},
	} {
		tok := token(t, "SECRET", func(c map[string]any) { c["act"] = c2.act })
		if got, _ := check(t, c, ask("GET", plans, tok)); got != c2.want {
			t.Errorf("%s: %+v, want %+v", name, got, c2.want)
		}
	}
	g2 := start(t, world) // whose issuer may not vouch for services
	tok := token(t, "SECRET", func(c map[string]any) { c["act"] = actor("planner", "SECRET", nil) })
	if got, _ := check(t, client(t, g2.Server, nil), ask("GET", plans, tok)); got.Says != "identity.issuer" {
		t.Errorf("a service of an issuer that may not vouch for any: %+v", got)
	}
}
