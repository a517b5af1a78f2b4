// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package gtid is MySQL's sets of global transaction identifiers: what a server has
// executed, received or purged. It owns their text form and their arithmetic, nothing
// else, and agrees with the server's GTID_SUBSET and GTID_SUBTRACT, tags of 8.3 and
// newer included.
//
// Invariants:
//
//   - A Set is immutable and canonical: two equal sets print the same text.
//   - What is parsed is bounded by MaxTextLength; nothing is expanded to single
//     transactions, so a set of 2^62 transactions costs what a set of one does.
//   - Sets are compared as sets. Counts and texts never decide who has more.
package gtid
