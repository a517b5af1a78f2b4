// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pipe runs a program of an operation between a backup and a server: a dump
// tool, a client, a base backup. Programs say little of why they ended: one whose
// output nobody takes dies of a signal, one whose input breaks off thinks that it was
// all. So what happened on either side of it is remembered here, and told instead.
package pipe
