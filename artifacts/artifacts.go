// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package artifacts holds what people apply with kubectl, for tests and programs
// that apply the same.
package artifacts

import "embed"

// Packages are the files of packages/.
//
//go:embed packages/*.yaml
var Packages embed.FS

// Samples are the files of samples/.
//
//go:embed samples/*.yaml samples/monitoring/*.yaml
var Samples embed.FS
