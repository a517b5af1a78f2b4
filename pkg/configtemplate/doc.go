// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package configtemplate renders a server's configuration: the text/template
// files of a package (or of a user's ConfigMap), merged values and the facts of
// one unit in, files and their hash out.
//
// It owns the template language: its dot, its functions, its limits. Users write
// templates, so the language is the contract that docs/configuration.md
// describes.
//
// Invariants:
//
//   - Pure. No I/O, no clock, no randomness: one input gives one output, byte for
//     byte, in every version of the operator that keeps the templates.
//   - Bounded. The work a template does, the strings it makes and what it writes
//     are counted and limited, recursion is refused when parsing. No template
//     can hang or exhaust the operator.
//   - A template that does not render changes nothing: there is no partial
//     output.
//   - Values come from ConfigMaps and never from Secrets, so errors may show them.
//   - Nothing in the facts changes when a set is scaled or a neighbour restarts:
//     such a change must not alter a configuration.
package configtemplate
