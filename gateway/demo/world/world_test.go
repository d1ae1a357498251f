// Package world_test holds the demo world to what the decision model says must be decided of it: every cell of the tables, with
// exact reasons. It evaluates policies/ and the world's own data with OPA alone, without gateway, tokens or bundle loader, so a
// difference to the end-to-end suite is one of these.
package world_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"go.yaml.in/yaml/v3"

	"github.com/sallyport-dev/sallyport/authz"
)

const policies = "../../../policies"

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// world is the compiled policy over the demo's data.
type world struct {
	data  map[string]any
	query rego.PreparedEvalQuery
}

func load(t *testing.T) *world {
	t.Helper()
	w := &world{data: map[string]any{"tenants": map[string]any{}}}
	bundle := map[string]any{"root": readYAML(t, "root/manifest.yaml")}
	parts := map[string]any{}
	for _, doc := range []string{"enclaves", "issuers", "revocations"} {
		w.data[doc] = readYAML(t, filepath.Join("root", doc, "data.yaml"))
	}
	w.data["reasons"] = readYAML(t, filepath.Join(policies, "reasons/data.yaml"))
	schemes := map[string]any{}
	for _, id := range folders(t, filepath.Join(policies, "schemes")) {
		schemes[id] = readYAML(t, filepath.Join(policies, "schemes", id, "data.yaml"))
	}
	w.data["schemes"] = schemes
	for _, id := range folders(t, "tenants") {
		part := map[string]any{}
		for _, doc := range folders(t, filepath.Join("tenants", id)) {
			part[doc] = readYAML(t, filepath.Join("tenants", id, doc, "data.yaml"))
		}
		parts[id] = readYAML(t, filepath.Join("tenants", id, "manifest.yaml"))
		w.data["tenants"].(map[string]any)[id] = part
	}
	bundle["tenants"] = parts
	w.data["bundle"] = bundle
	w.openApprovals()

	options := []func(*rego.Rego){rego.Query("data.compliance.decision"), rego.StrictBuiltinErrors(true), rego.Store(inmem.NewFromObjectWithOpts(w.data, inmem.OptReturnASTValuesOnRead(true)))}
	for _, file := range modules(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		options = append(options, rego.Module(file, string(text)))
	}
	q, err := rego.New(options...).PrepareForEval(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	w.query = q
	return w
}

// openApprovals does what the demo does at its start: an approval's window opens now and lasts 8 hours.
func (w *world) openApprovals() {
	for _, part := range w.data["tenants"].(map[string]any) {
		for _, a := range part.(map[string]any)["personnel"].(map[string]any)["approvals"].([]any) {
			a.(map[string]any)["not_before"] = authz.At(now).String()
			a.(map[string]any)["not_after"] = authz.At(now.Add(8 * time.Hour)).String()
		}
	}
}

// decide returns what policy says of one access: nothing if it allows, else the reasons, sorted.
func (w *world) decide(t *testing.T, in authz.Input) []string {
	t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	rs, err := w.query.Eval(context.Background(), rego.EvalInput(value))
	if err != nil || len(rs) != 1 {
		t.Fatalf("%d results, %v", len(rs), err)
	}
	var d struct {
		Allow             bool
		Unproven, Reasons []string
	}
	text, _ = json.Marshal(rs[0].Expressions[0].Value)
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if d.Allow != (len(d.Reasons) == 0) || d.Allow != (len(d.Unproven) == 0) {
		t.Fatalf("allow %v with unproven %v and reasons %v", d.Allow, d.Unproven, d.Reasons)
	}
	return d.Reasons
}

// row copies a row of the catalogue as a resource, like authz/resource does.
func (w *world) row(t *testing.T, id string) authz.ResourceProperties {
	t.Helper()
	for tenant, part := range w.data["tenants"].(map[string]any) {
		row, ok := part.(map[string]any)["catalogue"].(map[string]any)["rows"].(map[string]any)[id]
		if !ok {
			continue
		}
		p := authz.ResourceProperties{Row: &id, Tenant: &tenant}
		text, _ := json.Marshal(row)
		if err := json.Unmarshal(text, &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	t.Fatalf("no row %s", id)
	return authz.ResourceProperties{}
}

func (w *world) approvals(t *testing.T, operator string) []authz.Approval {
	t.Helper()
	found := []authz.Approval{}
	for _, part := range w.data["tenants"].(map[string]any) {
		var all []authz.Approval
		text, _ := json.Marshal(part.(map[string]any)["personnel"].(map[string]any)["approvals"])
		if err := json.Unmarshal(text, &all); err != nil {
			t.Fatal(err)
		}
		for _, a := range all {
			if a.Operator == operator {
				found = append(found, a)
			}
		}
	}
	return found
}

// input is one access of a person of the demo.
func (w *world) input(t *testing.T, name, action string, resource authz.ResourceProperties, change ...func(*authz.Input)) authz.Input {
	t.Helper()
	p := people[name]
	source := p.country
	in := authz.Input{
		Subject: p.subject(name),
		Action: authz.Action{Name: action, Properties: authz.ActionProperties{
			Protocol: "s3", RequestLabels: []authz.Label{}, From: []authz.Origin{}, To: authz.To{Kind: "client"},
		}},
		Resource: authz.Resource{Type: "object", ID: "s3://object", Properties: resource},
		Context: authz.Context{
			Time:      authz.At(now),
			Gateway:   authz.Gateway{ID: "sallyport", Enclaves: []string{"iad-1", "iad-0", "edge-7", "par-1", "par-2", "akl-1", "yow-1"}},
			Source:    authz.Source{Country: &source, Basis: "claim"},
			Freshness: authz.Freshness{Clock: "trusted"},
			Approvals: w.approvals(t, p.issuer+"|"+name),
		},
	}
	if action == "create" {
		in.Action.Properties.To = authz.To{Kind: "object", Row: resource.Row, Enclave: &resource.Place.Enclave}
	}
	for _, c := range change {
		c(&in)
	}
	return in
}

func union(reasons ...[]string) []string {
	all := []string{}
	for _, r := range reasons {
		all = append(all, r...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func diff(t *testing.T, what string, got []string, want string) {
	t.Helper()
	expected := []string{}
	for _, r := range strings.Fields(want) {
		if full, ok := short[r]; ok {
			r = full
		}
		expected = append(expected, r)
	}
	slices.Sort(expected)
	if d := cmp.Diff(expected, union(got)); d != "" {
		t.Errorf("%s: reasons (-want +got):\n%s", what, d)
	}
}

func folders(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

func modules(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(filepath.Join(policies, "compliance"), func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".rego") && !strings.HasSuffix(path, "_test.rego") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func readYAML(t *testing.T, file string) any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	var value any
	if err := node.Decode(&value); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return normal(t, file, "", value)
}

// normal writes times as a bundle's loader does.
func normal(t *testing.T, file, key string, value any) any {
	t.Helper()
	switch v := value.(type) {
	case map[string]any:
		for k := range v {
			v[k] = normal(t, file, k, v[k])
		}
	case []any:
		for i := range v {
			v[i] = normal(t, file, key, v[i])
		}
	case string:
		if !slices.Contains([]string{"created", "not_before", "not_after", "expires", "until", "issued", "labels_from", "labels_to"}, key) {
			return v
		}
		for _, layout := range []string{time.DateOnly, time.RFC3339} {
			if at, err := time.Parse(layout, v); err == nil {
				return authz.At(at).String()
			}
		}
		t.Fatal(fmt.Errorf("%s: %s: %q is no time", file, key, v))
	}
	return value
}
