// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package conformance is what members of a MySQL set do when their agents are called,
// and what their clients are told meanwhile: one suite for real servers behind real
// agents and for the simulator's model of both, so that what schedules prove of the
// model is true of the servers. It knows nothing but agentclient and clients' commits.
package conformance
