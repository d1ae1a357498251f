// Package s3 reads an S3 request and says what it touches and what its canonical form is.
//
// Parse knows a closed table of operations (see OPERATIONS.md, generated from it): what is not on it, or carries a query name or
// x-amz-* header that its operation does not list, is request.unsupported. What two readers could understand differently (this
// package, Envoy, the store) is request.ambiguous: it is refused before anything is signed, because a store that finds another
// canonical form answers with the string it would have signed.
//
// A request comes here from gateway/extauthz, which has refused what no service could read in one way: names of headers that repeat,
// broken escapes, dot segments and the like. What is checked here again is checked because keys and copy sources are paths too.
//
// Invariants: nothing is repaired, trimmed or guessed. No path in a Call has an empty segment, except a last one that ends a
// folder's name or a prefix, a dot segment, or a segment that stores keep for themselves. Upstream.Path and Upstream.Query are
// the only encodings of what was judged, and reading them again gives the same Call. An object version other than the current one
// can't be asked for, since its label may be another.
//
// Non-goals: no labels, no rows, no signature; presigned URLs, SigV2, browser forms, and whatever changes whom a store trusts or
// what it does by itself are not supported for anybody.
//
// Rules: the S3 API reference (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html),
// its rules for names of buckets and keys, and SigV4 as S3 has it: one encoding of the path, never normalised
// (https://docs.aws.amazon.com/AmazonS3/latest/developerguide/sig-v4-header-based-auth.html).
package s3
