package s3_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource/s3"
)

// change is one difference from an ordinary request.
type change func(*authz.Request)

// request is a GET, PUT … of target ("/bucket/key?query") as Envoy passes it, with changes.
func request(method, target string, changes ...change) authz.Request {
	path, query, _ := strings.Cut(target, "?")
	r := authz.Request{
		Method: method, Host: "storage.sallyport.test:10000", Path: path, Query: query,
		Extensions: map[string]string{
			"service": "s3", "audience": "storage", "region": "us-east-1", "domains": "storage.sallyport.test, s3.local", "body": "absent",
		},
	}
	for _, c := range changes {
		c(&r)
	}
	return r
}

func get(target string, changes ...change) authz.Request  { return request("GET", target, changes...) }
func put(target string, changes ...change) authz.Request  { return request("PUT", target, changes...) }
func post(target string, changes ...change) authz.Request { return request("POST", target, changes...) }
func remove(target string, changes ...change) authz.Request {
	return request("DELETE", target, changes...)
}

func header(name, value string) change {
	return func(r *authz.Request) { r.Headers = append(r.Headers, authz.HeaderField{Name: name, Value: value}) }
}

func host(h string) change { return func(r *authz.Request) { r.Host = h } }

// body puts xml on a route that passes bodies.
func body(xml string) change {
	return func(r *authz.Request) { r.Body, r.Extensions["body"] = []byte(xml), "present" }
}

func copyFrom(source string) change { return header("x-amz-copy-source", source) }

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func touch(action, path string) s3.Touch { return s3.Touch{Action: action, Path: path} }
func write(action, path string) s3.Touch { return s3.Touch{Action: action, Path: path, To: path} }
func relabel(path string) s3.Touch {
	return s3.Touch{Action: "relabel", Path: path, To: path, Fresh: true}
}
func readInto(source, dest string) s3.Touch { return s3.Touch{Action: "read", Path: source, To: dest} }
func createFrom(source, dest string) s3.Touch {
	return s3.Touch{Action: "create", Path: dest, From: source, To: dest}
}
func copying(source, dest string) []s3.Touch {
	return []s3.Touch{readInto(source, dest), createFrom(source, dest)}
}
func fields(nameValue ...string) []authz.HeaderField {
	list := []authz.HeaderField{}
	for i := 0; i < len(nameValue); i += 2 {
		list = append(list, authz.HeaderField{Name: nameValue[i], Value: nameValue[i+1]})
	}
	return list
}

// wanted is the call that a request must become.
type wanted s3.Call

// want is what request(method, target) must become: its canonical form is target itself unless a row says otherwise.
func want(operation, method, target string, touches ...s3.Touch) wanted {
	path, query, _ := strings.Cut(target, "?")
	return wanted{Operation: operation, Touches: touches, Upstream: authz.Upstream{
		Audience: "storage", Region: "us-east-1", Method: method, Host: "storage.sallyport.test:10000", Path: path, Query: query,
		Headers: fields(), PayloadHash: "UNSIGNED-PAYLOAD", Remove: []string{"authorization", "x-amz-security-token"},
	}}
}

// with changes one more thing of what is wanted.
func (w wanted) with(change func(*authz.Upstream)) wanted {
	change(&w.Upstream)
	return w
}

func signing(nameValue ...string) func(*authz.Upstream) {
	return func(u *authz.Upstream) { u.Headers = fields(nameValue...) }
}

func hashed(hash string) func(*authz.Upstream) {
	return func(u *authz.Upstream) { u.PayloadHash = hash }
}
func at(host string) func(*authz.Upstream) { return func(u *authz.Upstream) { u.Host = host } }

