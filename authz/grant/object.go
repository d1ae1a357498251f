package grant

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/smithy-go/encoding/httpbinding"

	"github.com/sallyport-dev/sallyport/authz"
)

const (
	// objectTimeout bounds what one request may wait for the store before it is decided.
	objectTimeout = 500 * time.Millisecond
	// objectsAtOnce bounds how many requests wait for the store at once; the others wait for them, within objectTimeout.
	objectsAtOnce = 64

	maxTagging = 64 << 10 // ten tags of 128 and 256 characters are far below
)

// etag is an entity tag as stores make it; it goes into a header that is signed.
var etag = regexp.MustCompile(`^"[0-9A-Za-z-]{1,128}"$`)

// Object asks the store, with the tenant's account, what an object carries: its metadata and tags, and the entity tag of the content
// beside which they stood. An object that is not there is the zero Object; whatever else is not an answer is an error.
//
// Every call asks anew. An entity tag follows the content, and not the metadata or tags beside it, so what was read for one request
// can't be shown to hold for the next: a relabelled object has the tag that it had.
//
// The tags are asked for after the content's entity tag: if the object was replaced in between, the grant names the old one, and the
// store refuses it.
func (s *Storage) Object(ctx context.Context, id authz.ObjectID, decisionID string) (authz.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, objectTimeout)
	defer cancel()
	select {
	case s.asking <- struct{}{}:
		defer func() { <-s.asking }()
	case <-ctx.Done():
		return authz.Object{}, fmt.Errorf("the store is asked for %d other objects: %w", objectsAtOnce, ctx.Err())
	}
	account, ok := s.c.Accounts[id.Tenant]
	if !ok {
		return authz.Object{}, fmt.Errorf("no storage account for tenant %q", id.Tenant)
	}
	ask := func(method, query string) (*http.Response, error) {
		u := authz.Upstream{Method: method, Host: s.c.Host, Path: "/" + httpbinding.EscapePath(id.Path, false), Query: query, PayloadHash: "UNSIGNED-PAYLOAD"}
		// Not the bare decision id: that stands in the store's log where the request itself was served.
		return s.do(ctx, account, u, "label-for-"+decisionID)
	}
	head, err := ask(http.MethodHead, "")
	if err != nil {
		return authz.Object{}, err
	}
	head.Body.Close()
	switch {
	case head.StatusCode == http.StatusNotFound:
		return authz.Object{}, nil
	case head.StatusCode != http.StatusOK:
		return authz.Object{}, fmt.Errorf("the store answers %s to HeadObject", head.Status)
	}
	o := authz.Object{ETag: head.Header.Get("ETag"), Metadata: map[string]string{}}
	if !etag.MatchString(o.ETag) || len(head.Header.Values("ETag")) != 1 {
		return authz.Object{}, errors.New("the store names no one entity tag")
	}
	for name, values := range head.Header {
		if name, ok := strings.CutPrefix(strings.ToLower(name), "x-amz-meta-"); ok {
			if len(values) != 1 {
				return authz.Object{}, fmt.Errorf("the store has %d values of metadata %.40q", len(values), name)
			}
			o.Metadata[name] = values[0]
		}
	}
	if n := head.Header.Get("X-Amz-Tagging-Count"); n == "" || n == "0" {
		return o, nil
	}
	tagging, err := ask(http.MethodGet, "tagging=")
	if err != nil {
		return authz.Object{}, err
	}
	defer tagging.Body.Close()
	if tagging.StatusCode != http.StatusOK {
		return authz.Object{}, fmt.Errorf("the store answers %s to GetObjectTagging", tagging.Status)
	}
	o.Tags, err = readTags(tagging.Body)
	return o, err
}

// readTags reads a Tagging document.
func readTags(body io.Reader) (map[string]string, error) {
	b, err := io.ReadAll(io.LimitReader(body, maxTagging+1))
	if err != nil {
		return nil, fmt.Errorf("tags: %w", err)
	}
	if len(b) > maxTagging {
		return nil, fmt.Errorf("tags of more than %d bytes", maxTagging)
	}
	var doc struct {
		XMLName xml.Name `xml:"Tagging"`
		Tags    []struct {
			Key   string
			Value string
		} `xml:"TagSet>Tag"`
	}
	if err := xml.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("tags: %w", err)
	}
	tags := map[string]string{}
	for _, t := range doc.Tags {
		if _, twice := tags[t.Key]; twice {
			return nil, fmt.Errorf("tag %.40q is there twice", t.Key)
		}
		tags[t.Key] = t.Value
	}
	return tags, nil
}

// do makes a request of the gateway's own, which the store's log knows by its referer.
func (s *Storage) do(ctx context.Context, a Account, u authz.Upstream, referer string) (*http.Response, error) {
	fields, err := s.sign(u, a, time.Now())
	if err != nil {
		return nil, err
	}
	r := (&http.Request{Method: u.Method, Host: u.Host, Header: http.Header{},
		URL: &url.URL{Scheme: "http", Host: u.Host, Opaque: "//" + u.Host + u.Path, RawQuery: u.Query}}).WithContext(ctx)
	for _, f := range fields {
		r.Header.Set(f.Name, f.Value)
	}
	r.Header.Set("Referer", referer)
	resp, err := s.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("the store does not answer: %w", err)
	}
	return resp, nil
}
