package s3_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource/s3"
)

// key needs an escape for about everything that SDKs escape differently.
const key = "dir/a b+é%(x)~.txt"

// sdkTouches is what each operation, as SDKs send it with key, must touch.
var sdkTouches = map[string][]s3.Touch{
	"GetObject": {touch("read", "us-fire/"+key)}, "HeadObject": {touch("read", "us-fire/"+key)},
	"GetObjectTagging": {touch("read", "us-fire/"+key)}, "GetObjectAttributes": {touch("read", "us-fire/"+key)},
	"PutObject": {write("create", "us-fire/"+key)}, "CreateMultipartUpload": {write("create", "us-fire/"+key)},
	"UploadPart": {write("create", "us-fire/"+key)}, "CompleteMultipartUpload": {write("create", "us-fire/"+key)},
	"CopyObject": copying("us-fire/src/"+key, "us-fire/"+key), "UploadPartCopy": copying("us-fire/src/"+key, "us-fire/"+key),
	"DeleteObject": {touch("delete", "us-fire/"+key)}, "AbortMultipartUpload": {touch("delete", "us-fire/"+key)},
	"DeleteObjects":    {touch("delete", "us-fire/"+key), touch("delete", `us-fire/a&<b>"'`)},
	"PutObjectTagging": {write("update", "us-fire/"+key), write("relabel", "us-fire/"+key)}, "DeleteObjectTagging": {write("update", "us-fire/"+key), write("relabel", "us-fire/"+key)},
	"ListObjects": {touch("list", "us-fire/dir/a b")}, "ListObjectsV2": {touch("list", "us-fire/dir/a b")}, "ListObjectVersions": {touch("list", "us-fire/dir/a b")},
	"ListMultipartUploads": {touch("list", "us-fire/dir/a b")}, "ListParts": {touch("list", "us-fire/"+key)},
	"HeadBucket": {touch("list", "us-fire/")}, "GetBucketLocation": {touch("list", "us-fire/")}, "GetBucketVersioning": {touch("list", "us-fire/")},
}

func checkSDK(t *testing.T, operation string, req authz.Request) {
	t.Helper()
	call, err := s3.Parse(req)
	if err != nil {
		t.Errorf("%s: %s %s %s?%s: %v", operation, req.Method, req.Host, req.Path, req.Query, err)
		return
	}
	if call.Operation != operation {
		t.Errorf("%s is read as %s", operation, call.Operation)
	}
	if diff := cmp.Diff(sdkTouches[operation], call.Touches); diff != "" {
		t.Errorf("%s: -want +have:\n%s", operation, diff)
	}
	if call.Upstream.Path != req.Path {
		t.Errorf("%s: canonical path %s, the SDK's %s", operation, call.Upstream.Path, req.Path)
	}
}

// testdata/boto3.jsonl is what boto3 1.44.5 sends with default settings: over http in path style, over https in virtual-host style.
func TestWhatBoto3Sends(t *testing.T) {
	data, err := os.ReadFile("testdata/boto3.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		var sent struct {
			Operation, Method, Host, Path, Query, Body string
			Headers                                    map[string]string
		}
		if err := json.Unmarshal([]byte(line), &sent); err != nil {
			t.Fatal(err)
		}
		req := request(sent.Method, sent.Path+"?"+sent.Query, host(sent.Host), body(sent.Body))
		for name, value := range sent.Headers {
			header(name, value)(&req)
		}
		seen[sent.Operation] = true
		checkSDK(t, sent.Operation, req)
	}
	if len(seen) != len(sdkTouches) {
		t.Errorf("%d operations: want all %d", len(seen), len(sdkTouches))
	}
}

// wire keeps the request that an SDK would send.
type wire struct{ sent *authz.Request }

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	req := asEnvoyPasses(r)
	w.sent = &req
	return nil, errors.New("not sent")
}

