// Package guardrail holds any policy to invariants of the domain, and shows how one is broken: with an access in words, and as a Rego
// test that fails for as long as it is.
//
// It asks the compiled policy, as it will decide in service, about a small scope that is complete in its steps: accesses that are
// allowed, and everything one step away from them. The accesses are those of an invented owner, partner and provider, in which every
// kind of fact occurs that Rego may read (world.json), and those of the bundle's own rows, partners and operators. A step takes
// something away (a level, a category, a nationality, a grant, an agreement, an entry of a list, a field), makes it null or another
// type, replaces it by what nobody knows, raises the label, or lets time go on. Each such step must deny, and must leave the check
// unproven that is about it; so that a hole is found also where another check happens to hide it. Others must change nothing, and
// others must never open more. For monotone rules steps of one suffice (an order is what its covering pairs are); two at a time are
// tried for one change of each check.
//
// Invariants of the package:
//   - It knows the input, the documents and the reasons of the decision model, and no rule: a policy may prove a check as it likes.
//   - What it does not hold a policy to is written down with its reason: fields that decide nothing in exceptions.go, invariants that
//     other parts hold in README.md.
//   - It trusts nothing of a policy: an evaluation that fails where the input is whole breaks an invariant too.
//
// Non-goals: no proof (a rule about one name or one country that the scope does not have can hide from it), no second evaluator
// (conformance/oracle compares every point with plain Go), no lint of the source.
//
// The invariants are I-1 to I-31 of the domain model and M1 to M9 of the decision model.
package guardrail
