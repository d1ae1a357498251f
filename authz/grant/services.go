package grant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/encoding/httpbinding"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/grant/service"
)

// URLLifetime is how long a presigned URL in a service's grant works: a job may start up to the grant's end and then runs for
// RunLimit.
const URLLifetime = 60 * time.Second

// Limits of what one request may make a service spend.
const (
	RunLimit    = 30 * time.Second
	memoryLimit = 64 << 20
	outputLimit = 64 << 20
)

// ServicesConfig says whose grants are made, and for which service.
type ServicesConfig struct {
	Audience string        // the name by which routes call the job service; other services are named by the bundle
	Issuer   string        // iss of the grants
	Keys     []byte        // a JWK set of private P-256 keys with kid; keys[0] signs
	TTL      time.Duration // life of a grant, 1 s to service.MaxLife
	Storage  *Storage      // whose accounts presign
}

// Services makes grants for services: a JWS that package service verifies, with a presigned URL for each object that was judged.
// It is safe for concurrent use.
type Services struct {
	c       ServicesConfig
	key     jwk.Key
	headers jws.Headers
}

// NewServices checks c. It contacts nobody.
func NewServices(c ServicesConfig) (*Services, error) {
	if c.Audience == "" || c.Issuer == "" || c.Storage == nil {
		return nil, errors.New("grants.services: audience, issuer and a storage are required")
	}
	if c.TTL < time.Second || c.TTL > service.MaxLife {
		return nil, fmt.Errorf("grants.services.ttl %v: want 1s to %v", c.TTL, service.MaxLife)
	}
	key, err := signingKey(c.Keys)
	if err != nil {
		return nil, fmt.Errorf("grants.services.key_file: %w", err)
	}
	h := jws.NewHeaders()
	if err := errors.Join(h.Set(jws.TypeKey, service.Type), h.Set(jws.KeyIDKey, key.KeyID())); err != nil {
		return nil, fmt.Errorf("grants.services.key_file: %w", err)
	}
	return &Services{c: c, key: key, headers: h}, nil
}

// signingKey returns keys[0] of a private JWK set. The others are there for their public halves: the next one, so that services
// know it before it signs, and the last one, so that its grants stay good to their end. All of them are checked, or a mistake would
// show only on the day of the change.
func signingKey(jwks []byte) (jwk.Key, error) {
	set, err := jwk.Parse(jwks)
	if err != nil {
		return nil, errors.New(`no JWK set: want {"keys": [...]}`) // jwx's own words may repeat the key
	}
	if set.Len() == 0 {
		return nil, errors.New("no keys: want at least one, of which the first signs")
	}
	seen := map[string]bool{}
	for i := range set.Len() {
		k, _ := set.Key(i)
		private, ok := k.(jwk.ECDSAPrivateKey)
		switch {
		case !ok || private.Crv() != jwa.P256:
			return nil, fmt.Errorf("keys[%d]: want a private EC key of P-256", i)
		case private.Algorithm().String() != service.Algorithm:
			return nil, fmt.Errorf("keys[%d]: alg: want %s", i, service.Algorithm)
		case k.KeyID() == "" || seen[k.KeyID()]:
			return nil, fmt.Errorf("keys[%d]: kid: want one of its own", i)
		}
		seen[k.KeyID()] = true
	}
	first, _ := set.Key(0)
	return first, nil
}

// Prepare seals the grant for r, asked for by subject: the JWS in service.Header, the decision id, and the end of the stream with
// the authority for it, which is the subject's token. Nothing in it outlives that either.
func (s *Services) Prepare(r authz.Resolution, subject, decisionID string, now, authority time.Time) (authz.Sealed, error) {
	// The job service is this gateway's; the others are the bundle's, which names them by their audiences. None can pass for it.
	if (r.Upstream.Audience == s.c.Audience) != (r.Service == "jobs") {
		return authz.Sealed{}, authz.Refuse(authz.SystemGrantUnavailable,
			fmt.Sprintf("the route names %s service %q, and the jobs of this gateway are %q", r.Service, r.Upstream.Audience, s.c.Audience))
	}
	left := authority.Sub(now)
	if left < time.Second { // times in a grant are whole seconds
		return authz.Sealed{}, authz.Refuse(authz.IdentityExpired, "the token ended while the request was judged")
	}
	g, err := s.claims(r, subject, decisionID, now, authority)
	if err != nil {
		return authz.Sealed{}, authz.Refuse(authz.SystemGrantUnavailable, err.Error())
	}
	compact, err := s.sign(g)
	if err != nil {
		return authz.Sealed{}, authz.Refuse(authz.SystemGrantUnavailable, err.Error())
	}
	if len(compact) > service.MaxSize {
		return authz.Sealed{}, authz.Refuse(authz.RequestUnsupported,
			fmt.Sprintf("its grant has %d bytes, of at most %d: ask for less, or for shorter names", len(compact), service.MaxSize))
	}
	set := append([]authz.HeaderField{{Name: strings.ToLower(service.Header), Value: compact}}, bounds(decisionID, left)...)
	return authz.Seal(authz.Credential{Set: set, Remove: without(r.Upstream.Remove, set)}), nil
}

