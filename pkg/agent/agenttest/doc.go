// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package agenttest runs supervise and serve as processes of their own over a
// server small enough to be made to misbehave. Only tests import it.
//
// A test package that uses it calls Main from TestMain: the processes are the
// test binary itself, started again with a role in its environment.
package agenttest
