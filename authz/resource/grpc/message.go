package grpc

import (
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/sallyport-dev/sallyport/authz/resource/routed"
)

// maxDepth bounds how deep messages lie in one another.
const maxDepth = 32

// values returns what the fields of r hold.
func (r route) values(b []byte) (map[string]string, error) {
	if r.message == nil {
		return nil, nil
	}
	if err := check(b, r.message, maxDepth); err != nil {
		return nil, err
	}
	m := dynamicpb.NewMessage(r.message)
	if err := proto.Unmarshal(b, m); err != nil {
		return nil, routed.Ambiguous("the message can't be read")
	}
	values := map[string]string{}
	for name, path := range r.fields {
		var at protoreflect.Message = m
		for _, f := range path[:len(path)-1] {
			at = at.Get(f).Message()
		}
		last := path[len(path)-1]
		if !at.Has(last) {
			return nil, routed.Unsupported("field %s is not set", last.FullName())
		}
		values[name] = at.Get(last).String()
	}
	return values, nil
}

// check refuses a message that two readers could read differently: one with fields that m does not have, or with a singular field
// twice, of which one reader takes the first, one the last, and one merges them.
func check(b []byte, m protoreflect.MessageDescriptor, depth int) error {
	if depth == 0 {
		return routed.Unsupported("messages that lie more than %d deep", maxDepth)
	}
	seen := map[protoreflect.Name]bool{} // of a oneof its name, else the field's
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return routed.Ambiguous("%s: a tag can't be read", m.FullName())
		}
		b = b[n:]
		f := m.Fields().ByNumber(number)
		if f == nil {
			return routed.Unsupported("%s: field %d is not in the descriptors", m.FullName(), number)
		}
		once := f.Name()
		if o := f.ContainingOneof(); o != nil {
			once = o.Name()
		}
		if seen[once] && !f.IsList() && !f.IsMap() {
			return routed.Ambiguous("%s: %s is there more than once", m.FullName(), once)
		}
		seen[once] = true
		n = protowire.ConsumeFieldValue(number, kind, b)
		if n < 0 || kind != wireType(f) && !(f.IsList() && f.Kind() != protoreflect.GroupKind && kind == protowire.BytesType) {
			return routed.Ambiguous("%s: %s can't be read", m.FullName(), f.Name())
		}
		if err := checkValue(b[:n], f, kind, depth); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func checkValue(b []byte, f protoreflect.FieldDescriptor, kind protowire.Type, depth int) error {
	switch {
	case f.Kind() == protoreflect.GroupKind:
		return routed.Unsupported("%s is a group", f.FullName())
	case f.Kind() == protoreflect.MessageKind:
		value, _ := protowire.ConsumeBytes(b)
		return check(value, f.Message(), depth-1)
	case f.Kind() == protoreflect.StringKind && kind == protowire.BytesType:
		if value, _ := protowire.ConsumeBytes(b); !utf8.Valid(value) {
			return routed.Ambiguous("%s is not UTF-8", f.FullName())
		}
	}
	return nil
}

// wireType is how one value of f is written.
func wireType(f protoreflect.FieldDescriptor) protowire.Type {
	switch f.Kind() {
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	case protoreflect.GroupKind:
		return protowire.StartGroupType
	case protoreflect.BoolKind, protoreflect.EnumKind, protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Uint32Kind,
		protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Uint64Kind:
		return protowire.VarintType
	}
	return protowire.EndGroupType // which no value is written as
}
