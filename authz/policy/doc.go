// Package policy loads, checks, compiles and evaluates bundles. It is the only importer of OPA.
//
// A bundle is the law: a root (Rego, schemes, enclaves, reasons) and one part a tenant (its catalogue, partners, agreements,
// personnel rules, issuers, objections). Load refuses a bundle as a whole, and names every problem with file, line and what to do:
// a document that does not fit its closed schema, a part that speaks of what is not its tenant's, a name that nothing has. New
// compiles what was loaded; Decide asks it.
//
// Invariants:
//   - An allow comes from one place, answer.decision, and only from one whole answer in which allow is true and nothing is unproven.
//     An error, no answer, an odd one, a panic or a late one is a deny with a reason of its own.
//   - Two engines mean the same: Wasm, which OPA's compiler and wazero make of the bundle, and topdown, OPA's interpreter and the
//     reference. A bundle on which they differ is refused, and where they come to differ in service topdown alone goes on.
//   - Nothing of one evaluation reaches another: what it writes into an instance's memory, the next one writes over.
//   - A decision is a function of its input and the bundle: the builtins that Rego may use are listed in builtins.txt, and none
//     reads a clock, a random number or the network. A builtin error ends the evaluation; it is never "undefined", which "not"
//     would turn into a proof.
//   - Decide returns at its deadline, also when an evaluation is stuck. A few that are stuck are replaced; after that the engine is not
//     ready, and in the end nothing is allowed any more.
//   - A tenant's overlay is evaluated apart, and only takes from a decision on what is its tenant's own. Nobody else waits for it.
//   - A Bundle and an Engine never change. A new bundle is a new Engine, which the gateway swaps whole.
//   - Tests (*_test.rego) are part of a bundle and its digest, but never of an Engine.
//
// Non-goals: no caching of decisions, no fetching and no signatures of bundles, no reading of clocks: whether a bundle is in force
// is for policy to say (freshness.bundle), from context.time and data.bundle.
//
// Besides authz the package imports policies, for the schemas that are built in. The rules come from DESIGN.md §3.3 and the
// decision model.
package policy
