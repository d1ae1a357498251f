package s3_test

import (
	"encoding/xml"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource/s3"
)

// FuzzParse holds every request to this: a refusal with a reason, or a call whose paths are plain and whose canonical form is
// the same call again.
func FuzzParse(f *testing.F) {
	f.Add("GET", "storage.sallyport.test", "/us-fire/a%20b/c", "partNumber=1", "x-amz-checksum-mode", "ENABLED", "")
	f.Add("GET", "us-fire.storage.sallyport.test:10000", "/", "list-type=2&prefix=a%2F&delimiter=/", "accept", "*/*", "")
	f.Add("PUT", "127.0.0.1:10000", "/us-fire/b", "", "x-amz-copy-source", "/us-fire/a%2Bb", "")
	f.Add("PUT", "localhost", "/us-fire/%2e%2e/b", "partNumber=1&uploadId=u", "x-amz-copy-source", "us-fire/a?versionId=1", "")
	f.Add("POST", "s3.local", "/us-fire", "delete", "x-amz-content-sha256", "UNSIGNED-PAYLOAD", keyed("a", "b/&amp;c"))
	f.Add("DELETE", "[::1]:80", "/us-fire/.sgwtmp/x", "uploadId=../..", "connection", "x-amz-date", "")
	f.Add("HEAD", "us-fire.s3.local", "/a;b", "x-id=HeadObject", "authorization", "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=0", "")
	f.Fuzz(func(t *testing.T, method, host, path, query, name, value, xml string) {
		req := request(method, "", func(r *authz.Request) { r.Host, r.Path, r.Query = host, path, query }, header(name, value), body(xml))
		call, err := s3.Parse(req)
		if err != nil {
			var r *authz.Refusal
			if !errors.As(err, &r) || r.Reason != authz.RequestAmbiguous && r.Reason != authz.RequestUnsupported {
				t.Fatalf("%v: want a refusal of the request", err)
			}
			return
		}
		if len(call.Touches) == 0 {
			t.Fatalf("%+v touches nothing", call)
		}
		for _, touch := range call.Touches {
			checkPlain(t, touch.Path)
			checkPlain(t, touch.From)
			checkPlain(t, touch.To)
		}
		again := req
		again.Path, again.Query = call.Upstream.Path, call.Upstream.Query
		repeated, err := s3.Parse(again)
		if diff := cmp.Diff(call, repeated); diff != "" || err != nil {
			t.Fatalf("the canonical form is another call, %v, -first +again:\n%s", err, diff)
		}
	})
}

// checkPlain fails unless path is bucket/… without empty, dot and private segments.
func checkPlain(t *testing.T, path string) {
	t.Helper()
	if path == "" {
		return
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		switch {
		case s == "" && i < len(segments)-1, s == ".", s == "..", strings.HasPrefix(s, ".sgw"), strings.ContainsAny(s, "\\\x00\r\n"):
			t.Fatalf("%q has segment %q", path, s)
		}
	}
	if len(segments) < 2 {
		t.Fatalf("%q has no bucket", path)
	}
}

// FuzzDeleteBody holds every body to this: whatever is read, Go's lenient reader (which stores use) reads as the same keys.
func FuzzDeleteBody(f *testing.F) {
	f.Add([]byte(keyed("a", "b/&amp;&#x63;")))
	f.Add([]byte(`<?xml version="1.0" encoding="UTF-8"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a</Key></Object><Quiet>true</Quiet></Delete>`))
	f.Add([]byte("<Delete><Object><Key>a</Key><VersionId>1</VersionId></Object></Delete>"))
	f.Add([]byte("<Delete><Object><Key>a<!-- -->b</Key><Key>c</Key></Object></Delete>"))
	f.Add([]byte(keyed("../a", ".sgwtmp/b", "]]>", "&#13;")))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := s3.ParseDelete(data)
		if err != nil {
			return
		}
		var lenient struct {
			Objects []struct {
				Key       string `xml:"Key"`
				VersionID string `xml:"VersionId"`
			} `xml:"Object"`
		}
		if err := xml.Unmarshal(data, &lenient); err != nil {
			t.Fatalf("%q is read as %q, but a store says: %v", data, keys, err)
		}
		var stored []string
		for _, o := range lenient.Objects {
			stored = append(stored, o.Key)
		}
		if diff := cmp.Diff(keys, stored); diff != "" {
			t.Fatalf("a store reads other keys, -judged +store:\n%s", diff)
		}
		for _, key := range keys {
			checkPlain(t, "bucket/"+key)
		}
	})
}
