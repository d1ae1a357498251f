package road_test

import (
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// odd is a request that a client of good will does not make.
type odd struct {
	what string
	who  string
	head string // see raw
	body string
	want outcome
}

// envoy is the outcome of a request that Envoy itself refuses, so that nobody is asked and nothing is recorded.
func envoy(status int) outcome { return outcome{Status: status} }

// hidden is want for a request whose answer has no body.
func hidden(want outcome) outcome {
	want.Visible = ""
	return want
}

var (
	ambiguous   = confused("request.ambiguous")
	unsupported = confused("request.unsupported")
	belowPlans  = denied("clearance.level", usDefense) // uma may read parts, and no plan
	notForGina  = denied("release.nation", usDefense)  // gina may read plans, and nothing NOFORN
	writeDown   = denied("flow.write_down", usDefense)
	served      = allowed(http.StatusOK, usDefense)
)

// asked runs rows, each alone on a connection of its own.
func (w *world) asked(t *testing.T, rows []odd) {
	for _, c := range rows {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			w.check(t, w.raw(t, c.who, c.head, c.body), c.want)
		})
	}
}

// What Envoy folds, the gateway judges as folded, and the store is asked for that and nothing else.
func TestAPathLeadsNowhereElse(t *testing.T) {
	sharedWorld(t).asked(t, []odd{
		{"dots", "uma", "GET /us-defense-parts/../us-defense-plans/welcome.txt HTTP/1.1", "", belowPlans},
		{"escaped dots", "uma", "GET /us-defense-parts/%2e%2e/us-defense-plans/welcome.txt HTTP/1.1", "", belowPlans},
		{"half escaped dots", "uma", "GET /us-defense-parts/.%2E/us-defense-plans/welcome.txt HTTP/1.1", "", belowPlans},
		{"an escaped slash", "uma", "GET /us-defense-parts%2f..%2fus-defense-plans/welcome.txt HTTP/1.1", "", envoy(400)},
		{"an escaped backslash", "uma", "GET /us-defense-parts%5c..%5cus-defense-plans/welcome.txt HTTP/1.1", "", envoy(400)},
		{"backslashes", "uma", `GET /us-defense-parts\..\us-defense-plans/welcome.txt HTTP/1.1`, "", belowPlans},
		{"two slashes in front", "uma", "GET //us-defense-plans/welcome.txt HTTP/1.1", "", belowPlans},
		{"two slashes within", "gina", "GET /us-defense-plans//noforn/welcome.txt HTTP/1.1", "", notForGina},
		{"one dot", "gina", "GET /us-defense-plans/./noforn/welcome.txt HTTP/1.1", "", notForGina},
		{"an escaped letter", "gina", "GET /us-defense-plans/nofo%72n/welcome.txt HTTP/1.1", "", notForGina},
		{"out of the row and in again", "gina", "GET /us-defense-plans/x/../noforn/welcome.txt HTTP/1.1", "", notForGina},
		{"above the root", "sam", "GET /../../../etc/passwd HTTP/1.1", "", denied("label.missing + tenant.mismatch", "gateway")},
		{"dots with a parameter", "uma", "GET /us-defense-parts/..;x=1/us-defense-plans/welcome.txt HTTP/1.1", "", belowPlans},
		{"dots escaped twice", "uma", "GET /us-defense-parts/%252e%252e/us-defense-plans/welcome.txt HTTP/1.1", "", ambiguous},
		{"a slash escaped twice", "uma", "GET /us-defense-parts/..%252fus-defense-plans/welcome.txt HTTP/1.1", "", ambiguous},
		{"a letter escaped twice", "gina", "GET /us-defense-plans/nofo%2572n/welcome.txt HTTP/1.1", "", ambiguous},
		{"dots too long for UTF-8", "uma", "GET /us-defense-parts/%c0%ae%c0%ae/us-defense-plans/welcome.txt HTTP/1.1", "", ambiguous},
		{"a broken escape", "sam", "GET /us-defense-plans/%zz HTTP/1.1", "", ambiguous},
		{"half an escape", "sam", "GET /us-defense-plans/a% HTTP/1.1", "", ambiguous},
		{"a plus", "sam", "GET /us-defense-plans/a+b HTTP/1.1", "", ambiguous},
		{"a zero byte", "sam", "GET /us-defense-plans/a%00 HTTP/1.1", "", envoy(400)},
		{"a line break", "sam", "GET /us-defense-plans/a%0ab HTTP/1.1", "", ambiguous},
		{"a byte above ASCII", "sam", "GET /us-defense-plans/\xe9 HTTP/1.1", "", envoy(400)},
		{"a fragment", "uma", "GET /us-defense-parts/welcome.txt#/../us-defense-plans/welcome.txt HTTP/1.1", "", envoy(400)},
		{"a star", "sam", "OPTIONS * HTTP/1.1", "", envoy(404)},
		{"no slash", "sam", "GET us-defense-plans/welcome.txt HTTP/1.1", "", envoy(400)},
		{"a key of 2 KiB", "sam", "GET /us-defense-plans/" + strings.Repeat("x", 2048) + " HTTP/1.1", "", ambiguous},
		{"a path of 64 KiB", "sam", "GET /us-defense-plans/" + strings.Repeat("x", 64<<10) + " HTTP/1.1", "", envoy(431)},
		{"what the store keeps for itself", "sam", "GET /us-defense-plans/.sgwtmp/multipart/x HTTP/1.1", "", ambiguous},
		{"a row's name in other letters", "gina", "GET /us-defense-plans/NOFORN/welcome.txt HTTP/1.1", "", allowed(http.StatusNotFound, usDefense)},
		{"a bucket's name in other letters", "sam", "GET /US-defense-plans/welcome.txt HTTP/1.1", "", ambiguous},
		{"a bucket of nobody", "sam", "GET /nobodys-bucket/welcome.txt HTTP/1.1", "", denied("label.missing + tenant.mismatch", "gateway")},
		{"no bucket", "sam", "GET / HTTP/1.1", "", unsupported},
		{"a path in the query", "sam", "GET /us-defense-parts/welcome.txt?x=/../us-defense-plans HTTP/1.1", "", unsupported},
	})
}