const (
	upload = "uploadId=2a1ff615-a6c6-465c-b27d-295c371b1654"
	empty  = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

func TestWhatARequestTouches(t *testing.T) {
	batch := `<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a</Key></Object> <Object><Key>b/&amp;&#x63;</Key></Object><Quiet>true</Quiet></Delete>`
	for _, tc := range []struct {
		name string
		req  authz.Request
		want wanted
	}{
		{"a get reads the object", get("/us-fire/a/b"), want("GetObject", "GET", "/us-fire/a/b", touch("read", "us-fire/a/b"))},
		{"a head reads the object", request("HEAD", "/us-fire/a"), want("HeadObject", "HEAD", "/us-fire/a", touch("read", "us-fire/a"))},
		{"a get of a folder's name reads that name", get("/us-fire/a/"), want("GetObject", "GET", "/us-fire/a/", touch("read", "us-fire/a/"))},
		{"a part of an object is the object", get("/us-fire/a?partNumber=1"), want("GetObject", "GET", "/us-fire/a?partNumber=1", touch("read", "us-fire/a"))},
		{"response headers may be chosen", get("/us-fire/a?response-content-type=text/plain"),
			want("GetObject", "GET", "/us-fire/a?response-content-type=text%2Fplain", touch("read", "us-fire/a"))},
		{"an SDK says the operation's name", get("/us-fire/a?x-id=GetObject"), want("GetObject", "GET", "/us-fire/a?x-id=GetObject", touch("read", "us-fire/a"))},
		{"tags are a read", get("/us-fire/a?tagging"), want("GetObjectTagging", "GET", "/us-fire/a?tagging=", touch("read", "us-fire/a"))},
		{"attributes are a read", get("/us-fire/a?attributes=", header("x-amz-object-attributes", "ETag")),
			want("GetObjectAttributes", "GET", "/us-fire/a?attributes=", touch("read", "us-fire/a")).with(signing("x-amz-object-attributes", "ETag"))},
		{"escapes that need not be are written plainly", get("/us-fire/%41%7e%2D"), want("GetObject", "GET", "/us-fire/A~-", touch("read", "us-fire/A~-"))},
		{"what must be escaped is escaped, once", get("/us-fire/a%20b%2bc%25(d)*'!$&,:=@%C3%A9%3F%23"),
			want("GetObject", "GET", "/us-fire/a%20b%2Bc%25%28d%29%2A%27%21%24%26%2C%3A%3D%40%C3%A9%3F%23", touch("read", "us-fire/a b+c%(d)*'!$&,:=@é?#"))},
		{"a percent sign in a key is a percent sign", get("/us-fire/100%25/a"), want("GetObject", "GET", "/us-fire/100%25/a", touch("read", "us-fire/100%/a"))},
		{"names that only begin with dots are names", get("/us-fire/.a/..b/c."), want("GetObject", "GET", "/us-fire/.a/..b/c.", touch("read", "us-fire/.a/..b/c."))},
		{"a bucket in the host is the same object", get("/a/b", host("us-fire.storage.sallyport.test:10000")),
			want("GetObject", "GET", "/a/b", touch("read", "us-fire/a/b")).with(at("us-fire.storage.sallyport.test:10000"))},
		{"a path that looks like a bucket is a key where the host has the bucket", get("/us-defense-plans/x", host("us-fire.s3.local")),
			want("GetObject", "GET", "/us-defense-plans/x", touch("read", "us-fire/us-defense-plans/x")).with(at("us-fire.s3.local"))},
		{"an address is path style", get("/us-fire/a", host("127.0.0.1:10000")), want("GetObject", "GET", "/us-fire/a", touch("read", "us-fire/a")).with(at("127.0.0.1:10000"))},
		{"a v6 address is path style", get("/us-fire/a", host("[::1]:10000")), want("GetObject", "GET", "/us-fire/a", touch("read", "us-fire/a")).with(at("[::1]:10000"))},
		{"localhost is path style", get("/us-fire/a", host("localhost")), want("GetObject", "GET", "/us-fire/a", touch("read", "us-fire/a")).with(at("localhost"))},

		{"a put creates the object", put("/us-fire/a"), want("PutObject", "PUT", "/us-fire/a", write("create", "us-fire/a"))},
		{"a put in unsigned chunks", put("/us-fire/a", header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"), header("x-amz-trailer", "x-amz-checksum-crc32"),
			header("x-amz-decoded-content-length", "5"), header("content-encoding", "aws-chunked")),
			want("PutObject", "PUT", "/us-fire/a", write("create", "us-fire/a")).with(hashed("STREAMING-UNSIGNED-PAYLOAD-TRAILER")).
				with(signing("x-amz-decoded-content-length", "5", "x-amz-trailer", "x-amz-checksum-crc32"))},
		{"the digest of a body is kept", put("/us-fire/a", header("x-amz-content-sha256", empty)), want("PutObject", "PUT", "/us-fire/a", write("create", "us-fire/a")).with(hashed(empty))},
		{"metadata is covered, its ends trimmed", put("/us-fire/a", header("x-amz-meta-b", " 1  2 "), header("x-amz-meta-a", "")),
			want("PutObject", "PUT", "/us-fire/a", write("create", "us-fire/a")).with(signing("x-amz-meta-a", "", "x-amz-meta-b", "1  2"))},
		{"what the grant makes is not covered by the client's", put("/us-fire/a", header("x-amz-date", "20260101T000000Z"), header("x-amz-security-token", "t"), header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")),
			want("PutObject", "PUT", "/us-fire/a", write("create", "us-fire/a"))},
		{"what only a gateway says is taken away", get("/us-fire/a", header("x-sallyport-grant", "x"), header("x-sallyport-decision-id", "1")),
			want("GetObject", "GET", "/us-fire/a", touch("read", "us-fire/a")).with(func(u *authz.Upstream) {
				u.Remove = []string{"authorization", "x-amz-security-token", "x-sallyport-decision-id", "x-sallyport-grant"}
			})},
		{"a proof of the token's key is taken away", get("/us-fire/a", header("dpop", "proof")),
			want("GetObject", "GET", "/us-fire/a", touch("read", "us-fire/a")).with(func(u *authz.Upstream) {
				u.Remove = []string{"authorization", "dpop", "x-amz-security-token"}
			})},
		{"a put with tags is also a relabel", put("/us-fire/a", header("x-amz-tagging", "a=b")),
			want("PutObject", "PUT", "/us-fire/a", write("create", "us-fire/a"), relabel("us-fire/a")).with(signing("x-amz-tagging", "a=b"))},
		{"a put with no tags in its tagging is also a relabel", put("/us-fire/a", header("x-amz-tagging", "")),
			want("PutObject", "PUT", "/us-fire/a", write("create", "us-fire/a"), relabel("us-fire/a")).with(signing("x-amz-tagging", ""))},
		{"a put with a label in its metadata is also a relabel", put("/us-fire/a", header("x-amz-meta-sio-label", "x")),
			want("PutObject", "PUT", "/us-fire/a", write("create", "us-fire/a"), relabel("us-fire/a")).with(signing("x-amz-meta-sio-label", "x"))},
		{"setting tags is an update and a relabel", put("/us-fire/a?tagging"), want("PutObjectTagging", "PUT", "/us-fire/a?tagging=", write("update", "us-fire/a"), write("relabel", "us-fire/a"))},
		{"dropping tags is an update and a relabel", remove("/us-fire/a?tagging"), want("DeleteObjectTagging", "DELETE", "/us-fire/a?tagging=", write("update", "us-fire/a"), write("relabel", "us-fire/a"))},

		{"a copy reads its source into what it creates", put("/us-fire/b", copyFrom("/us-defense-plans/x/a%20b")),
			want("CopyObject", "PUT", "/us-fire/b", copying("us-defense-plans/x/a b", "us-fire/b")...).with(signing("x-amz-copy-source", "/us-defense-plans/x/a%20b"))},
		{"a copy source needs no slash", put("/us-fire/b", copyFrom("us-fire/a")),
			want("CopyObject", "PUT", "/us-fire/b", copying("us-fire/a", "us-fire/b")...).with(signing("x-amz-copy-source", "us-fire/a"))},
		{"a copy onto itself is also a relabel", put("/us-fire/a", copyFrom("us-fire/%61")),
			want("CopyObject", "PUT", "/us-fire/a", append(copying("us-fire/a", "us-fire/a"), write("relabel", "us-fire/a"))...).with(signing("x-amz-copy-source", "us-fire/%61"))},
		{"a copy with new tags is also a relabel", put("/us-fire/b", copyFrom("us-fire/a"), header("x-amz-tagging-directive", "REPLACE")),
			want("CopyObject", "PUT", "/us-fire/b", append(copying("us-fire/a", "us-fire/b"), relabel("us-fire/b"))...).with(signing("x-amz-copy-source", "us-fire/a", "x-amz-tagging-directive", "REPLACE"))},
		{"a copy that keeps its tags is no relabel", put("/us-fire/b", copyFrom("us-fire/a"), header("x-amz-tagging-directive", "COPY")),
			want("CopyObject", "PUT", "/us-fire/b", copying("us-fire/a", "us-fire/b")...).with(signing("x-amz-copy-source", "us-fire/a", "x-amz-tagging-directive", "COPY"))},
		{"a copy of a part is a copy", put("/us-fire/b?partNumber=2&"+upload, copyFrom("us-fire/a"), header("x-amz-copy-source-range", "bytes=0-9")),
			want("UploadPartCopy", "PUT", "/us-fire/b?partNumber=2&"+upload, copying("us-fire/a", "us-fire/b")...).with(signing("x-amz-copy-source", "us-fire/a", "x-amz-copy-source-range", "bytes=0-9"))},

		{"an upload begins as a create", post("/us-fire/a?uploads"), want("CreateMultipartUpload", "POST", "/us-fire/a?uploads=", write("create", "us-fire/a"))},
		{"a part is a create, its query sorted", put("/us-fire/a?" + upload + "&partNumber=1"), want("UploadPart", "PUT", "/us-fire/a?partNumber=1&"+upload, write("create", "us-fire/a"))},
		{"an upload ends as a create", post("/us-fire/a?" + upload), want("CompleteMultipartUpload", "POST", "/us-fire/a?"+upload, write("create", "us-fire/a"))},
		{"aborting an upload is a delete", remove("/us-fire/a?" + upload), want("AbortMultipartUpload", "DELETE", "/us-fire/a?"+upload, touch("delete", "us-fire/a"))},
		{"listing parts is a list", get("/us-fire/a?" + upload), want("ListParts", "GET", "/us-fire/a?"+upload, touch("list", "us-fire/a"))},

		{"a delete", remove("/us-fire/a"), want("DeleteObject", "DELETE", "/us-fire/a", touch("delete", "us-fire/a"))},
		{"a batch delete is a delete of each key, bound to the body that was judged", post("/us-fire?delete", body(batch)),
			want("DeleteObjects", "POST", "/us-fire?delete=", touch("delete", "us-fire/a"), touch("delete", "us-fire/b/&c")).with(hashed(digest(batch)))},
		{"a batch delete with its digest and length", post("/us-fire/?delete=", body(batch), header("x-amz-content-sha256", digest(batch)), header("content-length", "194")),
			want("DeleteObjects", "POST", "/us-fire/?delete=", touch("delete", "us-fire/a"), touch("delete", "us-fire/b/&c")).with(hashed(digest(batch)))},

		{"a list without a prefix is of the whole bucket", get("/us-fire?list-type=2"), want("ListObjectsV2", "GET", "/us-fire?list-type=2", touch("list", "us-fire/"))},
		{"a list of a prefix, sorted and escaped", get("/us-fire?prefix=a/b%20c&list-type=2&delimiter=/"),
			want("ListObjectsV2", "GET", "/us-fire?delimiter=%2F&list-type=2&prefix=a%2Fb%20c", touch("list", "us-fire/a/b c"))},
		{"the delimiter changes nothing", get("/us-fire?delimiter=%2F&prefix=a"), want("ListObjects", "GET", "/us-fire?delimiter=%2F&prefix=a", touch("list", "us-fire/a"))},
		{"an old list", get("/us-fire/?marker=a/b"), want("ListObjects", "GET", "/us-fire/?marker=a%2Fb", touch("list", "us-fire/"))},
		{"a list of versions is a list", get("/us-fire?versions&prefix=a"), want("ListObjectVersions", "GET", "/us-fire?prefix=a&versions=", touch("list", "us-fire/a"))},
		{"a list of uploads is a list", get("/us-fire?uploads"), want("ListMultipartUploads", "GET", "/us-fire?uploads=", touch("list", "us-fire/"))},
		{"asking for a bucket is a list of it", request("HEAD", "/us-fire"), want("HeadBucket", "HEAD", "/us-fire", touch("list", "us-fire/"))},
		{"asking where a bucket is, is a list of it", get("/us-fire?location"), want("GetBucketLocation", "GET", "/us-fire?location=", touch("list", "us-fire/"))},
		{"asking whether a bucket has versions is a list of it", get("/?versioning", host("us-fire.s3.local")),
			want("GetBucketVersioning", "GET", "/?versioning=", touch("list", "us-fire/")).with(at("us-fire.s3.local"))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			have, err := s3.Parse(tc.req)
			if err != nil {
				t.Fatal(err)
			}
			// Which operations can be bound is in OPERATIONS.md, and labels have a test of their own.
			if diff := cmp.Diff(s3.Call(tc.want), have, cmpopts.IgnoreFields(s3.Call{}, "Bound", "Labels")); diff != "" {
				t.Errorf("-want +have:\n%s", diff)
			}
		})
	}
}

func TestWhatAWriteSaysOfLabels(t *testing.T) {
	const label = `{"scheme":"USA"}`
	own := func(text string) map[string]string { return map[string]string{"label": text} }
	for _, tc := range []struct {
		name string
		req  authz.Request
		want s3.Labels
	}{
		{"nothing", put("/us-fire/a"), s3.Labels{}},
		{"other metadata is no label", put("/us-fire/a", header("x-amz-meta-colour", "blue")), s3.Labels{}},
		{"in metadata", put("/us-fire/a", header("x-amz-meta-label", label)), s3.Labels{Metadata: own(label)}},
		{"an empty one is none that could be read", put("/us-fire/a", header("x-amz-meta-label", "")), s3.Labels{Other: true}},
		{"in a header of others, kept as metadata", put("/us-fire/a", header("x-amz-meta-sio-label", "marking=x")), s3.Labels{Metadata: map[string]string{"sio-label": "marking=x"}}},
		{"in a tag", put("/us-fire/a", header("x-amz-tagging", "label=e30")), s3.Labels{Tags: own("e30")}},
		{"in both", put("/us-fire/a", header("x-amz-meta-label", label), header("x-amz-tagging", "label=e30")), s3.Labels{Metadata: own(label), Tags: own("e30")}},
		{"beside another tag", put("/us-fire/a", header("x-amz-tagging", "label=e30&a=b")), s3.Labels{Tags: own("e30"), Other: true}},
		{"another tag", put("/us-fire/a", header("x-amz-tagging", "a=b")), s3.Labels{Other: true}},
		{"a tag twice", put("/us-fire/a", header("x-amz-tagging", "label=e30&label=e31")), s3.Labels{Other: true}},
		{"tags that can't be read", put("/us-fire/a", header("x-amz-tagging", "label=%zz")), s3.Labels{Other: true}},
		{"in metadata that other tools read", put("/us-fire/a", header("x-amz-meta-classification", "SECRET")), s3.Labels{Other: true}},
		{"a copy keeps what its source has", put("/us-fire/a", copyFrom("us-fire/b")), s3.Labels{KeepsMetadata: true, KeepsTags: true}},
		{"a copy with new metadata keeps the tags", put("/us-fire/a", copyFrom("us-fire/b"), header("x-amz-metadata-directive", "REPLACE"), header("x-amz-meta-label", label)),
			s3.Labels{Metadata: own(label), KeepsTags: true}},
		{"a copy with new tags keeps the metadata", put("/us-fire/a", copyFrom("us-fire/b"), header("x-amz-tagging-directive", "REPLACE"), header("x-amz-tagging", "label=e30")),
			s3.Labels{Tags: own("e30"), KeepsMetadata: true}},
		{"a copy that drops the tags", put("/us-fire/a", copyFrom("us-fire/b"), header("x-amz-tagging-directive", "REPLACE")), s3.Labels{Other: true, KeepsMetadata: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			have, err := s3.Parse(tc.req)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, have.Labels); diff != "" {
				t.Errorf("-want +have:\n%s", diff)
			}
		})
	}
}
