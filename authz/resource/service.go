package resource

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource/grpc"
	"github.com/sallyport-dev/sallyport/authz/resource/http"
	"github.com/sallyport-dev/sallyport/authz/resource/routed"
)

// adapter reads the requests to one service.
type adapter struct {
	protocol string
	parse    func(authz.Request) (routed.Call, error)
}

// serviceData is what the bundle says of one service.
type serviceData struct {
	Protocol    string          `json:"protocol"`
	Descriptors string          `json:"descriptors"`
	Routes      json.RawMessage `json:"routes"`
}

// parseServices reads the services document. It returns every problem at once, in the order of the audiences.
func parseServices(doc json.RawMessage) (map[string]adapter, error) {
	var data map[string]serviceData
	if len(doc) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(doc, &data); err != nil {
		return nil, fmt.Errorf("services: %w", err)
	}
	services := map[string]adapter{}
	var problems []error
	for _, audience := range slices.Sorted(maps.Keys(data)) {
		a, err := data[audience].adapter()
		if err != nil {
			problems = append(problems, fmt.Errorf("services.%s: %w", audience, err))
		}
		services[audience] = a
	}
	return services, errors.Join(problems...)
}

func (d serviceData) adapter() (adapter, error) {
	switch d.Protocol {
	case "http":
		var routes []http.Route
		if err := json.Unmarshal(d.Routes, &routes); err != nil {
			return adapter{}, fmt.Errorf("routes: %w", err)
		}
		table, err := http.New(routes)
		if err != nil {
			return adapter{}, err
		}
		return adapter{d.Protocol, table.Parse}, nil
	case "grpc":
		var routes []grpc.Route
		if err := json.Unmarshal(d.Routes, &routes); err != nil {
			return adapter{}, fmt.Errorf("routes: %w", err)
		}
		table, err := grpc.New(routes, d.Descriptors)
		if err != nil {
			return adapter{}, err
		}
		return adapter{d.Protocol, table.Parse}, nil
	}
	return adapter{}, fmt.Errorf("protocol %q: want http or grpc", d.Protocol)
}

// resolveService finds the rows of what a request to a service touches.
func (c *Catalogue) resolveService(protocol string, req authz.Request) (authz.Resolution, error) {
	audience := req.Extensions["audience"]
	a, known := c.services[audience]
	if !known || a.protocol != protocol {
		return authz.Resolution{}, authz.Refuse(authz.RequestUnsupported, fmt.Sprintf("the bundle has no %s service %q", protocol, audience))
	}
	call, err := a.parse(req)
	if err != nil {
		return authz.Resolution{}, err
	}
	path := protocol + ":" + call.Path
	kind, governing := "object", []*row{c.rows.of(path)}
	if call.Action == "list" {
		kind, governing = "bucket", c.rows.under(path, c.limits.Accesses+1)
	}
	if len(governing) > c.limits.Accesses {
		return authz.Resolution{}, c.tooMany(call.Operation)
	}
	to := authz.To{Kind: "client"}
	if slices.Contains([]string{"create", "update", "relabel"}, call.Action) {
		to = c.to(path)
	}
	res := authz.Resolution{Service: protocol, Operation: call.Operation, Upstream: call.Upstream}
	for _, r := range governing {
		res.Accesses = append(res.Accesses, authz.Access{
			Action: authz.Action{Name: call.Action, Properties: authz.ActionProperties{
				Protocol: protocol, Operation: call.Operation, RequestLabels: []authz.Label{}, From: []authz.Origin{}, To: to,
			}},
			Resource: authz.Resource{Type: kind, ID: path, Properties: r.ResourceProperties},
		})
	}
	res.Upstream.Tenant = account(res.Accesses)
	return res, nil
}
