package gateway

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/gateway/extauthz"
)

const mark = "the belt's mark"

// socketPath returns where a socket may be: t.TempDir's path can be too long for one.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gw") // mode 0700
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// listen opens a socket for this user, as serve does.
func listen(t *testing.T, path string) net.Listener {
	t.Helper()
	l, err := ListenUnix(path, []uint32{uint32(os.Getuid())}, false, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func dial(t *testing.T, path string) *grpc.ClientConn {
	t.Helper()
	c, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// client asks s over a real socket, without what Serve does beside; wrap, if it is not nil, changes the context of each check.
func client(t *testing.T, s *Server, wrap func(context.Context) context.Context) authv3.AuthorizationClient {
	t.Helper()
	path := socketPath(t)
	rpc := grpc.NewServer(grpc.WaitForHandlers(true), grpc.UnaryInterceptor(
		func(ctx context.Context, in any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if wrap != nil {
				ctx = wrap(ctx)
			}
			return next(ctx, in)
		}))
	extauthz.Register(rpc, mark, s.Check)
	go rpc.Serve(listen(t, path))
	t.Cleanup(rpc.Stop)
	return authv3.NewAuthorizationClient(dial(t, path))
}

// ask is what Envoy asks about a request of an S3 client with that token; "" is none.
func ask(method, target, token string, changes ...func(*authv3.CheckRequest)) *authv3.CheckRequest {
	const host = "storage.sallyport.test"
	raw := func(name, value string) *corev3.HeaderValue {
		return &corev3.HeaderValue{Key: name, RawValue: []byte(value)}
	}
	headers := []*corev3.HeaderValue{
		raw(":method", method), raw(":authority", host), raw(":path", target), raw(":scheme", "http"), raw("x-request-id", "request-1"),
	}
	if token != "" {
		headers = append(headers, raw("authorization", "Bearer "+token))
	}
	in := &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: "192.0.2.7"},
		}}},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: method, Path: target, Host: host, Scheme: "http", HeaderMap: &corev3.HeaderMap{Headers: headers},
		}},
		ContextExtensions: map[string]string{
			"service": "s3", "audience": "storage", "region": "us-east-1", "domains": host, "body": "absent",
		},
	}}
	for _, change := range changes {
		change(in)
	}
	return in
}

// header adds one to what Envoy asks.
func header(name, value string) func(*authv3.CheckRequest) {
	return func(in *authv3.CheckRequest) {
		m := in.Attributes.Request.Http.HeaderMap
		m.Headers = append(m.Headers, &corev3.HeaderValue{Key: name, RawValue: []byte(value)})
	}
}

// extension sets a context extension of the route.
func extension(name, value string) func(*authv3.CheckRequest) {
	return func(in *authv3.CheckRequest) { in.Attributes.ContextExtensions[name] = value }
}

// received is what Envoy acts on.
type received struct {
	Status codes.Code // OK lets the request pass
	HTTP   int        // what the client gets instead
	Says   string     // the reasons that the client is told
	Mark   bool       // the belt will hold
}

// check asks, and fails the test on an error of the call: to that, failure_mode_allow would be the answer.
func check(t *testing.T, c authv3.AuthorizationClient, in *authv3.CheckRequest) (received, *authv3.CheckResponse) {
	t.Helper()
	out, err := c.Check(t.Context(), in)
	if err != nil {
		t.Fatalf("the gateway answered with an error instead of a decision: %v", err)
	}
	got := received{
		Status: codes.Code(out.GetStatus().GetCode()),
		HTTP:   int(out.GetDeniedResponse().GetStatus().GetCode()),
		Mark:   out.GetDynamicMetadata().AsMap()["sallyport"] == mark,
	}
	if _, rest, ok := strings.Cut(out.GetDeniedResponse().GetBody(), "Refused: "); ok {
		got.Says, _, _ = strings.Cut(rest, ". Ask")
	}
	return got, out
}

// decisionID returns the id that the client is told.
func decisionID(out *authv3.CheckResponse) string {
	fields := out.GetDeniedResponse().GetHeaders()
	if ok := out.GetOkResponse(); ok != nil {
		fields = ok.GetResponseHeadersToAdd()
	}
	for _, f := range fields {
		if f.GetHeader().GetKey() == "x-sallyport-decision-id" {
			return f.GetHeader().GetValue()
		}
	}
	return ""
}

// poisoned is a context that panics where a step looks at it.
type poisoned struct {
	context.Context
	in string
}

func (p poisoned) Err() error {
	if p.in == "verify" {
		panic("poison")
	}
	return p.Context.Err()
}

func (p poisoned) Value(key any) any {
	if p.in == "decide" {
		panic("poison")
	}
	return p.Context.Value(key)
}

func reasons(ids ...authz.Reason) []authz.Reason { return append([]authz.Reason{}, ids...) }
