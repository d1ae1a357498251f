package doctor

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// node is a place in the configuration; the zero node is a place that is not there.
type node struct {
	n    *yaml.Node
	path string
}

func (x node) ok() bool { return x.n != nil && x.n.Tag != "!!null" }

// set reports whether x is there and is not false, empty or null: what Envoy takes for not set.
func (x node) set() bool {
	switch {
	case !x.ok():
		return false
	case x.n.Kind == yaml.ScalarNode:
		return x.n.Value != "" && x.n.Value != "false"
	default:
		return true
	}
}

func (x node) line() int {
	if x.n == nil {
		return 0
	}
	return x.n.Line
}

// text is the scalar at x.
func (x node) text() string {
	if x.n == nil || x.n.Kind != yaml.ScalarNode {
		return ""
	}
	return x.n.Value
}

// get returns a member of x by its name in proto's spelling, or in that of JSON.
func (x node) get(names ...string) node {
	for _, name := range names {
		x = x.member(name)
	}
	return x
}

func (x node) member(name string) node {
	if x.n == nil || x.n.Kind != yaml.MappingNode {
		return node{}
	}
	for i := 0; i+1 < len(x.n.Content); i += 2 {
		if key := x.n.Content[i].Value; key == name || key == camel(name) {
			return node{n: resolved(x.n.Content[i+1]), path: x.below(name)}
		}
	}
	return node{}
}

// list returns the elements of x.
func (x node) list() []node {
	if x.n == nil || x.n.Kind != yaml.SequenceNode {
		return nil
	}
	out := make([]node, len(x.n.Content))
	for i, n := range x.n.Content {
		out[i] = node{n: resolved(n), path: fmt.Sprintf("%s[%d]", x.path, i)}
	}
	return out
}

// members returns the members of x, by the names that they have in the file.
func (x node) members() (names []string, values []node) {
	if x.n == nil || x.n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(x.n.Content); i += 2 {
		name := x.n.Content[i].Value
		names = append(names, name)
		values = append(values, node{n: resolved(x.n.Content[i+1]), path: x.below(name)})
	}
	return names, values
}

// walk calls f for x and everything below it, until f says not to go deeper.
func (x node) walk(f func(node) bool) {
	if x.n == nil || !f(x) {
		return
	}
	_, values := x.members()
	for _, v := range append(values, x.list()...) {
		v.walk(f)
	}
}

// kind is the last word of the type of an extension's configuration, such as HttpConnectionManager, and config what it is; both look
// through a TypedStruct.
func (x node) kind() (kind string, config node) {
	url := x.get("@type").text()
	config = x
	if strings.HasSuffix(url, ".TypedStruct") {
		url, config = x.get("type_url").text(), x.get("value")
	}
	return url[strings.LastIndexAny(url, "./")+1:], config
}

// duration reads a duration as proto's JSON has it, "0.25s", or "0s" or none.
func (x node) duration() (d time.Duration, ok bool) {
	d, err := time.ParseDuration(x.text())
	return d, x.ok() && err == nil
}

func (x node) below(name string) string {
	if x.path == "" {
		return name
	}
	return x.path + "." + name
}

func resolved(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// camel is the spelling of a field in proto's JSON.
func camel(name string) string {
	words := strings.Split(name, "_")
	for i, w := range words[1:] {
		if w != "" {
			words[i+1] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}
