// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package gate decides whether a server may start, and on what. It is pure: what
// it needs to know comes in, what supervise does comes out.
//
// The rules, in this order:
//
//  1. A new pod waits for the first Apply that means this pod. A container
//     restart in the same pod does not: what was applied still stands.
//  2. A server runs if and only if there is no hold.
//  3. A database of an engine that needs a role (PostgreSQL) is not started in a managed
//     unit before its Replication has given one to this pod, or a former one has
//     released it in one. A container restart resumes the role that was recorded.
//  4. Data that is expected and not there, or not the data expected, is not
//     replaced: nothing is started and nothing is touched. Expected is what the
//     operator recorded, what identity.json on the volume says, and what this
//     pod itself has run before; in this order, and the first that is known
//     decides. A database that was given up on request is expected by nobody;
//     it is started like any other where it is there after all.
//  5. An empty volume where nothing is expected is initialised.
//
// Claim UIDs do not stop a start. The system id says which database this is; a
// database found on another claim than before is a restored snapshot, a volume
// bound anew or a pre-provisioned one, all of which a human did on purpose, and
// the new claims are recorded. A claim recreated by the same name shows as an
// empty volume or as another system id, which rule 3 refuses.
//
// Data without an identity file, where nothing is expected, is adopted: either
// supervise died between renaming a fresh database into place and writing the
// file, or the volume was filled on purpose.
package gate
