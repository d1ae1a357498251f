package s3_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"pgregory.net/rapid"

	"github.com/sallyport-dev/sallyport/authz/resource/s3"
)

// The canonical form is right if the SDK's signer, given the same request, makes the signature that follows from it.
func TestTheCanonicalFormIsTheSigners(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, target := range []string{
		"/us-fire/a", "/us-fire/a%20b%2Bc%25/(d)*'!$&,:=@~._-", "/us-fire/%C3%A9/%3F%23", "/us-fire/100%25", "/us-fire/a/",
		"/us-fire?list-type=2&prefix=a%2Fb%20c&delimiter=/", "/us-fire?versions", "/us-fire/?prefix=%2B&marker=a=b&max-keys=1",
		"/us-fire?prefix=*()'!~&delimiter=$,:@",
	} {
		call, err := s3.Parse(get(target))
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse("http://storage.sallyport.test:10000" + target)
		if err != nil {
			t.Fatal(err)
		}
		u.RawPath = call.Upstream.Path // the signer takes the path as it is escaped, the query as values
		req := &http.Request{Method: "GET", URL: u, Host: u.Host, Header: http.Header{}}
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		if err := signer.SignHTTP(context.Background(), aws.Credentials{AccessKeyID: "a", SecretAccessKey: "s"}, req, call.Upstream.PayloadHash, "s3", "us-east-1", at); err != nil {
			t.Fatal(err)
		}
		_, have, _ := strings.Cut(req.Header.Get("Authorization"), "Signature=")
		if want := signature(call, at); have != want {
			t.Errorf("%s: canonical form %s?%s: the signer makes %s, it %s", target, call.Upstream.Path, call.Upstream.Query, have, want)
		}
	}
}

// signature is SigV4 by hand, over host and x-amz-date.
func signature(call s3.Call, at time.Time) string {
	date := at.Format("20060102T150405Z")
	canonical := strings.Join([]string{call.Upstream.Method, call.Upstream.Path, call.Upstream.Query,
		"host:" + call.Upstream.Host + "\nx-amz-date:" + date + "\n", "host;x-amz-date", call.Upstream.PayloadHash}, "\n")
	scope := date[:8] + "/us-east-1/s3/aws4_request"
	key := []byte("AWS4s")
	for _, part := range []string{date[:8], "us-east-1", "s3", "aws4_request", "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + digest(canonical)} {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(part))
		key = h.Sum(nil)
	}
	return hex.EncodeToString(key)
}

func TestTheCanonicalFormIsItsOwn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-zé0-9 %/?&=+~()*.-]{0,20}`)
		path := "/" + strings.ReplaceAll(url.PathEscape(text.Draw(t, "path")), "+", "%2B")
		query := "prefix=" + strings.ReplaceAll(url.QueryEscape(text.Draw(t, "prefix")), "+", "%20") + "&marker=" + url.PathEscape(strings.ReplaceAll(text.Draw(t, "marker"), "+", ""))
		for _, canonical := range []struct {
			raw string
			of  func(string) (string, error)
		}{{path, s3.CanonicalPath}, {query, s3.CanonicalQuery}} {
			once, err := canonical.of(canonical.raw)
			if err != nil {
				continue // refused: nothing to sign
			}
			if twice, err := canonical.of(once); err != nil || twice != once {
				t.Fatalf("%q is %q, and then %q, %v", canonical.raw, once, twice, err)
			}
		}
	})
}
