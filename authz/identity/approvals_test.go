package identity_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/identity"
)

// approving returns a verifier of w's world in which issuer usa may approve for us-defense, and a list of revocations.
func (w *world) approving(t *testing.T, revoked string) *identity.Verifier {
	t.Helper()
	tenants := strings.Replace(tenantsDoc, `"grant": {"nations": ["USA"],`, `"grant": {"approves": true, "nations": ["USA"],`, 1)
	v, err := identity.New(identity.Config{
		Tenants: doc(tenants, w.base), Issuers: doc(issuersDoc, w.base), Schemes: json.RawMessage(schemesDoc), Revoked: json.RawMessage(revoked),
		Audiences: []string{"sallyport"}, Keys: w.issuerKeys, Now: func() time.Time { return w.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// approval is one of otto by an approver of issuer usa, with changes to claims and header.
func (w *world) approval(approver string, edits ...map[string]any) string {
	claims := map[string]any{
		"iss": w.base + "/usa", "sub": approver, "aud": "sallyport", "iat": w.now.Unix() - 60, "exp": w.now.Unix() + 3600, "jti": "by-" + approver,
		"operator": "provider|otto", "row": "us-defense-plans/", "actions": []any{"read", "list"}, "enclave": "iad-1", "justification": "CUSTOMER_INITIATED_SUPPORT",
	}
	key := w.keys["usa"]
	header := map[string]any{"alg": key.alg, "kid": key.kid, "typ": "approval+jwt"}
	for n, to := range []map[string]any{claims, header} {
		if n < len(edits) {
			for name, v := range edits[n] {
				if to[name] = v; v == absent {
					delete(to, name)
				}
			}
		}
	}
	if claims["iss"] == w.base+"/fra" {
		key = w.keys["fra"]
	}
	return key.sign(text(header), text(claims))
}

func carrying(w *world, approvals ...string) authz.Request {
	req := bearer(w.token("olga", map[string]any{"sub": "otto"}))
	req.Headers = append(req.Headers, authz.HeaderField{Name: "x-sallyport-approval", Value: strings.Join(approvals, ", ")})
	return req
}

func TestApprovalsOfOneThingByTwoApproversAreOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.approving(t, "")
	earlier := map[string]any{"exp": noon.Unix() + 600, "iat": noon.Unix() - 300}
	other := map[string]any{"actions": []any{"read"}, "jti": "other"}
	for range 2 { // with a new and a remembered token
		s, err := v.Verify(context.Background(), carrying(w, w.approval("sam"), w.approval("uma", earlier), w.approval("sam", other)))
		if err != nil {
			t.Fatal(err)
		}
		both := authz.Approval{
			ID: "by-sam+by-uma", Operator: "provider|otto", Row: "us-defense-plans/", Actions: []string{"list", "read"}, Enclave: "iad-1",
			Justification: "CUSTOMER_INITIATED_SUPPORT", Approvers: []string{"usa|sam", "usa|uma"},
			NotBefore: authz.At(noon.Add(-90 * time.Second)), NotAfter: authz.At(noon.Add(10 * time.Minute)),
		}
		one := both
		one.ID, one.Actions, one.Approvers, one.NotAfter = "other", []string{"read"}, []string{"usa|sam"}, authz.At(noon.Add(time.Hour))
		if diff := cmp.Diff([]authz.Approval{both, one}, s.Approvals); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if s := subjectOf(t, v, w.token("olga", map[string]any{"sub": "otto"})); len(s.Approvals) != 0 {
		t.Errorf("the next request without approvals still has %v", s.Approvals)
	}
}

func TestAnApprovalThatCanNotBeProvenRefusesTheRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.approval("sam")
	for _, c := range []struct {
		name, approval, revoked string
		want                    authz.Reason
		says                    string
	}{
		{"as it should be", good, "", "", ""},
		{"an access token", w.token("sam"), "", authz.IdentityInvalid, "typ"},
		{"an issuer that may not approve", w.approval("claire", map[string]any{"iss": w.base + "/fra"}), "", authz.IdentityIssuer, "may not approve"},
		{"the operator's own issuer", w.approval("olga", map[string]any{"iss": w.base + "/provider"}), "", authz.IdentityIssuer, "may not approve"},
		{"an unknown issuer", w.approval("x", map[string]any{"iss": "https://nobody.test"}), "", authz.IdentityIssuer, "may not approve"},
		{"another tenant's row", w.approval("sam", map[string]any{"row": "fr-space-missions/"}), "", authz.IdentityInvalid, "row"},
		{"a row of nobody", w.approval("sam", map[string]any{"row": "us-defenses/"}), "", authz.IdentityInvalid, "row"},
		{"another operator", w.approval("sam", map[string]any{"operator": "provider|olga"}), "", authz.IdentityInvalid, "operator"},
		{"a signature that nobody made", forged(good), "", authz.IdentityInvalid, "signature"},
		{"an unknown kid", w.approval("sam", nil, map[string]any{"kid": "k9"}), "", authz.IdentityInvalid, "unknown kid"},
		{"no JWT", "yes", "", authz.IdentityInvalid, "not a compact JWS"},
		{"an empty field", "", "", authz.IdentityInvalid, "not a compact JWS"},
		{"a comma too many", good + ",", "", authz.IdentityInvalid, "not a compact JWS"},
		{"one that has ended", w.approval("sam", map[string]any{"exp": noon.Unix()}), "", authz.IdentityExpired, "ended"},
		{"one of the future", w.approval("sam", map[string]any{"nbf": noon.Unix() + 31}), "", authz.IdentityInvalid, "nbf"},
		{"one for longer than a day", w.approval("sam", map[string]any{"exp": noon.Unix() + 86400}), "", authz.IdentityInvalid, "exp"},
		{"one for another gateway", w.approval("sam", map[string]any{"aud": "other"}), "", authz.IdentityInvalid, "aud"},
		{"no id", w.approval("sam", map[string]any{"jti": absent}), "", authz.IdentityInvalid, "jti"},
		{"no action", w.approval("sam", map[string]any{"actions": []any{}}), "", authz.IdentityInvalid, "actions"},
		{"an action that there is not", w.approval("sam", map[string]any{"actions": []any{"*"}}), "", authz.IdentityInvalid, "actions"},
		{"no enclave", w.approval("sam", map[string]any{"enclave": absent}), "", authz.IdentityInvalid, "enclave"},
		{"no justification", w.approval("sam", map[string]any{"justification": absent}), "", authz.IdentityInvalid, "justification"},
		{"something beside", w.approval("sam", map[string]any{"scope": "all"}), "", authz.IdentityInvalid, "only the members"},
		{"a revoked approver", good, `{"subjects": ["usa|sam"]}`, authz.IdentityRevoked, "revoked"},
		{"a revoked key", good, `{"keys": ["usa|k1"]}`, authz.IdentityRevoked, "revoked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := w.approving(t, c.revoked)
			if got, detail := refused(t, v, carrying(w, c.approval)); got != c.want || !strings.Contains(detail, c.says) {
				t.Errorf("refused for %q (%s), want %q, …%s…", got, detail, c.want, c.says)
			}
		})
	}
	v := w.approving(t, "")
	if got, _ := refused(t, v, carrying(w, good, good, good, good, good)); got != authz.RequestAmbiguous {
		t.Errorf("five approvals are refused for %q, want %q", got, authz.RequestAmbiguous)
	}
	twice := carrying(w, good)
	twice.Headers = append(twice.Headers, twice.Headers[len(twice.Headers)-1])
	if got, _ := refused(t, v, twice); got != authz.RequestAmbiguous {
		t.Errorf("two fields are refused for %q, want %q", got, authz.RequestAmbiguous)
	}
	if got, _ := refused(t, v, bearer(good)); got != authz.IdentityInvalid {
		t.Errorf("an approval as access token is refused for %q, want %q", got, authz.IdentityInvalid)
	}
}

func TestAnIssuerThatApprovesSpeaksForATenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for want, edit := range map[string][2]string{
		"approves: want a tenant": {`"grant": {"nations": ["GBR"],`, `"grant": {"approves": true, "nations": ["GBR"],`},
		"no service approves":     {`"tenants": ["fr-space"], "types": ["person"]`, `"approves": true, "tenants": ["fr-space"], "types": ["service"]`},
		"types: approval+jwt is":  {`"types": ["at+jwt"]`, `"types": ["at+jwt", "approval+jwt"]`},
	} {
		tenants := strings.Replace(tenantsDoc, edit[0], edit[1], 1)
		if _, err := identity.New(identity.Config{Tenants: doc(tenants, w.base), Schemes: json.RawMessage(schemesDoc)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want …%s…", err, want)
		}
	}
}
