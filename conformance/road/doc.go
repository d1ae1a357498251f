// Package road is the end-to-end suite: its tests ask a real Envoy, which asks a real gateway, which guards a real S3 store and a job
// service, and look at what the caller got, what the decision logs kept and what the own logs of the store and the service say.
//
// The world is the one of `sallyport demo`, on free ports and in a folder of its own, so the suite runs beside a demo. The tables
// in table_test.go are those of the decision model; where they and the product differ, the product is wrong.
//
// What every request must show, whichever test makes it: exactly one record with the decision id of the answer in each log that
// it belongs to, with exactly the expected reasons; one line with that id in its upstream's log if it was allowed, and none if not.
// When all tests are done, every line of both logs must belong to a decision that allowed it (see settle in traces_test.go).
//
// Non-goals: what one room decides by itself is tested in that room, and speed is conformance/bench.
package road
