package s3

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource/routed"
)

// Call is what an S3 request asks for. Upstream.Tenant is left to whoever knows the rows.
type Call struct {
	Operation string  // as AWS names it
	Touches   []Touch // at least one; sources before what is written from them
	Bound     bool    // the store can be held to the object whose label was judged
	Labels    Labels  // of a write
	Upstream  authz.Upstream
}

// Labels is what a write says of labels, as it stands in the request.
type Labels struct {
	Metadata, Tags map[string]string // those under the names that objects carry labels in (OwnLabel, SIOLabel); none is empty
	Other          bool              // there are other tags, or metadata that tools take for a label

	// Of a copy: what it takes over from its source, so that the store ignores what the request says of it.
	KeepsMetadata, KeepsTags bool
}

// Touch is one verb on one path. A list touches everything whose path starts with Path.
type Touch struct {
	Action string // read, list, create, update, delete or relabel
	Path   string // bucket/key, of a list bucket/prefix
	From   string // the bucket/key that flows into what is written; "" if nothing does
	To     string // the bucket/key that the data goes to; "" is the client
	Fresh  bool   // of a relabel: the content is as new as the label
}

// Parse reads req. Its error is a *authz.Refusal.
func Parse(req authz.Request) (Call, error) {
	if err := checkHeaders(req.Headers); err != nil {
		return Call{}, err
	}
	address, err := parseAddress(req)
	if err != nil {
		return Call{}, err
	}
	q, err := parseQuery(req.Query)
	if err != nil {
		return Call{}, err
	}
	from, sources := req.Headers.Get("x-amz-copy-source")
	op, err := find(req.Method, address.target(), sources > 0, q)
	if err != nil {
		return Call{}, err
	}
	if err := q.check(op); err != nil {
		return Call{}, err
	}
	signed, err := signedHeaders(req.Headers, op)
	if err != nil {
		return Call{}, err
	}
	hash, err := payloadHash(req.Headers, op)
	if err != nil {
		return Call{}, err
	}
	call := Call{Operation: op.name, Bound: op.bound, Labels: labels(req.Headers), Upstream: authz.Upstream{
		Audience:    req.Extensions["audience"],
		Region:      req.Extensions["region"],
		Method:      req.Method,
		Host:        req.Host,
		Path:        address.canonical(),
		Query:       q.canonical(),
		Headers:     signed,
		PayloadHash: hash,
		Remove:      routed.Removed(req.Headers),
	}}
	switch op.does {
	case batch:
		call.Upstream.PayloadHash, call.Touches, err = deleteTouches(req, address, hash)
	case copies:
		call.Touches, err = copyTouches(req.Headers, address, from)
	default:
		call.Touches = touches(op, req.Headers, address, q)
	}
	if err != nil {
		return Call{}, err
	}
	return call, nil
}

// signedHeaders returns the x-amz-* headers that the grant must cover, sorted by name, and refuses those that op does not list.
func signedHeaders(headers authz.Headers, op *operation) ([]authz.HeaderField, error) {
	signed := []authz.HeaderField{}
	for _, h := range headers {
		if !strings.HasPrefix(h.Name, "x-amz-") {
			continue
		}
		if !op.allows(h.Name) {
			return nil, unsupported("header %s is not one of %s's", h.Name, op.name)
		}
		switch h.Name {
		case "x-amz-date", "x-amz-content-sha256", "x-amz-security-token": // the grant makes or removes these
		case "x-amz-metadata-directive", "x-amz-tagging-directive":
			if h.Value != "COPY" && h.Value != "REPLACE" {
				return nil, ambiguous("header %s: %q: want COPY or REPLACE", h.Name, h.Value)
			}
			fallthrough
		default:
			signed = append(signed, authz.HeaderField{Name: h.Name, Value: strings.Trim(h.Value, " ")})
		}
	}
	slices.SortFunc(signed, func(a, b authz.HeaderField) int { return cmp.Compare(a.Name, b.Name) })
	return signed, nil
}