func TestAHostLeadsNowhereElse(t *testing.T) {
	w := sharedWorld(t)
	virtual := fmt.Sprintf(".storage.sallyport.test:%d", w.ports.Storage)
	w.asked(t, []odd{
		{"an unknown host", "sam", "GET /us-defense-plans/welcome.txt HTTP/1.1\nHost: elsewhere.test", "", unsupported},
		{"an unknown port", "sam", "GET /us-defense-plans/welcome.txt HTTP/1.1\nHost: storage.sallyport.test:1", "", unsupported},
		{"a dot at the end", "sam", "GET /us-defense-plans/welcome.txt HTTP/1.1\nHost: storage.sallyport.test.", "", unsupported},
		{"capital letters", "sam", "GET /us-defense-plans/welcome.txt HTTP/1.1\nHost: Storage.Sallyport.Test", "", ambiguous},
		{"a bucket in capital letters", "sam", "GET /welcome.txt HTTP/1.1\nHost: US-DEFENSE-PLANS.storage.sallyport.test", "", ambiguous},
		{"two labels", "sam", "GET /welcome.txt HTTP/1.1\nHost: x.us-defense-plans.storage.sallyport.test", "", ambiguous},
		{"somebody before the host", "sam", "GET /us-defense-plans/welcome.txt HTTP/1.1\nHost: us-defense-parts@storage.sallyport.test", "", ambiguous},
		{"two hosts", "sam", "GET /us-defense-plans/welcome.txt HTTP/1.1\nHost: storage.sallyport.test\nHost: elsewhere.test", "", ambiguous},
		{"an empty host", "sam", "GET /us-defense-plans/welcome.txt HTTP/1.1\nHost:", "", ambiguous},
		{"no host", "sam", "GET /us-defense-plans/welcome.txt HTTP/1.1\nHost", "", envoy(400)},
		{"another host in the request line", "sam", "GET http://elsewhere.test/us-defense-plans/welcome.txt HTTP/1.1", "", unsupported},
		{"this host in the request line", "sam", "GET http://storage.sallyport.test/us-defense-plans/welcome.txt HTTP/1.1\nHost: elsewhere.test", "", served},
		{"a bucket in the host", "sam", "GET /welcome.txt HTTP/1.1\nHost: us-defense-plans" + virtual, "", served},
		{"a bucket in the host, judged alike", "uma", "GET /welcome.txt HTTP/1.1\nHost: us-defense-plans" + virtual, "", belowPlans},
		{"a bucket in the host and one in the path", "uma", "GET /us-defense-parts/welcome.txt HTTP/1.1\nHost: us-defense-plans" + virtual, "", belowPlans},
		{"a nested row below a bucket in the host", "gina", "GET /noforn/welcome.txt HTTP/1.1\nHost: us-defense-plans" + virtual, "", notForGina},
	})
}

