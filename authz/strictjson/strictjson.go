// Package strictjson reads JSON that two readers can understand in one way only, into a Go struct that says everything about its
// form. encoding/json takes the last of two members of one name, matches names in any case, leaves missing members at zero,
// repairs broken text and stops at the end of the first value; each of these has let one reader judge what another did not do.
//
// Invariants: Unmarshal accepts one object in UTF-8 and nothing after it. Every field of a struct must be there, exactly once, under
// its exact name and with its type; there are no other members, and null is no value of any type. So nothing is nested deeper than
// the struct. Errors name the member by its path (inputs[3]) and never hold its value.
//
// Object is for what has optional members or names of its own; it reads as strictly, and leaves the form to its caller.
//
// Non-goals: numbers that are not whole in a struct, and writing.
//
// Rules: I-JSON (RFC 7493) §2.1 to §2.3, with the bounds of the caller's type.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Unmarshal reads data into v, a pointer to a struct of strings, int64s, structs and slices of these, whose json tags name the
// members. The caller bounds the size of data. After an error, what v holds means nothing.
func Unmarshal(data []byte, v any) error {
	if !utf8.Valid(data) {
		return errors.New("not UTF-8")
	}
	if !json.Valid(data) { // also refuses what follows the value
		return errors.New("not one JSON value")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return value(d, reflect.ValueOf(v).Elem(), "")
}

// value reads the next value into v; at is its path.
func value(d *json.Decoder, v reflect.Value, at string) error {
	t, err := d.Token()
	if err != nil {
		return wrong(at, "JSON")
	}
	switch v.Kind() {
	case reflect.Struct:
		if t != json.Delim('{') {
			return wrong(at, "an object")
		}
		return members(d, v, at)
	case reflect.Slice:
		if t != json.Delim('[') {
			return wrong(at, "a list")
		}
		return items(d, v, at)
	case reflect.String:
		s, ok := t.(string)
		// encoding/json writes the replacement character for half a surrogate pair: two texts would be one.
		if !ok || strings.ContainsRune(s, utf8.RuneError) {
			return wrong(at, "a text of Unicode")
		}
		v.SetString(s)
		return nil
	case reflect.Int64:
		n, _ := t.(json.Number)
		i, err := strconv.ParseInt(string(n), 10, 64) // refuses fractions and exponents
		if err != nil {
			return wrong(at, "a whole number")
		}
		v.SetInt(i)
		return nil
	default:
		return fmt.Errorf("%s: strictjson can't read into a %s", at, v.Type())
	}
}

func members(d *json.Decoder, v reflect.Value, at string) error {
	t := v.Type()
	seen := make([]bool, t.NumField())
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return wrong(at, "JSON")
		}
		i := field(t, name)
		switch {
		case i < 0:
			return fmt.Errorf("%s: unknown member", path(at, quote(name)))
		case seen[i]:
			return fmt.Errorf("%s: repeated", path(at, name))
		}
		seen[i] = true
		if err := value(d, v.Field(i), path(at, name)); err != nil {
			return err
		}
	}
	for i, ok := range seen {
		if !ok {
			return fmt.Errorf("%s: missing", path(at, t.Field(i).Tag.Get("json")))
		}
	}
	_, err := d.Token() // }
	return err
}

func items(d *json.Decoder, v reflect.Value, at string) error {
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for i := 0; d.More(); i++ {
		e := reflect.New(v.Type().Elem()).Elem()
		if err := value(d, e, at+"["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
		v.Set(reflect.Append(v, e))
	}
	_, err := d.Token() // ]
	return err
}

// field returns the index of the field with that exact name, -1 if there is none.
func field(t reflect.Type, name string) int {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("json") == name {
			return i
		}
	}
	return -1
}

func path(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

func wrong(at, want string) error {
	if at == "" {
		return errors.New("want " + want)
	}
	return fmt.Errorf("%s: want %s", at, want)
}

// quote makes a stranger's name safe for a log line, and short.
func quote(s string) string {
	const most = 32
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "…"
	}
	return strconv.QuoteToASCII(s)
}
