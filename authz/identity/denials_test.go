package identity_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/identity"
)

// denying returns a verifier of w's world with the local list at the path that it returns too.
func (w *world) denying(t *testing.T, lines string) (*identity.Verifier, *identity.Denials, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "denials")
	must(os.WriteFile(path, []byte(lines), 0o600))
	d, err := identity.OpenDenials(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	v, err := identity.New(identity.Config{
		Tenants: doc(tenantsDoc, w.base), Issuers: doc(issuersDoc, w.base), Schemes: json.RawMessage(schemesDoc),
		Audiences: []string{"sallyport"}, Keys: w.issuerKeys, Denials: d, Now: func() time.Time { return w.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return v, d, path
}

func TestALocalDenialHoldsOnTheNextLook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token("sam")
	digest := subjectOf(t, w.verifier, token).Evidence.TokenDigest
	for name, entry := range map[string]string{
		"the subject": `"subject": "usa|sam"`,
		"the token":   `"token": "usa|` + digest + `"`,
		"the key":     `"key": "usa|k1"`,
		"a reissue":   `"reissued": {"subject": "usa|sam", "not_before": "2026-11-24T12:00:00Z"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, d, path := w.denying(t, `{"serial": 1, "subject": "usa|uma"}`+"\n")
			subjectOf(t, v, token)
			must(os.WriteFile(path, []byte(`{"serial": 1, "subject": "usa|uma"}`+"\n{\"serial\": 2, "+entry+"}\n"), 0o600))
			d.Look()
			if got, _ := refused(t, v, bearer(token)); got != authz.IdentityRevoked {
				t.Errorf("refused for %q, want %q", got, authz.IdentityRevoked)
			}
			if got, detail := refused(t, v, bearer(w.token("gina"))); got != "" {
				t.Errorf("gina is refused for %q: %s", got, detail)
			}
		})
	}
}

func TestEverybodyIsRefusedWhileTheLocalListIsStale(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := `{"serial": 1, "subject": "usa|uma"}` + "\n" + `{"serial": 2, "subject": "usa|sam"}` + "\n"
	gina := bearer(w.token("gina"))
	for _, c := range []struct{ name, content, want string }{
		{"a gap", good + `{"serial": 4, "subject": "gbr|g"}` + "\n", ":3: serial is 4, want 3"},
		{"a serial twice", good + `{"serial": 2, "subject": "gbr|g"}` + "\n", ":3: serial is 2, want 3"},
		{"a first serial that is not 1", `{"serial": 2, "subject": "usa|sam"}` + "\n", ":1: serial is 2, want 1"},
		{"an entry taken away", `{"serial": 1, "subject": "usa|uma"}` + "\n", "ends with serial 1, but 2 was there"},
		{"an empty file", "", "ends with serial 0, but 2 was there"},
		{"a line cut short", good + `{"serial": 3, "subject": "gbr|gi`, ":3: the line does not end"},
		{"no JSON", good + "gbr|gina\n", ":3: not one JSON value"},
		{"an empty line", good + "\n", ":3: not one JSON value"},
		{"a name twice", good + `{"serial": 3, "subject": "gbr|a", "subject": "gbr|b"}` + "\n", ":3: name \"subject\" twice"},
		{"an unknown member", good + `{"serial": 3, "allow": "gbr|gina"}` + "\n", ":3: the entry: want only the members"},
		{"two things at once", good + `{"serial": 3, "subject": "gbr|a", "key": "gbr|k"}` + "\n", ":3: want serial, and one of"},
		{"nothing", good + `{"serial": 3}` + "\n", ":3: want serial, and one of"},
		{"a subject without issuer", good + `{"serial": 3, "subject": "gina"}` + "\n", ":3: subject: \"gina\" has the wrong form"},
		{"a token that is no digest", good + `{"serial": 3, "token": "gbr|x"}` + "\n", ":3: token: "},
		{"a reissue without a time", good + `{"serial": 3, "reissued": {"subject": "gbr|gina"}}` + "\n", ":3: want a subject"},
		{"more than may be", good + strings.Repeat(" ", 9<<20), "longer than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v, d, path := w.denying(t, good)
			if got, detail := refused(t, v, gina); got != "" {
				t.Fatalf("refused for %q: %s", got, detail)
			}
			must(os.WriteFile(path, []byte(c.content), 0o600))
			d.Look()
			if got, detail := refused(t, v, gina); got != authz.FreshnessRevocation || !strings.Contains(detail, c.want) {
				t.Errorf("refused for %q (%s), want %q, …%s…", got, detail, authz.FreshnessRevocation, c.want)
			}
			if err := d.Ready(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Ready: %v", err)
			}
			must(os.WriteFile(path, []byte(good), 0o600))
			d.Look()
			if got, detail := refused(t, v, gina); got != "" || d.Ready() != nil {
				t.Errorf("once it is whole again, refused for %q: %s", got, detail)
			}
			if got, _ := refused(t, v, bearer(w.token("sam"))); got != authz.IdentityRevoked {
				t.Errorf("sam is refused for %q, want %q", got, authz.IdentityRevoked)
			}
		})
	}
	t.Run("a file that is gone", func(t *testing.T) {
		v, d, path := w.denying(t, good)
		must(os.Remove(path))
		d.Look()
		if got, _ := refused(t, v, gina); got != authz.FreshnessRevocation {
			t.Errorf("refused for %q, want %q", got, authz.FreshnessRevocation)
		}
	})
}

func TestAListThatIsStaleIsNotOpened(t *testing.T) {
	t.Parallel()
	if _, err := identity.OpenDenials(filepath.Join(t.TempDir(), "none"), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a file that is not there was opened")
	}
}

func FuzzDenials(f *testing.F) {
	f.Add(`{"serial": 1, "subject": "usa|sam"}` + "\n")
	f.Add(`{"serial": 1, "reissued": {"subject": "usa|sam", "not_before": "2026-11-24T12:00:00Z"}}` + "\n")
	f.Add("{\"serial\": 1e0}\n")
	f.Fuzz(func(t *testing.T, line string) {
		if identity.ReadsDenial([]byte(line)) && !strings.Contains(line, "serial") && !strings.Contains(line, `\u`) {
			t.Errorf("%q was read without a serial", line)
		}
	})
}
