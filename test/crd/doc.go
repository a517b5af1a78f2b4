// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package crd tests the API as an API server serves it: what the CRDs in
// artifacts/crds accept, refuse, default, keep and print.
//
// Cases are YAML, one file per kind: testdata/accept holds whole objects,
// testdata/refuse a good base object with merge patches that spoil it and the
// sentence a user must see, testdata/transition changes of an object that exists.
//
// What is installed besides them is applied as well, as people do it: install.yaml takes
// effect as it is written, and the guards of crds.yaml refuse deletions.
//
// A real API server is started once for the package. Where its binaries are not
// built, the tests are skipped, unless UNIT_OPERATOR_REQUIRE_CLUSTER is set.
package crd
