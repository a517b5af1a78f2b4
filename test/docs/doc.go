// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package docs tests that the documentation agrees with the tree: links lead
// somewhere, examples are objects of the API, the map has every package, and the
// reference names every field and value that the CRDs have.
package docs
