// Package deploy holds the files that operators deploy, and embeds those that the demo starts its parts with, so that what is
// documented is what runs. Every file here is started or validated by a test.
package deploy

import _ "embed"

// Envoy is the template of Envoy's bootstrap; gateway/demo says what fills it.
//
//go:embed envoy/envoy.yaml.tmpl
var Envoy string
