package authz

import "time"

// Request is what Envoy asked about, read once and never repaired. A request that could not be read arrives with Problem set.
type Request struct {
	ID         string            // Envoy's x-request-id
	Method     string            // upper case
	Scheme     string            // http or https, as the client spoke to Envoy
	Host       string            // :authority as sent
	Path       string            // raw path without the query
	Query      string            // raw query without "?"
	Headers    Headers           // without pseudo headers
	Body       []byte            // nil where Envoy passed none
	Peer       Peer              //
	Extensions map[string]string // the route's context_extensions: which adapter, which upstream
	Received   time.Time         //
	Problem    *Refusal          // why this request can't be judged; nil if it can
}

// Peer is the other end of the connection as Envoy saw it.
type Peer struct {
	Address     string // IP address
	Principal   string // first URI SAN of the verified client certificate
	Certificate string // PEM, URL-encoded, as Envoy passes it
}

// HeaderField is one header; Name is lower case.
type HeaderField struct{ Name, Value string }

// Headers are header fields in the order of arrival, duplicates apart.
type Headers []HeaderField

// Get returns the first value of name (lower case) and how many fields of that name there are.
func (h Headers) Get(name string) (value string, n int) {
	for _, f := range h {
		if f.Name == name {
			if n == 0 {
				value = f.Value
			}
			n++
		}
	}
	return value, n
}

// Refusal is why a step could not do its part: the reason that the record and, where visible, the caller get. It is an error, so
// a step returns it as one; an error of any other type is system.internal.
type Refusal struct {
	Reason Reason
	Detail string // for the record and the operator; never holds a credential, and is never shown to the caller
	Nonce  string // that the client must put into its next DPoP proof (RFC 9449 §9), "" if none is asked for
}

// SignedChunks begins the Detail of a refusal of S3 uploads whose chunks are signed one by one: their signatures chain from the
// client's own, which the store never sees. Clients get 501 for it, so that SDKs say what to change.
const SignedChunks = "signed chunks"

// Refuse makes a Refusal.
func Refuse(r Reason, detail string) *Refusal { return &Refusal{Reason: r, Detail: detail} }

// Error returns the reason and the detail.
func (r *Refusal) Error() string { return string(r.Reason) + ": " + r.Detail }
