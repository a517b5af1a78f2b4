// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package proc starts, finds and ends the processes of a bed.
//
// Invariants: a process is only ever signalled after it was recognised as ours, by its id together
// with its start time (Daemon), as our own child (Child), or by its arguments and control group
// (Sweep); ids alone are reused.
package proc
