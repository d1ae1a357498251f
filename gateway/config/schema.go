package config

import _ "embed"

//go:embed schema.json
var schema []byte

// Schema returns the JSON Schema (draft 2020-12) of a file that is complete by itself, one that leaves no required key to a
// variable or flag. It knows nothing of this machine, nor of relations between keys such as two tenants with one account.
func Schema() []byte { return append([]byte(nil), schema...) }
