package road_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
)

// generator makes requests that nobody writes by hand: the operations of S3 and what is near them, on names that need escapes, in every
// spelling that some client or attacker uses, with headers and bodies that fit, nearly fit or do not fit at all.
type generator struct {
	*rand.Rand
	storage string   // Envoy's address
	token   string   // of who asks
	keys    []string // bucket/key of objects that were there
	uploads []string // key?uploadId of uploads under way, in us-defense-plans
}

// one returns one of options.
func one[T any](g *generator, options ...T) T { return options[g.IntN(len(options))] }

// chance reports true in percent of all cases.
func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

// The names of folders and objects: plain ones, ones that need escapes, and ones that are no names.
var (
	plainNames = []string{"a", "b", "c.txt", "noforn", "welcome.txt", "A", "a b", "é", "日本", "~x", "a+b", "a=b", "a&b", "a%b", "a*(b)'!", "$,@:", "50%", "..a", "b..", "...", `"q"`, "<x>", "[y]", "{z}", "|^`", "#h", "a?b", "%"}
	oddNames   = []string{"", ".", "..", "%2e%2e", "%41", "a/../b", "..;x=1", "a;b", ".sgwtmp", ".SGWTMP", ".x.sgwtmp.1", "a\\b", "\x00", "a\nb", "\x7f", "\xff", "é\x80", strings.Repeat("k", 1025), "a%2fb", "\u0085"}
)

func (g *generator) key() string {
	if len(g.keys) > 0 && g.chance(45) {
		_, key, _ := strings.Cut(one(g, g.keys...), "/")
		return key
	}
	segments := make([]string, 1+g.IntN(3))
	for i := range segments {
		segments[i] = one(g, plainNames...)
		if g.chance(4) {
			segments[i] = one(g, oddNames...)
		}
	}
	return strings.Join(segments, "/") + one(g, "", "", "", "", "", "", "/")
}

func (g *generator) bucket() string {
	switch n := g.IntN(100); {
	case n < 80:
		return "us-defense-plans"
	case n < 92:
		return "us-defense-parts"
	default:
		return one(g, "fr-space-missions", "nobody", "us-defense", "US-defense-plans", "..", "", "us-defense-plans.", "a")
	}
}

