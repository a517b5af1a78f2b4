// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package agent is unit-agent's command line: which subcommand runs what. The
// binary is one, static, and runs inside stock database images; called by the
// name of a stand-in tool it is that tool.
//
// Packages below it: install, supervise, serve, prestop and tools are the
// subcommands; state is what they write down, gate decides about starts, engine
// knows the servers, journal records operations.
package agent
