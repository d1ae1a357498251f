package s3_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource/s3"
)

func ext(name, value string) change { return func(r *authz.Request) { r.Extensions[name] = value } }

func raw(path string) change { return func(r *authz.Request) { r.Path = path } }

// refusal is a request that must be refused with reason.
type refusal struct {
	name   string
	reason authz.Reason
	req    authz.Request
}

func ambiguous(name string, req authz.Request) refusal {
	return refusal{name, authz.RequestAmbiguous, req}
}

func unsupported(name string, req authz.Request) refusal {
	return refusal{name, authz.RequestUnsupported, req}
}

func checkRefusals(t *testing.T, rows []refusal) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			have, err := s3.Parse(row.req)
			var r *authz.Refusal
			if !errors.As(err, &r) {
				t.Fatalf("%+v, %v: want %s", have, err, row.reason)
			}
			if r.Reason != row.reason || r.Detail == "" || len(r.Detail) > 420 {
				t.Errorf("%v: want %s and a detail", r, row.reason)
			}
			if have.Touches != nil || have.Upstream.Path != "" {
				t.Errorf("refused, and yet there is %+v", have)
			}
		})
	}
}

func TestPathsThatAreRefused(t *testing.T) {
	checkRefusals(t, []refusal{
		ambiguous("an empty path", get("")),
		ambiguous("a path that is not absolute", get("us-fire/a")),
		ambiguous("an asterisk", request("OPTIONS", "*")),
		unsupported("no bucket: listing buckets", get("/")),
		ambiguous("a doubled slash in front", get("//us-fire/a")),
		ambiguous("a doubled slash inside", get("/us-fire//a")),
		ambiguous("a doubled slash at the end", get("/us-fire/a//")),
		ambiguous("nothing but slashes", get("///")),
		ambiguous("a dot segment", get("/us-fire/./a")),
		ambiguous("two dots", get("/us-fire/a/../b")),
		ambiguous("two dots at the end", get("/us-fire/..")),
		ambiguous("two dots instead of a bucket", get("/../us-fire/a")),
		ambiguous("escaped dots", get("/us-fire/%2e%2e/a")),
		ambiguous("half-escaped dots", get("/us-fire/.%2E/a")),
		ambiguous("dots with parameters", get("/us-fire/..%3Bx=1/a")),
		ambiguous("dots with raw parameters", get("/us-fire/..;x=1/a")),
		ambiguous("a raw semicolon", get("/us-fire/a;b")),
		ambiguous("an escaped slash", get("/us-fire/a%2fb")),
		ambiguous("an escaped slash in capitals", get("/us-fire/a%2Fb")),
		ambiguous("an escaped slash behind the bucket", get("/us-fire%2Fa")),
		ambiguous("a backslash", get(`/us-fire/a\b`)),
		ambiguous("an escaped backslash", get("/us-fire/a%5cb")),
		ambiguous("dots that are escaped twice", get("/us-fire/%252e%252e/a")),
		ambiguous("a slash that is escaped twice", get("/us-fire/a%252Fb")),
		ambiguous("a backslash that is escaped twice", get("/us-fire/a%255Cb")),
		ambiguous("a letter that is escaped twice", get("/us-fire/nofo%2572n/a")),
		ambiguous("an overlong encoding of a dot", get("/us-fire/%c0%ae%c0%ae/a")),
		ambiguous("not UTF-8", get("/us-fire/%ff")),
		ambiguous("half a character", get("/us-fire/%c3")),
		ambiguous("a surrogate", get("/us-fire/%ed%a0%80")),
		ambiguous("a raw byte above ASCII", get("/us-fire/é")),
		ambiguous("NUL", get("/us-fire/a%00b")),
		ambiguous("a line break", get("/us-fire/a%0ab")),
		ambiguous("DEL", get("/us-fire/a%7f")),
		ambiguous("a C1 control", get("/us-fire/a%c2%85")),
		ambiguous("a raw space", get("/us-fire/a b")),
		ambiguous("a raw plus, which is a space to some stores", get("/us-fire/a+b")),
		ambiguous("a fragment", get("/us-fire/a#b")),
		ambiguous("a question mark in the path", get("/us-fire/a", raw("/us-fire/a?b"))),
		ambiguous("a raw quote", get(`/us-fire/a"b`)),
		ambiguous("raw braces", get("/us-fire/{a}")),
		ambiguous("a broken escape at the end", get("/us-fire/a%")),
		ambiguous("half an escape at the end", get("/us-fire/a%4")),
		ambiguous("an escape that is not hexadecimal", get("/us-fire/a%zz")),
		ambiguous("an escape in Microsoft's manner", get("/us-fire/%u002e")),
		ambiguous("the store's folder for uploads", get("/us-fire/.sgwtmp/multipart/x/1")),
		ambiguous("the store's folder for uploads, below", get("/us-fire/a/.sgwtmp")),
		ambiguous("the store's folder for uploads, escaped", get("/us-fire/%2esgwtmp/multipart")),
		ambiguous("the store's folder for uploads, in capitals", get("/us-fire/.SGWTMP/multipart")),
		ambiguous("any name that begins like the store's own", get("/us-fire/.sgw-meta/x")),
		ambiguous("a file that the store is writing", get("/us-fire/.a.sgwtmp.123")),
		ambiguous("a key of 1,025 bytes", get("/us-fire/"+strings.Repeat("k", 1025))),
		ambiguous("a bucket of two letters", get("/ab/a")),
		ambiguous("a bucket of 64 letters", get("/"+strings.Repeat("b", 64)+"/a")),
		ambiguous("a bucket in capitals", get("/US-fire/a")),
		ambiguous("a bucket with an underscore", get("/us_fire/a")),
		ambiguous("a bucket with dots", get("/us.fire/a")),
		ambiguous("a bucket that begins with a hyphen", get("/-us-fire/a")),
		ambiguous("a bucket that ends with a hyphen", get("/us-fire-/a")),
		ambiguous("an access point", get("/arn:aws:s3:us-east-1:1:accesspoint/a/object/k")),
		ambiguous("a bucket with an escaped letter that is none", get("/us-fir%C3%A9/a")),
	})
}

