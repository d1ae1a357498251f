package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sallyport-dev/sallyport/authz/policy"
	"github.com/sallyport-dev/sallyport/authz/resource"
	"github.com/sallyport-dev/sallyport/gateway/extauthz"
)

//go:embed peer.rego
var peerRego string

// peerFolder writes what the peer loads, as OPA wants it: the shipped Rego, peer.rego, and in data.json the bundle's documents and
// what peer.rego asks for, the issuers' keys by iss, the catalogue's rows by id, the gateway and the belt's mark.
func peerFolder(world, mark, dir string) error {
	from := filepath.Join(world, "bundle")
	b, err := policy.Load(from)
	if err != nil {
		return err
	}
	data := map[string]any{"mark": mark}
	for _, name := range []string{"bundle", "enclaves", "issuers", "reasons", "revocations", "schemes", "tenants"} {
		data[name] = b.Document(name)
	}
	if data["keys"], err = fetchKeys(b); err != nil {
		return err
	}
	if data["rows"], err = rows(b); err != nil {
		return err
	}
	var enclaves map[string]any
	if err := json.Unmarshal(b.Document("enclaves"), &enclaves); err != nil {
		return err
	}
	ids := []string{}
	for id := range enclaves {
		ids = append(ids, id)
	}
	data["gateway"] = map[string]any{"id": "sallyport", "enclaves": ids}
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	files := map[string][]byte{"data.json": text, "peer.rego": []byte(peerRego)}
	err = filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".rego" || strings.HasSuffix(path, "_test.rego") {
			return err
		}
		name, _ := filepath.Rel(from, path)
		files[strings.ReplaceAll(name, string(filepath.Separator), "-")], err = os.ReadFile(path)
		return err
	})
	for name, content := range files {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	return err
}

// fetchKeys returns, by iss, what io.jwt.decode_verify wants to know.
func fetchKeys(b *policy.Bundle) (map[string]any, error) {
	type issuer struct {
		Issuer     string
		URI        string `json:"jwks_uri"`
		Algorithms []string
	}
	var root map[string]issuer
	var tenants map[string]struct{ Issuers map[string]issuer }
	if err := errors.Join(json.Unmarshal(b.Document("issuers"), &root), json.Unmarshal(b.Document("tenants"), &tenants)); err != nil {
		return nil, err
	}
	all := []map[string]issuer{root}
	for _, t := range tenants {
		all = append(all, t.Issuers)
	}
	keys := map[string]any{}
	for _, issuers := range all {
		for id, i := range issuers {
			resp, err := http.Get(i.URI)
			if err != nil {
				return nil, err
			}
			jwks, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil {
				return nil, err
			}
			keys[i.Issuer] = map[string]any{"id": id, "issuer": i.Issuer, "jwks": string(jwks), "algorithm": i.Algorithms[0]}
		}
	}
	return keys, nil
}

// rows returns, by row, the properties that the policy input has of the objects in it.
func rows(b *policy.Bundle) (map[string]any, error) {
	catalogue, err := resource.New(resource.Documents{Tenants: b.Document("tenants")}, resource.Limits{Accesses: 1000})
	if err != nil {
		return nil, err
	}
	var tenants map[string]struct{ Catalogue struct{ Rows map[string]any } }
	if err := json.Unmarshal(b.Document("tenants"), &tenants); err != nil {
		return nil, err
	}
	out := map[string]any{}
	for _, t := range tenants {
		for row := range t.Catalogue.Rows {
			if strings.HasPrefix(row, "job:") {
				continue
			}
			found, err := catalogue.Resolve(extauthz.Parse(makeQuestion("", "/"+row+"welcome.txt", "", true).check, time.Now()))
			if err != nil {
				return nil, fmt.Errorf("row %s: %w", row, err)
			}
			out[row] = found.Accesses[0].Resource.Properties
		}
	}
	return out, nil
}

// interpreter is the peer's way: for every request, on the goroutine that grpc-go gave it, the whole CheckRequest becomes the input
// of one query of OPA's interpreter, which does everything else, see peer.rego.
type interpreter struct {
	query rego.PreparedEvalQuery
	allow *authv3.CheckResponse
}

func newInterpreter(ctx context.Context, folder string, allow *authv3.CheckResponse) (p interpreter, err error) {
	p.allow = allow
	p.query, err = rego.New(rego.Query("data.peer.answer"), rego.Load([]string{folder}, nil)).PrepareForEval(ctx)
	return p, err
}

// Check allows if and only if policy does.
func (p interpreter) Check(ctx context.Context, in *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	m := members(in.ProtoReflect())
	path, query, _ := strings.Cut(in.GetAttributes().GetRequest().GetHttp().GetPath(), "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return deny(), nil
	}
	m["parsed_path"], m["parsed_query"] = strings.Split(strings.TrimPrefix(path, "/"), "/"), values
	input, err := ast.InterfaceToValue(m)
	if err != nil {
		return deny(), nil
	}
	results, err := p.query.Eval(ctx, rego.EvalParsedInput(input))
	if err != nil || len(results) != 1 {
		return deny(), nil
	}
	answer, _ := results[0].Expressions[0].Value.(map[string]any)
	if answer["allowed"] != true {
		return deny(), nil
	}
	return p.allow, nil
}

// members returns a message as policies see it: its fields by their JSON names.
func members(m protoreflect.Message) map[string]any {
	out := map[string]any{}
	value := func(f protoreflect.FieldDescriptor, v protoreflect.Value) any {
		if f.Message() != nil {
			return members(v.Message())
		}
		return v.Interface()
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap():
			entries := map[string]any{}
			v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
				entries[k.String()] = value(f.MapValue(), v)
				return true
			})
			out[f.JSONName()] = entries
		case f.IsList():
			list := []any{}
			for i := range v.List().Len() {
				list = append(list, value(f, v.List().Get(i)))
			}
			out[f.JSONName()] = list
		default:
			out[f.JSONName()] = value(f, v)
		}
		return true
	})
	return out
}

func deny() *authv3.CheckResponse {
	return &authv3.CheckResponse{
		Status: &status.Status{Code: int32(codes.PermissionDenied)},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status: &typev3.HttpStatus{Code: typev3.StatusCode_Forbidden},
		}},
	}
}
