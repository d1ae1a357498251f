package identity_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/label"
)

// aciClr writes a clearance as the claim of ADatP-4774.1.
func aciClr(t *testing.T, c authz.Clearance) string {
	t.Helper()
	forms, err := label.New(json.RawMessage(schemesDoc))
	must(err)
	claim, err := forms.PrintACIClr(c)
	if err != nil {
		t.Fatal(err)
	}
	return claim
}

// TestAClearanceMayComeAsXML: an issuer whose clearances are in the claim aciClr says so, and they open exactly the levels that they
// list, cut to the grant like any other.
func TestAClearanceMayComeAsXML(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, err := w.mapped(`{"names": {"clearances": "aciClr"}}`)
	must(err)
	w.verifier = v
	whole := authz.Clearance{Scheme: "USA", Levels: []string{"UNCLASSIFIED", "SECRET", "TOP SECRET"}, Categories: map[string][]string{"sci": {"TK", "SI"}}}
	s := subjectOf(t, v, w.token("sam", map[string]any{"clearances": absent, "aciClr": aciClr(t, whole)}))
	want := []authz.Clearance{{Scheme: "USA", Levels: []string{"UNCLASSIFIED", "SECRET"}, Categories: map[string][]string{"sci": {"TK"}}, Sponsor: "usa",
		NotBefore: authz.At(noon.Add(-90 * time.Second)), NotAfter: authz.At(noon.Add(14 * time.Minute))}}
	if d := cmp.Diff(want, s.Properties.Clearances); d != "" {
		t.Errorf("clearances (-want +have):\n%s", d)
	}
	cuts := []authz.Cut{
		{Claim: "clearance", Value: map[string]any{"scheme": "USA", "levels": whole.Levels, "categories": map[string][]string{}}, Why: "usa vouches in USA up to SECRET"},
		{Claim: "clearance", Value: map[string]any{"scheme": "USA", "levels": whole.Levels, "categories": map[string][]string{"sci": {"SI"}}}, Why: "usa does not vouch for these categories of USA"},
	}
	if d := cmp.Diff(cuts, s.Properties.Cut); d != "" {
		t.Errorf("cut (-want +have):\n%s", d)
	}
	foreign := authz.Clearance{Scheme: "FRA", Levels: []string{"SECRET"}, Categories: map[string][]string{}}
	s = subjectOf(t, v, w.token("sam", map[string]any{"aciClr": []string{aciClr(t, foreign), aciClr(t, whole)}, "act": map[string]any{"sub": "a", "aciClr": aciClr(t, foreign)}}))
	if d := cmp.Diff(want, s.Properties.Clearances); d != "" {
		t.Errorf("of two, one of another nation (-want +have):\n%s", d)
	}
	if len(s.Properties.Via) != 1 || len(s.Properties.Via[0].Clearances) != 0 {
		t.Errorf("an actor's, of another nation: %+v", s.Properties.Via)
	}
}

func TestAClearanceInXMLThatIsNotUnderstoodRefusesTheToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, err := w.mapped(`{"names": {"clearances": "aciClr"}}`)
	must(err)
	good := aciClr(t, authz.Clearance{Scheme: "USA", Levels: []string{"SECRET"}, Categories: map[string][]string{}})
	raw, err := base64.RawURLEncoding.DecodeString(good)
	must(err)
	changed := func(was, is string) string {
		if !strings.Contains(string(raw), was) {
			t.Fatalf("no %s in %s", was, raw)
		}
		return b64(strings.ReplaceAll(string(raw), was, is))
	}
	for name, claim := range map[string]any{
		"no base64":             "SECRET",
		"padded":                good + "=",
		"not XML":               b64("SECRET"),
		"an unknown policy":     changed(">USA<", ">UTOPIA<"),
		"an unknown level":      changed(">SECRET<", ">SECRETEST<"),
		"an entity":             b64(`<!DOCTYPE x [<!ENTITY e "SECRET">]>` + string(raw)),
		"an object":             map[string]any{"scheme": "USA", "level": "SECRET"},
		"an object in a list":   []any{map[string]any{"scheme": "USA", "level": "SECRET"}},
		"bytes after the XML":   b64(string(raw) + "<x/>"),
		"one good and one not":  []any{good, "x"},
		"a list that is a text": nil,
	} {
		t.Run(name, func(t *testing.T) {
			reason, detail := refused(t, v, bearer(w.token("sam", map[string]any{"aciClr": claim})))
			if reason != authz.IdentityInvalid || strings.Contains(detail, "UTOPIA") || strings.Contains(detail, "SECRETEST") {
				t.Errorf("refused for %q: %s", reason, detail)
			}
		})
	}
	if reason, detail := refused(t, w.verifier, bearer(w.token("sam", map[string]any{"aciClr": "x"}))); reason != "" {
		t.Errorf("where the entry does not name it: refused for %q: %s", reason, detail)
	}
}
