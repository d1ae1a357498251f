package main

import (
	"fmt"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport-dev/sallyport/gateway/demo"
)

const host = "storage.sallyport.test"

// question is one request, as a client sends it to Envoy and as Envoy asks about it.
type question struct {
	name  string // who reads what
	http  []byte // HTTP/1.1
	check *authv3.CheckRequest
	plain *authv3.CheckRequest // the same with plain headers instead of raw ones
	allow bool                 // what must be decided
}

// traffic is who reads what. The demo's tour and model.md say why each is decided so. All issuers here sign with ES256; an ES384
// signature takes a millisecond to check and would favour whoever remembers it.
var traffic = []struct {
	who, path string
	allow     bool
}{
	{"sam", "/us-defense-plans/welcome.txt", true},
	{"gina", "/us-defense-plans/welcome.txt", true}, // by an agreement's equivalence
	{"uma", "/us-defense-plans/welcome.txt", false},
	{"sam", "/us-defense-plans/noforn/welcome.txt", true},
	{"moana", "/nz-fire-maps/briefings/welcome.txt", true},
	{"otto", "/us-defense-plans/welcome.txt", false},
	{"uma", "/us-defense-parts/welcome.txt", true},
	{"noah", "/ca-housing-loans/welcome.txt", true},
	{"gina", "/us-defense-parts/welcome.txt", false},
	{"olga", "/us-defense-plans/welcome.txt", true}, // by the tenant's approval
	{"sam", "/us-defense-parts/welcome.txt", true},
	{"moana", "/us-defense-plans/welcome.txt", false},
}

// ask returns the traffic with fresh tokens, one a person.
func ask(world string, denied bool) ([]question, error) {
	tokens := map[string]string{}
	var questions []question
	for _, t := range traffic {
		if !t.allow && !denied {
			continue
		}
		if tokens[t.who] == "" {
			var err error
			if tokens[t.who], err = demo.Token(world, t.who); err != nil {
				return nil, err
			}
		}
		questions = append(questions, makeQuestion(t.who, t.path, tokens[t.who], t.allow))
	}
	return questions, nil
}

func makeQuestion(who, path, token string, allow bool) question {
	sent := [][2]string{
		{"user-agent", "aws-sdk-go-v2/1.48.0 ua/2.1 os/linux lang/go#1.26 md/GOOS#linux md/GOARCH#amd64 api/s3#1.114.8"},
		{"accept", "*/*"},
		{"accept-encoding", "identity"},
		{"accept-language", "en"},
		{"amz-sdk-invocation-id", "0f0c8a7e-51f7-4a3b-9c42-0d5f1a3f7b11"},
		{"amz-sdk-request", "attempt=1; max=3"},
		{"authorization", "Bearer " + token},
		{"x-amz-checksum-mode", "ENABLED"},
		{"x-amz-content-sha256", "UNSIGNED-PAYLOAD"},
	}
	added := [][2]string{ // by Envoy
		{":authority", host}, {":method", "GET"}, {":path", path}, {":scheme", "http"},
		{"x-envoy-internal", "true"},
		{"x-forwarded-for", "127.0.0.1"},
		{"x-forwarded-proto", "http"},
		{"x-request-id", "5b1f4d1e-7f0c-4f26-8a4b-7c4a6f0f2a90"},
	}
	q := question{name: who + " reads " + path, allow: allow}
	var text strings.Builder
	fmt.Fprintf(&text, "GET %s HTTP/1.1\r\nhost: %s\r\n", path, host)
	headers := &corev3.HeaderMap{}
	for _, h := range added {
		headers.Headers = append(headers.Headers, &corev3.HeaderValue{Key: h[0], RawValue: []byte(h[1])})
	}
	for _, h := range sent {
		fmt.Fprintf(&text, "%s: %s\r\n", h[0], h[1])
		headers.Headers = append(headers.Headers, &corev3.HeaderValue{Key: h[0], RawValue: []byte(h[1])})
	}
	text.WriteString("\r\n")
	q.http = []byte(text.String())
	address := func(port uint32) *authv3.AttributeContext_Peer {
		return &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: "127.0.0.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port}},
		}}}
	}
	q.check = &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source:      address(40000),
		Destination: address(10000),
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Id: "1234567890123456789", Method: "GET", Path: path, Host: host, Scheme: "http", Protocol: "HTTP/1.1", HeaderMap: headers,
		}},
		ContextExtensions: map[string]string{
			"service": "s3", "audience": "storage", "region": "us-east-1", "domains": host, "body": "absent",
		},
		MetadataContext:      &corev3.Metadata{},
		RouteMetadataContext: &corev3.Metadata{},
	}}
	q.plain = proto.CloneOf(q.check)
	plain := q.plain.Attributes.Request.Http
	plain.HeaderMap, plain.Headers = nil, map[string]string{}
	for _, h := range headers.Headers {
		plain.Headers[h.Key] = string(h.RawValue)
	}
	return q
}
