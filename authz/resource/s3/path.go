package s3

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxKey is S3's limit on a key, in bytes of UTF-8.
const maxKey = 1024

// unescape decodes the percent-escapes of s, once. It refuses what a URI may not hold, and '+', which one reader takes for a plus
// and another for a space; SDKs write %2B and %20.
func unescape(s string) (string, error) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '%':
			if i+2 >= len(s) || !hexadecimal(s[i+1]) || !hexadecimal(s[i+2]) {
				return "", fmt.Errorf("%q has a broken escape", s)
			}
			c = nibble(s[i+1])<<4 | nibble(s[i+2])
			i += 2
		case c <= ' ' || c >= 0x7f || strings.IndexByte("+;#?\"<>\\^`{|}", c) >= 0:
			return "", fmt.Errorf("%q has a raw %q: want it escaped", s, c)
		}
		b = append(b, c)
	}
	return string(b), checkText(string(b))
}

// unescapePath decodes a path. An escaped slash lies inside a segment to one reader and between two to another.
func unescapePath(s string) (string, error) {
	if strings.Contains(strings.ToLower(s), "%2f") {
		return "", fmt.Errorf("%q has an escaped slash", s)
	}
	return unescape(s)
}

// escape encodes s as SigV4 does for S3: every byte but the unreserved ones and those in kept, once.
func escape(s, kept string) string {
	const upper = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(s) {
		if alphanumeric(c) || strings.IndexByte("-._~"+kept, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', upper[c>>4], upper[c&15]})
		}
	}
	return b.String()
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func hexadecimal(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func nibble(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

// checkText refuses text that a log, a file system or another decoder would read differently.
func checkText(s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%q is not UTF-8", s)
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("%q has a control character", s)
	}
	return nil
}

// checkKey reports what is wrong with an object's key. A trailing slash is a folder's name.
func checkKey(key string) error {
	if key == "" {
		return errors.New("the key is empty")
	}
	return checkPrefix(key)
}

// checkPrefix reports what is wrong with the beginning of a key; it may be empty.
func checkPrefix(p string) error {
	if len(p) > maxKey {
		return fmt.Errorf("%d bytes: a key has at most %d", len(p), maxKey)
	}
	if err := checkText(p); err != nil {
		return err
	}
	if strings.Contains(p, `\`) {
		return fmt.Errorf("%q has a backslash", p)
	}
	for i := range len(p) {
		if p[i] == '%' && i+2 < len(p) && hexadecimal(p[i+1]) && hexadecimal(p[i+2]) {
			return fmt.Errorf("%q would be another key if it were decoded once more", p)
		}
	}
	segments := strings.Split(p, "/")
	for i, s := range segments {
		if s == "" && i < len(segments)-1 {
			return fmt.Errorf("%q has an empty segment", p)
		}
		if plain, _, _ := strings.Cut(s, ";"); plain == "." || plain == ".." {
			return fmt.Errorf("%q has a dot segment", p)
		}
		if private(s) {
			return fmt.Errorf("%q has a segment that the store keeps for itself", p)
		}
	}
	return nil
}

// private reports whether a store keeps names like segment for itself: parts of running uploads lie under .sgwtmp, and files that
// are being written are called .<name>.sgwtmp.<n>. They would be read under the looser label of whatever is above them.
func private(segment string) bool {
	lower := strings.ToLower(segment)
	return strings.HasPrefix(lower, ".sgw") || strings.Contains(lower, ".sgwtmp")
}

// CheckBucket reports what is wrong with a bucket's name. S3 allows dots too; they are refused, because a name with dots is not
// one label of a host name. Queues of jobs are named like buckets.
func CheckBucket(name string) error {
	ok := len(name) >= 3 && len(name) <= 63 && name[0] != '-' && name[len(name)-1] != '-'
	for _, c := range []byte(name) {
		ok = ok && (c == '-' || alphanumeric(c) && (c < 'A' || c > 'Z'))
	}
	return want(ok, fmt.Sprintf("bucket %q: want 3 to 63 lower-case letters, digits and inner hyphens", name))
}

// SplitRow checks the id of a catalogue row, bucket/ or bucket/prefix/, and returns its bucket. A row's id is held to the same
// rules as a request's path, so that every row can be reached and none stands for two paths.
func SplitRow(id string) (bucketName string, err error) {
	name, prefix, found := strings.Cut(id, "/")
	if !found || prefix != "" && !strings.HasSuffix(prefix, "/") {
		return "", fmt.Errorf("row %q: want bucket/ or bucket/prefix/", id)
	}
	if err := CheckBucket(name); err != nil {
		return "", err
	}
	return name, checkPrefix(prefix)
}
