// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package example builds the programs of examples as modules of their own, as a
// user of the generated client does, and runs them against a real API server.
// Where its binaries are not built, what needs it is skipped, unless
// UNIT_OPERATOR_REQUIRE_CLUSTER is set.
package example
