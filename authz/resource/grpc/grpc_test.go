package grpc_test

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource/grpc"
)

// descriptors describe a ledger: rpc Get(GetRequest), rpc Watch(stream GetRequest), and GetRequest {string account = 1; Entry entry = 2;
// repeated string tags = 3; oneof at {string name = 4; int64 number = 5;}; bool dry = 6}, Entry {int64 id = 1; Entry parent = 2}.
func descriptors(t testing.TB) string {
	t.Helper()
	field := func(name string, number int32, kind descriptorpb.FieldDescriptorProto_Type, change func(*descriptorpb.FieldDescriptorProto)) *descriptorpb.FieldDescriptorProto {
		f := &descriptorpb.FieldDescriptorProto{Name: &name, Number: &number, Type: &kind, Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
		if change != nil {
			change(f)
		}
		return f
	}
	entry := func(f *descriptorpb.FieldDescriptorProto) { f.TypeName = proto.String(".ledger.v1.Entry") }
	repeated := func(f *descriptorpb.FieldDescriptorProto) {
		f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	}
	oneof := func(f *descriptorpb.FieldDescriptorProto) { f.OneofIndex = proto.Int32(0) }
	const text, message, int64Type, boolType = descriptorpb.FieldDescriptorProto_TYPE_STRING, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE, descriptorpb.FieldDescriptorProto_TYPE_INT64, descriptorpb.FieldDescriptorProto_TYPE_BOOL
	in := proto.String(".ledger.v1.GetRequest")
	set := &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{{
		Name: proto.String("ledger.proto"), Package: proto.String("ledger.v1"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{
			{Name: proto.String("GetRequest"), OneofDecl: []*descriptorpb.OneofDescriptorProto{{Name: proto.String("at")}}, Field: []*descriptorpb.FieldDescriptorProto{
				field("account", 1, text, nil), field("entry", 2, message, entry), field("tags", 3, text, repeated), field("name", 4, text, oneof), field("number", 5, int64Type, oneof), field("dry", 6, boolType, nil)}},
			{Name: proto.String("Entry"), Field: []*descriptorpb.FieldDescriptorProto{field("id", 1, int64Type, nil), field("parent", 2, message, entry)}},
		},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("Ledger"), Method: []*descriptorpb.MethodDescriptorProto{
			{Name: proto.String("Get"), InputType: in, OutputType: in},
			{Name: proto.String("Watch"), InputType: in, OutputType: in, ClientStreaming: proto.Bool(true)}}}},
	}}}
	b, err := proto.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b)
}

var routes = []grpc.Route{
	{Method: "/ledger.v1.Ledger/Get", Action: "read", Resource: "{account}/entries/{entry}", Fields: map[string]string{"account": "account", "entry": "entry.id"}},
	{Method: "/ledger.v1.Ledger/Sync", Action: "update", Resource: "us-ledger/state"},
}

func table(t testing.TB) *grpc.Table {
	t.Helper()
	table, err := grpc.New(routes, descriptors(t))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func text(n protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, n, protowire.BytesType), s)
}
func number(n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), v)
}
func join(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}
func within(n protowire.Number, parts ...[]byte) []byte { return text(n, string(join(parts...))) }

