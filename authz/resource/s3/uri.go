package s3

import (
	"fmt"
	"strings"
)

// ParseURI returns the bucket/key of the object that s3://bucket/key names. Such a URI is plain text: nothing in it is escaped, so
// what other readers would unescape, or cut off as a query or fragment, is refused.
func ParseURI(uri string) (path string, err error) {
	path, found := strings.CutPrefix(uri, "s3://")
	if !found {
		return "", fmt.Errorf("%q: want s3://bucket/key", uri)
	}
	if i := strings.IndexAny(path, "%?#"); i >= 0 {
		return "", fmt.Errorf("%q has a %q, which some readers take for more than a character", uri, path[i])
	}
	bucket, key, _ := strings.Cut(path, "/")
	if err := CheckBucket(bucket); err != nil {
		return "", err
	}
	if strings.HasSuffix(key, "/") {
		return "", fmt.Errorf("%q names a folder, no object", uri)
	}
	return path, checkKey(key)
}
