// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controllertest is what tests of controllers have in common: an API server
// that behaves like the real one in what controllers rely on, and what stands for
// packages and references.
//
// Time does not pass and informers see nothing by themselves: a test says when, so
// that a stale cache, a crash after any write and a lost answer are lines of a test.
// The real API server's turn is test/integration.
package controllertest
