package jobs_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sallyport-dev/sallyport/authz/grant"
	"github.com/sallyport-dev/sallyport/gateway/demo"
	"github.com/sallyport-dev/sallyport/gateway/demo/jobs"
)

// realStore is the demo's S3 server with one bucket.
type realStore struct {
	t      *testing.T
	socket string
	client *http.Client
}

const rootKey = "root-key"

func newRealStore(t *testing.T) *realStore {
	t.Helper()
	if testing.Short() {
		t.Skip("the S3 server may have to be built")
	}
	bin, err := demo.EnsureVersitygw(t.Context(), "../../../.tools", os.Stderr)
	if err != nil {
		if os.Getenv("REQUIRE_REAL") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	s := &realStore{t: t, socket: filepath.Join(t.TempDir(), "s")}
	cmd := exec.Command(bin, "--quiet", "--port", s.socket, "--region", "us-east-1", "--virtual-domain", "storage.sallyport.test",
		"posix", "--sidecar", t.TempDir(), t.TempDir())
	cmd.Env = []string{"ROOT_ACCESS_KEY=root", "ROOT_SECRET_KEY=" + rootKey}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", s.socket)
	}}
	s.client = &http.Client{Transport: transport}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cmd.Process.Kill()
		cmd.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("unix", s.socket); err == nil {
			c.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the S3 server does not come up")
		}
	}
	s.do(http.MethodPut, "", nil)
	return s
}

// do makes a request for an object of the bucket, or the bucket itself.
func (s *realStore) do(method, key string, body []byte) (int, string) {
	s.t.Helper()
	path := "/us-defense-plans"
	if key != "" {
		path += "/" + key
	}
	r, err := http.NewRequest(method, "http://storage.sallyport.test"+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", digest)
	credentials := aws.Credentials{AccessKeyID: "root", SecretAccessKey: rootKey}
	if err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(s.t.Context(), credentials, r, digest, "s3", "us-east-1", time.Now()); err != nil {
		s.t.Fatal(err)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestAJobReadsAndWritesARealStoreAndWritesOnce(t *testing.T) {
	t.Parallel()
	s := newRealStore(t)
	module, err := os.ReadFile(puppet)
	if err != nil {
		t.Fatal(err)
	}
	for key, body := range map[string][]byte{"a module+é.wasm": module, "in": []byte("copy\nhello")} {
		path := key
		if key != "in" {
			path = "a%20module%2B%C3%A9.wasm"
		}
		if code, answer := s.do(http.MethodPut, path, body); code != http.StatusOK {
			t.Fatalf("%s: %d %s", key, code, answer)
		}
	}
	w := newWorld(t, s.socket, grant.Account{AccessKey: "root", SecretKey: rootKey})
	ask := job{module: "a module+é.wasm", inputs: []string{"in"}, outputs: []string{"out/1", "out/2"}}
	ignore := cmpopts.IgnoreFields(jobs.Status{}, "ID", "Started", "Finished")
	want := jobs.Status{State: "succeeded", Outputs: []string{uri("out/1"), uri("out/2")}}
	if diff := cmp.Diff(want, w.run(ask), ignore); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
	for _, key := range ask.outputs {
		if code, body := s.do(http.MethodGet, key, nil); code != http.StatusOK || body != "hello" {
			t.Errorf("%s: %d %q", key, code, body)
		}
	}

	s.do(http.MethodPut, "in", []byte("copy\nother"))
	ask.outputs = []string{"new", "out/1"}
	want = jobs.Status{State: "failed", Error: "output 1: there is such an object already: outputs are written once", Outputs: []string{uri("new")}}
	if diff := cmp.Diff(want, w.run(ask), ignore); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
	if _, body := s.do(http.MethodGet, "out/1", nil); body != "hello" {
		t.Errorf("what was there is now %q", body)
	}
	wantNoSecrets(t, w)
}
