// Package service is what an upstream behind the gateway links: it turns a request that carries a grant into what the gateway has
// judged and recorded, or into an error that says why not. README.md shows how.
//
// A grant is a compact JWS (RFC 7515) in the header x-sallyport-grant, made by authz/grant for one request: it names its method,
// authority, path, body, subject and decision, lives at most MaxLife, and is taken once. The service takes everything that it does
// from the Grant and nothing from the request.
//
// Invariants: Verify returns a Grant only if every check passed, and no Grant twice while it could still be valid. The form is
// checked before the signature and accepts one spelling only; keys come from configuration, never from the grant or the network.
// Memory is bounded, and a full replay memory refuses. No error holds any part of the grant.
//
// Non-goals: no policy, no keys of its own, no reading of bodies (the caller bounds and reads them). Whether a grant was withdrawn
// before it ends can't be known: they are short instead.
package service

import "time"

const (
	// Header carries the grant.
	Header = "X-Sallyport-Grant"
	// Type is the grant's typ, so that no other token signed by the same key can pass for one.
	Type = "sallyport-grant+jwt"
	// Algorithm is the one that grants are signed by.
	Algorithm = "ES256"
	// MaxSize is the longest grant, in bytes.
	MaxSize = 32 << 10
	// MaxLife is the longest life of a grant.
	MaxLife = 30 * time.Second
	// MaxSkew is how far the clocks of gateway and service may be apart at most.
	MaxSkew = 5 * time.Second
)

// Grant is what the gateway allows one request to do. Its members are the claims of the JWS: all of them are there, and no others.
type Grant struct {
	Issuer     string   `json:"iss"`
	Audience   string   `json:"aud"`
	Subject    string   `json:"sub"` // issuer|sub of who asked
	DecisionID string   `json:"jti"` // names the record in the decision log
	IssuedAt   int64    `json:"iat"` // Unix seconds
	Expires    int64    `json:"exp"`
	Method     string   `json:"method"`
	Authority  string   `json:"authority"`   // as the client sent it
	Path       string   `json:"path"`        // with the query
	BodySHA256 string   `json:"body_sha256"` // hex
	Tenant     string   `json:"tenant"`
	Enclave    string   `json:"enclave"` // where to run; "" of a request that runs nothing
	Operation  string   `json:"operation"`
	Accesses   []Access `json:"accesses"` // in the order in which they were judged
	Limits     Limits   `json:"limits"`
}

// Access is one access that was judged.
type Access struct {
	Operation string `json:"operation"`
	URI       string `json:"uri"`
	URL       string `json:"url"` // presigned, a secret: GET to read, PUT with If-None-Match: * to write; "" of what is no data
}

// Limits bound what the service may spend on the request.
type Limits struct {
	Seconds     int64 `json:"seconds"`
	MemoryBytes int64 `json:"memory_bytes"`
	OutputBytes int64 `json:"output_bytes"`
}
