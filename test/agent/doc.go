// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package agent tests unit-agent with real servers and without Kubernetes: serve
// and supervise as the processes they are in a pod, in a box with the stock
// image's file system, uid and no privileges (pkg/agent/engine/enginetest says
// where the servers come from, and when the tests are skipped).
package agent
