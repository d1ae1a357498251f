package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sallyport-dev/sallyport/authz"
)

const maxNesting = 32 // lists and mappings within each other

// document is one data file or manifest: its value as JSON has it, and where each member stands.
type document struct {
	file  string
	root  *yaml.Node
	value any // nil, bool, string, json.Number, []any or map[string]any
}

// timeFields are the members that hold times. The loader rewrites them in authz.TimeLayout, so that text order is time order.
var timeFields = map[string]bool{
	"created": true, "not_before": true, "not_after": true, "expires": true, "until": true, "issued": true,
	"labels_from": true, "labels_to": true,
}

// timeRule says whether times are rewritten or left as they are.
type timeRule bool

const (
	rewriteTimes timeRule = true
	keepTimes    timeRule = false
)

// parseDocument reads YAML in a plain form that nobody reads in two ways: one document, no anchors, aliases, merges, tags or
// repeated keys, and only strings, whole decimal numbers, true, false and null. JSON is such YAML.
func parseDocument(f file, times timeRule, r *report) (doc document, ok bool) {
	// The YAML library has panicked on malformed input before; a bundle comes from outside.
	defer func() {
		if p := recover(); p != nil {
			r.add(f.path, 0, "can't be read as YAML (%v); write it in plain YAML", p)
			ok = false
		}
	}()
	if bytes.HasSuffix([]byte(f.path), []byte(".json")) && !json.Valid(f.data) {
		r.add(f.path, 0, "is not JSON; correct it, or name it data.yaml")
		return document{}, false
	}
	d := yaml.NewDecoder(bytes.NewReader(f.data))
	var n yaml.Node
	switch err := d.Decode(&n); {
	case errors.Is(err, io.EOF) || err == nil && len(n.Content) != 1:
		r.add(f.path, 0, "is empty; write the document, or delete the file")
		return document{}, false
	case err != nil:
		addYAMLError(f.path, err, r)
		return document{}, false
	}
	var second yaml.Node
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		if err != nil {
			addYAMLError(f.path, err, r)
		} else {
			r.add(f.path, second.Line, "holds more than one document; keep the first")
		}
		return document{}, false
	}
	c := converter{file: f.path, times: times, report: r}
	before := len(r.problems)
	v := c.value(n.Content[0], "", 0)
	return document{file: f.path, root: n.Content[0], value: v}, len(r.problems) == before
}

var yamlLine = regexp.MustCompile(`^yaml: line ([0-9]+): `)

func addYAMLError(file string, err error, r *report) {
	line, text := 0, err.Error()
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	r.add(file, line, "is not YAML: %s; correct it", strings.TrimPrefix(text, "yaml: "))
}

// converter turns YAML nodes into JSON values and refuses what is not plain.
type converter struct {
	file   string
	times  timeRule
	report *report
}

func (c converter) refuse(n *yaml.Node, format string, args ...any) any {
	c.report.add(c.file, n.Line, format, args...)
	return nil
}

func (c converter) value(n *yaml.Node, key string, depth int) any {
	switch {
	case depth > maxNesting:
		return c.refuse(n, "is nested more than %d deep; flatten it", maxNesting)
	case n.Kind == yaml.AliasNode:
		return c.refuse(n, "the alias *%s; write the value out", n.Value)
	case n.Anchor != "":
		return c.refuse(n, "the anchor &%s; write the value out where it is wanted", n.Anchor)
	case n.Style&yaml.TaggedStyle != 0:
		return c.refuse(n, "the tag %s; leave it out", n.Tag)
	}
	switch n.Kind {
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, e := range n.Content {
			list[i] = c.value(e, "", depth+1)
		}
		return list
	case yaml.MappingNode:
		return c.mapping(n, depth)
	}
	return c.scalar(n, key)
}

func (c converter) mapping(n *yaml.Node, depth int) any {
	m := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		switch _, repeated := m[k.Value]; {
		case k.Tag == "!!merge":
			c.refuse(k, "the merge key <<; write the members out")
			continue
		case k.Kind != yaml.ScalarNode || k.Anchor != "" || k.Style&yaml.TaggedStyle != 0:
			c.refuse(k, "a member's name must be plain text; write it so")
			continue
		case repeated:
			c.refuse(k, "member %q stands here twice; keep one", k.Value)
			continue
		}
		m[k.Value] = c.value(n.Content[i+1], k.Value, depth+1)
	}
	return m
}

var wholeNumber = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,15})$`)

func (c converter) scalar(n *yaml.Node, key string) any {
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		switch n.Value {
		case "true":
			return true
		case "false":
			return false
		}
		return c.refuse(n, "%s: write true or false, or put it in quotes", n.Value)
	case "!!int", "!!float":
		if wholeNumber.MatchString(n.Value) {
			return json.Number(n.Value)
		}
		return c.refuse(n, "%s: numbers are whole and decimal; write it so, or put it in quotes", n.Value)
	case "!!str", "!!timestamp":
		if !timeFields[key] || c.times == keepTimes {
			return n.Value
		}
		t, err := parseTime(n.Value)
		if err != nil {
			return c.refuse(n, "%s: %q is no time; write a time in RFC 3339 (2026-01-02T15:04:05Z) or a date (2026-01-02)", key, n.Value)
		}
		return t
	}
	return c.refuse(n, "%s: a value of type %s; put it in quotes", n.Value, n.Tag)
}

// parseTime reads RFC 3339, or a date alone, which means its midnight in UTC.
func parseTime(s string) (string, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t, err = time.Parse(time.DateOnly, s)
	}
	if err != nil {
		return "", err
	}
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		return "", fmt.Errorf("year %d", y)
	}
	return t.UTC().Format(authz.TimeLayout), nil
}

// line returns the line of the member at path, or of the innermost one on the way that exists.
func (d document) line(path ...string) int {
	n, at := d.root, d.root.Line
	for _, p := range path {
		next, line := child(n, p)
		if next == nil {
			return at
		}
		n, at = next, line
	}
	return at
}

func child(n *yaml.Node, name string) (*yaml.Node, int) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				return n.Content[i+1], n.Content[i].Line
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(n.Content) {
			return n.Content[i], n.Content[i].Line
		}
	}
	return nil, 0
}
