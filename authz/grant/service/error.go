package service

// Problem is what is wrong with a grant; each check has one.
type Problem string

// Problems, in the order in which Verify looks for them.
const (
	Missing        Problem = "missing"   // no grant: the request did not come through the gateway
	Malformed      Problem = "malformed" // not the one spelling of a grant
	WrongType      Problem = "type"      // a token for something else
	WrongAlgorithm Problem = "algorithm" // alg is not ES256
	UnknownKey     Problem = "key"       // kid is unknown: are the keys of this service up to date?
	BadSignature   Problem = "signature" // not signed by that key
	OtherIssuer    Problem = "issuer"
	OtherAudience  Problem = "audience" // a grant for another service
	WrongLife      Problem = "life"     // longer than MaxLife, or none
	Early          Problem = "early"    // issued in the future
	Expired        Problem = "expired"
	Stale          Problem = "stale"    // issued before this service started
	OtherRequest   Problem = "request"  // for another method, authority or path
	OtherBody      Problem = "body"     // for another body
	Replayed       Problem = "replayed" // taken before
	Full           Problem = "full"     // the replay memory is: ask again later; the only one that is no fault of the request
)

// Error is why a grant is not taken. It holds no part of the grant, so it can be logged and sent.
type Error struct {
	Problem Problem
	Detail  string
}

// Error returns the problem and the detail.
func (e *Error) Error() string { return "grant refused, " + string(e.Problem) + ": " + e.Detail }

func refuse(p Problem, detail string) error { return &Error{Problem: p, Detail: detail} }
