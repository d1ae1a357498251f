package s3

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
)

// target is what the path names.
type target string

const (
	bucket target = "bucket"
	object target = "object"
)

// shape is the list of accesses that an operation performs. The value is its description in OPERATIONS.md.
type shape string

const (
	reads   shape = "read of the object"
	lists   shape = "list of every row under the prefix, and of the row above it"
	creates shape = "create of the object"
	updates shape = "update and relabel of the object"
	deletes shape = "delete of the object"
	batch   shape = "delete of each key in the body"
	copies  shape = "read of the source, create of the object from it"
)

// operation is one line of the closed table.
type operation struct {
	name     string // as AWS names it
	method   string
	on       target
	copy     bool   // x-amz-copy-source is required; where it is false, that header is refused like any other
	selected string // query names that must be there, and by which the operation is recognised, separated by spaces
	query    string // query names that may be there
	headers  string // x-amz-* headers that may be there; a trailing * is any ending
	streams  bool   // the body may be an aws-chunked stream with an unsigned trailer
	does     shape
}

// What several operations share.
const (
	listing   = "prefix delimiter encoding-type max-keys"
	responses = "partNumber response-cache-control response-content-disposition response-content-encoding response-content-language response-content-type response-expires"
	checksums = "x-amz-sdk-checksum-algorithm x-amz-checksum-algorithm x-amz-checksum-type x-amz-checksum-crc32 x-amz-checksum-crc32c x-amz-checksum-crc64nvme x-amz-checksum-sha1 x-amz-checksum-sha256 x-amz-checksum-sha512"
	stream    = "x-amz-decoded-content-length x-amz-trailer"
	metadata  = "x-amz-meta-* x-amz-tagging"
	source    = "x-amz-copy-source x-amz-copy-source-if-match x-amz-copy-source-if-modified-since x-amz-copy-source-if-none-match x-amz-copy-source-if-unmodified-since"
)

// common are the headers that every operation may carry: the grant makes the first three anew, and the last says who asks.
const common = "x-amz-content-sha256 x-amz-date x-amz-security-token x-amz-user-agent"

// operations is everything that can be asked of the store. Aborting an upload is a delete: it destroys parts that somebody wrote,
// and a row on hold keeps them. Completing one is a create: only then does the object exist.
var operations = []operation{
	{name: "HeadBucket", method: "HEAD", on: bucket, does: lists},
	{name: "GetBucketLocation", method: "GET", on: bucket, selected: "location", does: lists},
	{name: "GetBucketVersioning", method: "GET", on: bucket, selected: "versioning", does: lists},
	{name: "ListObjects", method: "GET", on: bucket, query: listing + " marker", does: lists},
	{name: "ListObjectsV2", method: "GET", on: bucket, selected: "list-type", query: listing + " start-after continuation-token fetch-owner", does: lists},
	{name: "ListObjectVersions", method: "GET", on: bucket, selected: "versions", query: listing + " key-marker version-id-marker", does: lists},
	{name: "ListMultipartUploads", method: "GET", on: bucket, selected: "uploads", query: "prefix delimiter encoding-type max-uploads key-marker upload-id-marker", does: lists},
	{name: "DeleteObjects", method: "POST", on: bucket, selected: "delete", headers: checksums, does: batch},

	{name: "GetObject", method: "GET", on: object, query: responses, headers: "x-amz-checksum-mode", does: reads},
	{name: "HeadObject", method: "HEAD", on: object, query: responses, headers: "x-amz-checksum-mode", does: reads},
	{name: "GetObjectAttributes", method: "GET", on: object, selected: "attributes", headers: "x-amz-object-attributes x-amz-max-parts x-amz-part-number-marker", does: reads},
	{name: "GetObjectTagging", method: "GET", on: object, selected: "tagging", does: reads},
	{name: "PutObject", method: "PUT", on: object, headers: checksums + " " + stream + " " + metadata, streams: true, does: creates},
	{name: "CopyObject", method: "PUT", on: object, copy: true, headers: source + " " + metadata + " x-amz-metadata-directive x-amz-tagging-directive x-amz-checksum-algorithm", does: copies},
	{name: "DeleteObject", method: "DELETE", on: object, does: deletes},
	{name: "PutObjectTagging", method: "PUT", on: object, selected: "tagging", headers: checksums, does: updates},
	{name: "DeleteObjectTagging", method: "DELETE", on: object, selected: "tagging", does: updates},

	{name: "CreateMultipartUpload", method: "POST", on: object, selected: "uploads", headers: metadata + " x-amz-checksum-algorithm x-amz-checksum-type", does: creates},
	{name: "UploadPart", method: "PUT", on: object, selected: "partNumber uploadId", headers: checksums + " " + stream, streams: true, does: creates},
	{name: "UploadPartCopy", method: "PUT", on: object, copy: true, selected: "partNumber uploadId", headers: source + " x-amz-copy-source-range", does: copies},
	{name: "CompleteMultipartUpload", method: "POST", on: object, selected: "uploadId", headers: checksums + " x-amz-mp-object-size", does: creates},
	{name: "AbortMultipartUpload", method: "DELETE", on: object, selected: "uploadId", does: deletes},
	{name: "ListParts", method: "GET", on: object, selected: "uploadId", query: "max-parts part-number-marker", does: lists},
}

// labelling are the metadata names (after x-amz-meta-) that name a label: writing one is also a relabel. The list is what
// SIO label bindings (ADatP-4778.2) and common classification tools write; a name that is not on it is never read as a label.
var labelling = []string{
	"sio-label", "confidentiality-label", "security-label", "label", "labels", "originator-confidentiality-label", "metadata-confidentiality-label",
	"classification", "security-classification", "classification-level", "caveat", "caveats", "handling", "releasability", "releasable-to",
}

// find returns the operation that method, target, the presence of a copy source and the query's names select. Two operations can
// never both fit: TestNoTwoOperationsFitOneRequest.
func find(method string, on target, copy bool, q query) (*operation, error) {
	var refused string
	for i := range operations {
		op := &operations[i]
		if op.method != method || op.on != on || op.copy != copy || !q.hasAll(strings.Fields(op.selected)) {
			continue
		}
		if extra := q.outside(op); extra != "" {
			refused = fmt.Sprintf("query name %q is not one of %s's", extra, op.name)
			continue
		}
		return op, nil
	}
	if refused == "" {
		refused = fmt.Sprintf("%s of this %s is no supported operation", method, on)
	}
	return nil, authz.Refuse(authz.RequestUnsupported, refused)
}

// allows reports whether op may carry the x-amz-* header name.
func (op *operation) allows(name string) bool {
	return slices.ContainsFunc(strings.Fields(common+" "+op.headers), func(h string) bool {
		prefix, open := strings.CutSuffix(h, "*")
		return h == name || open && strings.HasPrefix(name, prefix) && len(name) > len(prefix)
	})
}
