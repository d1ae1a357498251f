package road_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/conformance/pki"
	"github.com/sallyport-dev/sallyport/gateway/demo"
)

var upload = flag.Int("upload", 24, "MiB that the AWS CLI uploads in parts")

// overTLS starts an Envoy in front of w that clients reach by https, and returns its URL and the file of its authority.
func (w *world) overTLS(t *testing.T) (url, authority string) {
	t.Helper()
	a, dir := pki.New(t, "authority"), sds(t)
	server := a.Issue(t, "spiffe://example.org/front")
	pki.Put(t, dir+"/server.key", server.Key)
	pki.Put(t, dir+"/server.pem", server.Certificate)
	pki.Put(t, dir+"/client-trust.pem", a.PEM)
	return fmt.Sprintf("https://127.0.0.1:%d", w.envoyTLS(t, nil, &demo.ClientTLS{Dir: dir}).Storage), dir + "/client-trust.pem"
}

// TestTheAWSCLIWorksThroughEnvoy uses it with its default settings, over http and https: https is where it sends chunks with trailers.
func TestTheAWSCLIWorksThroughEnvoy(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	python, packages := python(t, "awscli")
	secure, authority := w.overTLS(t)
	for scheme, endpoint := range map[string]string{"http": w.url(w.ports.Storage), "https": secure} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			content := make([]byte, *upload<<20)
			random := rand.NewChaCha8([32]byte{1})
			random.Read(content) // never fails
			large, small := filepath.Join(dir, "large"), filepath.Join(dir, "small")
			keep(t, large, content)
			keep(t, small, []byte("the plan\n"))
			prefix := "s3://us-defense-plans/cli-" + unique() + "/"
			key := strings.TrimPrefix(prefix, "s3://us-defense-plans/")
			aws := func(args ...string) (string, error) {
				cmd := exec.CommandContext(t.Context(), python, append([]string{"-m", "awscli", "--endpoint-url", endpoint, "--region", "us-east-1"}, args...)...)
				cmd.Env = []string{"PYTHONPATH=" + packages, "PATH=" + os.Getenv("PATH"), "HOME=" + dir, "PYTHONDONTWRITEBYTECODE=1", "AWS_EC2_METADATA_DISABLED=true",
					"AWS_ACCESS_KEY_ID=any", "AWS_SECRET_ACCESS_KEY=any", "AWS_SESSION_TOKEN=" + w.token(t, "sam"), "AWS_CA_BUNDLE=" + authority, "AWS_MAX_ATTEMPTS=1"}
				var out bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &out
				err := cmd.Run()
				return out.String(), err
			}
			works := func(want string, args ...string) {
				t.Helper()
				if out, err := aws(args...); err != nil || !strings.Contains(out, want) {
					t.Errorf("aws %s: %v, want %q in:\n%s", strings.Join(args, " "), err, want, out)
				}
			}
			refused := func(args ...string) {
				t.Helper()
				if out, err := aws(args...); err == nil || !strings.Contains(out, "AccessDenied") && !strings.Contains(out, "403") {
					t.Errorf("aws %s: %v, want AccessDenied in:\n%s", strings.Join(args, " "), err, out)
				}
			}
			same := func(path string, want []byte) {
				t.Helper()
				if b, err := os.ReadFile(path); err != nil || sha256.Sum256(b) != sha256.Sum256(want) {
					t.Errorf("%s differs from what was uploaded (%v)", path, err)
				}
			}
			works("upload:", "s3", "cp", large, prefix+"large", "--no-progress")
			works("upload:", "s3", "cp", small, prefix+"a b+é%.txt", "--no-progress")
			works("large", "s3", "ls", prefix)
			works("download:", "s3", "cp", prefix+"large", large+".back", "--no-progress")
			same(large+".back", content)
			works("copy:", "s3", "cp", prefix+"large", prefix+"copy", "--no-progress")
			works("download:", "s3", "cp", prefix+"copy", large+".copy", "--no-progress")
			same(large+".copy", content)
			works("ETag", "s3api", "head-object", "--bucket", "us-defense-plans", "--key", key+"copy")
			works(key+"large", "s3api", "list-objects-v2", "--bucket", "us-defense-plans", "--prefix", key)
			works("Deleted", "s3api", "delete-objects", "--bucket", "us-defense-plans", "--delete",
				string(marshal(t, map[string]any{"Objects": []map[string]string{{"Key": key + "copy"}, {"Key": key + "a b+é%.txt"}}})))
			works("delete:", "s3", "rm", "--recursive", prefix)
			refused("s3", "cp", small, "s3://fr-space-missions/x", "--no-progress")
			refused("s3", "cp", "s3://fr-space-missions/welcome.txt", small+".stolen", "--no-progress")
			refused("s3", "ls")
			refused("s3", "mb", "s3://us-defense-new")
			refused("s3api", "put-bucket-acl", "--bucket", "us-defense-plans", "--acl", "public-read")
			out, err := aws("s3api", "list-objects-v2", "--bucket", "us-defense-plans", "--prefix", key)
			var list struct{ KeyCount int }
			if err != nil || json.Unmarshal([]byte(out), &list) != nil || strings.Contains(out, `"Key"`) {
				t.Errorf("after the deletes: %v\n%s", err, out)
			}
		})
	}
}

// keep writes a file.
func keep(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Over TLS, the SDKs send chunks with a trailer instead of a digest.
func TestBoto3WorksOverTLS(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	python, packages := python(t, "boto3")
	endpoint, authority := w.overTLS(t)
	w.boto3Day(t, python, packages, "path", endpoint, "AWS_CA_BUNDLE="+authority)
}

func TestTheGoSDKWorksOverTLS(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	endpoint, authority := w.overTLS(t)
	pem, err := os.ReadFile(authority)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate")
	}
	c := w.goSDKAt(t, "sam", endpoint, false, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}})
	w.take(t, c, c.day())
}
