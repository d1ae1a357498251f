package identity_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/identity"
)

// revoking returns a verifier of w's world with a list of revocations.
func (w *world) revoking(t *testing.T, list string) *identity.Verifier {
	t.Helper()
	v, err := identity.New(identity.Config{
		Tenants: doc(tenantsDoc, w.base), Issuers: doc(issuersDoc, w.base), Schemes: json.RawMessage(schemesDoc), Revoked: json.RawMessage(list),
		Audiences: []string{"sallyport"}, Keys: w.issuerKeys, Now: func() time.Time { return w.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestWhatIsRevokedCountsNoMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token("sam")
	digest := subjectOf(t, w.verifier, token).Evidence.TokenDigest
	for _, c := range []struct {
		name, list, token string
		want              authz.Reason
	}{
		{"the subject", `{"subjects": ["usa|sam"]}`, token, authz.IdentityRevoked},
		{"the token", `{"tokens": ["usa|` + digest + `"]}`, token, authz.IdentityRevoked},
		{"the token's twin", `{"tokens": ["usa|` + digest + `"]}`, twin(token), authz.IdentityRevoked},
		{"the key", `{"keys": ["usa|k1"]}`, token, authz.IdentityRevoked},
		{"what was issued a second before", `{"reissued": [{"subject": "usa|sam", "not_before": "2026-11-24T11:59:01Z"}]}`, token, authz.IdentityRevoked},
		{"the later of two dates counts", `{"reissued": [{"subject": "usa|sam", "not_before": "2026-11-24T11:59:01Z"}, {"subject": "usa|sam", "not_before": "2020-01-01T00:00:00Z"}]}`, token, authz.IdentityRevoked},
		{"a revoked token that has ended too is expired", `{"subjects": ["usa|sam"]}`, w.token("sam", map[string]any{"exp": noon.Unix()}), authz.IdentityExpired},

		{"what was issued in that second", `{"reissued": [{"subject": "usa|sam", "not_before": "2026-11-24T11:59:00Z"}]}`, token, ""},
		{"another's subject of the same name", `{"subjects": ["gbr|sam"]}`, token, ""},
		{"another issuer's token of the same jti", `{"tokens": ["gbr|` + digest + `"]}`, token, ""},
		{"another issuer's key of the same kid", `{"keys": ["gbr|k1"]}`, token, ""},
		{"another token of the subject", `{"tokens": ["usa|` + digest + `"]}`, w.token("sam", map[string]any{"jti": "token-2"}), ""},
		{"another's reissue", `{"reissued": [{"subject": "usa|uma", "not_before": "2026-11-24T11:59:01Z"}]}`, token, ""},
		{"an empty list", `{"serial": 1, "issued": "2026-01-01T00:00:00Z", "max_age_seconds": null, "subjects": [], "tokens": [], "keys": [], "reissued": []}`, token, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := w.revoking(t, c.list)
			for _, when := range []string{"new", "remembered"} {
				if got, detail := refused(t, v, bearer(c.token)); got != c.want || strings.Contains(detail, "sam") {
					t.Errorf("%s: refused for %q (%s), want %q", when, got, detail, c.want)
				}
			}
		})
	}
}

func TestAListOfAnotherFormIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ list, want string }{
		"no object":                      {`["usa|sam"]`, "revocations: json"},
		"a subject without its issuer":   {`{"subjects": ["sam"]}`, `revocations: subjects[0]: "sam" has the wrong form`},
		"a token that is no digest":      {`{"tokens": ["usa|token-1"]}`, `revocations: tokens[0]: "usa|token-1" has the wrong form`},
		"a key without its issuer":       {`{"keys": ["usa|k1", "k1"]}`, `revocations: keys[1]: "k1" has the wrong form`},
		"a reissue without a date":       {`{"reissued": [{"subject": "usa|sam"}]}`, "revocations: reissued[0]: want a subject"},
		"a reissue of nobody":            {`{"reissued": [{"not_before": "2026-11-24T11:59:01Z"}]}`, "revocations: reissued[0]: want a subject"},
		"a reissue at no time there was": {`{"reissued": [{"subject": "usa|sam", "not_before": "soon"}]}`, `revocations: time "soon"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := identity.New(identity.Config{Schemes: json.RawMessage(schemesDoc), Revoked: json.RawMessage(c.list)})
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("error %v, want %s…", err, c.want)
			}
		})
	}
}

func TestEntriesOfTheBundlesListAreNumberedWithoutAGap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token("sam")
	for _, c := range []struct {
		name, list string
		want       authz.Reason
	}{
		{"whole, about another", `{"serial": 2, "entries": [{"serial": 1, "subject": "usa|uma"}, {"serial": 2, "key": "gbr|k9"}]}`, ""},
		{"whole, and begun anew at 7", `{"serial": 8, "entries": [{"serial": 7, "subject": "usa|uma"}, {"serial": 8, "subject": "usa|ted"}]}`, ""},
		{"about the subject", `{"serial": 2, "entries": [{"serial": 1, "subject": "usa|uma"}, {"serial": 2, "subject": "usa|sam"}]}`, authz.IdentityRevoked},
		{"about the key", `{"serial": 1, "entries": [{"serial": 1, "key": "usa|k1"}]}`, authz.IdentityRevoked},
		{"about what was issued before", `{"serial": 1, "entries": [{"serial": 1, "reissued": {"subject": "usa|sam", "not_before": "2026-11-24T11:59:01Z"}}]}`, authz.IdentityRevoked},
		{"a gap", `{"serial": 3, "entries": [{"serial": 1, "subject": "usa|uma"}, {"serial": 3, "subject": "usa|ted"}]}`, authz.FreshnessRevocation},
		{"a serial twice", `{"serial": 1, "entries": [{"serial": 1, "subject": "usa|uma"}, {"serial": 1, "subject": "usa|ted"}]}`, authz.FreshnessRevocation},
		{"backwards", `{"serial": 1, "entries": [{"serial": 2, "subject": "usa|uma"}, {"serial": 1, "subject": "usa|ted"}]}`, authz.FreshnessRevocation},
		{"the last one missing", `{"serial": 3, "entries": [{"serial": 1, "subject": "usa|uma"}, {"serial": 2, "subject": "usa|ted"}]}`, authz.FreshnessRevocation},
		{"one more than the serial", `{"serial": 1, "entries": [{"serial": 1, "subject": "usa|uma"}, {"serial": 2, "subject": "usa|ted"}]}`, authz.FreshnessRevocation},
		{"a gap, though the subject is there", `{"serial": 3, "entries": [{"serial": 1, "subject": "usa|sam"}, {"serial": 3, "subject": "usa|ted"}]}`, authz.FreshnessRevocation},
	} {
		t.Run(c.name, func(t *testing.T) {
			if reason, detail := refused(t, w.revoking(t, c.list), bearer(token)); reason != c.want {
				t.Errorf("refused for %q: %s; want %q", reason, detail, c.want)
			}
		})
	}
	if _, err := identity.New(identity.Config{Revoked: json.RawMessage(`{"serial": 1, "entries": [{"serial": 1, "allow": "usa|sam"}]}`)}); err == nil || !strings.Contains(err.Error(), "revocations: entries[0]: ") {
		t.Errorf("an entry that is none: %v", err)
	}
}
