package guardrail_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/authz/policy"
	"github.com/sallyport-dev/sallyport/authz/policy/guardrail"
)

const root = "../../../"

// bundle makes the demo's bundle without its Rego tests, so that a guardrail alone judges it, after edits: file, text, and what stands
// there instead, or else is added.
func bundle(t testing.TB, edits ...[3]string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"root", "tenants"} {
		copyTree(t, filepath.Join(dir, name), filepath.Join(root, "gateway/demo/world", name))
	}
	withPolicies(t, filepath.Join(dir, "root"))
	for _, e := range edits {
		edit(t, filepath.Join(dir, e[0]), e[1], e[2])
	}
	return dir
}

// folder makes the same of the policies alone.
func folder(t testing.TB, edits ...[3]string) string {
	t.Helper()
	dir := t.TempDir()
	withPolicies(t, dir)
	for _, e := range edits {
		edit(t, filepath.Join(dir, e[0]), e[1], e[2])
	}
	return dir
}

func withPolicies(t testing.TB, dir string) {
	t.Helper()
	for _, name := range []string{"compliance", "schemes", "reasons"} {
		copyTree(t, filepath.Join(dir, name), filepath.Join(root, "policies", name))
	}
	err := filepath.WalkDir(filepath.Join(dir, "compliance"), func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.rego") {
			err = os.Remove(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func copyTree(t testing.TB, to, from string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

func edit(t testing.TB, file, old, replacement string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if old == "" {
		old, replacement = string(b), string(b)+"\n"+replacement+"\n"
	}
	if strings.Count(string(b), old) != 1 {
		t.Fatalf("%s has %q %d times; the hole can't be planted there any more", file, old, strings.Count(string(b), old))
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(b), old, replacement, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func check(t testing.TB, dir string) (guardrail.Report, error) {
	t.Helper()
	b, err := policy.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	report, err := guardrail.Check(t.Context(), b)
	if err != nil && !errors.Is(err, guardrail.ErrBroken) {
		t.Fatal(err)
	}
	return report, err
}

// broken returns the ids of the invariants that do not hold.
func broken(r guardrail.Report) []string {
	var ids []string
	for _, v := range r.Invariants {
		if v.Broken > 0 {
			ids = append(ids, v.ID)
		}
	}
	return ids
}

func TestTheShippedPoliciesKeepEveryInvariant(t *testing.T) {
	for name, dir := range map[string]string{"policies": root + "policies", "the demo's bundle": bundle(t)} {
		report, err := check(t, dir)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, v := range report.Invariants {
			if v.Trials == 0 {
				t.Errorf("%s: %s was never tried", name, v.ID)
			}
			if v.Counterexample != nil {
				t.Errorf("%s: %s, %d times: %s\n%s", name, v.ID, v.Broken, v.Counterexample.What, v.Counterexample.Test)
			}
		}
		t.Logf("%s: %d decisions", name, report.Decisions)
	}
}
