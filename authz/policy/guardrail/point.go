package guardrail

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
)

// point is one question to policy: an input, over the bundle's data with some of it replaced.
type point struct {
	input any
	facts []patch
	data  string // names the data: points of equal patches have the same
	text  string // the input's, once it was asked for
}

// patch puts a value at a path. Its first name is "input" or "data"; in a list a name is an index, and the length of the list appends.
type patch struct {
	path  []string
	value any
}

// absent as the value of a patch takes the member away.
type absent struct{}

// in is a patch to the input, at a path written with dots.
func in(path string, value any) patch {
	return patch{append([]string{"input"}, strings.Split(path, ".")...), value}
}

// fact is a patch to the data.
func fact(value any, path ...string) patch { return patch{append([]string{"data"}, path...), value} }

// with returns p after patches.
func (p point) with(patches ...patch) point {
	p.facts = slices.Clip(p.facts)
	for _, c := range patches {
		if c.path[0] == "data" {
			p.facts = append(p.facts, c)
			p.data += c.key()
		} else {
			p.input, p.text = set(p.input, c.path[1:], plain(c.value)), ""
		}
	}
	return p
}

// set returns root with value at path, and shares with it what the path does not touch.
func set(root any, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	if list, ok := root.([]any); ok {
		i, err := strconv.Atoi(path[0])
		if err != nil || i < 0 || i > len(list) {
			return root // there is nothing of that name
		}
		list = slices.Clone(list)
		if i == len(list) {
			list = append(list, nil)
		}
		if list[i] = set(list[i], path[1:], value); list[i] == (absent{}) {
			list = slices.Delete(list, i, i+1)
		}
		return list
	}
	object, _ := root.(map[string]any)
	if object = maps.Clone(object); object == nil {
		object = map[string]any{}
	}
	if v := set(object[path[0]], path[1:], value); v == (absent{}) {
		delete(object, path[0])
	} else {
		object[path[0]] = v
	}
	return object
}

// get returns what stands at path, nil if nothing does.
func get(root any, path ...string) any {
	for _, name := range path {
		switch v := root.(type) {
		case map[string]any:
			root = v[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			root = v[i]
		default:
			return nil
		}
	}
	return root
}

// plain returns v as encoding/json would read it back.
func plain(v any) any {
	switch v := v.(type) {
	case absent, nil, bool, string, float64, map[string]any, []any:
		return v
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // values of this package: text, numbers, lists and objects
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		panic(err)
	}
	return out
}

// of returns p with another input.
func (p point) of(in authz.Input) point {
	p.input, p.text = plain(in), ""
	return p
}

// asked returns p with the text of its input.
func (p point) asked() point {
	if p.text == "" {
		p.text = text(p.input)
	}
	return p
}

// text is canonical: equal inputs have equal texts.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // as in plain
	}
	return string(b)
}

// key names p.
func (p patch) key() string {
	value := "\x01"
	if p.value != (absent{}) {
		value = text(plain(p.value))
	}
	return strings.Join(p.path, "\x00") + "\x02" + value + "\x03"
}

// over returns data with the patches of p.
func (p point) over(data any) any {
	for _, f := range p.facts {
		data = set(data, f.path[1:], plain(f.value))
	}
	return data
}
