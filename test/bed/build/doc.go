// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package build makes the binaries that the bed runs from their Go modules and keeps them in a cache.
//
// Invariants: what lies in the cache is whole (it is built beside its place and renamed) and named by
// a hash of everything it was built from, so it is never stale and never built twice.
package build
