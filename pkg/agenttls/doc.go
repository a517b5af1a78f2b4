// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package agenttls says who is who between the operator and the agents, and proves
// it by mutual TLS.
//
// One CA, in a Secret of the operator's namespace, signs two kinds of leafs:
//
//   - per Unit, for servers only, with the URI SAN
//     unit-operator://<namespace>/<unit>/<unit UID>. Addresses of pods are used
//     again, so the client checks this identity and no host name.
//   - the operator's own, for clients only, with the URI SAN
//     unit-operator://operator. It is made in memory at start and never stored.
//
// Invariants: an agent obeys nobody but the bearer of the operator's identity; the
// operator speaks to nobody but the unit it means; a key never leaves the Secret of
// the unit it belongs to; bundles may hold an old and a new CA, so that the CA can
// be replaced without an outage.
package agenttls
