package policy_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz/policy"
)

func TestAListThatHasNoOrderIsRefused(t *testing.T) {
	t.Parallel()
	const file = "root/compliance/compliance.rego:5: a list is made of "
	const what = ", which has no order; sort the list, or make it a set"
	rows := []struct{ name, body, want string }{
		{"of a set", "list := [x | some x in numbers]", file + "data.compliance.numbers" + what},
		{"of an object", "list := [k | some k, _ in object]", file + "data.compliance.object" + what},
		{"of a set beside a list", "list := [x | some y in [1, 2]; some x in numbers; x > y]", file + "data.compliance.numbers" + what},
		{"of a set comprehension", "list := [x | s := {y | some y in [3, 1]}; some x in s]", file + "s" + what},
		{"of a list", "list := [x | some x in [3, 1]]", ""},
		{"a set of a set", "list := {x | some x in numbers}", ""},
		{"sorted at once", "list := sort([x | some x in numbers])", ""},
		{"sorted and shown unsorted", "list := [sort(l), l] if {\n\tl := [x | some x in numbers]\n}", "root/compliance/compliance.rego:6: a list is made of data.compliance.numbers" + what},
		{"counted", "list := count([x | some x in numbers])", ""},
		{"one member of an object", "list := [x | some k in [\"a\"]; x := object[k]]", ""},
		{"one member of an object, picked outside", "list := [x | x := object[k]; x > 0] if {\n\tsome k in [\"a\"]\n}", ""},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, core("decision := "+allowed+"\n\n"+r.body+"\n\nnumbers := {3, 1}\n\nobject := {\"a\": 1, \"b\": 2}"))
			if err := os.Remove(filepath.Join(dir, "root", "compliance", "compliance_test.rego")); err != nil {
				t.Fatal(err) // it wants a denial, and these decide nothing else
			}
			b, err := policy.Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			e, err := policy.New(t.Context(), b, policy.Config{Workers: 1})
			if err == nil {
				e.Close()
			}
			if d := cmp.Diff(r.want, text(err, dir)); d != "" {
				t.Errorf("error (-want +got):\n%s", d)
			}
		})
	}
}
