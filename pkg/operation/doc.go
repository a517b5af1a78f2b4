// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package operation is the vocabulary of operations: what a GrpcCall may ask of a
// unit, as the operator and the agent both understand it. It is pure: no I/O, no
// clock.
//
// Decode is strict: a key that is unknown or missing, and a value that is not what
// the key wants, are refused before anything runs. Its errors name the key and never
// a value that may be a secret. Encode's form is what travels and is journalled; it
// holds no secret.
package operation