func TestHostsThatAreRefused(t *testing.T) {
	for name, h := range map[string]string{
		"no host":                                  "",
		"another host":                             "example.com",
		"a host that ends like the store's":        "xstorage.sallyport.test",
		"the store's host with more behind it":     "storage.sallyport.test.evil.example",
		"a trailing dot":                           "us-fire.storage.sallyport.test.",
		"capitals, which stores match differently": "us-fire.Storage.sallyport.test",
		"a bucket in capitals":                     "US-fire.storage.sallyport.test",
		"a bucket with dots":                       "a.us-fire.storage.sallyport.test",
		"an empty bucket":                          ".storage.sallyport.test",
		"a user in the host":                       "us-fire@storage.sallyport.test",
		"two hosts":                                "storage.sallyport.test,evil",
		"an empty port":                            "storage.sallyport.test:",
		"port zero":                                "storage.sallyport.test:0",
		"a port with a zero in front":              "storage.sallyport.test:080",
		"a signed port":                            "storage.sallyport.test:+80",
		"a port above 65535":                       "storage.sallyport.test:65536",
		"two ports":                                "storage.sallyport.test:80:80",
		"an escaped letter":                        "%75s-fire.storage.sallyport.test",
		"a bucket below localhost":                 "us-fire.localhost",
		"a v6 address without brackets":            "::1",
		"a v4 address in brackets":                 "[127.0.0.1]:80",
		"a v6 address with a zone":                 "[fe80::1%25eth0]:80",
		"an address with a number left out":        "127.1",
		"a v6 address with something behind it":    "[::1]x",
		"a bracket that does not close":            "[::1",
		"a bracket that does not open":             "::1]",
		"an empty bracket":                         "[]",
		"a bucket below an address":                "us-fire.127.0.0.1",
		"an access point's host":                   "ap-1.s3-accesspoint.us-east-1.amazonaws.com",
	} {
		checkRefusals(t, []refusal{ambiguous(name, get("/us-fire/a", host(h)))})
	}
	checkRefusals(t, []refusal{
		ambiguous("a bucket in the host where the route has no domains", get("/a", host("us-fire.storage.sallyport.test"), ext("domains", ""))),
		ambiguous("dots in a path below a bucket's host", get("/../us-defense-plans/x", host("us-fire.storage.sallyport.test"))),
		ambiguous("a doubled slash below a bucket's host", get("//x", host("us-fire.storage.sallyport.test"))),
		unsupported("putting a bucket by its host", put("/", host("us-fire.storage.sallyport.test"))),
	})
}

