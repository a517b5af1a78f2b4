// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package unitset keeps UnitSets: it makes a set's children what the set asks for
// and tells in the set's status how far they are.
//
// It owns, for a UnitSet S, the ControllerRevisions S-<hash>, the ConfigMap
// S-config-template, the Services S-headless-svc, S-svc and <unit>-svc, the
// PodDisruptionBudget S, and the Units S-<ordinal>: their spec, labels and
// annotations but for the node binding, which is the Unit controller's, and for
// startup and unbindNode, which are written once and then the user's. So is each
// unit's ConfigMap <unit>-config-value. It is the only writer of a UnitSet's status
// and of its finalizer. Pods, claims and the users' Secrets and ConfigMaps it never
// writes.
//
// A sync is observe, which reads caches; syncChildren, whose steps decide by pure
// functions; and computeStatus. control.go alone writes to the API.
//
// Invariants:
//
//   - Children are written in the order in which a unit needs them, and a Unit last:
//     whatever write a crash follows, nothing starts without what it needs.
//   - Nothing is planned on a cache that is older than what this controller wrote.
//   - What carries the set's labels, type included, and has no controller belonged
//     to an earlier set of that name and is adopted. Any other object that the set
//     does not control is neither used nor changed nor deleted, whatever its name
//     and labels.
//   - Only the spec, or a revision that is adopted by name, changes what units are
//     made from. An edited package, edited shared ports and a newer operator are
//     reported and restart nothing; labels and annotations are patched in place.
//   - Units are removed one at a time and the highest ordinal first; a member of a
//     Replication only when that has answered Done to the request for this very Unit,
//     as the API server knows it right before the deletion, and none while a GrpcCall
//     runs on it.
//   - Scaling to zero deletes no claim and evacuates no member.
//   - A second sync of an unchanged world writes nothing.
package unitset
