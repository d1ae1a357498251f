package demo

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/policies"
)

//go:embed world
var worldFiles embed.FS

// issuersBase is how the world's files spell the address of the issuers.
const issuersBase = "http://127.0.0.1:9400/"

// approvalWindow is how long an operator's approval holds, from the start of the demo.
const approvalWindow = 8 * time.Hour

// writeBundle writes the demo's bundle anew: the law of policies/ and the root of the world, and a part for each tenant. It happens
// once a demo, not when the gateway alone starts again, so that a bundle that a user edits meanwhile stays edited.
func writeBundle(l Layout, p Ports, now time.Time) error {
	if err := os.RemoveAll(l.Bundle()); err != nil {
		return environment("bundle: %w", err)
	}
	edit := func(path string, b []byte) ([]byte, error) {
		b = bytes.ReplaceAll(b, []byte(issuersBase), []byte(p.url(p.Issuers)+"/"))
		if strings.HasSuffix(path, "/personnel/data.yaml") {
			return windowApprovals(path, b, now)
		}
		return b, nil
	}
	for _, dir := range []string{"compliance", "schemes", "reasons"} {
		if err := copyTree(policies.Root, dir, filepath.Join(l.Bundle(), "root", dir), edit); err != nil {
			return err
		}
	}
	for _, dir := range []string{"root", "tenants"} {
		if err := copyTree(worldFiles, "world/"+dir, filepath.Join(l.Bundle(), dir), edit); err != nil {
			return err
		}
	}
	return nil
}

// copyTree copies the files of src under dir to the folder dst, each as edit returns it.
func copyTree(src fs.FS, dir, dst string, edit func(path string, b []byte) ([]byte, error)) error {
	return fs.WalkDir(src, dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("embedded %s: %w", path, err)
		}
		if d.IsDir() {
			return nil
		}
		b, err := fs.ReadFile(src, path)
		if err != nil {
			return fmt.Errorf("embedded %s: %w", path, err)
		}
		if b, err = edit(path, b); err != nil {
			return err
		}
		return writeFile(filepath.Join(dst, filepath.FromSlash(strings.TrimPrefix(path, dir))), b)
	})
}

// windowApprovals sets the window of every approval in a personnel document to the hours from now on.
func windowApprovals(path string, b []byte, now time.Time) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("embedded %s: %w", path, err)
	}
	approvals := member(&doc, "approvals")
	if approvals == nil || len(approvals.Content) == 0 {
		return b, nil
	}
	for _, a := range approvals.Content {
		for name, t := range map[string]time.Time{"not_before": now, "not_after": now.Add(approvalWindow)} {
			v := member(a, name)
			if v == nil {
				return nil, fmt.Errorf("embedded %s: an approval without %s", path, name)
			}
			v.SetString(authz.At(t).String())
			v.Style = yaml.DoubleQuotedStyle
		}
	}
	return yaml.Marshal(&doc)
}

// member returns the value of a mapping's key, nil if there is none. A document stands for its root.
func member(n *yaml.Node, key string) *yaml.Node {
	if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		n = n.Content[0]
	}
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// row is a row of a tenant's catalogue, as far as the demo has to know it.
type row struct {
	Tenant string `yaml:"-"`
	ID     string `yaml:"-"`

	Service string `yaml:"service"`
	Labels  []struct {
		Scheme     string              `yaml:"scheme"`
		Level      string              `yaml:"level"`
		Categories map[string][]string `yaml:"categories"`
		Nation     []string            `yaml:"nation"`
		Handling   []string            `yaml:"handling"`
		Release    []string            `yaml:"release"`
	} `yaml:"labels"`
}

// storageRows returns the rows of the written bundle that lie in the store.
func storageRows(l Layout) ([]row, error) {
	var rows []row
	tenants, err := os.ReadDir(filepath.Join(l.Bundle(), "tenants"))
	if err != nil {
		return nil, environment("bundle: %w", err)
	}
	for _, t := range tenants {
		var doc struct {
			Rows map[string]row `yaml:"rows"`
		}
		if err := readYAML(filepath.Join(l.Bundle(), "tenants", t.Name(), "catalogue", "data.yaml"), &doc); err != nil {
			return nil, err
		}
		for id, r := range doc.Rows {
			if r.Service == "s3" {
				r.Tenant, r.ID = t.Name(), id
				rows = append(rows, r)
			}
		}
	}
	return rows, nil
}

// issuerURL returns the iss of an issuer, as the bundle of the demo spells it.
func issuerURL(l Layout, id string) (string, error) {
	documents, err := filepath.Glob(filepath.Join(l.Bundle(), "*", "*", "issuers", "data.yaml"))
	if err != nil {
		return "", environment("bundle: %w", err)
	}
	for _, path := range append(documents, filepath.Join(l.Bundle(), "root", "issuers", "data.yaml")) {
		var entries map[string]struct {
			Issuer string `yaml:"issuer"`
		}
		if err := readYAML(path, &entries); err != nil {
			return "", err
		}
		if e, ok := entries[id]; ok {
			return e.Issuer, nil
		}
	}
	return "", environment("issuer %q is in no part of the bundle %s: start the demo once to make it", id, l.Bundle())
}

func readYAML(path string, v any) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return environment("bundle: %w (start the demo once to make it)", err)
	}
	if err != nil {
		return environment("bundle: %w", err)
	}
	if err := yaml.Unmarshal(b, v); err != nil {
		return environment("%s: %w", path, err)
	}
	return nil
}

// writeFile writes a file that only its owner can read, by rename, and makes its folder.
func writeFile(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return environment("demo folder: %w", err)
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return environment("demo folder: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return environment("demo folder: %w", err)
	}
	return nil
}