func frame(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

func call(path string, body []byte, headers ...authz.HeaderField) authz.Request {
	return authz.Request{Method: "POST", Host: "ledger.test", Path: path, Body: body,
		Headers:    append(authz.Headers{{Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"}}, headers...),
		Extensions: map[string]string{"service": "grpc", "audience": "ledger", "region": "none", "body": "present"}}
}

const get = "/ledger.v1.Ledger/Get"

func TestAMethodIsAnActionOnAResource(t *testing.T) {
	for name, tc := range map[string]struct {
		req                     authz.Request
		operation, action, path string
	}{
		"fields of the message":         {call(get, frame(join(text(1, "us-ledger"), within(2, number(1, 7))))), "ledger.v1.Ledger/Get", "read", "us-ledger/entries/7"},
		"in any order, and with others": {call(get, frame(join(within(2, number(1, 7)), text(3, "a"), text(3, "b"), number(6, 1), text(4, "x"), text(1, "us-ledger")))), "ledger.v1.Ledger/Get", "read", "us-ledger/entries/7"},
		"no field is read":              {call("/ledger.v1.Ledger/Sync", frame([]byte("anything"))), "ledger.v1.Ledger/Sync", "update", "us-ledger/state"},
	} {
		t.Run(name, func(t *testing.T) {
			have, err := table(t).Parse(tc.req)
			if err != nil || have.Operation != tc.operation || have.Action != tc.action || have.Path != tc.path || have.Upstream.Path != tc.req.Path {
				t.Errorf("%+v, %v", have, err)
			}
		})
	}
}

func TestCallsThatAreRefused(t *testing.T) {
	const a, u = authz.RequestAmbiguous, authz.RequestUnsupported
	good := join(text(1, "us-ledger"), within(2, number(1, 7)))
	with := func(change func(*authz.Request)) authz.Request { r := call(get, frame(good)); change(&r); return r }
	deep := number(1, 7)
	for range 40 {
		deep = within(2, deep)
	}
	compressed := frame(good)
	compressed[0] = 1
	for name, tc := range map[string]struct {
		want authz.Reason
		req  authz.Request
	}{
		"a method that is not listed":      {u, call("/ledger.v1.Ledger/Drop", frame(good))},
		"a path in other letters":          {u, call("/ledger.v1.ledger/Get", frame(good))},
		"a slash at the end":               {u, call(get+"/", frame(good))},
		"a query":                          {u, with(func(r *authz.Request) { r.Query = "a=b" })},
		"GET":                              {u, with(func(r *authz.Request) { r.Method = "GET" })},
		"JSON":                             {u, with(func(r *authz.Request) { r.Headers[0].Value = "application/json" })},
		"gRPC-Web":                         {u, with(func(r *authz.Request) { r.Headers[0].Value = "application/grpc-web" })},
		"compression":                      {u, call(get, frame(good), authz.HeaderField{Name: "grpc-encoding", Value: "gzip"})},
		"a message that says it is packed": {u, call(get, compressed)},
		"no body":                          {a, call(get, nil)},
		"half a frame":                     {a, call(get, frame(good)[:4])},
		"half a message":                   {a, call(get, frame(good)[:9])},
		"two messages":                     {u, call(get, append(frame(good), frame(good)...))},
		"a byte behind the message":        {u, call(get, append(frame(good), 0))},
		"a body that is not shown":         {u, with(func(r *authz.Request) { r.Extensions["body"] = "absent" })},
		"a body of another length":         {a, call(get, frame(good), authz.HeaderField{Name: "content-length", Value: "1"})},
		"a field that nobody knows":        {u, call(get, frame(join(good, text(99, "x"))))},
		"the account twice":                {a, call(get, frame(join(text(1, "us-ledger"), good)))},
		"the entry twice, which is merged": {a, call(get, frame(join(good, within(2, number(1, 8)))))},
		"its id twice":                     {a, call(get, frame(join(text(1, "us-ledger"), within(2, number(1, 7), number(1, 8)))))},
		"two of a oneof":                   {a, call(get, frame(join(good, text(4, "x"), number(5, 1))))},
		"a field of another type":          {a, call(get, frame(join(text(1, "us-ledger"), number(2, 7))))},
		"a text that is not UTF-8":         {a, call(get, frame(join(text(1, "\xff"), within(2, number(1, 7)))))},
		"no account":                       {u, call(get, frame(within(2, number(1, 7))))},
		"no entry":                         {u, call(get, frame(text(1, "us-ledger")))},
		"an account that leads elsewhere":  {a, call(get, frame(join(text(1, ".."), within(2, number(1, 7)))))},
		"an account with a slash":          {a, call(get, frame(join(text(1, "us-ledger/entries"), within(2, number(1, 7)))))},
		"messages too deep":                {u, call(get, frame(join(text(1, "us-ledger"), deep)))},
		"a tag without end":                {a, call(get, frame(join(good, []byte{0x80})))},
		"a length beyond the end":          {a, call(get, frame(join(good, []byte{0x1a, 0x7f})))},
		"field number zero":                {a, call(get, frame(join(good, []byte{0x02, 0x00})))},
	} {
		t.Run(name, func(t *testing.T) {
			have, err := table(t).Parse(tc.req)
			var r *authz.Refusal
			if !errors.As(err, &r) || r.Reason != tc.want || r.Detail == "" || have.Path != "" {
				t.Errorf("%+v, %v: want %s", have, err, tc.want)
			}
		})
	}
}

func TestTablesThatAreRefused(t *testing.T) {
	for name, change := range map[string]func(*grpc.Route){
		"no path of a method": func(r *grpc.Route) { r.Method = "ledger.v1.Ledger/Get" }, "no service": func(r *grpc.Route) { r.Method = "//Get" }, "three parts": func(r *grpc.Route) { r.Method += "/x" },
		"an unknown action": func(r *grpc.Route) { r.Action = "execute" }, "a method that the descriptors lack": func(r *grpc.Route) { r.Method = "/ledger.v1.Ledger/Put" },
		"a stream": func(r *grpc.Route) { r.Method = "/ledger.v1.Ledger/Watch" }, "a field that is not there": func(r *grpc.Route) { r.Fields["account"] = "tenant" },
		"a field with many values": func(r *grpc.Route) { r.Fields["account"] = "tags" }, "a message": func(r *grpc.Route) { r.Fields["account"] = "entry" }, "a field below a text": func(r *grpc.Route) { r.Fields["account"] = "account.id" },
		"a truth value": func(r *grpc.Route) { r.Fields["account"] = "dry" }, "a value without a field": func(r *grpc.Route) { r.Resource = "{account}/{what}" }, "a list of one thing": func(r *grpc.Route) { r.Action = "list" },
	} {
		t.Run(name, func(t *testing.T) {
			r := routes[0]
			r.Fields = map[string]string{"account": "account", "entry": "entry.id"}
			change(&r)
			if _, err := grpc.New([]grpc.Route{r}, descriptors(t)); err == nil {
				t.Errorf("%+v is taken", r)
			}
		})
	}
	for name, d := range map[string]string{"no base64": "%", "no descriptors": base64.StdEncoding.EncodeToString([]byte("x")), "none at all": ""} {
		if _, err := grpc.New(routes[:1], d); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := grpc.New([]grpc.Route{routes[1], routes[1]}, ""); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a method twice: %v", err)
	}
}

// FuzzParse holds every body to this: a refusal, or what Go's own reader finds in it.
func FuzzParse(f *testing.F) {
	f.Add(frame(join(text(1, "us-ledger"), within(2, number(1, 7)))))
	f.Add(frame(join(text(1, "us-ledger"), text(1, "fr-ledger"))))
	f.Add([]byte{0, 0, 0, 0, 0})
	t := table(f)
	f.Fuzz(func(tt *testing.T, body []byte) {
		c, err := t.Parse(call(get, body))
		if err != nil {
			var r *authz.Refusal
			if !errors.As(err, &r) {
				tt.Fatalf("%v: want a refusal", err)
			}
			return
		}
		account, rest, ok := strings.Cut(c.Path, "/entries/")
		if !ok || account == "" || rest == "" || strings.Contains(rest, "/") || !strings.Contains(string(body), account) {
			tt.Fatalf("%x became %q", body, c.Path)
		}
	})
}
