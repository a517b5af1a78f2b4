// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package chart packs charts/unit-operator for a release: its version, and its images by
// digest. What the chart renders is tested here by Helm itself.
package chart