// touches returns what an operation without a source or a body of keys touches.
func touches(op *operation, headers authz.Headers, a address, q query) []Touch {
	path := a.path()
	switch op.does {
	case reads:
		return []Touch{{Action: "read", Path: path}}
	case lists:
		prefix, _ := q.get("prefix")
		return []Touch{{Action: "list", Path: path + prefix}}
	case deletes:
		return []Touch{{Action: "delete", Path: path}}
	case updates:
		return []Touch{{Action: "update", Path: path, To: path}, {Action: "relabel", Path: path, To: path}}
	default:
		return append([]Touch{{Action: "create", Path: path, To: path}}, relabels(headers, path)...)
	}
}

// copyTouches returns the read of the source and the create of the destination. A copy onto itself has no other purpose than new
// metadata.
func copyTouches(headers authz.Headers, a address, value string) ([]Touch, error) {
	from, err := copySource(value)
	if err != nil {
		return nil, err
	}
	path := a.path()
	t := []Touch{{Action: "read", Path: from, To: path}, {Action: "create", Path: path, From: from, To: path}}
	if from == path {
		return append(t, Touch{Action: "relabel", Path: path, To: path}), nil
	}
	return append(t, relabels(headers, path)...), nil
}

// relabels returns a relabel of path if headers write a label: in tags, or in metadata that names one.
func relabels(headers authz.Headers, path string) []Touch {
	if l := labels(headers); l.Other || len(l.Metadata) > 0 || len(l.Tags) > 0 {
		return []Touch{{Action: "relabel", Path: path, To: path, Fresh: true}}
	}
	return nil
}

// labels reads what headers write of labels. All tags count: who reads them as labels is not known here.
func labels(headers authz.Headers) Labels {
	_, copies := headers.Get("x-amz-copy-source")
	l := Labels{KeepsMetadata: copies > 0, KeepsTags: copies > 0}
	for _, h := range headers {
		name, isMetadata := strings.CutPrefix(h.Name, "x-amz-meta-")
		switch {
		case isMetadata && h.Value != "" && (name == OwnLabel || name == SIOLabel):
			if l.Metadata == nil {
				l.Metadata = map[string]string{}
			}
			l.Metadata[name] = h.Value
		case isMetadata && slices.Contains(labelling, name):
			l.Other = true
		case h.Name == "x-amz-tagging":
			tags, err := url.ParseQuery(h.Value)
			own := tags[OwnLabel]
			if err == nil && len(own) == 1 && own[0] != "" {
				l.Tags = map[string]string{OwnLabel: own[0]}
			}
			l.Other = l.Other || l.Tags == nil || len(tags) != 1
		case h.Name == "x-amz-tagging-directive" && h.Value == "REPLACE":
			l.KeepsTags = false
		case h.Name == "x-amz-metadata-directive" && h.Value == "REPLACE":
			l.KeepsMetadata = false
		}
	}
	if _, tags := headers.Get("x-amz-tagging"); copies > 0 && !l.KeepsTags && tags == 0 {
		l.Other = true // the copy drops its source's tags
	}
	return l
}

// deleteTouches reads the body of a batch delete. The grant is bound to the body that was judged, whatever the client signed.
func deleteTouches(req authz.Request, a address, hash string) (string, []Touch, error) {
	if req.Extensions["body"] != "present" {
		return "", nil, unsupported("DeleteObjects on a route without its body (context extension body: present)")
	}
	if _, n := req.Headers.Get("content-encoding"); n > 0 {
		return "", nil, unsupported("DeleteObjects with a content-encoding")
	}
	if length, n := req.Headers.Get("content-length"); n > 0 && length != strconv.Itoa(len(req.Body)) {
		return "", nil, ambiguous("content-length %q, but the body has %d bytes", length, len(req.Body))
	}
	sum := sha256.Sum256(req.Body)
	judged := hex.EncodeToString(sum[:])
	if hash != unsignedPayload && hash != judged {
		return "", nil, ambiguous("header x-amz-content-sha256 is not the body's digest")
	}
	keys, err := parseDelete(req.Body)
	if err != nil {
		return "", nil, err
	}
	var t []Touch
	for _, key := range keys {
		t = append(t, Touch{Action: "delete", Path: a.bucket + "/" + key})
	}
	return judged, t, nil
}