func TestAHeaderChangesNeitherWhoAsksNorWhat(t *testing.T) {
	sharedWorld(t).asked(t, []odd{
		{"two Authorization headers", "", "GET " + welcome + " HTTP/1.1\nAuthorization: Bearer TOKEN\nAuthorization: Bearer TOKEN", "", ambiguous},
		{"two session tokens", "", "GET " + welcome + " HTTP/1.1\nAuthorization: AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b, Signature=c\nX-Amz-Security-Token: TOKEN\nX-Amz-Security-Token: TOKEN", "", ambiguous},
		{"two S3 signatures in one header", "", "GET " + welcome + " HTTP/1.1\nAuthorization: AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b, Signature=c, Credential=d\nX-Amz-Security-Token: TOKEN", "", ambiguous},
		{"a signature of version 2", "", "GET " + welcome + " HTTP/1.1\nAuthorization: AWS any:c2lnbmF0dXJl", "", refused("identity.invalid")},
		{"a Connection header that names the credential", "sam", "GET " + welcome + " HTTP/1.1\nConnection: close, authorization", "", refused("identity.missing")},
		{"a proxy's credential beside it", "uma", "GET " + welcome + " HTTP/1.1\nProxy-Authorization: Bearer TOKEN", "", belowPlans},
		{"another method in a header", "sam", "GET " + welcome + " HTTP/1.1\nX-HTTP-Method-Override: DELETE", "", ambiguous},
		{"an underscore", "sam", "GET " + welcome + " HTTP/1.1\nx_amz_acl: public-read", "", envoy(400)},
		{"another path for Envoy", "uma", "GET " + welcome + " HTTP/1.1\nX-Envoy-Original-Path: /us-defense-parts/welcome.txt", "", belowPlans},
		{"another path for a proxy", "uma", "GET " + welcome + " HTTP/1.1\nX-Original-Url: /us-defense-parts/welcome.txt\nX-Rewrite-Url: /us-defense-parts/welcome.txt", "", ambiguous},
		{"another source", "uma", "GET " + welcome + " HTTP/1.1\nX-Forwarded-For: 10.0.0.1\nX-Forwarded-Host: elsewhere.test\nX-Forwarded-Uri: /us-defense-parts/welcome.txt\nForwarded: for=10.0.0.1;host=elsewhere.test", "", belowPlans},
		{"a certificate's claim", "uma", "GET " + welcome + " HTTP/1.1\nX-Forwarded-Client-Cert: By=spiffe://a;URI=spiffe://sam", "", belowPlans},
		{"a clearance of one's own", "uma", "GET " + welcome + " HTTP/1.1\nX-Clearance: SECRET\nX-Sallyport-Clearance: SECRET", "", belowPlans},
		{"what only the gateway says", "sam", "GET " + welcome + " HTTP/1.1\nX-Sallyport-Grant: mine\nX-Sallyport-Anything: mine", "", served},
		{"an identity for Kubernetes", "sam", "GET " + welcome + " HTTP/1.1\nImpersonate-User: system:admin", "", unsupported},
		{"a body that is said to be partial", "sam", "GET " + welcome + " HTTP/1.1\nX-Envoy-Auth-Partial-Body: true", "", served}, // stripped: the client can't say so
		{"an upgrade", "sam", "GET " + welcome + " HTTP/1.1\nConnection: upgrade\nUpgrade: websocket", "", envoy(403)},
		{"a tunnel", "sam", "CONNECT 127.0.0.1:9901 HTTP/1.1", "", envoy(403)}, // no route fits, so nobody is asked, and the belt refuses
		{"a trace", "sam", "TRACE " + welcome + " HTTP/1.1", "", unsupported},
		{"a question of a browser", "", "OPTIONS " + welcome + " HTTP/1.1\nOrigin: http://elsewhere.test\nAccess-Control-Request-Method: PUT", "", refused("identity.missing")},
		{"a method in small letters", "sam", "get " + welcome + " HTTP/1.1", "", envoy(400)},
		{"HTTP/1.0", "sam", "GET " + welcome + " HTTP/1.0", "", envoy(426)},
		{"two lengths", "sam", "PUT /us-defense-plans/x HTTP/1.1\nContent-Length: 1\nContent-Length: 2", "x", envoy(400)},
		{"a length and chunks", "sam", "PUT /us-defense-plans/x HTTP/1.1\nContent-Length: 1\nTransfer-Encoding: chunked", "0\r\n\r\n", envoy(400)},
		{"a folded header", "", "GET " + welcome + " HTTP/1.1\nAuthorization: Bearer\n TOKEN", "", served},
		{"more than 100 headers", "sam", "GET " + welcome + " HTTP/1.1" + strings.Repeat("\nX-Many: 1", 101), "", envoy(431)},
		{"an id of the client's own", "sam", "GET " + welcome + " HTTP/1.1\nX-Request-Id: ../../etc\nReferer: 00000000000000000000000000000000", "", served},
	})
}

