// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package findings turns what a sync finds out about an object into the object's
// conditions, and those into events and log lines, for all controllers.
//
// It owns the path from a finding to what a user and an administrator read of it.
// Which conditions a kind has, and what they mean, is the kind's: see
// pkg/apis/upm/v1alpha2.
//
// Invariants:
//
//   - A condition is there, with status True, while it is found, and is removed when it
//     no longer is. It changes only when what it says changes.
//   - What was found first stays: it is nearest to the cause.
//   - Nothing is longer than the API takes: a message is cut to the limit of the CRD, a
//     note to that of events.
//   - An event speaks of a condition once, when it becomes True or True for another
//     reason. A log line does, too, and one more when it is over.
//   - Events refer to an object without its spec, which may hold a password.
package findings
