// Package grant turns a decision into the sealed credential that an upstream wants to see, before anything is recorded; only
// authz.Commit opens it. For S3 that is AWS Signature Version 4 over the canonical request that was judged; for a service a JWS of
// everything that was judged, with presigned URLs in it (package service verifies it).
//
// Invariants: a credential names its upstream, its account is the tenant's own and never root, and it lives Lifetime. What
// cannot be made is system.grant_unavailable, a deny.
//
// Non-goals: no decision, and no say about what a request means: the canonical form comes from authz/resource.
package grant

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/sallyport-dev/sallyport/authz"
)

const (
	// Lifetime is how long a store accepts a signed request. It is a bearer credential until then.
	Lifetime = 30 * time.Second

	// storeSkew is how far from its own clock an S3 store accepts x-amz-date. Signing at now − (storeSkew − Lifetime) makes the
	// store's own limit end the credential after Lifetime.
	storeSkew = 15 * time.Minute

	maxProbeAnswer = 64 << 10
)

// Account is one tenant's own account at the store, of least right.
type Account struct{ AccessKey, SecretKey string }

// StorageConfig says which store credentials are made for.
type StorageConfig struct {
	Audience string             // the name by which routes call this store
	Endpoint string             // "unix:/path" or "http://host:port", for probes only: Envoy has its own way there
	Host     string             // Host header of probes
	Region   string             // SigV4 region
	Accounts map[string]Account // by tenant
}

// Storage makes S3 credentials. It is safe for concurrent use.
type Storage struct {
	c      StorageConfig
	signer *v4.Signer
	client *http.Client
	asking chan struct{} // holds one for each object that the store is being asked for
}

// NewStorage checks c. It contacts nobody.
func NewStorage(c StorageConfig) (*Storage, error) {
	if c.Audience == "" || c.Region == "" || c.Host == "" {
		return nil, errors.New("grants.storage: audience, region and host are required")
	}
	for tenant, a := range c.Accounts {
		if a.AccessKey == "" || a.SecretKey == "" {
			return nil, fmt.Errorf("grants.storage.credentials.%s: access key or secret is empty", tenant)
		}
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 8, ResponseHeaderTimeout: 5 * time.Second}
	if path, ok := strings.CutPrefix(c.Endpoint, "unix:"); ok {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "unix", path)
		}
	} else {
		u, err := url.Parse(c.Endpoint)
		if err != nil || u.Scheme != "http" || u.Host == "" {
			return nil, fmt.Errorf("grants.storage.endpoint %q: want unix:/path or http://host:port", c.Endpoint)
		}
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "tcp", u.Host)
		}
	}
	return &Storage{
		c: c,
		signer: v4.NewSigner(func(o *v4.SignerOptions) {
			o.DisableURIPathEscaping = true // S3 escapes the path once
			o.DisableHeaderHoisting = true
		}),
		client: &http.Client{
			Transport:     transport,
			Timeout:       5 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		asking: make(chan struct{}, objectsAtOnce),
	}, nil
}

// Prepare seals the credential for u: the SigV4 headers, the decision id in Referer (so that the store's own log names it) and
// in x-sallyport-decision-id, and the end of the stream with the authority for it, which is the subject's token.
func (s *Storage) Prepare(u authz.Upstream, decisionID string, now, authority time.Time) (authz.Sealed, error) {
	if u.Audience != s.c.Audience || u.Region != s.c.Region {
		return authz.Sealed{}, authz.Refuse(authz.SystemGrantUnavailable,
			fmt.Sprintf("the route names store %q in %q, this gateway grants for %q in %q", u.Audience, u.Region, s.c.Audience, s.c.Region))
	}
	account, ok := s.c.Accounts[u.Tenant]
	if !ok {
		return authz.Sealed{}, authz.Refuse(authz.SystemGrantUnavailable, fmt.Sprintf("no storage account for tenant %q", u.Tenant))
	}
	left := authority.Sub(now)
	if left < time.Millisecond {
		return authz.Sealed{}, authz.Refuse(authz.IdentityExpired, "the token ended while the request was judged")
	}
	signed, err := s.sign(u, account, now)
	if err != nil {
		return authz.Sealed{}, authz.Refuse(authz.SystemGrantUnavailable, err.Error())
	}
	set := append(signed, u.Bound...)
	set = append(set, authz.HeaderField{Name: "referer", Value: decisionID})
	set = append(set, bounds(decisionID, left)...)
	return authz.Seal(authz.Credential{Set: set, Remove: without(u.Remove, set)}), nil
}

// bounds names the decision to the upstream and ends the stream with the authority for it. Envoy counts the first time from the end
// of the request, which bounds downloads, and the second from its beginning, which bounds uploads.
func bounds(decisionID string, left time.Duration) []authz.HeaderField {
	ms := strconv.FormatInt(left.Milliseconds(), 10)
	return []authz.HeaderField{
		{Name: "x-sallyport-decision-id", Value: decisionID},
		{Name: "x-envoy-upstream-rq-timeout-ms", Value: ms},
		{Name: "x-envoy-upstream-stream-duration-ms", Value: ms},
	}
}

// sign returns authorization, x-amz-date and x-amz-content-sha256 for u.
func (s *Storage) sign(u authz.Upstream, a Account, now time.Time) ([]authz.HeaderField, error) {
	r := &http.Request{
		Method: u.Method,
		Host:   u.Host,
		Header: http.Header{"X-Amz-Content-Sha256": {u.PayloadHash}},
		URL:    &url.URL{Scheme: "http", Host: u.Host, Opaque: "//" + u.Host + u.Path, RawQuery: u.Query},
	}
	for _, f := range u.Headers {
		r.Header.Add(f.Name, f.Value)
	}
	for _, f := range u.Bound {
		r.Header.Set(f.Name, f.Value)
	}
	err := s.signer.SignHTTP(context.Background(), aws.Credentials{AccessKeyID: a.AccessKey, SecretAccessKey: a.SecretKey},
		r, u.PayloadHash, "s3", s.c.Region, now.Add(Lifetime-storeSkew))
	if err != nil {
		return nil, fmt.Errorf("sign for the store: %w", err)
	}
	return []authz.HeaderField{
		{Name: "authorization", Value: r.Header.Get("Authorization")},
		{Name: "x-amz-date", Value: r.Header.Get("X-Amz-Date")},
		{Name: "x-amz-content-sha256", Value: u.PayloadHash},
	}, nil
}

// Probe shows that the store takes credentials made here: for each account it asks with a signed request for the buckets, which
// fails if the key is wrong or the clocks differ too far.
func (s *Storage) Probe(ctx context.Context) error {
	var problems []error
	for tenant, account := range s.c.Accounts {
		if err := s.probe(ctx, account); err != nil {
			problems = append(problems, fmt.Errorf("storage account of %s: %w", tenant, err))
		}
	}
	return errors.Join(problems...)
}

func (s *Storage) probe(ctx context.Context, a Account) error {
	u := authz.Upstream{Method: http.MethodGet, Host: s.c.Host, Path: "/", PayloadHash: "UNSIGNED-PAYLOAD"}
	resp, err := s.do(ctx, a, u, "readiness-probe")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, maxProbeAnswer))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the store refuses a signed request with %s: check its account, its clock and grants.storage", resp.Status)
	}
	return nil
}
