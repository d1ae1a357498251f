package extauthz

import (
	"context"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"

	"github.com/sallyport-dev/sallyport/authz"
)

// Service is the gRPC name of Envoy's authorization service.
const Service = "envoy.service.auth.v3.Authorization"

// Register serves check as Envoy's authorization service. Every way out of it is an explicit CheckResponse: never a gRPC error,
// whose meaning failure_mode_allow would decide, and never a zero response, which Envoy takes for an allow.
func Register(r grpc.ServiceRegistrar, mark string, check func(context.Context, authz.Request) Answer) {
	authv3.RegisterAuthorizationServer(r, service{mark: mark, check: check})
}

type service struct {
	mark  string
	check func(context.Context, authz.Request) Answer
}

func (s service) Check(ctx context.Context, in *authv3.CheckRequest) (out *authv3.CheckResponse, _ error) {
	defer func() {
		if recover() != nil {
			out = Render(Answer{}, s.mark)
		}
	}()
	return Render(s.check(ctx, Parse(in, time.Now())), s.mark), nil
}
