package demo

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz/policy"
)

var someTime = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

func TestTheBundleIsOneThatTheGatewayLoads(t *testing.T) {
	l := newLayout(t)
	if err := writeBundle(l, Ports{Issuers: 12345}, someTime); err != nil {
		t.Fatal(err)
	}
	b, err := policy.Load(l.Bundle())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ca-housing", "fr-space", "nz-fire", "us-defense"}, b.Tenants()); diff != "" {
		t.Errorf("tenants (-want +have):\n%s", diff)
	}
}

func TestTheBundleNamesTheIssuersWhereTheyListen(t *testing.T) {
	l := newLayout(t)
	if err := writeBundle(l, Ports{Issuers: 12345}, someTime); err != nil {
		t.Fatal(err)
	}
	for id := range issuerAlgorithms {
		have, err := issuerURL(l, id)
		if want := "http://127.0.0.1:12345/" + id; err != nil || have != want {
			t.Errorf("%s: %q (%v), want %q", id, have, err, want)
		}
	}
	_, err := issuerURL(l, "rus")
	wantEnvironment(t, err, `issuer "rus" is in no part`)
}

func TestTheBundleAllowsEachIssuerTheAlgorithmItSignsWith(t *testing.T) {
	l := newLayout(t)
	if err := writeBundle(l, promised, someTime); err != nil {
		t.Fatal(err)
	}
	documents, err := filepath.Glob(filepath.Join(l.Bundle(), "tenants", "*", "issuers", "data.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(documents, filepath.Join(l.Bundle(), "root", "issuers", "data.yaml")) {
		var entries map[string]struct{ Algorithms []string }
		if err := readYAML(path, &entries); err != nil {
			t.Fatal(err)
		}
		for id, e := range entries {
			if !slices.Contains(e.Algorithms, issuerAlgorithms[id].String()) {
				t.Errorf("%s: %s signs with %s, and may with %v", path, id, issuerAlgorithms[id], e.Algorithms)
			}
		}
	}
}

func TestAnApprovalHoldsForEightHoursFromTheStart(t *testing.T) {
	l := newLayout(t)
	if err := writeBundle(l, promised, someTime); err != nil {
		t.Fatal(err)
	}
	var personnel struct {
		Approvals []map[string]any
	}
	if err := readYAML(filepath.Join(l.Bundle(), "tenants", "us-defense", "personnel", "data.yaml"), &personnel); err != nil {
		t.Fatal(err)
	}
	var have [][2]any
	for _, a := range personnel.Approvals {
		have = append(have, [2]any{a["not_before"], a["not_after"]})
	}
	want := [][2]any{{"2026-11-24T09:00:00.000000000Z", "2026-11-24T17:00:00.000000000Z"}}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("windows (-want +have):\n%s", diff)
	}
}

func TestAnApprovalThatCannotBeWindowedIsAnError(t *testing.T) {
	for what, text := range map[string]string{
		"no window":  "approvals: [{id: a}]",
		"no mapping": "approvals: [a]",
		"no YAML":    "approvals: [",
	} {
		if _, err := windowApprovals("personnel", []byte(text), someTime); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func TestWhatAUserLeftInTheBundleIsGoneAtTheNextStart(t *testing.T) {
	l := newLayout(t)
	stray := filepath.Join(l.Bundle(), "tenants", "us-defense", "overlay", "x.rego")
	if err := writeFile(stray, []byte("package overlay")); err != nil {
		t.Fatal(err)
	}
	if err := writeBundle(l, promised, someTime); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stray); err == nil {
		t.Error("it is still there")
	}
}

func TestTheGatewaysConfigNamesOneAccountATenant(t *testing.T) {
	l := newLayout(t)
	s, err := makeWorld(l, promised, someTime)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, r := range s.store.rows {
		rows = append(rows, r.ID)
	}
	slices.Sort(rows)
	want := []string{"ca-housing-loans/", "ca-housing-offsite/", "fr-space-missions/", "fr-space-missions/joint/", "nz-fire-maps/",
		"nz-fire-maps/briefings/", "us-defense-parts/", "us-defense-plans/", "us-defense-plans/noforn/"}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows to seed (-want +have):\n%s", diff)
	}
	var config struct {
		Grants struct {
			Storage struct {
				Credentials map[string]struct {
					AccessKey     string `yaml:"access_key"`
					SecretKeyFile string `yaml:"secret_key_file"`
				}
			}
		}
	}
	if err := readYAML(l.Config(), &config); err != nil {
		t.Fatal(err)
	}
	secrets := map[string]bool{}
	for _, tenant := range []string{"ca-housing", "fr-space", "nz-fire", "us-defense"} {
		c := config.Grants.Storage.Credentials[tenant]
		b, err := os.ReadFile(c.SecretKeyFile)
		if err != nil {
			t.Fatal(err)
		}
		fi, err := os.Stat(c.SecretKeyFile)
		if err != nil {
			t.Fatal(err)
		}
		if c.AccessKey != tenant || len(b) != 64 || secrets[string(b)] || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: account %q, a secret of %d bytes, mode %v", tenant, c.AccessKey, len(b), fi.Mode().Perm())
		}
		secrets[string(b)] = true
	}
	if len(config.Grants.Storage.Credentials) != 4 {
		t.Errorf("want 4 accounts, have %d", len(config.Grants.Storage.Credentials))
	}
	again, err := makeWorld(l, promised, someTime)
	if err != nil || again.store.root != s.store.root {
		t.Errorf("keys were made anew: %v", err)
	}
}

func TestAWelcomeNamesTheRowAndItsLabel(t *testing.T) {
	l := newLayout(t)
	if err := writeBundle(l, promised, someTime); err != nil {
		t.Fatal(err)
	}
	rows, err := storageRows(l)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, r := range rows {
		if r.Tenant == "us-defense" {
			have = append(have, strings.TrimSpace(welcome(r)))
		}
	}
	slices.Sort(have)
	want := []string{
		"You are reading us-defense-parts/ of us-defense, which is labelled USA UNCLASSIFIED CUI SP-EXPT. It is synthetic.",
		"You are reading us-defense-plans/ of us-defense, which is labelled USA SECRET for USA and GBR. It is synthetic.",
		"You are reading us-defense-plans/noforn/ of us-defense, which is labelled USA SECRET NOFORN. It is synthetic.",
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
}
