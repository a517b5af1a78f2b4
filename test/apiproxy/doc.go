// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apiproxy stands between an operator and its API server, for tests that look
// at what the operator writes and interfere at exact points: before a write reaches
// the API server, after it was carried out and before the operator hears of it.
package apiproxy
