package policies_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"go.yaml.in/yaml/v3"

	"github.com/sallyport-dev/sallyport/policies"
)

// TestEveryProofCarriesItsReason holds the annotations of the rules and the catalogue of reasons together: a check that is not
// proven never fires, so at run time only the catalogue can tell what it was, and it must not tell another story than the rule.
func TestEveryProofCarriesItsReason(t *testing.T) {
	var catalogue map[string]struct {
		Controls []string
		Scope    string
	}
	text, err := policies.Root.ReadFile("reasons/data.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &catalogue); err != nil {
		t.Fatal(err)
	}
	proven := map[string]bool{}
	for _, rule := range rules(t) {
		if rule.Head.Name != "satisfied" || rule.Head.Key == nil {
			continue
		}
		id, ok := rule.Head.Key.Value.(ast.String)
		if !ok {
			continue // one proof of several checks, which are named in its body
		}
		proven[string(id)] = true
		if len(rule.Annotations) == 0 {
			t.Errorf("%s: %s has no METADATA", rule.Location, id)
			continue
		}
		custom := rule.Annotations[0].Custom
		var controls []string
		for _, c := range custom["controls"].([]any) {
			controls = append(controls, c.(string))
		}
		if custom["id"] != string(id) {
			t.Errorf("%s: custom.id is %v, the rule proves %s", rule.Location, custom["id"], id)
		}
		if d := cmp.Diff(nist(catalogue[string(id)].Controls), controls); d != "" {
			t.Errorf("%s: %s: controls (-catalogue +rule):\n%s", rule.Location, id, d)
		}
	}
	for id, reason := range catalogue {
		if reason.Scope == "policy" && !proven[id] {
			t.Errorf("%s is required and no rule proves it", id)
		}
	}
}

// nist returns the controls of NIST SP 800-53; those of the ISO annex have a prefix.
func nist(controls []string) []string {
	var found []string
	for _, c := range controls {
		if !strings.HasPrefix(c, "ISO ") {
			found = append(found, c)
		}
	}
	return found
}

// rules are all rules of the compliance policies, tests left out.
func rules(t *testing.T) []*ast.Rule {
	t.Helper()
	var all []*ast.Rule
	err := fs.WalkDir(policies.Root, "compliance", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".rego") || strings.HasSuffix(name, "_test.rego") {
			return err
		}
		text, err := policies.Root.ReadFile(name)
		if err != nil {
			return err
		}
		m, err := ast.ParseModuleWithOpts(name, string(text), ast.ParserOptions{ProcessAnnotation: true})
		if err != nil {
			return err
		}
		all = append(all, m.Rules...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
