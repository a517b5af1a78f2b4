// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Package hack keeps in go.mod what scripts beside it use and no code imports:
// update-codegen.sh takes code-generator in the version of client-go.
package hack

import _ "k8s.io/code-generator"
