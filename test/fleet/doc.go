// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package fleet lets thousands of pods run on one machine: nodes that exist as objects
// only, a kubelet that reports their pods as a real one would and starts nothing, claims
// that are bound at once, and one process that answers as the agent of every pod, at the
// pod's own address and with the certificate of the pod's own unit.
//
// What is real: the API server and every call to it, the agents' protocol, mutual TLS.
// What is not: containers, volumes, databases. A pod of a unit is Ready once its agent
// was told what its server needs, any other pod as soon as it runs.
package fleet
