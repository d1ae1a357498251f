package identity_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
)

// TestWhoActsForASubjectStandsBetween: a chain of act claims (RFC 8693 §4.1) becomes via, from who acts now to who acted first, and
// each of it holds no more than the issuer may say of him.
func TestWhoActsForASubjectStandsBetween(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit(t, `"tenants": ["us-defense"], "types": ["person"]`, `"tenants": ["us-defense"], "types": ["person", "service", "device"]`)
	type m = map[string]any
	secret := []any{m{"scheme": "USA", "level": "SECRET", "categories": m{"sci": []any{"TK", "SI"}}}}
	s := subjectOf(t, w.verifier, w.token("sam", m{"act": m{
		"sub": "planner", "iss": w.base + "/usa", "clearances": secret,
		"act": m{"sub": "tablet-7", "subject_type": "device", "clearances": []any{m{"scheme": "USA", "level": "TOP SECRET"}, m{"scheme": "GBR", "level": "SECRET"}},
			"act": m{"sub": "nobody"}},
	}}))
	usa := func(categories map[string][]string) authz.Clearance {
		return authz.Clearance{Scheme: "USA", Levels: []string{"UNCLASSIFIED", "CONFIDENTIAL", "SECRET"}, Categories: categories, Sponsor: "usa",
			NotBefore: authz.At(s.Evidence.IssuedAt.Add(-30 * time.Second)), NotAfter: s.Evidence.Expires}
	}
	want := []authz.Via{
		{Type: "service", ID: "usa|planner", Clearances: []authz.Clearance{usa(map[string][]string{"sci": {"TK"}})}},
		{Type: "device", ID: "usa|tablet-7", Clearances: []authz.Clearance{usa(map[string][]string{})}},
		{Type: "service", ID: "usa|nobody", Clearances: []authz.Clearance{}},
	}
	if d := cmp.Diff(want, s.Properties.Via); d != "" {
		t.Errorf("via (-want +have):\n%s", d)
	}
	var cuts []string
	for _, c := range s.Properties.Cut {
		cuts = append(cuts, c.Claim)
	}
	if d := cmp.Diff([]string{"clearance", "clearance", "clearance"}, cuts); d != "" {
		t.Errorf("cut: the category SI, the level TOP SECRET and the scheme GBR (-want +have):\n%s", d)
	}
	if !strings.Contains(string(s.Evidence.Claims), `"tablet-7"`) {
		t.Errorf("the evidence lacks the chain: %s", s.Evidence.Claims)
	}
}

func TestAnActorOfATypeThatTheIssuerMayNotVouchForIsCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := subjectOf(t, w.verifier, w.token("sam", map[string]any{"act": map[string]any{"sub": "planner"}}))
	want := []authz.Via{{ID: "usa|planner", Clearances: []authz.Clearance{}}}
	if d := cmp.Diff(want, s.Properties.Via); d != "" {
		t.Errorf("via (-want +have):\n%s", d)
	}
	if len(s.Properties.Cut) != 1 || s.Properties.Cut[0].Claim != "type" || s.Properties.Cut[0].Value != "service" {
		t.Errorf("cut: %+v; want the type, which leaves identity.issuer unproven", s.Properties.Cut)
	}
}

func TestAChainThatIsNotUnderstoodRefusesTheToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	type m = map[string]any
	long := m{"sub": "a"}
	for range 4 {
		long = m{"sub": "a", "act": long}
	}
	for _, c := range []struct {
		name   string
		edit   m
		detail string
	}{
		{"act that is null", m{"act": nil}, "act: want an object"},
		{"act that is a text", m{"act": "planner"}, "act: want an object"},
		{"act that is a list", m{"act": []any{m{"sub": "planner"}}}, "act: want an object"},
		{"an actor without sub", m{"act": m{}}, "act.sub"},
		{"an actor whose sub could hold another issuer's", m{"act": m{"sub": "usa|sam"}}, "act.sub"},
		{"an actor of another issuer", m{"act": m{"sub": "a", "iss": "https://other.test"}}, "act.iss"},
		{"an actor of no issuer", m{"act": m{"sub": "a", "iss": nil}}, "act.iss"},
		{"an actor of another issuer, further back", m{"act": m{"sub": "a", "act": m{"sub": "b", "iss": w.base + "/gbr"}}}, "act.act.iss"},
		{"a person who acts for another", m{"act": m{"sub": "uma", "subject_type": "person"}}, "act.subject_type"},
		{"an actor of no known type", m{"act": m{"sub": "a", "subject_type": "robot"}}, "act.subject_type"},
		{"a member that could restrict", m{"act": m{"sub": "a", "not_after": 1}}, "only the members"},
		{"an actor's clearance of an unknown scheme", m{"act": m{"sub": "a", "clearances": []any{m{"scheme": "XYZ", "level": "SECRET"}}}}, "act.clearances[0].scheme"},
		{"an actor further back that is no object", m{"act": m{"sub": "a", "act": true}}, "act.act"},
		{"five actors", m{"act": long}, "at most 4"},
		{"may_act", m{"may_act": m{"sub": "planner"}}, "may_act"},
		{"may_act that is null", m{"may_act": nil}, "may_act"},
	} {
		t.Run(c.name, func(t *testing.T) {
			reason, detail := refused(t, w.verifier, bearer(w.token("sam", c.edit)))
			if reason != authz.IdentityInvalid || !strings.Contains(detail, c.detail) {
				t.Errorf("refused for %q: %s; want identity.invalid: …%s…", reason, detail, c.detail)
			}
		})
	}
}

func TestARevokedActorActsForNobody(t *testing.T) {
	t.Parallel()
	for _, revoked := range []string{
		`{"subjects": ["usa|planner"]}`,
		`{"reissued": [{"subject": "usa|planner", "not_before": "2026-11-24T11:59:01Z"}]}`,
	} {
		w := newWorld(t)
		w.revoke(t, revoked)
		token := w.token("sam", map[string]any{"act": map[string]any{"sub": "tablet", "act": map[string]any{"sub": "planner"}}})
		if reason, detail := refused(t, w.verifier, bearer(token)); reason != authz.IdentityRevoked {
			t.Errorf("%s: refused for %q: %s", revoked, reason, detail)
		}
		if _, err := w.verifier.Verify(context.Background(), bearer(w.token("sam"))); err != nil {
			t.Errorf("%s: without the actor: %v", revoked, err)
		}
	}
}

// TestAnIssuerNamesItsActorsClearancesAsItNamesItsPeoples: claims.names and claims.scheme hold along the chain.
func TestAnIssuerNamesItsActorsClearancesAsItNamesItsPeoples(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit(t, `"source": "the synthetic treaty",`, `"claims": {"names": {"clearances": "clearance"}, "scheme": "USA"}, "source": "the synthetic treaty",`)
	s := subjectOf(t, w.verifier, w.token("sam", map[string]any{"clearance": "SECRET", "act": map[string]any{
		"sub": "a", "clearance": "CONFIDENTIAL", "act": map[string]any{"sub": "b", "clearance": []string{"UNCLASSIFIED"}},
	}}))
	var levels []int
	for _, v := range s.Properties.Via {
		levels = append(levels, len(v.Clearances[0].Levels))
	}
	if d := cmp.Diff([]int{2, 1}, levels); d != "" {
		t.Errorf("levels of each actor (-want +have):\n%s", d)
	}
	if reason, _ := refused(t, w.verifier, bearer(w.token("sam", map[string]any{"act": map[string]any{"sub": "a", "clearances": "SECRET"}}))); reason != "" {
		t.Errorf("our name, which means nothing in its tokens, refuses: %s", reason)
	}
}
