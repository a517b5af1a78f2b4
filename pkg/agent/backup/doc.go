// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package backup stores and reads backups, in S3 or below a directory. What goes
// into one, and how it is taken and put back, is the engines'.
//
// It owns the format (docs/backup-format.md) and the objects it wrote. Invariants:
//
//   - A backup exists when its manifest does. The manifest is written last, after
//     every byte it counts was stored; it is removed first.
//   - Files stream: memory is bounded by the part buffers of a store, whatever the
//     size of the data. Both sides of the pipeline are hashed and counted.
//   - A run that did not come to its end leaves a marker. The next run of the same
//     unit removes what the marker stands for.
//   - Nothing is pruned but complete chains of one cluster, namespace, set and kind,
//     never the last of them.
//   - Errors name the endpoint and the reason, and never a credential or a key.
package backup