func TestOnlyWhatIsOnTheListOfS3(t *testing.T) {
	rows := []odd{
		{"a presigned URL", "", "GET " + welcome + "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=any%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00&X-Amz-Security-Token=TOKEN HTTP/1.1", "", refused("identity.missing")},
		{"a presigned URL beside a token", "sam", "GET " + welcome + "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00 HTTP/1.1", "", unsupported},
		{"a presigned URL whose names are escaped", "sam", "GET " + welcome + "?%58-Amz-Signature=00 HTTP/1.1", "", ambiguous},
		{"a presigned URL of version 2", "sam", "GET " + welcome + "?AWSAccessKeyId=any&Signature=00&Expires=9999999999 HTTP/1.1", "", unsupported},
		{"an old version", "sam", "GET " + welcome + "?versionId=1 HTTP/1.1", "", unsupported},
		{"a name twice", "sam", "GET /us-defense-plans?prefix=a&prefix=noforn%2F HTTP/1.1", "", ambiguous},
		{"a semicolon in the query", "sam", "GET /us-defense-plans?prefix=a;b=1 HTTP/1.1", "", ambiguous},
		{"a broken escape in the query", "sam", "GET /us-defense-plans?prefix=%zz HTTP/1.1", "", ambiguous},
		{"an escaped name", "sam", "GET /us-defense-plans?%61cl HTTP/1.1", "", ambiguous},
		{"an escaped prefix", "gina", "GET /us-defense-plans?list-type=2&prefix=%6eoforn%2F HTTP/1.1", "", notForGina},
		{"a prefix with dots", "gina", "GET /us-defense-plans?list-type=2&prefix=x%2F..%2Fnoforn%2F HTTP/1.1", "", ambiguous},
		{"a start with dots", "sam", "GET /us-defense-plans?list-type=2&start-after=..%2Fx HTTP/1.1", "", ambiguous},
		{"running uploads", "gina", "GET /us-defense-plans?uploads HTTP/1.1", "", notForGina},
		{"versions", "gina", "GET /us-defense-plans?versions HTTP/1.1", "", notForGina},
		{"whether a bucket exists", "claire", "HEAD /us-defense-plans HTTP/1.1", "", hidden(denied("tenant.mismatch", usDefense))},
		{"a new bucket", "sam", "PUT /us-defense-new HTTP/1.1\nX-Amz-Acl: public-read", "", unsupported},
		{"the end of a bucket", "sam", "DELETE /us-defense-parts HTTP/1.1", "", unsupported},
		{"a form", "sam", "POST /us-defense-plans HTTP/1.1\nContent-Type: multipart/form-data; boundary=x", "--x--", unsupported},
		{"an archive that unpacks itself", "sam", "PUT /us-defense-plans/x.tar HTTP/1.1\nX-Amz-Meta-Snowball-Auto-Extract: true", "x", unsupported},
		{"signed chunks", "sam", "PUT /us-defense-plans/x HTTP/1.1\nX-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "x", outcome{Status: 501, Reasons: "request.unsupported", Visible: "request.unsupported", Logs: []string{"gateway"}}},
		{"a digest that is none", "sam", "PUT /us-defense-plans/x HTTP/1.1\nX-Amz-Content-Sha256: STREAMING-", "x", ambiguous},
		{"chunks with a trailer, as SDKs send them over TLS", "sam", "PUT /us-defense-plans/" + unique() + " HTTP/1.1\nX-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\nX-Amz-Trailer: x-amz-checksum-crc32\nX-Amz-Decoded-Content-Length: 5\nContent-Encoding: aws-chunked",
			"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", served},
	}
	for _, sub := range strings.Fields("acl policy cors website lifecycle replication notification logging encryption object-lock ownershipControls publicAccessBlock requestPayment accelerate inventory") {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			rows = append(rows, odd{method + " " + sub, "sam", method + " /us-defense-plans?" + sub + " HTTP/1.1", "", unsupported})
		}
	}
	for _, sub := range strings.Fields("acl torrent restore select legal-hold retention") {
		rows = append(rows, odd{"an object's " + sub, "sam", "PUT " + welcome + "?" + sub + " HTTP/1.1", "", unsupported})
	}
	for _, header := range strings.Fields("Acl Grant-Read Grant-Full-Control Website-Redirect-Location Storage-Class Server-Side-Encryption Object-Lock-Mode Bypass-Governance-Retention Mfa Request-Payer Write-Offset-Bytes Copy-Source-Range Unknown") {
		rows = append(rows, odd{"a put with " + header, "sam", "PUT /us-defense-plans/x HTTP/1.1\nX-Amz-" + header + ": x", "x", unsupported})
	}
	sharedWorld(t).asked(t, rows)
}

