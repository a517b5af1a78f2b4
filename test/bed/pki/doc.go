// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pki makes the certificates, keys and kubeconfig files of a bed.
//
// Invariants: nothing in the bed talks without verifying its peer, and no token is made; every
// component is known by a client certificate of the bed's own authority. Existing files are kept, so
// that a bed can be brought up again over its state.
package pki
