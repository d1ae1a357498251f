package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	b, err := policy.Load(folder(t))
	if err != nil {
		t.Fatal(err)
	}
	type loaded struct {
		Revision string
		Tenants  []string
		Expires  time.Time
		Bundle   string
		Nothing  string
	}
	got := loaded{b.Ref().Revision, b.Tenants(), b.Expires(), string(b.Document("bundle")), string(b.Document("nothing"))}
	want := loaded{
		Revision: "r1 acme=a1 acme-lab=l1",
		Tenants:  []string{"acme", "acme-lab"},
		Expires:  time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC),
		Bundle: `{"root":{"expires":"2030-01-01T00:00:00.000000000Z","name":"root","not_before":"2026-01-01T00:00:00.000000000Z","revision":"r1","serial":1},` +
			`"tenants":{"acme":{"expires":"2029-01-01T00:00:00.000000000Z","name":"acme","not_before":"2026-01-01T00:00:00.000000000Z","revision":"a1","serial":7},` +
			`"acme-lab":{"expires":"2031-01-01T00:00:00.000000000Z","name":"acme-lab","not_before":"2026-01-01T00:00:00.000000000Z","revision":"l1","serial":1}}}`,
		Nothing: "null",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("loaded (-want +got):\n%s", d)
	}
	if s := string(b.Document("tenants")); !strings.Contains(s, `"labels_from":"2020-01-01T00:00:00.000000000Z"`) {
		t.Errorf("a date in a tenant's document is not a time of nine digits: %s", s)
	}
}

func TestDigestNamesTheFiles(t *testing.T) {
	t.Parallel()
	load := func(c ...change) authz.BundleRef {
		t.Helper()
		b, err := policy.Load(folder(t, c...))
		if err != nil {
			t.Fatal(err)
		}
		return b.Ref()
	}
	if a, b := load(), load(); a != b {
		t.Errorf("the same files have the digests %s and %s", a.Digest, b.Digest)
	}
	rows := map[string]change{
		"another byte":   swap("root/compliance/compliance.rego", "package compliance\n", "package compliance\n\n"),
		"another test":   swap("root/compliance/compliance_test.rego", "test_deny", "test_denies"),
		"another README": put("root/README.md", "hello\n"),
		"another name": func(t testing.TB, f map[string]string) {
			drop("root/compliance/compliance.rego")(t, f)
			put("root/compliance/x.rego", files(world)["root/compliance/compliance.rego"])(t, f)
		},
	}
	for name, c := range rows {
		if a, b := load(), load(c); a.Digest == b.Digest {
			t.Errorf("%s has the same digest", name)
		}
	}
}

func TestAFolderOfPoliciesHasNoManifests(t *testing.T) {
	t.Parallel()
	f := map[string]string{}
	for name, data := range files(world) {
		if rest, ok := strings.CutPrefix(name, "root/"); ok && rest != "manifest.yaml" && rest != "issuers/data.yaml" {
			f[rest] = data
		}
	}
	f["policies.go"], f["schemas/input.json"], f["README.md"] = "package policies\n", "{}\n", "hello\n"
	b, err := policy.Load(write(t, f))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]any{[]string{}, time.Time{}, ""}, []any{append([]string{}, b.Tenants()...), b.Expires(), b.Ref().Revision}); d != "" {
		t.Errorf("tenants, expiry and revision (-want +got):\n%s", d)
	}
	f["manifest.yaml"] = "name: root\n"
	_, err = policy.Load(write(t, f))
	if want := "a manifest belongs to a part of a bundle; put it into root/, or delete it"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("have %v, want %s", err, want)
	}
}
