// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package e2e proves the flows on a real cluster: real kubelets, real servers,
// the operator as a process with a kubeconfig. `make e2e` brings the cluster of
// test/bed up and runs it; with KUBECONFIG set it runs on a cluster of yours,
// without the tests that stop nodes or the API server.
//
// The tests run one after another on one MySQL set, one PostgreSQL set and one
// ProxySQL set, because databases cost seconds and memory; each leaves them Ready.
//
// As long as they run, all that could tell a secret is recorded: command lines, logs,
// every version of the objects. The run fails if a value of a Secret is in it.
package e2e
