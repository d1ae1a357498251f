// Package grpc reads a unary gRPC call by the table that the bundle has for its service: a method is an action on a resource, whose path
// can have fields of the request message in it. Everything else is request.unsupported.
//
// Invariants: a body is exactly one message that is not compressed, whole and as long as its frame says. A message of which fields are
// read is held to the bundle's descriptor: a field that it does not know, and a singular field that is there twice, refuses the call,
// since a service with another descriptor or another library reads another message.
//
// Non-goals: streams, compression, extensions, groups and reflection; no rows, no labels, no grant.
//
// Rules: the gRPC protocol over HTTP/2 (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md) and Protocol Buffers' encoding
// (https://protobuf.dev/programming-guides/encoding/).
package grpc

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource/routed"
)

// Route is one method, as the bundle has it.
type Route struct {
	Method   string            `json:"method"` // /package.Service/Method
	Action   string            `json:"action"`
	Resource string            `json:"resource"` // {ledger}/entries/{entry}: a path below a row grpc:<name>/…; of a list it ends with a slash
	Fields   map[string]string `json:"fields"`   // name in Resource → path of the field in the request message, such as entry.id
}

// Table is the methods of one service. It never changes.
type Table struct{ routes map[string]route }

type route struct {
	Route
	resource routed.Template
	message  protoreflect.MessageDescriptor // nil where no field is read
	fields   map[string][]protoreflect.FieldDescriptor
}

// New reads a table. descriptors is a FileDescriptorSet in base64, as `protoc --include_imports --descriptor_set_out` makes it; it may be
// empty where no route reads a field.
func New(routes []Route, descriptors string) (*Table, error) {
	files, err := readDescriptors(descriptors)
	if err != nil {
		return nil, fmt.Errorf("descriptors: %w", err)
	}
	t := &Table{routes: map[string]route{}}
	for i, r := range routes {
		n, err := newRoute(r, files)
		if err == nil && t.routes[r.Method].Method != "" {
			err = fmt.Errorf("method %s is there twice", r.Method)
		}
		if err != nil {
			return nil, fmt.Errorf("routes[%d]: %w", i, err)
		}
		t.routes[r.Method] = n
	}
	return t, nil
}

func readDescriptors(text string) (*protoregistry.Files, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(b, &set); err != nil {
		return nil, err
	}
	return protodesc.NewFiles(&set)
}

func newRoute(r Route, files *protoregistry.Files) (route, error) {
	service, method, ok := strings.Cut(strings.TrimPrefix(r.Method, "/"), "/")
	if !ok || !strings.HasPrefix(r.Method, "/") || service == "" || method == "" || strings.Contains(method, "/") {
		return route{}, fmt.Errorf("method %q: want /package.Service/Method", r.Method)
	}
	if !slices.Contains(routed.Actions, r.Action) {
		return route{}, fmt.Errorf("action %q: want one of %v", r.Action, routed.Actions)
	}
	if r.Action == "list" != strings.HasSuffix(r.Resource, "/") {
		return route{}, fmt.Errorf("resource %q: a list, and nothing else, is of a path with a slash at its end", r.Resource)
	}
	n := route{Route: r, fields: map[string][]protoreflect.FieldDescriptor{}}
	var err error
	if n.resource, err = routed.ParseTemplate(r.Resource, slices.Collect(maps.Keys(r.Fields))); err != nil {
		return route{}, fmt.Errorf("resource: %w", err)
	}
	if len(r.Fields) == 0 {
		return n, nil
	}
	d, err := files.FindDescriptorByName(protoreflect.FullName(service + "." + method))
	m, ok := d.(protoreflect.MethodDescriptor)
	if err != nil || !ok || m.IsStreamingClient() {
		return route{}, fmt.Errorf("method %q: the descriptors have no such method with one request message", r.Method)
	}
	n.message = m.Input()
	for name, path := range r.Fields {
		if n.fields[name], err = fieldsOf(n.message, path); err != nil {
			return route{}, fmt.Errorf("fields.%s: %w", name, err)
		}
	}
	return n, nil
}

// fieldsOf finds the fields of a path: messages, and at its end a text or a whole number.
func fieldsOf(m protoreflect.MessageDescriptor, path string) (fields []protoreflect.FieldDescriptor, err error) {
	names := strings.Split(path, ".")
	for i, name := range names {
		f := m.Fields().ByName(protoreflect.Name(name))
		switch {
		case f == nil:
			return nil, fmt.Errorf("%q: %s has no field %q", path, m.FullName(), name)
		case f.IsList() || f.IsMap():
			return nil, fmt.Errorf("%q: %q holds more than one value", path, name)
		case i < len(names)-1:
			if m = f.Message(); m == nil {
				return nil, fmt.Errorf("%q: %q is no message", path, name)
			}
		case !scalar(f.Kind()):
			return nil, fmt.Errorf("%q: want a text or a whole number", path)
		}
		fields = append(fields, f)
	}
	return fields, nil
}

func scalar(k protoreflect.Kind) bool {
	switch k {
	case protoreflect.StringKind, protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		return true
	}
	return false
}

// Parse reads req. Its error is a *authz.Refusal.
func (t *Table) Parse(req authz.Request) (routed.Call, error) {
	if err := routed.CheckHost(req.Host); err != nil {
		return routed.Call{}, err
	}
	r, known := t.routes[req.Path]
	if !known || req.Method != "POST" || req.Query != "" {
		return routed.Call{}, routed.Unsupported("%q of %q is no method of this service", req.Method, req.Path)
	}
	if kind, _ := req.Headers.Get("content-type"); kind != "application/grpc" && kind != "application/grpc+proto" {
		return routed.Call{}, routed.Unsupported("content-type %q: want application/grpc", kind)
	}
	if coding, n := req.Headers.Get("grpc-encoding"); n > 0 && coding != "identity" {
		return routed.Call{}, routed.Unsupported("grpc-encoding %q: want identity", coding)
	}
	if req.Extensions["body"] != "present" {
		return routed.Call{}, routed.Unsupported("a call on a route without its body (context extension body: present)")
	}
	if err := routed.CheckBody(req); err != nil {
		return routed.Call{}, err
	}
	message, err := unframe(req.Body)
	if err != nil {
		return routed.Call{}, err
	}
	values, err := r.values(message)
	if err != nil {
		return routed.Call{}, err
	}
	path, err := r.resource.Expand(values)
	if err != nil {
		return routed.Call{}, err
	}
	return routed.Call{Operation: strings.TrimPrefix(req.Path, "/"), Action: r.Action, Path: path, Upstream: routed.Upstream(req)}, nil
}

// unframe returns the one message of a unary call.
func unframe(body []byte) ([]byte, error) {
	const prefix = 5 // a flag and a length
	switch {
	case len(body) < prefix:
		return nil, routed.Ambiguous("a body of %d bytes holds no message", len(body))
	case body[0] != 0:
		return nil, routed.Unsupported("a message that is compressed")
	}
	length := uint64(binary.BigEndian.Uint32(body[1:prefix]))
	switch have := uint64(len(body) - prefix); {
	case length > have:
		return nil, routed.Ambiguous("a message of %d bytes, of which %d are there", length, have)
	case length < have:
		return nil, routed.Unsupported("more than one message")
	}
	return body[prefix:], nil
}