func TestQueriesThatAreRefused(t *testing.T) {
	checkRefusals(t, []refusal{
		ambiguous("an escaped name", post("/us-fire?%64elete", body("<Delete><Object><Key>a</Key></Object></Delete>"))),
		ambiguous("an escaped name that nobody knows", get("/us-fire/a?%78=1")),
		ambiguous("an empty name", get("/us-fire/a?=1")),
		ambiguous("an empty pair", get("/us-fire?prefix=a&&marker=b")),
		ambiguous("an ampersand at the end", get("/us-fire?prefix=a&")),
		ambiguous("a semicolon", get("/us-fire?prefix=a;versions")),
		ambiguous("a name twice", get("/us-fire?prefix=a&prefix=b")),
		ambiguous("a name twice with the same value", get("/us-fire?prefix=a&prefix=a")),
		ambiguous("a broken escape", get("/us-fire?prefix=%zz")),
		ambiguous("a raw plus, which is a space to some", get("/us-fire?prefix=a+b")),
		ambiguous("a value that is not UTF-8", get("/us-fire?prefix=%ff")),
		ambiguous("a value with a line break", get("/us-fire?prefix=a%0d%0a")),
		ambiguous("a raw brace", get("/us-fire?prefix={a}")),
		ambiguous("a name with an underscore", get("/us-fire/a?_method=DELETE")),
		ambiguous("a name with a dot", get("/us-fire?pre.fix=a")),
		ambiguous("a name with a plus", get("/us-fire?a+b=a")),
		unsupported("a query of more than 16 KiB", get("/us-fire?prefix="+strings.Repeat("a", 17<<10))),
		ambiguous("dots in a prefix", get("/us-fire?prefix=a/../b")),
		ambiguous("a prefix that ends in a dot segment", get("/us-fire?prefix=a/..")),
		ambiguous("an empty segment in a prefix", get("/us-fire?prefix=a//b")),
		ambiguous("a prefix that begins with a slash", get("/us-fire?prefix=/a")),
		ambiguous("a prefix in the store's folder for uploads", get("/us-fire?list-type=2&prefix=.sgwtmp/")),
		ambiguous("a backslash in a prefix", get("/us-fire?prefix=a%5Cb")),
		ambiguous("a prefix that is escaped twice", get("/us-fire?prefix=%252e%252e/")),
		ambiguous("a prefix of 1,025 bytes", get("/us-fire?prefix="+strings.Repeat("k", 1025))),
		ambiguous("dots in a marker", get("/us-fire?marker=../a")),
		ambiguous("dots in start-after", get("/us-fire?list-type=2&start-after=a/./b")),
		ambiguous("a key-marker in the store's folder for uploads", get("/us-fire?versions&key-marker=.sgwtmp/a")),
		ambiguous("a list-type that is not 2", get("/us-fire?list-type=3")),
		ambiguous("an encoding-type that is not url", get("/us-fire?encoding-type=xml")),
		ambiguous("a max-keys that is no number", get("/us-fire?max-keys=-1")),
		ambiguous("a max-keys that overflows", get("/us-fire?max-keys=18446744073709551617")),
		ambiguous("a fetch-owner that is neither true nor false", get("/us-fire?list-type=2&fetch-owner=1")),
		ambiguous("a sub-resource with a value", get("/us-fire/a?tagging=x")),
		ambiguous("a delete with a value", post("/us-fire?delete=false", body("<Delete/>"))),
		ambiguous("an upload id with slashes", get("/us-fire/a?uploadId=../../b")),
		ambiguous("an upload id with escaped slashes", put("/us-fire/a?partNumber=1&uploadId=..%2F..%2Fb")),
		ambiguous("an upload id of dots", remove("/us-fire/a?uploadId=..")),
		ambiguous("an empty upload id", post("/us-fire/a?uploadId=")),
		ambiguous("an upload-id-marker with slashes", get("/us-fire?uploads&upload-id-marker=a%2Fb")),
		ambiguous("a part that is no number", put("/us-fire/a?partNumber=one&"+upload)),
		ambiguous("another operation's name", get("/us-fire/a?x-id=PutObject")),
		ambiguous("an operation's name in another case", get("/us-fire/a?x-id=getobject")),
	})
}

