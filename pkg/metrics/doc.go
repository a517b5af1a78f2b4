// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package metrics is what the operator tells Prometheus of itself: syncs, queues, calls
// to the API server and to agents, leadership.
//
// Names and labels are an interface of the operator's: docs/configuration.md lists
// them. Those of queues, API requests and leadership are the ones every Kubernetes
// component has, so that existing dashboards work.
//
// Invariant: no label's value comes from a user (names of objects, error texts), so
// the number of series does not grow with the number of databases.
package metrics