// claims are what r was judged to do.
func (s *Services) claims(r authz.Resolution, subject, decisionID string, now, authority time.Time) (service.Grant, error) {
	left := authority.Sub(now)
	u := r.Upstream
	g := service.Grant{
		Issuer: s.c.Issuer, Audience: r.Upstream.Audience, Subject: subject, DecisionID: decisionID,
		IssuedAt: now.Unix(), Expires: min(now.Unix()+int64(s.c.TTL/time.Second), authority.Unix()),
		Method: u.Method, Authority: u.Host, Path: u.Path, BodySHA256: u.PayloadHash,
		Tenant: u.Tenant, Operation: r.Operation, Accesses: []service.Access{},
		Limits: service.Limits{
			Seconds: int64(min(RunLimit, left) / time.Second), MemoryBytes: memoryLimit, OutputBytes: outputLimit,
		},
	}
	if u.Query != "" {
		g.Path += "?" + u.Query
	}
	for _, a := range r.Accesses {
		if to := a.Action.Properties.To; to.Kind == "enclave" && to.Enclave != nil {
			g.Enclave = *to.Enclave
		}
		url, err := s.url(a, now, min(URLLifetime, left))
		if err != nil {
			return service.Grant{}, err
		}
		g.Accesses = append(g.Accesses, service.Access{Operation: a.Action.Properties.Operation, URI: a.Resource.ID, URL: url})
	}
	return g, nil
}

// url presigns what an access does to an object; what touches no object has none.
func (s *Services) url(a authz.Access, now time.Time, life time.Duration) (string, error) {
	path, stored := strings.CutPrefix(a.Resource.ID, "s3://")
	if !stored {
		return "", nil
	}
	if a.Resource.Properties.Tenant == nil {
		return "", fmt.Errorf("no tenant for %s", a.Action.Properties.Operation)
	}
	switch tenant := *a.Resource.Properties.Tenant; a.Action.Name {
	case "read":
		return s.c.Storage.presign(http.MethodGet, path, tenant, http.Header{}, now, life)
	case "create": // signed, so the store takes the object once and never instead of another
		return s.c.Storage.presign(http.MethodPut, path, tenant, http.Header{"If-None-Match": {"*"}}, now, life)
	default:
		return "", fmt.Errorf("no URL for the action %q", a.Action.Name)
	}
}

func (s *Services) sign(g service.Grant) (string, error) {
	payload, err := json.Marshal(g)
	if err != nil {
		return "", fmt.Errorf("the grant's claims: %w", err)
	}
	b, err := jws.Sign(payload, jws.WithKey(jwa.ES256, s.key, jws.WithProtectedHeaders(s.headers)))
	if err != nil {
		return "", fmt.Errorf("sign the grant: %w", err)
	}
	return string(b), nil
}

// presign returns a URL by which whoever has it, and can reach the store, does one thing to bucket/key with a tenant's account:
// SigV4 in the query, over method, host, path and header.
func (s *Storage) presign(method, path, tenant string, header http.Header, now time.Time, life time.Duration) (string, error) {
	account, ok := s.c.Accounts[tenant]
	if !ok {
		return "", fmt.Errorf("no storage account for tenant %q", tenant)
	}
	query := url.Values{"X-Amz-Expires": {strconv.FormatInt(int64(life/time.Second), 10)}}
	r := &http.Request{
		Method: method,
		Host:   s.c.Host,
		Header: header,
		URL: &url.URL{Scheme: "http", Host: s.c.Host, RawQuery: query.Encode(),
			Opaque: "//" + s.c.Host + "/" + httpbinding.EscapePath(path, false)}, // Opaque: escaped once and as it is
	}
	signed, _, err := s.signer.PresignHTTP(context.Background(),
		aws.Credentials{AccessKeyID: account.AccessKey, SecretAccessKey: account.SecretKey}, r, "UNSIGNED-PAYLOAD", "s3", s.c.Region, now)
	if err != nil {
		return "", fmt.Errorf("presign for the store: %w", err)
	}
	return signed, nil
}

// without returns the names to remove that are not set: Envoy removes after it sets.
func without(remove []string, set []authz.HeaderField) []string {
	return slices.DeleteFunc(slices.Clone(remove), func(n string) bool {
		return slices.ContainsFunc(set, func(f authz.HeaderField) bool { return f.Name == n })
	})
}