func TestOperationsThatAreRefused(t *testing.T) {
	rows := []refusal{
		unsupported("making a bucket", put("/us-fire")),
		unsupported("removing a bucket", remove("/us-fire")),
		unsupported("a form upload", post("/us-fire", header("content-type", "multipart/form-data"))),
		unsupported("posting to an object", post("/us-fire/a")),
		unsupported("select", post("/us-fire/a?select&select-type=2")),
		unsupported("restore", post("/us-fire/a?restore")),
		unsupported("an old version", get("/us-fire/a?versionId=1")),
		unsupported("the null version", get("/us-fire/a?versionId=null")),
		unsupported("deleting a version", remove("/us-fire/a?versionId=1")),
		unsupported("a delete that the store takes for a plain put", put("/us-fire/a?delete")),
		unsupported("two sub-resources", get("/us-fire/a?tagging&attributes")),
		unsupported("a sub-resource of buckets on an object", get("/us-fire/a?versions")),
		unsupported("a sub-resource of objects on a bucket", get("/us-fire?attributes")),
		unsupported("a name in another case", get("/us-fire?Prefix=a")),
		unsupported("a name that nobody knows", get("/us-fire/a?foo-new")),
		unsupported("a method in the query", get("/us-fire/a?method=DELETE")),
		unsupported("a part without its upload", put("/us-fire/a?partNumber=1")),
		unsupported("an upload without its part", put("/us-fire/a?"+upload)),
		unsupported("tags of a version", get("/us-fire/a?tagging&versionId=1")),
		unsupported("another method", request("PATCH", "/us-fire/a")),
		unsupported("OPTIONS", request("OPTIONS", "/us-fire/a")),
		unsupported("TRACE", request("TRACE", "/us-fire/a")),
		unsupported("a method in lower case", request("get", "/us-fire/a")),
		unsupported("a presigned URL", get("/us-fire/a?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0")),
		unsupported("a presigned URL in lower case", get("/us-fire/a?x-amz-signature=0")),
		unsupported("a credential in the query", get("/us-fire/a?X-Amz-Security-Token=t")),
		unsupported("a presigned URL of SigV2", get("/us-fire/a?AWSAccessKeyId=a&Expires=1&Signature=s")),
		unsupported("SigV2", get("/us-fire/a", header("authorization", "AWS a:s"))),
	}
	for _, sub := range []string{"acl", "policy", "policyStatus", "cors", "website", "lifecycle", "replication", "notification", "logging", "encryption",
		"ownershipControls", "publicAccessBlock", "object-lock", "requestPayment", "accelerate", "analytics", "inventory", "metrics", "intelligent-tiering"} {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			rows = append(rows, unsupported(method+" of a bucket's "+sub, request(method, "/us-fire?"+sub)))
		}
	}
	for _, sub := range []string{"acl", "retention", "legal-hold", "torrent"} {
		rows = append(rows, unsupported("an object's "+sub, get("/us-fire/a?"+sub)), unsupported("setting an object's "+sub, put("/us-fire/a?"+sub)))
	}
	checkRefusals(t, append(rows, unsupported("switching versions on", put("/us-fire?versioning")), unsupported("a bucket's tags", get("/us-fire?tagging"))))
}

