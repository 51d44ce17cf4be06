// Package rules holds the rule files that are part of the program.
package rules

import _ "embed"

// Shop decides every column of the demo's shop.
//
//go:embed shop.yaml
var Shop string
