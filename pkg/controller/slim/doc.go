// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package slim keeps what the controllers need of many objects in little memory:
// slim types of our own, informers that fill them, and an index of the users' Secrets
// and ConfigMaps that somebody refers to.
//
// Invariants:
//
//   - A slim type is no API type: the compiler refuses to send one to the API, so
//     nothing is ever overwritten by a copy that lacks fields. Writes are Create,
//     Patch or Apply of what the writer owns.
//   - Informers of objects that we make select by unit-operator.io/managed, so
//     foreign ones cost nothing. Of foreign Secrets and ConfigMaps only the metadata
//     of those referred to is kept.
//   - What comes from an informer is shared and never changed.
//
// +k8s:deepcopy-gen=package
package slim
