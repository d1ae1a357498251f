package policy

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/sallyport-dev/sallyport/policies"
)

const schemaBase = "sallyport:///" // where the built-in schemas find each other

// schemas checks documents against the built-in JSON Schemas. It caches what it has compiled and is not safe for concurrent use.
type schemas struct{ compiler *jsonschema.Compiler }

func newSchemas() schemas {
	c := jsonschema.NewCompiler()
	names, err := fs.Glob(policies.Schemas, "schemas/*.json")
	must(err)
	for _, name := range names {
		must(c.AddResource(schemaBase+path.Base(name), rawSchema(path.Base(name))))
	}
	return schemas{c}
}

func rawSchema(name string) any {
	f, err := policies.Schemas.Open("schemas/" + name)
	must(err)
	defer f.Close()
	v, err := jsonschema.UnmarshalJSON(f)
	must(err)
	return v
}

// must is for the built-in schemas: they are part of the program, so a broken one is a programmer's error.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// validate checks d against the built-in schema of that name and reports each error at the line of the member that it is about.
func (s schemas) validate(d document, schema string, r *report) bool {
	compiled, err := s.compiler.Compile(schemaBase + schema + ".json")
	must(err)
	err = compiled.Validate(d.value)
	if err == nil {
		return true
	}
	v, ok := err.(*jsonschema.ValidationError)
	if !ok {
		r.add(d.file, 0, "can't be checked: %v; correct it", err)
		return false
	}
	all := leaves(v)
	misspelt := map[string]bool{} // members that are missing because they are misspelt
	for _, leaf := range all {
		if k, ok := leaf.ErrorKind.(*kind.AdditionalProperties); ok {
			for _, p := range k.Properties {
				misspelt[memberKey(leaf, nearest(p, s.members(leaf.SchemaURL)))] = true
			}
		}
	}
	for _, leaf := range all {
		if k, ok := leaf.ErrorKind.(*kind.Required); ok {
			k.Missing = slices.DeleteFunc(k.Missing, func(p string) bool { return misspelt[memberKey(leaf, p)] })
		}
		s.report(d, leaf, r)
	}
	return false
}

func memberKey(e *jsonschema.ValidationError, name string) string {
	return strings.Join(append(slices.Clone(e.InstanceLocation), name), "\x00")
}

// leaves returns the errors that name a cause. Of alternatives (anyOf), those that fail on the very type of the value say nothing
// where another got further.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	if _, ok := e.ErrorKind.(*kind.PropertyNames); ok || len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	causes := e.Causes
	if _, ok := e.ErrorKind.(*kind.AnyOf); ok {
		further := slices.DeleteFunc(slices.Clone(causes), func(c *jsonschema.ValidationError) bool {
			return wrongShape(c, len(e.InstanceLocation))
		})
		if len(further) == 0 {
			return []*jsonschema.ValidationError{e}
		}
		causes = further
	}
	var out []*jsonschema.ValidationError
	for _, c := range causes {
		out = append(out, leaves(c)...)
	}
	return out
}

func wrongShape(e *jsonschema.ValidationError, depth int) bool {
	for len(e.Causes) == 1 {
		e = e.Causes[0]
	}
	switch e.ErrorKind.(type) {
	case *kind.Type, *kind.Const:
		return len(e.InstanceLocation) == depth
	}
	return false
}

func (s schemas) report(d document, e *jsonschema.ValidationError, r *report) {
	at := e.InstanceLocation
	line := d.line(at...)
	where := ""
	if len(at) > 0 {
		where = strings.Join(at, ".") + ": "
	}
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		known := s.members(e.SchemaURL)
		for _, p := range k.Properties {
			r.add(d.file, d.line(append(slices.Clone(at), p)...), "%sunknown member %q%s", where, p, oneOf(p, known))
		}
	case *kind.Required:
		for _, p := range k.Missing {
			r.add(d.file, line, "%smember %q is missing; add it", where, p)
		}
	case *kind.Type:
		r.add(d.file, line, "%shave %s; want %s", where, k.Got, strings.Join(k.Want, " or "))
	case *kind.Enum:
		want := make([]string, len(k.Want))
		for i, w := range k.Want {
			want[i] = fmt.Sprint(w)
		}
		r.add(d.file, line, "%sunknown value %q%s", where, fmt.Sprint(k.Got), oneOf(fmt.Sprint(k.Got), want))
	case *kind.Pattern:
		r.add(d.file, line, "%s%q; want %s", where, k.Got, s.description(e.SchemaURL, "text that matches "+k.Want))
	case *kind.PropertyNames:
		want := "another name"
		for _, cause := range leaves(e.Causes[0]) {
			want = s.description(cause.SchemaURL, want)
		}
		r.add(d.file, d.line(append(slices.Clone(at), k.Property)...), "%smember %q: its name is none; want %s", where, k.Property, want)
	case *kind.AnyOf:
		r.add(d.file, line, "%sno such value is allowed; want %s", where, s.description(e.SchemaURL, "another type"))
	default:
		text := e.ErrorKind.LocalizedString(message.NewPrinter(language.English))
		r.add(d.file, line, "%s%s; correct it", where, text)
	}
}

// members returns the names that the object schema at url knows.
func (s schemas) members(url string) []string {
	c, err := s.compiler.Compile(url)
	if err != nil {
		return nil
	}
	return slices.Collect(maps.Keys(c.Properties))
}

// description returns what the schema at url says that it wants.
func (s schemas) description(url, otherwise string) string {
	if c, err := s.compiler.Compile(url); err == nil && c.Description != "" {
		return c.Description
	}
	return otherwise
}

// inputLacks returns the first step of a JSON pointer that leads to nothing the policy input can have, and what there is instead; "" if
// it leads somewhere.
func (s schemas) inputLacks(pointer string) (name string, known []string) {
	at, err := s.compiler.Compile(schemaBase + "input.json")
	must(err)
	for name := range strings.SplitSeq(pointer[1:], "/") {
		for at.Ref != nil {
			at = at.Ref
		}
		next := at.Properties[name]
		if more, ok := at.AdditionalProperties.(*jsonschema.Schema); next == nil && ok {
			next = more // of an object whose names are data, such as tag sets
		}
		if _, err := strconv.ParseUint(name, 10, 31); next == nil && err == nil {
			next = at.Items2020
		}
		if next == nil {
			return name, slices.Sorted(maps.Keys(at.Properties))
		}
		at = next
	}
	return "", nil
}
