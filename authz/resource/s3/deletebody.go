package s3

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	namespace     = "http://s3.amazonaws.com/doc/2006-03-01/"
	maxDeleteBody = 1 << 20 // Envoy passes 256 KiB at most; a thousand of the longest keys, escaped, fit in neither
	maxDeleteKeys = 1000    // S3's own limit
)

// parseDelete returns the keys of a batch delete. XML readers differ in what they do with a second Key, a comment inside one, a
// foreign namespace or text after the root, so this reads one form only: a root Delete in S3's namespace or none, with Objects of
// one Key each and at most one Quiet, in plain text.
func parseDelete(body []byte) ([]string, error) {
	if len(body) > maxDeleteBody {
		return nil, unsupported("DeleteObjects body of %d bytes: at most %d", len(body), maxDeleteBody)
	}
	if len(body) == 0 || !utf8.Valid(body) {
		return nil, ambiguous("DeleteObjects body is empty or not UTF-8")
	}
	s := scanner{rest: string(body)}
	keys, err := s.document()
	if err != nil {
		return nil, ambiguous("DeleteObjects body, byte %d: %v", len(body)-len(s.rest), err)
	}
	if s.versioned {
		return nil, unsupported("DeleteObjects body names a VersionId: only current versions can be deleted")
	}
	if len(keys) == 0 || len(keys) > maxDeleteKeys {
		return nil, unsupported("DeleteObjects body names %d keys: want 1 to %d", len(keys), maxDeleteKeys)
	}
	seen := make(map[string]bool, len(keys))
	for _, key := range keys {
		if err := checkKey(key); err != nil {
			return nil, ambiguous("DeleteObjects body: %v", err)
		}
		if seen[key] {
			return nil, ambiguous("DeleteObjects body names %q twice", key)
		}
		seen[key] = true
	}
	return keys, nil
}

// scanner reads XML left to right and knows only what a batch delete needs.
type scanner struct {
	rest      string
	versioned bool // a VersionId was there
}

// document reads the XML declaration, if there is one, the root, and nothing after it.
func (s *scanner) document() ([]string, error) {
	if strings.HasPrefix(s.rest, "<?xml") {
		if err := s.declaration(); err != nil {
			return nil, err
		}
	}
	s.space()
	if !s.take("<Delete>") && !s.take(`<Delete xmlns="`+namespace+`">`) && !s.take(`<Delete xmlns='`+namespace+`'>`) {
		return nil, s.expected("<Delete> in S3's namespace or none")
	}
	var keys []string
	quiet := false
	for s.space(); !s.take("</Delete>"); s.space() {
		switch {
		case s.take("<Object>"):
			key, err := s.object()
			if err != nil {
				return nil, err
			}
			keys = append(keys, key)
		case !quiet && s.take("<Quiet>"):
			quiet = true
			if !s.take("true</Quiet>") && !s.take("false</Quiet>") {
				return nil, s.expected("true or false, then </Quiet>")
			}
		default:
			return nil, s.expected("<Object>, one <Quiet> or </Delete>")
		}
	}
	if s.space(); s.rest != "" {
		return nil, s.expected("nothing after </Delete>")
	}
	return keys, nil
}

// declaration reads <?xml version="1.0" encoding="UTF-8"?>, with either kind of quote and the encoding left out or not.
func (s *scanner) declaration() error {
	for _, quote := range []string{`"`, `'`} {
		start := "<?xml version=" + quote + "1.0" + quote
		for _, encoding := range []string{"", " encoding=" + quote + "UTF-8" + quote, " encoding=" + quote + "utf-8" + quote} {
			if s.take(start+encoding+"?>") || s.take(start+encoding+" ?>") {
				return nil
			}
		}
	}
	return s.expected(`<?xml version="1.0" encoding="UTF-8"?>`)
}

// object reads an Object's elements up to its end: exactly one Key and at most one VersionId.
func (s *scanner) object() (key string, err error) {
	found, versioned := false, false
	for s.space(); !s.take("</Object>"); s.space() {
		switch {
		case !found && s.take("<Key>"):
			found = true
			if key, err = s.text("</Key>"); err != nil {
				return "", err
			}
		case !versioned && s.take("<VersionId>"):
			versioned, s.versioned = true, true
			if _, err = s.text("</VersionId>"); err != nil {
				return "", err
			}
		default:
			return "", s.expected("one <Key>, at most one <VersionId>, then </Object>")
		}
	}
	if !found {
		return "", fmt.Errorf("an <Object> without <Key>")
	}
	return key, nil
}

// text reads characters and references up to the end tag.
func (s *scanner) text(end string) (string, error) {
	var b strings.Builder
	for {
		i := strings.IndexAny(s.rest, "<&")
		if i < 0 {
			return "", s.expected(end)
		}
		if strings.Contains(s.rest[:i], "]]>") {
			return "", fmt.Errorf("]]> in text")
		}
		b.WriteString(s.rest[:i])
		s.rest = s.rest[i:]
		if s.take(end) {
			return b.String(), nil
		}
		r, err := s.reference()
		if err != nil {
			return "", err
		}
		b.WriteRune(r)
	}
}

// reference reads one of the five predefined entities or a numeric character reference.
func (s *scanner) reference() (rune, error) {
	for name, r := range map[string]rune{"&lt;": '<', "&gt;": '>', "&amp;": '&', "&quot;": '"', "&apos;": '\''} {
		if s.take(name) {
			return r, nil
		}
	}
	name, rest, found := strings.Cut(s.rest, ";")
	digits, numeric := strings.CutPrefix(name, "&#")
	if !found || !numeric {
		return 0, s.expected("text, a predefined entity or a numeric reference")
	}
	base := 10
	if hex, isHex := strings.CutPrefix(digits, "x"); isHex {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
		return 0, fmt.Errorf("reference %q names no character", name+";")
	}
	s.rest = rest
	return rune(n), nil
}

// take skips token if it comes next.
func (s *scanner) take(token string) bool {
	rest, found := strings.CutPrefix(s.rest, token)
	if found {
		s.rest = rest
	}
	return found
}

// space skips white space.
func (s *scanner) space() { s.rest = strings.TrimLeft(s.rest, " \t\r\n") }

func (s *scanner) expected(what string) error {
	next := s.rest
	if len(next) > 40 {
		next = next[:40] + "…"
	}
	return fmt.Errorf("%q: want %s", next, what)
}
