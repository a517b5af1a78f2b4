// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package sim

const raceDetector = false
