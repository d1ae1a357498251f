package road_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

// listener notes the answers that an SDK gets, since it keeps the decisions that they name to itself.
type listener struct {
	transport http.RoundTripper

	mu      sync.Mutex
	answers []answer
}

func (l *listener) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.transport.RoundTrip(r)
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.answers = append(l.answers, answer{status: resp.StatusCode, header: resp.Header})
	}
	return resp, err
}

// take returns the answers since the last call.
func (l *listener) take() []answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.answers
	l.answers = nil
	return a
}

// goSDK is an S3 client with the SDK's defaults, somebody's token as session token and any account. In virtual-host style it finds
// the buckets' names at Envoy, as it would by a resolver.
type goSDK struct {
	*s3.Client
	listener *listener
}

func (w *world) goSDK(t *testing.T, who string, virtualHost bool) goSDK {
	endpoint := w.url(w.ports.Storage)
	if virtualHost {
		endpoint = fmt.Sprintf("http://%s:%d", storeHost, w.ports.Storage)
	}
	return w.goSDKAt(t, who, endpoint, virtualHost, &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, w.storage())
		},
		ExpectContinueTimeout: 10 * time.Second,
	})
}

// goSDKAt is goSDK at an endpoint of its own.
func (w *world) goSDKAt(t *testing.T, who, endpoint string, virtualHost bool, transport http.RoundTripper) goSDK {
	l := &listener{transport: transport}
	return goSDK{s3.New(s3.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(endpoint),
		UsePathStyle: !virtualHost,
		HTTPClient:   &http.Client{Transport: l},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "any", SecretAccessKey: "any", SessionToken: w.token(t, who)}, nil
		}),
		RetryMaxAttempts: 1,
	}), l}
}

// step is one thing that an SDK is asked to do. It is allowed if reason is empty.
type step struct {
	what   string
	reason string
	log    string // that keeps it
	do     func(context.Context) error
}

// take runs steps in order. A denial must be an AccessDenied to the SDK, and each request must leave exactly its traces.
func (w *world) take(t *testing.T, c goSDK, steps []step) {
	for _, s := range steps {
		t.Run(s.what, func(t *testing.T) {
			err := s.do(t.Context())
			var api smithy.APIError
			switch {
			case s.reason == "" && err != nil:
				t.Error(err)
			case s.reason != "" && (!errors.As(err, &api) || !slices.Contains([]string{"AccessDenied", "Forbidden"}, api.ErrorCode())): // a HEAD has no body
				t.Errorf("want AccessDenied, have %v", err)
			}
			answers := c.listener.take()
			if len(answers) == 0 {
				t.Error("nothing was asked")
			}
			for _, a := range answers {
				want := allowed(a.status, s.log)
				if s.reason != "" {
					want = denied(s.reason, s.log)
				}
				want.Visible = "" // the SDK has read the body
				if d := cmp.Diff(want, w.outcome(t, a)); d != "" {
					t.Errorf("(-want +have):\n%s", d)
				}
			}
		})
	}
}

func TestTheGoSDKWorksThroughEnvoy(t *testing.T) {
	w := sharedWorld(t)
	for style, virtualHost := range map[string]bool{"path style": false, "virtual-host style": true} {
		t.Run(style, func(t *testing.T) {
			t.Parallel()
			c := w.goSDK(t, "sam", virtualHost)
			w.take(t, c, c.day())
		})
	}
}

const plans, usDefense = "us-defense-plans", "us-defense"

// key is one that needs an escape for about everything that clients escape differently.
func key(dir string) *string { return aws.String(dir + "a b+é%(x)~.txt") }

