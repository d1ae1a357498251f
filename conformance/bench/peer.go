package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/identity"
	"github.com/sallyport-dev/sallyport/authz/policy"
	"github.com/sallyport-dev/sallyport/authz/resource"
	"github.com/sallyport-dev/sallyport/gateway/extauthz"
)

//go:embed peer.rego
var peerRego string

// interpreter is the peer's way: for every request, on the goroutine that grpc-go gave it, one query of OPA's interpreter verifies
// the token and evaluates the bundle. Where the peer would do more it is spared, so that nothing here makes it slow: the claims of
// a token become the subject once, in Go, the paths become rows in Go, and there is no decision log.
type interpreter struct {
	query     rego.PreparedEvalQuery
	bundle    *policy.Bundle
	identity  *identity.Verifier
	catalogue *resource.Catalogue
	gateway   authz.Gateway
	subjects  sync.Map // token → authz.Subject
	allow     *authv3.CheckResponse
}

func newInterpreter(ctx context.Context, world string, allow *authv3.CheckResponse) (*interpreter, error) {
	dir := demoBundle(world)
	b, err := policy.Load(dir)
	if err != nil {
		return nil, err
	}
	p := &interpreter{bundle: b, gateway: authz.Gateway{ID: "sallyport"}, allow: allow}
	data := map[string]any{}
	for _, name := range []string{"bundle", "enclaves", "issuers", "reasons", "revocations", "schemes", "tenants"} {
		var doc any
		if err := json.Unmarshal(b.Document(name), &doc); err != nil {
			return nil, fmt.Errorf("document %s: %w", name, err)
		}
		data[name] = doc
	}
	var enclaves map[string]any
	if err := json.Unmarshal(b.Document("enclaves"), &enclaves); err != nil {
		return nil, err
	}
	for id := range enclaves {
		p.gateway.Enclaves = append(p.gateway.Enclaves, id)
	}
	if data["keys"], err = fetchKeys(b); err != nil {
		return nil, err
	}
	options := []func(*rego.Rego){
		rego.Query("data.peer.decision"), rego.Module("peer.rego", peerRego), rego.Store(inmem.NewFromObject(data)),
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".rego" || strings.HasSuffix(path, "_test.rego") {
			return err
		}
		source, err := os.ReadFile(path)
		options = append(options, rego.Module(path, string(source)))
		return err
	})
	if err != nil {
		return nil, err
	}
	if p.query, err = rego.New(options...).PrepareForEval(ctx); err != nil {
		return nil, err
	}
	if p.catalogue, err = resource.New(b.Document("tenants"), resource.Limits{Accesses: 1000}); err != nil {
		return nil, err
	}
	keys := identity.NewKeys(identity.KeysConfig{})
	p.identity, err = identity.New(identity.Config{
		Tenants: b.Document("tenants"), Issuers: b.Document("issuers"), Schemes: b.Document("schemes"),
		Audiences: []string{p.gateway.ID}, Keys: keys,
	})
	if err != nil {
		return nil, err
	}
	keys.Use(p.identity)
	for range 200 {
		if keys.Ready() == nil {
			return p, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, errors.New("the issuers' keys do not come")
}

// fetchKeys returns data.keys: by iss, what io.jwt.decode_verify wants to know.
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
		for _, i := range issuers {
			resp, err := http.Get(i.URI)
			if err != nil {
				return nil, err
			}
			jwks, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil {
				return nil, err
			}
			keys[i.Issuer] = map[string]any{"jwks": string(jwks), "algorithm": i.Algorithms[0]}
		}
	}
	return keys, nil
}

func demoBundle(world string) string { return filepath.Join(world, "bundle") }

// Check allows if and only if policy allows every access.
func (p *interpreter) Check(ctx context.Context, in *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	now := time.Now()
	req := extauthz.Parse(in, now)
	token, _ := req.Headers.Get("authorization")
	token = strings.TrimPrefix(token, "Bearer ")
	subject, err := p.subject(ctx, token, req)
	if err != nil {
		return deny(), nil
	}
	resolution, err := p.catalogue.Resolve(req)
	if err != nil {
		return deny(), nil
	}
	freshness := p.bundle.Freshness(now)
	freshness.Clock = "trusted"
	for _, a := range resolution.Accesses {
		allowed, err := p.evaluate(ctx, asked{token, authz.Input{
			Subject: subject, Action: a.Action, Resource: a.Resource,
			Context: authz.Context{
				Time: authz.At(now), Gateway: p.gateway, Freshness: freshness, Approvals: subject.Approvals,
				Source: authz.Source{Address: &req.Peer.Address, Country: &subject.Location, Basis: "claim"},
			},
		}})
		if err != nil || !allowed {
			return deny(), nil
		}
	}
	return p.allow, nil
}

// asked is the policy input, and the token that it is about.
type asked struct {
	Token string `json:"token"`
	authz.Input
}

func (p *interpreter) evaluate(ctx context.Context, a asked) (bool, error) {
	b, err := json.Marshal(a)
	if err != nil {
		return false, err
	}
	input, err := ast.ValueFromReader(bytes.NewReader(b))
	if err != nil {
		return false, err
	}
	results, err := p.query.Eval(ctx, rego.EvalParsedInput(input))
	if err != nil || len(results) != 1 {
		return false, err
	}
	decision, _ := results[0].Expressions[0].Value.(map[string]any)
	return decision["allow"] == true, nil
}

func (p *interpreter) subject(ctx context.Context, token string, req authz.Request) (authz.Subject, error) {
	if s, ok := p.subjects.Load(token); ok {
		return s.(authz.Subject), nil
	}
	s, err := p.identity.Verify(ctx, req)
	if err == nil {
		p.subjects.Store(token, s)
	}
	return s, err
}

func deny() *authv3.CheckResponse {
	return &authv3.CheckResponse{
		Status: &status.Status{Code: int32(codes.PermissionDenied)},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status: &typev3.HttpStatus{Code: typev3.StatusCode_Forbidden},
		}},
	}
}
