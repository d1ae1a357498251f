package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"go.yaml.in/yaml/v3"
)

var durationType = reflect.TypeFor[time.Duration]()

// decoder fills a Config from a YAML tree. yaml's own KnownFields stops at types, takes "yes" for true and 5 for "5", and knows
// no key; this names the key of each problem and goes on to the next.
type decoder struct {
	problems
	file  string
	laid  map[*yaml.Node]string // nodes that a variable or flag put in, and which
	where map[string]string     // key → place
}

func (d *decoder) place(n *yaml.Node) string {
	if p, ok := d.laid[n]; ok {
		return p
	}
	return fmt.Sprintf("%s:%d", d.file, n.Line)
}

func (d *decoder) refuse(n *yaml.Node, key, what, do string) { d.add(d.place(n), key, what, do) }

// decode sets v, whose dotted key is key, from n.
func (d *decoder) decode(n *yaml.Node, v reflect.Value, key string) {
	d.where[key] = d.place(n)
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		d.refuse(n, key, "anchors and aliases are not taken", "write the value out")
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		d.refuse(n, key, "has no value", "give it one, or remove the key")
	case v.Kind() == reflect.Struct:
		d.each(n, key, func(k *yaml.Node, n *yaml.Node) {
			f, ok := field(v.Type(), k.Value)
			if !ok {
				d.refuse(k, join(key, k.Value), "unknown key", nearest(k.Value, v.Type()))
				return
			}
			d.decode(n, v.FieldByIndex(f.Index), join(key, k.Value))
		})
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		d.each(n, key, func(k, n *yaml.Node) {
			e := reflect.New(v.Type().Elem()).Elem()
			d.decode(n, e, join(key, k.Value))
			v.SetMapIndex(reflect.ValueOf(k.Value), e)
		})
	case v.Kind() == reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			d.refuse(n, key, "want a list, have "+describe(n), "write [a, b]")
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
		for i, e := range n.Content {
			d.decode(e, v.Index(i), fmt.Sprintf("%s[%d]", key, i))
		}
	default:
		d.scalar(n, v, key)
	}
}

// each calls f with each key and value of the mapping n.
func (d *decoder) each(n *yaml.Node, key string, f func(k, v *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.refuse(n, key, "want keys and values, have "+describe(n), "write one \"key: value\" a line")
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode || k.ShortTag() != "!!str" || k.Anchor != "" {
			d.refuse(k, key, "want a plain text as key, have "+describe(k), "write the key as text, in quotes if need be")
			continue
		}
		if line, again := seen[k.Value]; again {
			d.refuse(k, join(key, k.Value), fmt.Sprintf("is already given in line %d", line), "remove one of the two")
			continue
		}
		seen[k.Value] = k.Line
		f(k, n.Content[i+1])
	}
}

// scalars are the tags that a value of each kind may have, and how to say so.
var scalars = map[reflect.Kind]struct{ tag, want, do string }{
	reflect.String: {"!!str", "a text", "put it in quotes"},
	reflect.Bool:   {"!!bool", "true or false", "write true or false"},
	reflect.Int:    {"!!int", "a whole number", "write digits only"},
	reflect.Uint32: {"!!int", "a whole number from 0 to 4294967295", "write digits only"},
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, key string) {
	s := scalars[v.Kind()]
	if v.Type() == durationType {
		s.tag, s.want, s.do = "!!str", "a duration", "write a number and a unit, such as 150ms or 10s"
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() != s.tag || n.Decode(v.Addr().Interface()) != nil {
		d.refuse(n, key, "want "+s.want+", have "+describe(n), s.do)
	}
}

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	return quote(n.Value)
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// name returns a field's key; "" of an unexported one.
func name(f reflect.StructField) string {
	s, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return s
}

func field(t reflect.Type, key string) (reflect.StructField, bool) {
	for f := range t.Fields() {
		if key != "" && name(f) == key {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// scalarKeys returns the dotted key of each single value outside maps and lists: what variables and flags can set.
func scalarKeys(t reflect.Type, prefix string) []string {
	var keys []string
	for f := range t.Fields() {
		switch key := join(prefix, name(f)); {
		case name(f) == "" || f.Type.Kind() == reflect.Map || f.Type.Kind() == reflect.Slice:
		case f.Type.Kind() == reflect.Struct:
			keys = append(keys, scalarKeys(f.Type, key)...)
		default:
			keys = append(keys, key)
		}
	}
	return keys
}

// nearest says which key may have been meant by one that the section t does not know.
func nearest(key string, t reflect.Type) string {
	var here []string
	for f := range t.Fields() {
		if n := name(f); n != "" {
			here = append(here, n)
		}
	}
	if k, ok := closest(key, here); ok {
		return fmt.Sprintf("did you mean %q?", k)
	}
	for _, k := range scalarKeys(reflect.TypeFor[Config](), "") {
		if strings.HasSuffix(k, "."+key) {
			return fmt.Sprintf("did you mean %q, in its own section?", k)
		}
	}
	return "known here: " + strings.Join(here, ", ")
}

// closest returns the candidate with the fewest edits from s, if they are few.
func closest(s string, candidates []string) (string, bool) {
	if len(s) > 64 || len(candidates) == 0 {
		return "", false
	}
	distance := func(c string) int { return levenshtein.ComputeDistance(strings.ToLower(s), strings.ToLower(c)) }
	best := slices.MinFunc(candidates, func(a, b string) int { return distance(a) - distance(b) })
	return best, distance(best) <= max(2, len(best)/4)
}