// day is sam's day in a bucket: everything that ordinary programs do.
func (c goSDK) day() []step {
	bucket, dir, text := aws.String(plans), "go-"+unique()+"/", []byte("the plan\n")
	read := func(ctx context.Context, key, span *string) ([]byte, error) {
		o, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key, Range: span})
		if err != nil {
			return nil, err
		}
		defer o.Body.Close()
		return io.ReadAll(o.Body)
	}
	return []step{
		{"puts an object", "", usDefense, func(ctx context.Context) error {
			_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key(dir), Body: bytes.NewReader(text), Metadata: map[string]string{"author": "sam"}})
			return err
		}},
		{"asks for its head", "", usDefense, func(ctx context.Context) error {
			o, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: key(dir)})
			if err != nil {
				return err
			}
			return same(o.Metadata, map[string]string{"author": "sam"})
		}},
		{"gets it", "", usDefense, func(ctx context.Context) error {
			b, err := read(ctx, key(dir), nil)
			return errors.Join(err, same(string(b), string(text)))
		}},
		{"gets a range of it", "", usDefense, func(ctx context.Context) error {
			b, err := read(ctx, key(dir), aws.String("bytes=4-7"))
			return errors.Join(err, same(string(b), "plan"))
		}},
		{"lists the folder, version 1", "", usDefense, func(ctx context.Context) error {
			o, err := c.ListObjects(ctx, &s3.ListObjectsInput{Bucket: bucket, Prefix: &dir})
			if err != nil {
				return err
			}
			return same(keys(o.Contents), []string{*key(dir)})
		}},
		{"lists the folder, version 2", "", usDefense, func(ctx context.Context) error {
			o, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket, Prefix: &dir})
			if err != nil {
				return err
			}
			return same(keys(o.Contents), []string{*key(dir)})
		}},
		{"copies it up", "", usDefense, func(ctx context.Context) error {
			_, err := c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: key("noforn/" + dir), CopySource: aws.String(escaped(plans + "/" + *key(dir)))})
			return err
		}},
		{"may not copy it down", "flow.write_down", usDefense, func(ctx context.Context) error {
			_, err := c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: key(dir + "down/"), CopySource: aws.String(escaped(plans + "/" + *key("noforn/" + dir)))})
			return err
		}},
		{"may not tag it", "action.not_granted", usDefense, func(ctx context.Context) error {
			_, err := c.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: bucket, Key: key(dir),
				Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("label"), Value: aws.String("UNCLASSIFIED")}}}})
			return err
		}},
		{"may not write a label into its metadata", "action.not_granted", usDefense, func(ctx context.Context) error {
			_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key(dir), Metadata: map[string]string{"classification": "UNCLASSIFIED"}})
			return err
		}},
		{"may not list the buckets", "request.unsupported", "gateway", func(ctx context.Context) error {
			_, err := c.ListBuckets(ctx, &s3.ListBucketsInput{})
			return err
		}},
		{"may not read the bucket's policy", "request.unsupported", "gateway", func(ctx context.Context) error {
			_, err := c.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: bucket})
			return err
		}},
		{"may not open the bucket to everybody", "request.unsupported", "gateway", func(ctx context.Context) error {
			_, err := c.PutBucketAcl(ctx, &s3.PutBucketAclInput{Bucket: bucket, ACL: types.BucketCannedACLPublicRead})
			return err
		}},
		{"may not make an object for everybody", "request.unsupported", "gateway", func(ctx context.Context) error {
			_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key(dir), ACL: types.ObjectCannedACLPublicRead})
			return err
		}},
		{"uploads 64 MiB in parts and gets them again", "", usDefense, func(ctx context.Context) error {
			return c.large(ctx, bucket, aws.String(dir+"large"))
		}},
		{"gives up an upload", "", usDefense, func(ctx context.Context) error {
			u, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: aws.String(dir + "given-up")})
			if err != nil {
				return err
			}
			_, err = c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: u.Key, UploadId: u.UploadId})
			return err
		}},
		{"deletes an object", "", usDefense, func(ctx context.Context) error {
			_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: key(dir)})
			return err
		}},
		{"deletes a batch", "", usDefense, func(ctx context.Context) error {
			o, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{
				{Key: key("noforn/" + dir)}, {Key: aws.String(dir + "large")},
			}}})
			if err != nil {
				return err
			}
			return same(len(o.Deleted), 2)
		}},
		{"finds the folder empty", "", usDefense, func(ctx context.Context) error {
			o, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket, Prefix: &dir})
			if err != nil {
				return err
			}
			return same(keys(o.Contents), []string(nil))
		}},
	}
}

func TestADenialIsAnAccessDeniedToTheGoSDK(t *testing.T) {
	w := sharedWorld(t)
	t.Parallel()
	uma := w.goSDK(t, "uma", false)
	bucket := aws.String(plans)
	w.take(t, uma, []step{
		{"a read", "clearance.level", usDefense, func(ctx context.Context) error {
			_, err := uma.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("welcome.txt")})
			return err
		}},
		{"a head", "clearance.level", usDefense, func(ctx context.Context) error {
			_, err := uma.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: aws.String("welcome.txt")})
			return err
		}},
		{"an upload of 64 MiB in one piece", "clearance.level", usDefense, func(ctx context.Context) error {
			_, err := uma.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("large-" + unique()), Body: bytes.NewReader(make([]byte, 64<<20))})
			return err
		}},
		{"the start of an upload in parts", "clearance.level", usDefense, func(ctx context.Context) error {
			_, err := uma.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: aws.String(unique())})
			return err
		}},
		{"a batch delete of which one object is above her", "clearance.level", usDefense, func(ctx context.Context) error {
			_, err := uma.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{
				{Key: aws.String("welcome.txt")}, {Key: aws.String("noforn/welcome.txt")},
			}}})
			return err
		}},
	})
}

// large uploads 64 MiB in parts of 8 and gets them again in one piece.
func (c goSDK) large(ctx context.Context, bucket, key *string) error {
	const part, parts = 8 << 20, 8
	data := make([]byte, part*parts)
	random := rand.NewChaCha8([32]byte{})
	random.Read(data)
	u, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
	if err != nil {
		return err
	}
	var done []types.CompletedPart
	for i := range parts {
		number := aws.Int32(int32(i + 1))
		p, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: u.UploadId, PartNumber: number,
			Body: bytes.NewReader(data[i*part : (i+1)*part])})
		if err != nil {
			return err
		}
		done = append(done, types.CompletedPart{PartNumber: number, ETag: p.ETag, ChecksumCRC32: p.ChecksumCRC32})
	}
	if _, err := c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: key, UploadId: u.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: done}}); err != nil {
		return err
	}
	o, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key})
	if err != nil {
		return err
	}
	defer o.Body.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, o.Body); err != nil {
		return err
	}
	return same([32]byte(sum.Sum(nil)), sha256.Sum256(data))
}

func keys(objects []types.Object) (keys []string) {
	for _, o := range objects {
		keys = append(keys, *o.Key)
	}
	return keys
}

// same says how have differs from want.
func same[T any](have, want T) error {
	if d := cmp.Diff(want, have); d != "" {
		return fmt.Errorf("(-want +have):\n%s", d)
	}
	return nil
}

// escaped is a copy source, which the Go SDK leaves to its caller to escape; a raw + is a space to some.
func escaped(path string) string {
	return strings.ReplaceAll((&url.URL{Path: path}).EscapedPath(), "+", "%2B")
}
