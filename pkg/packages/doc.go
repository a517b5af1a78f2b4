// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package packages finds what a unit of a type, edition and version is made from.
//
// A package is three objects in the operator's namespace: a core/v1 PodTemplate
// labelled unit-operator.io/package=true, and the ConfigMaps
// <name>-config-template and <name>-config-value. docs/packages.md says how to
// write one.
//
// Invariants:
//
//   - Nothing here calls the API or writes: objects come from a Lister, and what
//     is returned shares no memory with them.
//   - The same objects give the same revision, whatever their resourceVersion,
//     labels and annotations, and whatever fields a newer API adds and leaves
//     empty.
//   - A package that is incomplete or does not parse is an error that names the
//     object and the key; it is never used in part.
package packages
