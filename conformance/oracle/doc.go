// Package oracle decides accesses a second time, in plain Go and naively on purpose: every check reads the typed input and the
// bundle's facts afresh, nothing is indexed, cached or cut short. It was written from the text of the decision model and not from the
// Rego, so that where both agree on every point of a grid, neither holds a slip of its author alone.
//
// Rules that it follows: a check is proven or it is not; null proves nothing; the unproven checks are the answer, and the reasons are
// those of them whose prerequisites are all proven.
//
// Non-goals: it is no engine. It is slow, knows no overlays (a bundle with objections is not what it compares) and serves no request.
//
// Besides the standard library the package imports authz only.
package oracle
