package extauthz

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sallyport-dev/sallyport/authz"
)

// checkPath returns what in a path could lead two readers to two places, nil if nothing does. path is visible ASCII with a slash in
// front. Envoy folds some of it before it asks; what is left is refused, since stores and frameworks fold it too, each in its own way.
func checkPath(path string) *authz.Refusal {
	if strings.ContainsAny(path, `\;`) {
		return ambiguous("path %.200q has a raw backslash or semicolon", path)
	}
	plain, ok := decode(path)
	switch {
	case !ok:
		return ambiguous("path %.200q has a broken escape", path)
	case strings.Count(plain, "/") != strings.Count(path, "/") || strings.Contains(plain, `\`):
		return ambiguous("path %.200q has an escaped slash or backslash", path)
	case !text(plain):
		return ambiguous("path %.200q is not UTF-8 or has a control character", path)
	case escaped(plain):
		return ambiguous("path %.200q would be another if it were decoded once more", path)
	}
	segments := strings.Split(plain[1:], "/")
	for i, s := range segments {
		if s == "" && i < len(segments)-1 {
			return ambiguous("path %.200q has an empty segment", path)
		}
		if name, _, _ := strings.Cut(s, ";"); name == "." || name == ".." {
			return ambiguous("path %.200q has a dot segment", path)
		}
	}
	return nil
}

// checkQuery does the same for a query. Which names there may be, and how often, is for who serves the route to say. No detail holds
// any of it: clients put secrets there.
func checkQuery(query string) *authz.Refusal {
	plain, ok := decode(query)
	switch {
	case !ok:
		return ambiguous("the query has a broken escape")
	case strings.Contains(query, ";"):
		return ambiguous("the query has a semicolon, which parts names to some readers")
	case !text(plain):
		return ambiguous("the query is not UTF-8 or has a control character")
	}
	for pair := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(pair, "="); name == "_method" {
			return ambiguous("query name _method asks for another method than the request line")
		}
	}
	return nil
}

// decode takes the percent-escapes of s out, once.
func decode(s string) (plain string, ok bool) {
	if !strings.Contains(s, "%") {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if !escapeAt(s, i) {
				return "", false
			}
			c = nibble(s[i+1])<<4 | nibble(s[i+2])
			i += 2
		}
		b = append(b, c)
	}
	return string(b), true
}

// escaped reports whether s has an escape.
func escaped(s string) bool {
	for i := range len(s) {
		if s[i] == '%' && escapeAt(s, i) {
			return true
		}
	}
	return false
}

func escapeAt(s string, i int) bool {
	return i+2 < len(s) && hexadecimal(s[i+1]) && hexadecimal(s[i+2])
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

// text reports whether s is UTF-8 without control characters.
func text(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
