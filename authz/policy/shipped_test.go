package policy_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

// shipped makes the demo's bundle: the policies of the repository, and the demo world.
func shipped(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"compliance", "schemes", "reasons"} {
		if err := os.CopyFS(filepath.Join(dir, "root", name), os.DirFS(filepath.Join("../../policies", name))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"root", "tenants"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join("../../gateway/demo/world", name))); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTheShippedPoliciesPassCheckAndTest(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{"policies": "../../policies", "the demo's bundle": shipped(t)} {
		if err := policy.Check(dir); err != nil {
			t.Errorf("%s:\n%v", name, err)
		}
		report, err := policy.Test(t.Context(), dir)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, r := range report.Tests {
			if !r.Pass {
				t.Errorf("%s: %s: %s.%s\n%s", name, r.Location, r.Package, r.Name, r.Output)
			}
		}
	}
}

// sam and uma of the demo's us-defense, cleared to SECRET and to CONFIDENTIAL.
func usaPerson(name string, levels ...string) authz.Subject {
	tenant, acr, age := "us-defense", "2", int64(60)
	return authz.Subject{Type: "person", ID: "usa|" + name, Properties: authz.SubjectProperties{
		Issuer: "usa", Tenant: &tenant, Affiliation: &authz.Affiliation{Kind: "tenant", Organization: tenant, Country: "USA"},
		Nationalities: []string{"USA"}, HeldNationalities: []string{"USA"}, ExportStatus: []string{"us_person"}, Communities: []string{}, Roles: []string{},
		Clearances: []authz.Clearance{{Scheme: "USA", Levels: levels, Categories: map[string][]string{}, Sponsor: "usa",
			NotBefore: authz.At(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)), NotAfter: authz.At(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))}},
		Cut: []authz.Cut{}, Session: authz.Session{Tracked: true, HighWater: []authz.Label{}}, Via: []authz.Via{},
		Assurance: authz.Assurance{ACR: &acr, AMR: []string{"hwk"}, Binding: "none", AgeSeconds: &age},
	}}
}

// plans is a read of us-defense-plans/, by way of the demo's enclave.
func plans(id string) authz.Access {
	row, tenant, service, enclave, no := "us-defense-plans/", "us-defense", "s3", "iad-1", false
	return authz.Access{
		Action: authz.Action{Name: "read", Properties: authz.ActionProperties{Protocol: "s3", Operation: "GetObject", RequestLabels: []authz.Label{},
			From: []authz.Origin{}, To: authz.To{Kind: "client"}}},
		Resource: authz.Resource{Type: "object", ID: id, Properties: authz.ResourceProperties{Row: &row, Tenant: &tenant, Service: &service,
			Owner: &authz.Owner{Nation: "USA", Originator: tenant},
			Labels: []authz.Label{{Scheme: "USA", Level: "SECRET", Categories: map[string][]string{}, Release: []string{"USA", "GBR"}, Nation: []string{}, Handling: []string{},
				Created: authz.At(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)), Alternatives: []authz.Label{}}},
			Constraints: &authz.Constraints{Residency: authz.Countries{List: []string{"USA"}}, Processing: authz.Countries{List: []string{"USA"}},
				Reach: authz.Countries{List: []string{"USA"}}, Egress: authz.Countries{Any: true}, Export: &authz.Export{Mode: "none", Destinations: []string{}}, PersonalData: &no},
			Place: &authz.Place{Enclave: enclave, Replicas: []string{}, Backups: []string{enclave}}, Hold: &no}},
	}
}

func demoContext() authz.Context {
	usa, address, age, serial := "USA", "192.0.2.7", int64(60), int64(1)
	return authz.Context{
		Time:    authz.At(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)),
		Gateway: authz.Gateway{ID: "sallyport", Enclaves: []string{"iad-1", "iad-0", "edge-7", "par-1", "par-2", "akl-1", "yow-1"}},
		Source:  authz.Source{Address: &address, Country: &usa, Basis: "claim"},
		Freshness: authz.Freshness{BundleAge: &age, RevocationSerial: &serial, RevocationAge: &age,
			Clock: "trusted"},
		Approvals: []authz.Approval{},
	}
}

func TestTheShippedPoliciesDecide(t *testing.T) {
	t.Parallel()
	b, err := policy.Load(shipped(t))
	if err != nil {
		t.Fatal(err)
	}
	e, err := policy.New(t.Context(), b, policy.Config{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	if policy.ReadsID(e) {
		t.Error("the shipped policies read input.resource.id, so a batch is evaluated object by object")
	}
	reasons := func(s authz.Subject, a authz.Access) []authz.Reason {
		t.Helper()
		got, err := e.Decide(t.Context(), s, demoContext(), []authz.Access{a})
		if err != nil {
			t.Fatal(err)
		}
		return got[0].Decision.Reasons
	}
	object := plans("s3://us-defense-plans/welcome.txt")
	nowhere := object
	nowhere.Resource.Properties = authz.ResourceProperties{}
	sam := usaPerson("sam", "UNCLASSIFIED", "CONFIDENTIAL", "SECRET")
	got := map[string][]authz.Reason{
		"sam":                  reasons(sam, object),
		"uma":                  reasons(usaPerson("uma", "UNCLASSIFIED", "CONFIDENTIAL"), object),
		"sam, where no row is": reasons(sam, nowhere),
	}
	want := map[string][]authz.Reason{
		"sam":                  {},
		"uma":                  {"clearance.level"},
		"sam, where no row is": {"label.missing", "tenant.mismatch"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("reasons (-want +got):\n%s", d)
	}
}

// BenchmarkDecide is one decision of the shipped policies over the demo world, from Go values to the outcome.
func BenchmarkDecide(b *testing.B) {
	_, wasm, topdown := both(b, shipped(b))
	accesses := []authz.Access{plans("s3://us-defense-plans/welcome.txt")}
	for _, row := range []struct {
		name   string
		engine *policy.Engine
		who    authz.Subject
	}{
		{"wasm/allow", wasm, usaPerson("sam", "UNCLASSIFIED", "CONFIDENTIAL", "SECRET")},
		{"wasm/deny", wasm, usaPerson("uma", "UNCLASSIFIED", "CONFIDENTIAL")},
		{"topdown/allow", topdown, usaPerson("sam", "UNCLASSIFIED", "CONFIDENTIAL", "SECRET")},
		{"topdown/deny", topdown, usaPerson("uma", "UNCLASSIFIED", "CONFIDENTIAL")},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := row.engine.Decide(b.Context(), row.who, demoContext(), accesses); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