func TestHeadersThatAreRefused(t *testing.T) {
	rows := []refusal{
		unsupported("an archive to unpack", put("/us-fire/a.tar", header("x-amz-meta-snowball-auto-extract", "true"))),
		ambiguous("metadata beyond ASCII", put("/us-fire/a", header("x-amz-meta-a", "é"))),
		ambiguous("metadata with a tab", put("/us-fire/a", header("x-amz-meta-a", "a\tb"))),
		unsupported("metadata without a name", put("/us-fire/a", header("x-amz-meta-", "a"))),
		unsupported("metadata of a get", get("/us-fire/a", header("x-amz-meta-a", "1"))),
		unsupported("tags of a part", put("/us-fire/a?partNumber=1&"+upload, header("x-amz-tagging", "a=b"))),
		unsupported("a copy source on a get", get("/us-fire/a", copyFrom("us-fire/b"))),
		unsupported("a copy source on a delete", remove("/us-fire/a", copyFrom("us-fire/b"))),
		unsupported("a copy source on a post", post("/us-fire/a?uploads", copyFrom("us-fire/b"))),
		unsupported("a copy source on a bucket", put("/us-fire", copyFrom("us-fire/b"))),
		unsupported("a range to copy without a source", put("/us-fire/a", header("x-amz-copy-source-range", "bytes=0-1"))),
		ambiguous("a directive that nobody knows", put("/us-fire/b", copyFrom("us-fire/a"), header("x-amz-tagging-directive", "replace"))),
		ambiguous("another directive that nobody knows", put("/us-fire/b", copyFrom("us-fire/a"), header("x-amz-metadata-directive", ""))),

		unsupported("signed chunks", put("/us-fire/a", header("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"))),
		unsupported("signed chunks with a trailer", put("/us-fire/a", header("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"))),
		ambiguous("unsigned chunks on a get", get("/us-fire/a", header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"))),
		ambiguous("a digest in capitals", put("/us-fire/a", header("x-amz-content-sha256", strings.ToUpper(empty)))),
		ambiguous("half a digest", put("/us-fire/a", header("x-amz-content-sha256", empty[:32]))),
		ambiguous("an empty digest", put("/us-fire/a", header("x-amz-content-sha256", ""))),
		ambiguous("a word for a digest", put("/us-fire/a", header("x-amz-content-sha256", "unsigned-payload"))),
	}
	for _, name := range []string{"acl", "grant-read", "grant-full-control", "storage-class", "server-side-encryption", "server-side-encryption-customer-key",
		"website-redirect-location", "object-lock-mode", "object-lock-legal-hold", "bypass-governance-retention", "request-payer", "mfa", "expected-bucket-owner", "checksum-madeup", "new"} {
		rows = append(rows, unsupported("x-amz-"+name, put("/us-fire/a", header("x-amz-"+name, "x"))))
	}
	checkRefusals(t, rows)
}

func TestCopySourcesThatAreRefused(t *testing.T) {
	for name, source := range map[string]string{
		"an empty source":                 "",
		"a slash only":                    "/",
		"a bucket only":                   "us-fire",
		"a bucket and a slash":            "us-fire/",
		"two slashes in front":            "//us-fire/a",
		"an empty segment":                "us-fire//a",
		"dots":                            "us-fire/open/../a",
		"escaped dots":                    "us-fire/%2e%2e/a",
		"dots that are escaped twice":     "us-fire/%252e%252e/a",
		"an escaped slash":                "us-fire%2Fa",
		"an escaped slash in the key":     "us-fire/a%2fb",
		"a backslash":                     `us-fire/a\b`,
		"a broken escape":                 "us-fire/a%zz",
		"a raw plus, which stores decode": "us-fire/a+b",
		"a raw space":                     "us-fire/a b",
		"NUL":                             "us-fire/a%00",
		"not UTF-8":                       "us-fire/%ff",
		"the store's folder for uploads":  "us-fire/.sgwtmp/multipart/x/1",
		"a version behind an escape":      "us-fire/a%3FversionId=1",
		"a bucket in capitals":            "US-fire/a",
		"an access point":                 "arn:aws:s3:us-east-1:1:accesspoint/a/object/k",
		"two sources in one":              "us-fire/a,us-fire/..",
		"a key of 1,025 bytes":            "us-fire/" + strings.Repeat("k", 1025),
	} {
		checkRefusals(t, []refusal{ambiguous(name, put("/us-fire/b", copyFrom(source)))})
	}
	checkRefusals(t, []refusal{
		unsupported("a version", put("/us-fire/b", copyFrom("us-fire/a?versionId=1"))),
		unsupported("the null version", put("/us-fire/b", copyFrom("us-fire/a?versionId=null"))),
		unsupported("a query that nobody knows", put("/us-fire/b", copyFrom("us-fire/a?x"))),
		ambiguous("dots in the source of a part", put("/us-fire/b?partNumber=1&"+upload, copyFrom("us-fire/../a"))),
	})
}

// The caller of signed chunks gets a 501, which is found by the beginning of the detail.
func TestSignedChunksAreMarked(t *testing.T) {
	_, err := s3.Parse(put("/us-fire/a", header("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")))
	var r *authz.Refusal
	if !errors.As(err, &r) || !strings.HasPrefix(r.Detail, authz.SignedChunks) {
		t.Errorf("%v: want a detail that starts with %q", err, authz.SignedChunks)
	}
}

// An operator finds why a link fails in the record: not as an unknown name, but as what it is.
func TestPresignedURLsAreNamed(t *testing.T) {
	for _, query := range []string{"X-Amz-Algorithm=AWS4-HMAC-SHA256", "AWSAccessKeyId=a&Expires=1&Signature=s"} {
		if _, err := s3.Parse(get("/us-fire/a?" + query)); err == nil || !strings.Contains(err.Error(), "presigned URLs and SigV2") {
			t.Errorf("%s: %v: want a refusal that names presigned URLs", query, err)
		}
	}
}

func TestRefusalsRepeatNoCredential(t *testing.T) {
	const secret = "eyJhbGciOiJFUzI1NiJ9"
	for _, req := range []authz.Request{
		get("/us-fire/a", header("authorization", "AWS "+secret+":s")),
		get("/us-fire/a?X-Amz-Security-Token=" + secret),
		get("/us-fire/a?access_token=" + secret),
		get("/us-fire/a?token=" + secret),
		get("/us-fire/a", header("x-amz-security-token", secret+"é")),
	} {
		if _, err := s3.Parse(req); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%v: want a refusal without the credential", err)
		}
	}
}
