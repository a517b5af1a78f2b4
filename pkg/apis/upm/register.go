// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package upm holds the name of the API group.
package upm

// GroupName is the API group of every kind of this project.
const GroupName = "upm.syntropycloud.io"