func TestWhatTheGoSDKSends(t *testing.T) {
	ctx := context.Background()
	bucket, k, src, id := aws.String("us-fire"), aws.String(key), aws.String("us-fire/src/dir/a%20b%2B%C3%A9%25(x)~.txt"), aws.String("u-1")
	prefix, part := aws.String("dir/a b"), aws.Int32(1)
	content := func() io.Reader { return bytes.NewReader([]byte("hello")) }
	tags := &types.Tagging{TagSet: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}
	for _, endpoint := range []string{"http://127.0.0.1:10000", "https://storage.sallyport.test:10000"} {
		w := &wire{}
		c := sdk.New(sdk.Options{
			BaseEndpoint: aws.String(endpoint), UsePathStyle: strings.Contains(endpoint, "127"), Region: "us-east-1", HTTPClient: w, RetryMaxAttempts: 1,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "x", SecretAccessKey: "y", SessionToken: "token"}, nil
			}),
		})
		for operation, send := range map[string]func() error{
			"GetObject":  func() error { _, err := c.GetObject(ctx, &sdk.GetObjectInput{Bucket: bucket, Key: k}); return err },
			"HeadObject": func() error { _, err := c.HeadObject(ctx, &sdk.HeadObjectInput{Bucket: bucket, Key: k}); return err },
			"GetObjectTagging": func() error {
				_, err := c.GetObjectTagging(ctx, &sdk.GetObjectTaggingInput{Bucket: bucket, Key: k})
				return err
			},
			"GetObjectAttributes": func() error {
				_, err := c.GetObjectAttributes(ctx, &sdk.GetObjectAttributesInput{Bucket: bucket, Key: k, ObjectAttributes: []types.ObjectAttributes{"ETag"}})
				return err
			},
			"PutObject": func() error {
				_, err := c.PutObject(ctx, &sdk.PutObjectInput{Bucket: bucket, Key: k, Body: content(), Metadata: map[string]string{"a": "b"}})
				return err
			},
			"CreateMultipartUpload": func() error {
				_, err := c.CreateMultipartUpload(ctx, &sdk.CreateMultipartUploadInput{Bucket: bucket, Key: k})
				return err
			},
			"UploadPart": func() error {
				_, err := c.UploadPart(ctx, &sdk.UploadPartInput{Bucket: bucket, Key: k, UploadId: id, PartNumber: part, Body: content()})
				return err
			},
			"CompleteMultipartUpload": func() error {
				_, err := c.CompleteMultipartUpload(ctx, &sdk.CompleteMultipartUploadInput{Bucket: bucket, Key: k, UploadId: id, MultipartUpload: &types.CompletedMultipartUpload{}})
				return err
			},
			"CopyObject": func() error {
				_, err := c.CopyObject(ctx, &sdk.CopyObjectInput{Bucket: bucket, Key: k, CopySource: src})
				return err
			},
			"UploadPartCopy": func() error {
				_, err := c.UploadPartCopy(ctx, &sdk.UploadPartCopyInput{Bucket: bucket, Key: k, UploadId: id, PartNumber: part, CopySource: src})
				return err
			},
			"DeleteObject": func() error {
				_, err := c.DeleteObject(ctx, &sdk.DeleteObjectInput{Bucket: bucket, Key: k})
				return err
			},
			"AbortMultipartUpload": func() error {
				_, err := c.AbortMultipartUpload(ctx, &sdk.AbortMultipartUploadInput{Bucket: bucket, Key: k, UploadId: id})
				return err
			},
			"DeleteObjects": func() error {
				_, err := c.DeleteObjects(ctx, &sdk.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Quiet: aws.Bool(true),
					Objects: []types.ObjectIdentifier{{Key: k}, {Key: aws.String(`a&<b>"'`)}}}})
				return err
			},
			"PutObjectTagging": func() error {
				_, err := c.PutObjectTagging(ctx, &sdk.PutObjectTaggingInput{Bucket: bucket, Key: k, Tagging: tags})
				return err
			},
			"DeleteObjectTagging": func() error {
				_, err := c.DeleteObjectTagging(ctx, &sdk.DeleteObjectTaggingInput{Bucket: bucket, Key: k})
				return err
			},
			"ListObjects": func() error {
				_, err := c.ListObjects(ctx, &sdk.ListObjectsInput{Bucket: bucket, Prefix: prefix, Delimiter: aws.String("/")})
				return err
			},
			"ListObjectsV2": func() error {
				_, err := c.ListObjectsV2(ctx, &sdk.ListObjectsV2Input{Bucket: bucket, Prefix: prefix, StartAfter: aws.String("dir/a"), FetchOwner: aws.Bool(true)})
				return err
			},
			"ListObjectVersions": func() error {
				_, err := c.ListObjectVersions(ctx, &sdk.ListObjectVersionsInput{Bucket: bucket, Prefix: prefix})
				return err
			},
			"ListMultipartUploads": func() error {
				_, err := c.ListMultipartUploads(ctx, &sdk.ListMultipartUploadsInput{Bucket: bucket, Prefix: prefix})
				return err
			},
			"ListParts": func() error {
				_, err := c.ListParts(ctx, &sdk.ListPartsInput{Bucket: bucket, Key: k, UploadId: id})
				return err
			},
			"HeadBucket": func() error { _, err := c.HeadBucket(ctx, &sdk.HeadBucketInput{Bucket: bucket}); return err },
			"GetBucketLocation": func() error {
				_, err := c.GetBucketLocation(ctx, &sdk.GetBucketLocationInput{Bucket: bucket})
				return err
			},
			"GetBucketVersioning": func() error {
				_, err := c.GetBucketVersioning(ctx, &sdk.GetBucketVersioningInput{Bucket: bucket})
				return err
			},
		} {
			w.sent = nil
			if err := send(); err == nil || w.sent == nil {
				t.Fatalf("%s was not sent: %v", operation, err)
			}
			checkSDK(t, operation, *w.sent)
		}
	}
}

// asEnvoyPasses is r as the gateway gets it.
func asEnvoyPasses(r *http.Request) authz.Request {
	req := request(r.Method, r.URL.EscapedPath()+"?"+r.URL.RawQuery, host(r.URL.Host))
	for name, values := range r.Header {
		for _, v := range values {
			header(strings.ToLower(name), v)(&req)
		}
	}
	if r.Body != nil {
		content, _ := io.ReadAll(r.Body) // what is missing would not match its digest
		body(string(content))(&req)
	}
	return req
}
