// Package doctor reads an Envoy configuration and finds what in it would let a request past the gateway, or let gateway and upstream
// read it differently, or let strangers stop both. Envoy itself accepts all of it: --mode validate knows what is well formed, not what
// is safe. Each line of deploy/envoy that closes one of these holes has its finding here.
//
// It reads bootstraps and discovery responses, in YAML or JSON, with the names of fields in either spelling, and the config dump of a
// running Envoy, so what xDS has brought is seen too. Every HTTP connection manager is held to the same rules: one that is not meant to be guarded belongs
// into another Envoy.
//
// Non-goals: it says nothing of whether a configuration is well formed, and a configuration without findings is no proof: the grant,
// which the upstream checks by itself, holds whatever Envoy does.
package doctor

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// Finding is one thing that is wrong.
type Finding struct {
	ID     string `json:"id"` // of Catalogue
	Risk   Risk   `json:"risk"`
	File   string `json:"file"`
	Line   int    `json:"line"` // 0 where the file has no lines to speak of
	At     string `json:"at"`   // the place in the tree, such as static_resources.listeners[0].filter_chains[0]
	Detail string `json:"detail"`
	Why    string `json:"why"`
	Fix    string `json:"fix"`
}

// Risk is what a finding may cost.
type Risk string

// The risks, worst first.
const (
	Bypass    Risk = "bypass"    // a request reaches an upstream unjudged, or judged by somebody else
	Confusion Risk = "confusion" // gateway and upstream read a request differently, or the gateway sees what a client made up
	Outage    Risk = "outage"    // strangers, or a slow part, stop everybody
)

// maxBytes of a configuration; the dumps of large meshes have a few megabytes.
const maxBytes = 64 << 20

// Measured is what a running Envoy has seen of its upstreams.
type Measured struct {
	P99 map[string]time.Duration // of the requests to a cluster, by its name
}

// Examine returns what it finds in a configuration that was read from file, in the order of the file. The error is for text that is
// no Envoy configuration at all; it names file and line.
func Examine(file string, r io.Reader, m Measured) ([]Finding, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(text) > maxBytes {
		return nil, fmt.Errorf("%s: more than %d bytes", file, maxBytes)
	}
	var root yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&root); err != nil {
		return nil, fmt.Errorf("%s: neither YAML nor JSON: %w", file, err)
	}
	if err := d.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: want one document, there are more", file)
	}
	top := node{n: root.Content[0]}
	if places := 0; !bounded(top.n, &places) {
		return nil, fmt.Errorf("%s: its aliases make more than %d places of it", file, maxPlaces)
	}
	c := collect(top)
	if len(c.managers) == 0 && len(c.listeners) == 0 && !isConfiguration(top) {
		return nil, fmt.Errorf("%s:%d: no Envoy configuration: want a bootstrap (static_resources …), a config dump (configs …) or a discovery response (resources …)", file, top.line())
	}
	e := &examination{file: file, measured: m, config: c}
	e.edge(top)
	for _, l := range c.listeners {
		e.listener(l)
	}
	for _, m := range c.managers {
		e.connection(m)
		e.filters(m)
		e.routes(m)
	}
	for _, name := range c.clusterNames() {
		e.cluster(name, c.clusters[name])
	}
	slices.SortStableFunc(e.found, func(a, b Finding) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.ID, b.ID)) })
	return slices.CompactFunc(e.found, func(a, b Finding) bool { return a == b }), nil
}

func isConfiguration(top node) bool {
	for _, name := range []string{"static_resources", "dynamic_resources", "configs", "resources"} {
		if top.get(name).ok() {
			return true
		}
	}
	return false
}

// maxPlaces is how large a tree may be once its aliases are followed.
const maxPlaces = 4 << 20

func bounded(n *yaml.Node, places *int) bool {
	if *places++; *places > maxPlaces {
		return false
	}
	if n.Kind == yaml.AliasNode {
		return bounded(n.Alias, places)
	}
	for _, c := range n.Content {
		if !bounded(c, places) {
			return false
		}
	}
	return true
}

// examination is one run over one configuration.
type examination struct {
	file     string
	measured Measured
	config   configuration
	found    []Finding
}

// report adds a finding at x.
func (e *examination) report(id string, x node, format string, args ...any) {
	entry, ok := catalogue[id]
	if !ok {
		panic("doctor: finding " + id + " is not in the catalogue")
	}
	e.found = append(e.found, Finding{
		ID: id, Risk: entry.Risk, File: e.file, Line: x.line(), At: x.path, Detail: fmt.Sprintf(format, args...), Why: entry.Why, Fix: entry.Fix,
	})
}

// want reports x's member, by its path of names, unless it is value.
func (e *examination) want(id string, x node, value string, path ...string) {
	got := x.get(path...)
	if got.ok() && got.text() == value {
		return
	}
	name := path[len(path)-1]
	if got.ok() {
		e.report(id, got, "%s is %s", name, got.text())
		return
	}
	for ; len(path) > 0 && !got.ok(); path = path[:len(path)-1] { // what is not there is missing in what is
		got = x.get(path[:len(path)-1]...)
	}
	e.report(id, got, "%s is not set", name)
}

// refuse reports x's member name if it is there and not false or empty.
func (e *examination) refuse(id string, x node, name string) {
	if got := x.get(name); got.set() {
		e.report(id, got, "%s is set", name)
	}
}