func TestACopySourceIsReadOnce(t *testing.T) {
	copied := func(source string) string {
		return "PUT /us-defense-plans/" + unique() + " HTTP/1.1\nX-Amz-Copy-Source: " + source
	}
	sharedWorld(t).asked(t, []odd{
		{"as SDKs write it", "sam", copied("us-defense-plans/welcome.txt"), "", served},
		{"without a slash in front", "sam", copied("us-defense-plans/noforn/welcome.txt"), "", writeDown},
		{"an escaped letter", "sam", copied("/us-defense-plans/nofo%72n/welcome.txt"), "", writeDown},
		{"two slashes", "sam", copied("/us-defense-plans//noforn/welcome.txt"), "", ambiguous},
		{"dots", "sam", copied("/us-defense-plans/x/../noforn/welcome.txt"), "", ambiguous},
		{"escaped dots", "sam", copied("/us-defense-plans/x/%2e%2e/noforn/welcome.txt"), "", ambiguous},
		{"an escaped slash", "sam", copied("us-defense-plans%2Fnoforn%2Fwelcome.txt"), "", ambiguous},
		{"a plus", "sam", copied("us-defense-plans/a+b"), "", ambiguous},
		{"an old version", "sam", copied("us-defense-plans/welcome.txt?versionId=1"), "", unsupported},
		{"an old version, escaped", "sam", copied("us-defense-plans/welcome.txt%3FversionId=1"), "", ambiguous},
		{"a name of Amazon's", "sam", copied("arn:aws:s3:us-east-1::accesspoint/x/object/welcome.txt"), "", ambiguous},
		{"a bucket alone", "sam", copied("us-defense-plans"), "", ambiguous},
		{"two sources", "sam", copied("us-defense-plans/welcome.txt") + "\nX-Amz-Copy-Source: us-defense-plans/noforn/welcome.txt", "", ambiguous},
		{"a source on a read", "sam", "GET " + welcome + " HTTP/1.1\nX-Amz-Copy-Source: us-defense-plans/noforn/welcome.txt", "", unsupported},
		{"a source of a part", "sam", "PUT /us-defense-plans/x?partNumber=1&uploadId=1 HTTP/1.1\nX-Amz-Copy-Source: us-defense-plans/noforn/welcome.txt\nX-Amz-Copy-Source-Range: bytes=0-9", "", writeDown},
		{"onto itself, with new metadata", "sam", "PUT " + welcome + " HTTP/1.1\nX-Amz-Copy-Source: us-defense-plans/welcome.txt\nX-Amz-Metadata-Directive: REPLACE", "", denied("action.not_granted", usDefense)},
		{"with new tags", "sam", copied("us-defense-plans/welcome.txt") + "\nX-Amz-Tagging-Directive: REPLACE\nX-Amz-Tagging: label=UNCLASSIFIED", "", denied("action.not_granted", usDefense)},
	})
}

