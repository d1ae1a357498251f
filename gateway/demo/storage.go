package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	storageHost   = "storage.sallyport.test" // base of virtual-host style names
	storageRegion = "us-east-1"
	welcomeObject = "welcome.txt"
	moduleObject  = "module.wasm"
)

// store is the S3 server as the demo sets it up: one account a tenant that owns the tenant's buckets and nothing else. The root
// account is used for that alone, and its calls have a socket of their own, so that no way from Envoy leads to them.
type store struct {
	layout Layout
	rows   []row
	root   aws.Credentials
}

// tenants returns the tenants that have rows in the store.
func (s store) tenants() []string {
	var ids []string
	for _, r := range s.rows {
		ids = append(ids, r.Tenant)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// part is the S3 server's process; module is the file that lies in every row.
func (s store) part(versitygw, module string) part {
	l := s.layout
	argv := []string{versitygw, "--quiet", "--keep-alive",
		"--port", l.StorageSocket(), "--admin-port", l.storageAdminSocket(), "--socket-perm", "0600",
		"--region", storageRegion, "--virtual-domain", storageHost,
		"--iam-dir", l.path("keys", "iam"),
		"--access-log", "/dev/fd/3",
		"posix", "--dir-perms", "0700", "--file-perms", "0600",
	}
	if !extendedAttributes(l.Storage()) {
		argv = append(argv, "--sidecar", l.path("keys", "metadata"))
	}
	return part{
		name:    "storage",
		argv:    append(argv, l.Storage()),
		env:     []string{"ROOT_ACCESS_KEY=" + s.root.AccessKeyID, "ROOT_SECRET_KEY=" + s.root.SecretAccessKey},
		sockets: []string{l.StorageSocket(), l.storageAdminSocket()},
		log:     l.log("storage"),
		extra:   func() (*os.File, error) { return accessLog(l.StorageAccessLog(), l.storageProbeLog()) },
		ready: func(ctx context.Context) error {
			return errors.Join(dial(ctx, l.StorageSocket()), dial(ctx, l.storageAdminSocket()))
		},
		provision: func(ctx context.Context) error { return s.provision(ctx, module) },
	}
}

// provision makes the accounts, the buckets and two objects in each row. What is there already stays.
func (s store) provision(ctx context.Context, module string) error {
	code, err := os.ReadFile(module)
	if err != nil {
		return environment("module of jobs: %w", err)
	}
	admin := s3Client{socket: s.layout.storageAdminSocket(), credentials: s.root}
	for _, t := range s.tenants() {
		if err := s.account(ctx, admin, t); err != nil {
			return err
		}
	}
	for _, r := range s.rows {
		bucket, _, _ := strings.Cut(r.ID, "/")
		err := admin.do(ctx, http.MethodPatch, "/"+bucket+"/create", nil, http.Header{"X-Vgw-Owner": {r.Tenant}})
		if err != nil && !isStatus(err, http.StatusConflict) {
			return fmt.Errorf("bucket %s: %w", bucket, err)
		}
		if err := s.seed(ctx, r, welcomeObject, "text/plain", []byte(welcome(r))); err != nil {
			return fmt.Errorf("row %s: %w", r.ID, err)
		}
		if err := s.seed(ctx, r, moduleObject, "application/wasm", code); err != nil {
			return fmt.Errorf("row %s: %w", r.ID, err)
		}
	}
	return nil
}

// account makes the account of a tenant, or gives it the secret that the gateway knows.
func (s store) account(ctx context.Context, admin s3Client, tenant string) error {
	secret, err := os.ReadFile(s.layout.StorageSecret(tenant))
	if err != nil {
		return environment("storage account: %w", err)
	}
	type account struct {
		XMLName xml.Name
		Access  string `xml:",omitempty"`
		Secret  string
		Role    string
	}
	body := func(root string) []byte {
		a := account{XMLName: xml.Name{Local: root}, Secret: string(secret), Role: "user"} // may not even make buckets
		if root == "Account" {
			a.Access = tenant
		}
		b, _ := xml.Marshal(a) // three strings
		return b
	}
	err = admin.do(ctx, http.MethodPatch, "/create-user", body("Account"), nil)
	if isStatus(err, http.StatusConflict) {
		err = admin.do(ctx, http.MethodPatch, "/update-user?access="+tenant, body("MutableProps"), nil)
	}
	if err != nil {
		return fmt.Errorf("account %s: %w", tenant, err)
	}
	return nil
}

// seed puts an object into a row, as the tenant itself would, unless somebody did before.
func (s store) seed(ctx context.Context, r row, name, contentType string, body []byte) error {
	if _, err := os.Stat(filepath.Join(s.layout.Storage(), filepath.FromSlash(r.ID), name)); err == nil {
		return nil
	}
	secret, err := os.ReadFile(s.layout.StorageSecret(r.Tenant))
	if err != nil {
		return environment("storage account: %w", err)
	}
	tenant := s3Client{
		socket:      s.layout.StorageSocket(),
		credentials: aws.Credentials{AccessKeyID: r.Tenant, SecretAccessKey: string(secret)},
	}
	return tenant.do(ctx, http.MethodPut, "/"+r.ID+name, body, http.Header{"Content-Type": {contentType}})
}

// welcome is the sentence in a row's object: which row it is, and how that row is labelled.
func welcome(r row) string {
	var labels []string
	for _, l := range r.Labels {
		words := []string{l.Scheme, l.Level}
		for _, values := range l.Categories {
			words = append(words, values...)
		}
		words = append(words, slices.Concat(l.Nation, l.Handling)...)
		if len(l.Release) > 0 {
			words = append(words, "for "+strings.Join(l.Release, " and "))
		}
		labels = append(labels, strings.Join(words, " "))
	}
	return fmt.Sprintf("You are reading %s of %s, which is labelled %s. It is synthetic.\n", r.ID, r.Tenant, strings.Join(labels, " and "))
}

// s3Client makes signed requests on the S3 server's own socket. Only the set-up goes this way.
type s3Client struct {
	socket      string
	credentials aws.Credentials
}

// statusError is an answer that is no success.
type statusError struct {
	status int
	body   string
}

func (e *statusError) Error() string { return fmt.Sprintf("status %d: %s", e.status, e.body) }

func isStatus(err error, status int) bool {
	var e *statusError
	return errors.As(err, &e) && e.status == status
}

// do makes one request; a nil error is a success.
func (c s3Client) do(ctx context.Context, method, path string, body []byte, h http.Header) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+storageHost+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, values := range h {
		req.Header[name] = values
	}
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", digest)
	if err := v4.NewSigner().SignHTTP(ctx, c.credentials, req, digest, "s3", storageRegion, time.Now()); err != nil {
		return err
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", c.socket)
		},
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return &statusError{resp.StatusCode, string(b)}
	}
	return nil
}

// dial reports whether somebody accepts connections on a unix socket.
func dial(ctx context.Context, socket string) error {
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	return c.Close()
}
