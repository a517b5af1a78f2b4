// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apidoc reads the YAML examples out of the API's documentation, so that
// tests can create exactly what users are told to write.
//
// What a code block becomes:
//
//   - A new object begins at every top-level apiVersion, with or without a --- line
//     before it.
//   - A block without apiVersion is a fragment. Parameters are laid into a GrpcCall
//     whose action is the block's heading, everything else into a UnitSet.
//
// Names repeat from example to example: create each example in a namespace of its
// own (Example.In).
package apidoc
