package s3

import (
	"slices"
	"strings"
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
	copy     bool     // x-amz-copy-source must be there; where this is false, that header is refused like any other
	selected []string // query names that must be there, and by which the operation is recognised
	query    []string // query names that may be there
	headers  []string // x-amz-* headers that may be there; a trailing * is any ending
	streams  bool     // the body may be an aws-chunked stream with an unsigned trailer
	bound    bool     // the store can be held to the object whose label was judged, so rows whose objects carry labels permit it
	does     shape
}

// What several operations share.
const (
	listing   = "prefix delimiter encoding-type max-keys"
	responses = "partNumber response-cache-control response-content-disposition response-content-encoding " +
		"response-content-language response-content-type response-expires"
	checksums = "x-amz-sdk-checksum-algorithm x-amz-checksum-algorithm x-amz-checksum-type x-amz-checksum-crc32 x-amz-checksum-crc32c " +
		"x-amz-checksum-crc64nvme x-amz-checksum-sha1 x-amz-checksum-sha256 x-amz-checksum-sha512"
	stream   = "x-amz-decoded-content-length x-amz-trailer"
	metadata = "x-amz-meta-* x-amz-tagging"
	source   = "x-amz-copy-source x-amz-copy-source-if-match x-amz-copy-source-if-modified-since " +
		"x-amz-copy-source-if-none-match x-amz-copy-source-if-unmodified-since"
)

// common are the headers that every operation may carry: the grant makes the first three anew, and the last says who asks.
var common = words("x-amz-content-sha256 x-amz-date x-amz-security-token x-amz-user-agent")

func words(s string) []string { return strings.Fields(s) }

// operations is everything that can be asked of the store. Aborting an upload is a delete: it destroys parts that somebody wrote,
// and a row on hold keeps them. Completing one is a create: only then does the object exist.
var operations = []operation{
	{name: "HeadBucket", method: "HEAD", on: bucket, does: lists},
	{name: "GetBucketLocation", method: "GET", on: bucket, selected: words("location"), does: lists},
	{name: "GetBucketVersioning", method: "GET", on: bucket, selected: words("versioning"), does: lists},
	{name: "ListObjects", method: "GET", on: bucket, query: words(listing + " marker"), does: lists},
	{name: "ListObjectsV2", method: "GET", on: bucket, selected: words("list-type"),
		query: words(listing + " start-after continuation-token fetch-owner"), does: lists},
	{name: "ListObjectVersions", method: "GET", on: bucket, selected: words("versions"),
		query: words(listing + " key-marker version-id-marker"), does: lists},
	{name: "ListMultipartUploads", method: "GET", on: bucket, selected: words("uploads"),
		query: words("prefix delimiter encoding-type max-uploads key-marker upload-id-marker"), does: lists},
	{name: "DeleteObjects", method: "POST", on: bucket, selected: words("delete"), headers: words(checksums), does: batch},

	{name: "GetObject", method: "GET", on: object, query: words(responses), headers: words("x-amz-checksum-mode"), bound: true, does: reads},
	{name: "HeadObject", method: "HEAD", on: object, query: words(responses), headers: words("x-amz-checksum-mode"), bound: true, does: reads},
	{name: "GetObjectAttributes", method: "GET", on: object, selected: words("attributes"),
		headers: words("x-amz-object-attributes x-amz-max-parts x-amz-part-number-marker"), does: reads},
	{name: "GetObjectTagging", method: "GET", on: object, selected: words("tagging"), does: reads},
	{name: "PutObject", method: "PUT", on: object, headers: words(checksums + " " + stream + " " + metadata), streams: true, bound: true, does: creates},
	{name: "CopyObject", method: "PUT", on: object, copy: true,
		headers: words(source + " " + metadata + " x-amz-metadata-directive x-amz-tagging-directive x-amz-checksum-algorithm"), bound: true, does: copies},
	{name: "DeleteObject", method: "DELETE", on: object, bound: true, does: deletes},
	{name: "PutObjectTagging", method: "PUT", on: object, selected: words("tagging"), headers: words(checksums), does: updates},
	{name: "DeleteObjectTagging", method: "DELETE", on: object, selected: words("tagging"), does: updates},

	{name: "CreateMultipartUpload", method: "POST", on: object, selected: words("uploads"),
		headers: words(metadata + " x-amz-checksum-algorithm x-amz-checksum-type"), does: creates},
	{name: "UploadPart", method: "PUT", on: object, selected: words("partNumber uploadId"),
		headers: words(checksums + " " + stream), streams: true, does: creates},
	{name: "UploadPartCopy", method: "PUT", on: object, copy: true, selected: words("partNumber uploadId"),
		headers: words(source + " x-amz-copy-source-range"), does: copies},
	{name: "CompleteMultipartUpload", method: "POST", on: object, selected: words("uploadId"),
		headers: words(checksums + " x-amz-mp-object-size"), does: creates},
	{name: "AbortMultipartUpload", method: "DELETE", on: object, selected: words("uploadId"), does: deletes},
	{name: "ListParts", method: "GET", on: object, selected: words("uploadId"), query: words("max-parts part-number-marker"), does: lists},
}

// labelling are the metadata names (after x-amz-meta-) that name a label: writing one is also a relabel. The list is what
// SIO label bindings (ADatP-4778.2) and common classification tools write; a name that is not on it is never read as a label.
var labelling = []string{
	"sio-label", "confidentiality-label", "security-label", "label", "labels", "originator-confidentiality-label", "metadata-confidentiality-label",
	"classification", "security-classification", "classification-level", "caveat", "caveats", "handling", "releasability", "releasable-to",
}

// Where an object carries labels of its own, if its row wants them: metadata and a tag of one name, and metadata of another.
const (
	OwnLabel = "label"
	SIOLabel = "sio-label"
)

// find returns the operation that method, target, the presence of a copy source and the query's names select. Two operations can
// never both fit: TestNoTwoOperationsFitOneRequest.
func find(method string, on target, copy bool, q query) (*operation, error) {
	var near *operation // selected, if it were not for the name extra
	var extra string
	for i := range operations {
		op := &operations[i]
		if op.method != method || op.on != on || op.copy != copy || !q.hasAll(op.selected) {
			continue
		}
		name := q.outside(op)
		if name == "" {
			return op, nil
		}
		near, extra = op, name
	}
	if near != nil {
		return nil, unsupported("query name %q is not one of %s's", extra, near.name)
	}
	return nil, unsupported("%q of this %s is no supported operation", method, on)
}

// allows reports whether op may carry the x-amz-* header name.
func (op *operation) allows(name string) bool {
	return matches(common, name) || matches(op.headers, name)
}

// matches reports whether name is in list, where a trailing * is any ending.
func matches(list []string, name string) bool {
	return slices.ContainsFunc(list, func(l string) bool {
		prefix, open := strings.CutSuffix(l, "*")
		return l == name || open && strings.HasPrefix(name, prefix) && len(name) > len(prefix)
	})
}
