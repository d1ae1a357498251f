// Package resource turns an HTTP request into the accesses it would perform, each with the catalogue row that governs it.
//
// Two halves meet here. An adapter, one a protocol, reads the request and says what it touches (authz/resource/s3: which verbs
// on which bucket and key; authz/resource/jobs: which queue, module, inputs and outputs; authz/resource/http and authz/resource/grpc: which route of a table in the bundle). The Catalogue knows which row of which tenant governs a path, and copies that row into the access.
// Which adapter reads a request is said by the route's context extension "service", which Envoy's configuration sets and no
// client can.
//
// Invariants: Resolve returns at least one access or a *authz.Refusal, never both, and never repairs a request: what can be read
// in two ways is request.ambiguous, what is not on an adapter's closed list is request.unsupported. A path that no row governs is
// an access with null properties, which proves nothing, so policy denies it. A Catalogue is immutable: the slices and pointers in
// a Resolution are shared with it and with other requests, and must only be read.
//
// Non-goals: no decision, no credential, no input or output. What a row means is policies' business.
//
// Each adapter names the source of its rules; the operations of S3 are listed in authz/resource/s3/OPERATIONS.md.
package resource

import (
	"encoding/json"
	"fmt"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/label"
	"github.com/sallyport-dev/sallyport/authz/resource/jobs"
	"github.com/sallyport-dev/sallyport/authz/resource/s3"
)

// Limits bound what one request may ask for.
type Limits struct {
	Accesses int // more accesses than this are request.unsupported
}

// Catalogue is the rows of every tenant, and the adapters that need them. It is made once a generation and never changes.
type Catalogue struct {
	rows     *rows
	schemes  *label.Schemes
	services map[string]adapter // by audience
	limits   Limits
}

// Documents are the parts of a bundle that a Catalogue is made of, as it has them as data.
type Documents struct {
	Tenants  json.RawMessage // {"<id>": {"catalogue": {"rows": {…}}}}
	Schemes  json.RawMessage // by which labels on objects are read
	Services json.RawMessage // {"<audience>": {"protocol": "http" or "grpc", "routes": […]}}
}

// New reads the rows of every tenant. It refuses rows that could be read in two ways: a prefix that two tenants claim, or a bucket that
// two tenants share.
func New(d Documents, limits Limits) (*Catalogue, error) {
	if limits.Accesses < 1 {
		return nil, fmt.Errorf("limits.accesses: %d: want at least 1", limits.Accesses)
	}
	rows, err := parseRows(d.Tenants)
	if err != nil {
		return nil, err
	}
	if len(d.Schemes) == 0 {
		d.Schemes = json.RawMessage("{}")
	}
	schemes, err := label.New(d.Schemes)
	if err != nil {
		return nil, err
	}
	services, err := parseServices(d.Services)
	if err != nil {
		return nil, err
	}
	return &Catalogue{rows: rows, schemes: schemes, services: services, limits: limits}, nil
}

// Resolve returns every access of req and the request as its upstream will be shown it. Its error is a *authz.Refusal.
func (c *Catalogue) Resolve(req authz.Request) (authz.Resolution, error) { return c.resolve(req, nil) }

// ResolveWith does so once more where the first resolution named Objects: with what the store says of each. The accesses then have the
// labels that the objects carry beside those of their rows, and the upstream is bound to the content that carries them.
func (c *Catalogue) ResolveWith(req authz.Request, objects map[authz.ObjectID]authz.Object) (authz.Resolution, error) {
	return c.resolve(req, objects)
}

func (c *Catalogue) resolve(req authz.Request, objects map[authz.ObjectID]authz.Object) (authz.Resolution, error) {
	if req.Problem != nil {
		return authz.Resolution{}, req.Problem
	}
	for _, name := range []string{"service", "audience", "region", "body"} {
		if req.Extensions[name] == "" {
			return authz.Resolution{}, authz.Refuse(authz.RequestUnsupported, "the route has no context extension "+name)
		}
	}
	if body := req.Extensions["body"]; body != "present" && body != "absent" {
		return authz.Resolution{}, authz.Refuse(authz.RequestUnsupported, fmt.Sprintf("the route's context extension body is %q: want present or absent", body))
	}
	switch service := req.Extensions["service"]; service {
	case "s3":
		call, err := s3.Parse(req)
		if err != nil {
			return authz.Resolution{}, err
		}
		return c.resolveS3(call, req.Headers, objects)
	case "jobs":
		call, err := jobs.Parse(req)
		if err != nil {
			return authz.Resolution{}, err
		}
		return c.resolveJob(call)
	case "http", "grpc":
		return c.resolveService(service, req)
	default:
		return authz.Resolution{}, authz.Refuse(authz.RequestUnsupported, fmt.Sprintf("no adapter for the route's service %q", service))
	}
}

// account returns whose storage account a grant is made for: the tenant of the row that is written, else of one that is read.
// Every access but the source of a copy is in one bucket, and a bucket has one tenant, so the last access with a row decides.
func account(accesses []authz.Access) string {
	last := accesses[len(accesses)-1].Resource.Properties.Tenant
	if last == nil {
		return ""
	}
	return *last
}
