// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// unit-operator runs MySQL, PostgreSQL and ProxySQL on Kubernetes: see
// unit-operator --help, and package app.
package main

import (
	"os"

	"github.com/upmio/unit-operator/cmd/unit-operator/app"
)

func main() { os.Exit(app.Main(os.Args[1:], os.Stdout, os.Stderr)) }