// spell writes a text as part of a path or query: mostly as SDKs do, and else too much, too little, twice or brokenly.
func (g *generator) spell(s string, keep string) string {
	style := g.IntN(100)
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 || strings.IndexByte(keep, c) >= 0
		switch {
		case style < 70 && plain, style >= 78 && style < 84 && c > ' ' && c < 0x7f && c != '?' && c != '%':
			b.WriteByte(c) // as SDKs do; or raw wherever it can be
		case style >= 84 && style < 88 && plain && g.chance(80):
			b.WriteByte(c) // some letters escaped that need not be
		case style >= 88 && style < 90:
			fmt.Fprintf(&b, "%%25%02X", c) // twice
		case style >= 90 && style < 91:
			b.WriteString(one(g, "%", "%4", "%zz", "%u0041")) // brokenly
		case style >= 70 && style < 78 && plain:
			b.WriteByte(c)
		case style >= 70 && style < 78:
			b.WriteString("%" + hex.EncodeToString([]byte{c})) // in small letters
		case plain:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// template is a method with a query and headers that go together.
type template struct {
	method, query string
	object        bool
	headers       []string
}

var templates = []template{
	{"GET", "", true, nil}, {"GET", "", true, nil}, {"HEAD", "", true, nil}, {"PUT", "", true, nil}, {"PUT", "", true, nil}, {"PUT", "", true, nil}, {"DELETE", "", true, nil},
	{"GET", "", false, nil}, {"GET", "list-type=2", false, nil}, {"GET", "versions", false, nil}, {"GET", "uploads", false, nil}, {"HEAD", "", false, nil},
	{"GET", "location", false, nil}, {"GET", "versioning", false, nil}, {"POST", "delete", false, nil}, {"POST", "delete", false, nil},
	{"GET", "attributes", true, []string{"X-Amz-Object-Attributes: ETag"}}, {"GET", "tagging", true, nil}, {"DELETE", "tagging", true, nil}, {"PUT", "tagging", true, nil},
	{"PUT", "", true, []string{"X-Amz-Copy-Source: SOURCE"}}, {"PUT", "", true, []string{"X-Amz-Copy-Source: SOURCE"}}, {"PUT", "", true, []string{"X-Amz-Copy-Source: SOURCE", "X-Amz-Metadata-Directive: REPLACE"}},
	{"POST", "uploads", true, nil}, {"PUT", "partNumber=1&UPLOAD", true, nil}, {"PUT", "partNumber=2&UPLOAD", true, []string{"X-Amz-Copy-Source: SOURCE"}},
	{"POST", "UPLOAD", true, nil}, {"DELETE", "UPLOAD", true, nil}, {"GET", "UPLOAD", true, nil},
	{"POST", "", false, nil}, {"PUT", "acl", true, nil}, {"GET", "acl", true, nil}, {"PUT", "policy", false, nil}, {"PUT", "", false, nil}, {"DELETE", "", false, nil}, {"OPTIONS", "", true, nil}, {"PATCH", "", true, nil},
}

var (
	oddQueries = []string{"x-id=GetObject", "x-id=PutObject", "prefix=PREFIX", "delimiter=%2F", "delimiter=/", "max-keys=2", "marker=PREFIX", "start-after=PREFIX", "encoding-type=url", "fetch-owner=true", "continuation-token=a",
		"response-content-type=text%2Fplain", "response-expires=x%20y", "partNumber=1", "versionId=null", "versionId=1", "foo", "foo=bar", "Prefix=a", "%64elete", "delete", "acl", "=", "", "prefix=a;b=1", "prefix=a&prefix=b",
		"X-Amz-Signature=0", "prefix=%zz", "prefix=a+b", "prefix=%ff", "key-marker=PREFIX", "upload-id-marker=u", "_method=DELETE", "tagging", "uploadId=../../x", "max-keys=-1", "list-type=2", "uploads"}
	oddHeaders = []string{"Range: bytes=0-3", "Range: bytes=0-1,3-4", "If-Match: *", `If-None-Match: "x"`, "If-Modified-Since: Mon, 01 Jan 2024 00:00:00 GMT", "X-Amz-Checksum-Mode: ENABLED", "X-Amz-Meta-A: b", "X-Amz-Meta-A:  two  spaces ",
		"X-Amz-Meta-Label: x", "X-Amz-Tagging: a=b", "X-Amz-Acl: public-read", "X-Amz-Storage-Class: STANDARD", "X-Amz-Copy-Source: SOURCE", "x_amz_copy_source: us-defense-plans/a", "Cache-Control: no-cache", "Content-Type: text/plain",
		"Content-Type: text/plain; charset=\"a,b\"", "Content-Language: de", "Content-Encoding: gzip", "Content-Disposition: attachment; filename=\"a;b\"", "Expires: 0", "X-Amz-Expected-Bucket-Owner: us-defense", "X-Amz-Date: 20200101T000000Z",
		"X-Amz-User-Agent: a b", "X-Amz-Unknown: 1", "X-Amz-Meta-A: b\nX-Amz-Meta-A: c", "X-HTTP-Method-Override: DELETE", "X-Original-Url: /us-defense-plans/noforn/welcome.txt", "Referer: somebody", "Cookie: a=b\nCookie: c=d", "Accept: */*",
		"Connection: x-amz-date", "Connection: keep-alive", "TE: trailers", "Expect: 100-continue", "X-Forwarded-For: 10.0.0.1", "X-Amz-Meta-É: x", "Origin: http://a", "Forwarded: host=evil", "X-Amz-Copy-Source-If-Match: x", "Via: 1.1 a", "X-Amz-Meta-Tab: a\tb",
		"X-Amz-Content-Sha256: UNSIGNED-PAYLOAD", "X-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "X-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "X-Amz-Request-Payer: requester", "Accept-Encoding: gzip"}
)

// next returns a request as it goes over the wire, and its method.
func (g *generator) next() (method, wire string) {
	s := one(g, templates...)
	if g.chance(4) {
		s.method = one(g, "GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE")
	}
	bucket, key := g.bucket(), ""
	if s.object {
		key = g.key()
	}
	query := s.query
	if strings.Contains(query, "UPLOAD") {
		upload := "uploadId=" + one(g, "u", "00000000-0000-0000-0000-000000000000", "..")
		if len(g.uploads) > 0 && g.chance(85) {
			k, id, _ := strings.Cut(one(g, g.uploads...), "?")
			bucket, key, upload = "us-defense-plans", k, "uploadId="+id
		}
		query = strings.Replace(query, "UPLOAD", upload, 1)
	}
	for g.chance(25) {
		query = strings.Trim(query+"&"+one(g, oddQueries...), "&")
	}
	query = strings.ReplaceAll(query, "PREFIX", g.spell(g.key(), ""))

	host, path := g.storage, "/"+bucket
	if !s.object && g.chance(30) {
		path += "/"
	}
	if s.object {
		path += "/" + g.spell(key, "/")
	}
	if g.chance(15) { // virtual-host style
		host, path = bucket+"."+storeHost, "/"+g.spell(key, "/")
	}
	if g.chance(2) {
		path = one(g, "/.", "//", "/x/..", "") + path
	}
	if query != "" {
		path += "?" + query
	}
	lines := []string{s.method + " " + path + " HTTP/1.1", "Host: " + host}
	if g.chance(50) {
		lines = append(lines, "Authorization: Bearer "+g.token)
	} else {
		lines = append(lines, "Authorization: AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00", "X-Amz-Security-Token: "+g.token)
	}
	lines = append(lines, s.headers...)
	for g.chance(25) {
		lines = append(lines, one(g, oddHeaders...))
	}
	body := g.body(s)
	if body != "" || s.method == "PUT" || s.method == "POST" {
		lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)))
	}
	source := ""
	if len(g.keys) > 0 {
		source = one(g, g.keys...)
	}
	if g.chance(25) {
		source = one(g, "us-defense-plans/", "us-defense-parts/", "fr-space-missions/") + g.key()
	}
	source = one(g, "", "/") + g.spell(source, "/") + one(g, "", "", "", "", "", "", "", "?versionId=1", "?x")
	head := strings.ReplaceAll(strings.Join(lines, "\r\n"), "SOURCE", source)
	return s.method, head + "\r\n\r\n" + body
}

