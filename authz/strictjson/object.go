package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Object reads data as one object of any form: maps, lists, texts, json.Numbers, booleans and nil, nested at most depth deep. It is for
// what has optional members, or members that the bundle names; the caller holds each to its type.
func Object(data []byte, depth int) (map[string]any, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not UTF-8")
	}
	if !json.Valid(data) { // also refuses what follows the value
		return nil, errors.New("not one JSON value")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := anyValue(d, depth)
	if err != nil {
		return nil, err
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	return o, nil
}

func anyValue(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, errors.New("not JSON")
	}
	switch t := t.(type) {
	case json.Delim:
		if depth == 0 {
			return nil, errors.New("nested deeper than it may be")
		}
		if t == '{' {
			return anyMembers(d, depth-1)
		}
		return anyItems(d, depth-1)
	case string:
		return t, wholeText(t)
	default:
		return t, nil
	}
}

func anyMembers(d *json.Decoder, depth int) (any, error) {
	o := map[string]any{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, errors.New("not JSON")
		}
		if err := wholeText(name); err != nil {
			return nil, err
		}
		if _, ok := o[name]; ok {
			return nil, fmt.Errorf("name %s twice", quote(name))
		}
		if o[name], err = anyValue(d, depth); err != nil {
			return nil, err
		}
	}
	_, err := d.Token() // }
	return o, err
}

func anyItems(d *json.Decoder, depth int) (any, error) {
	l := []any{}
	for d.More() {
		v, err := anyValue(d, depth)
		if err != nil {
			return nil, err
		}
		l = append(l, v)
	}
	_, err := d.Token() // ]
	return l, err
}

// wholeText refuses the replacement character, since encoding/json writes it for half a surrogate pair: two texts would be one.
func wholeText(s string) error {
	if strings.ContainsRune(s, utf8.RuneError) {
		return errors.New("text that is not Unicode")
	}
	return nil
}
