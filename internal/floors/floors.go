// Package floors holds the tests that keep the architecture true: the floors
// and homes of internal/README.md, and the few rules of style that a machine
// can see (comments on every exported name, no init, no state in packages, no
// product named above the line). It has no code of its own; what the tests
// read is the source, so they see every file, whatever the platform.
package floors