// body returns a body that fits the template, more or less.
func (g *generator) body(s template) string {
	switch {
	case s.query == "delete":
		return g.deleteBody()
	case strings.HasPrefix(s.query, "UPLOAD") && s.method == "POST":
		return `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"x"</ETag></Part></CompleteMultipartUpload>`
	case s.query == "tagging" && s.method == "PUT":
		return "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
	case s.method == "PUT" && len(s.headers) == 0, g.chance(3):
		return strings.Repeat("x", g.IntN(64)) + fmt.Sprint(g.Uint64())
	}
	return ""
}

func (g *generator) deleteBody() string {
	var b strings.Builder
	b.WriteString(one(g, "", "", `<?xml version="1.0" encoding="UTF-8"?>`, `<?xml version='1.0'?>`, "<!DOCTYPE x>", "<!-- x -->"))
	b.WriteString(one(g, "<Delete>", "<Delete>", `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`, `<Delete xmlns="urn:x">`))
	for range 1 + g.IntN(3) {
		key := g.key()
		switch g.IntN(10) {
		case 0:
			key = strings.ReplaceAll(key, "a", "&#97;")
		case 1:
			key = strings.ReplaceAll(key, "a", "&#x61;")
		case 2:
			key = strings.ReplaceAll(key, "a", one(g, "a<!-- -->", "<![CDATA[a]]>", "&b;", "&amp;"))
		default:
			key = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(key)
		}
		b.WriteString("<Object><Key>" + key + "</Key>" + one(g, "", "", "", "", "", "", "<VersionId>1</VersionId>", "<Key>welcome.txt</Key>", "\n", "<Size>1</Size>") + "</Object>")
	}
	b.WriteString(one(g, "", "", "<Quiet>true</Quiet>", "<Quiet>1</Quiet>") + one(g, "</Delete>", "</Delete>", "</Delete>", "</Delete>\n", "</Delete>x", ""))
	return b.String()
}
