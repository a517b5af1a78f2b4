// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// unit-agent runs next to one database server for unit-operator: see unit-agent
// --help, and package pkg/agent.
package main

import (
	"os"

	"github.com/upmio/unit-operator/pkg/agent"
)

func main() { os.Exit(agent.Main(os.Args, os.Stdout, os.Stderr)) }
