// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package grpccall runs the operations that GrpcCalls ask for, each exactly once.
//
// It owns GrpcCalls: their status, finalizer and end, and the Secrets with the keys
// of backups. What runs, runs in the agent; this package asks.
//
// Invariants:
//
//   - The operation's id is the GrpcCall's UID. Where it may run, {unit, pod,
//     journal}, is in the status before the agent hears of it. That status was not
//     changed by anybody else since it was read.
//   - An operation is started only in the journal that was recorded, and only while
//     that journal cannot have forgotten it: a second start finds the first.
//   - Once the agent has confirmed an operation it is never started again. If its
//     record is lost, or nobody answers for good, the call has Failed with the reason
//     OutcomeUnknown.
//   - A result is stored before the agent may forget it, and is final.
//   - Nothing is handed to an agent whose pod is being replaced, and no call's turn
//     comes while such a restart is due: see package interlock.
//   - One operation of a unit at a time; the others wait in the order in which they
//     were made. The agent's own lock is what keeps it, the queue is for people.
//   - Every wait has an end and a message. At rest nothing is written and no agent
//     is called.
//   - No secret is in a status, an event or a log.
package grpccall
