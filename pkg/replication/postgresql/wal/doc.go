// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package wal is the arithmetic of PostgreSQL's write-ahead log: positions in it
// (lsn.go), the names of its files (segment.go), timelines and their histories
// (history.go), and who of two servers has what the other has (branch.go).
//
// A number alone proves nothing here. Two servers that were promoted apart from each
// other may both be on timeline 2, and the one with the higher position may hold less of
// what was acknowledged: only histories say up to where two servers have the same WAL.
//
// Invariants:
//
//   - What a server writes is parsed, and what the server would refuse is refused.
//   - Positions are compared on one history only. Across histories there is Common, the
//     last position that both have.
//   - Two timelines of the same number that begin at the same position look the same, and
//     no history distinguishes them. That no two members are promoted for one promotion is
//     up to whoever promotes.
//
// It imports the standard library only.
package wal
