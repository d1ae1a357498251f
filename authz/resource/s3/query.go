package s3

import (
	"errors"
	"slices"
	"strings"
)

// parameter is one name of a query with its decoded value.
type parameter struct{ name, value string }

// query is a query that was read strictly: every name once, sorted by name.
type query []parameter

// maxQuery bounds the raw query; the longest that a supported operation needs is two keys of 1,024 escaped bytes.
const maxQuery = 16 << 10

// parseQuery reads a raw query. Names must be plain: a name written with escapes is the same sub-resource to a store and another
// one to whoever matches the raw text.
func parseQuery(raw string) (query, error) {
	if raw == "" {
		return nil, nil
	}
	if len(raw) > maxQuery {
		return nil, unsupported("query of %d bytes: at most %d", len(raw), maxQuery)
	}
	var q query
	for _, pair := range strings.Split(raw, "&") {
		name, escaped, _ := strings.Cut(pair, "=")
		if name == "" {
			return nil, ambiguous("query has an empty name")
		}
		if !plainName(name) {
			return nil, ambiguous("query name %q: want letters, digits and hyphens, not escaped", name)
		}
		if unsignable(name) {
			return nil, unsupported("query name %q: presigned URLs and SigV2 are not supported", name)
		}
		value, err := unescape(escaped)
		if err != nil {
			return nil, ambiguous("query %s: %v", name, err)
		}
		q = append(q, parameter{name, value})
	}
	slices.SortFunc(q, func(a, b parameter) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(q); i++ {
		if q[i].name == q[i-1].name {
			return nil, ambiguous("query name %q is there more than once", q[i].name)
		}
	}
	return q, nil
}

// plainName reports whether name is letters, digits and hyphens.
func plainName(name string) bool {
	for _, c := range []byte(name) {
		if !alphanumeric(c) && c != '-' {
			return false
		}
	}
	return name != ""
}

// unsignable reports whether name belongs to a signature in the query: SigV4's X-Amz-*, or SigV2's three.
func unsignable(name string) bool {
	switch lower := strings.ToLower(name); lower {
	case "awsaccesskeyid", "signature", "expires":
		return true
	default:
		return strings.HasPrefix(lower, "x-amz-")
	}
}

// get returns the value of name.
func (q query) get(name string) (value string, found bool) {
	for _, p := range q {
		if p.name == name {
			return p.value, true
		}
	}
	return "", false
}

func (q query) hasAll(names []string) bool {
	for _, n := range names {
		if _, found := q.get(n); !found {
			return false
		}
	}
	return true
}

// outside returns a name of q that op does not list, "" if there is none. SDKs say the operation's name in x-id.
func (q query) outside(op *operation) string {
	for _, p := range q {
		if p.name != "x-id" && !slices.Contains(op.selected, p.name) && !slices.Contains(op.query, p.name) {
			return p.name
		}
	}
	return ""
}

// canonical returns q as SigV4 writes it. Sorting by name is enough, since no name is there twice.
func (q query) canonical() string {
	var b strings.Builder
	for i, p := range q {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.name) // plain: never needs an escape
		b.WriteByte('=')
		b.WriteString(escape(p.value, ""))
	}
	return b.String()
}

// check holds every value of q to the form that its name wants.
func (q query) check(op *operation) error {
	for _, p := range q {
		if err := checkValue(p, op); err != nil {
			return ambiguous("query %s=%q: %v", p.name, p.value, err)
		}
	}
	return nil
}

// checkValue reports what is wrong with a value. Ids of uploads become file names in some stores, so they are held to a grammar.
func checkValue(p parameter, op *operation) error {
	switch p.name {
	case "delete", "uploads", "location", "versioning", "versions", "tagging", "attributes":
		return want(p.value == "", "want no value")
	case "x-id":
		return want(p.value == op.name, "the request is "+op.name)
	case "list-type":
		return want(p.value == "2", "want 2")
	case "encoding-type":
		return want(p.value == "url", "want url")
	case "fetch-owner":
		return want(p.value == "true" || p.value == "false", "want true or false")
	case "partNumber", "max-keys", "max-uploads", "max-parts", "part-number-marker":
		return want(digits(p.value), "want one to five digits")
	case "uploadId":
		return want(opaqueID(p.value), "want letters, digits and . _ - only")
	case "upload-id-marker", "version-id-marker":
		return want(p.value == "" || opaqueID(p.value), "want letters, digits and . _ - only")
	case "prefix", "marker", "start-after", "key-marker":
		return checkPrefix(p.value)
	default: // delimiter, continuation-token, response-*: opaque text
		return checkText(p.value)
	}
}

func want(ok bool, otherwise string) error {
	if ok {
		return nil
	}
	return errors.New(otherwise)
}

func digits(s string) bool {
	return len(s) >= 1 && len(s) <= 5 && strings.Trim(s, "0123456789") == ""
}

// opaqueID reports whether s is a name that a store made: it starts with a letter or digit, so it is no dot segment.
func opaqueID(s string) bool {
	if s == "" || len(s) > 1024 || !alphanumeric(s[0]) {
		return false
	}
	for _, c := range []byte(s) {
		if !alphanumeric(c) && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}
