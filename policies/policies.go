// Package policies embeds what security engineers edit: the Rego, the classification schemes, the catalogue of reasons, and the
// JSON Schemas of the documents and of the policy input.
package policies

import "embed"

// Root is the standing half of a bundle's root part: Rego, schemes and reasons. The other half, such as enclaves and issuers, is
// the deployment's own.
//
//go:embed compliance schemes reasons
var Root embed.FS

// Schemas are the closed JSON Schemas of every document of a bundle and of the policy input, under schemas/. They are part of the
// program: a bundle can't bring its own.
//
//go:embed schemas/*.json
var Schemas embed.FS