func TestABatchDeleteNamesWhatItDeletesInOneWay(t *testing.T) {
	w := sharedWorld(t)
	head := "POST /us-defense-plans?delete HTTP/1.1"
	object := func(key string) string { return "<Object><Key>" + key + "</Key></Object>" }
	body := func(objects ...string) string {
		return `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` + strings.Join(objects, "") + "</Delete>"
	}
	var thousand []string
	for i := range 1001 {
		thousand = append(thousand, object(fmt.Sprint("k", i)))
	}
	absent := body(object("absent-" + unique()))
	digest := md5.Sum([]byte(absent)) // the store wants one of its checksums
	w.asked(t, []odd{
		{"what is not there", "sam", head + "\nContent-MD5: " + base64.StdEncoding.EncodeToString(digest[:]), absent, served},
		{"another bucket", "sam", head, body(object("../fr-space-missions/welcome.txt")), ambiguous},
		{"another folder", "sam", head, body(object("x/../welcome.txt")), ambiguous},
		{"what the store keeps for itself", "sam", head, body(object(".sgwtmp/x")), ambiguous},
		{"an absolute path", "sam", head, body(object("/welcome.txt")), ambiguous},
		{"two keys in one object", "sam", head, body("<Object><Key>x</Key><Key>welcome.txt</Key></Object>"), ambiguous},
		{"a key of another namespace", "sam", head, body(`<Object><Key>x</Key><Key xmlns="urn:x">welcome.txt</Key></Object>`), ambiguous},
		{"a comment in a key", "sam", head, body(object("wel<!-- -->come.txt")), ambiguous},
		{"CDATA", "sam", head, body(object("<![CDATA[welcome.txt]]>")), ambiguous},
		{"an entity of its own", "sam", head, `<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + body(object("&x;")), ambiguous},
		{"another root", "sam", head, "<Erase>" + object("welcome.txt") + "</Erase>", ambiguous},
		{"a second document", "sam", head, body(object("x")) + body(object("welcome.txt")), ambiguous},
		{"the same key twice", "sam", head, body(object("x"), object("x")), ambiguous},
		{"an old version", "sam", head, body("<Object><Key>x</Key><VersionId>1</VersionId></Object>"), unsupported},
		{"1,001 keys", "sam", head, body(thousand...), unsupported},
		{"no key", "sam", head, body(), unsupported},
		{"nothing", "sam", head, "", ambiguous},
		{"a packed body", "sam", head + "\nContent-Encoding: gzip", body(object("x")), unsupported},
		{"another body than its digest says", "sam", head + "\nX-Amz-Content-Sha256: " + strings.Repeat("0", 64), body(object("x")), ambiguous},
		{"more than 256 KiB", "sam", head, body(object(strings.Repeat("x", 257<<10))), envoy(413)},
		{"an escaped name of the operation", "sam", "POST /us-defense-plans?%64elete HTTP/1.1", body(object("welcome.txt")), ambiguous},
		{"one object above her", "uma", "POST /us-defense-plans?delete HTTP/1.1", body(object("welcome.txt")), belowPlans},
		{"one of two that she may not", "gina", head, body(object("welcome.txt"), object("noforn/welcome.txt")), denied("action.not_granted + release.nation", usDefense)},
	})
	t.Cleanup(func() { // when the rows have run
		for _, row := range rows {
			if who, ok := map[string]string{"us-defense-plans/": "sam", "us-defense-plans/noforn/": "sam", "fr-space-missions/": "claire"}[row]; ok {
				w.check(t, w.ask(t, request{who: who, method: http.MethodGet, path: "/" + row + "welcome.txt"}), allowed(http.StatusOK, owner(row)))
			}
		}
	})
}

func TestHTTP2IsJudgedAlike(t *testing.T) {
	w := sharedWorld(t)
	t.Parallel()
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	second := &http.Client{Transport: &http.Transport{Protocols: &protocols}}
	for who, want := range map[string]outcome{"sam": served, "uma": belowPlans} {
		req, err := http.NewRequest(http.MethodGet, w.url(w.ports.Storage)+welcome, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+w.token(t, who))
		a, err := do(second, req)
		if err != nil {
			t.Fatal(err)
		}
		w.check(t, a, want)
	}
}
