// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package tools stands in for programs that people type in a database container
// and that stock images lack: nslookup, curl and netstat. Each knows the options
// people use to look around, says so for others, and reads no configuration.
package tools

import (
	"context"
	"io"
	"slices"
)

// Tool runs with its arguments (without its name) and returns the exit status.
type Tool func(ctx context.Context, args []string, stdout, stderr io.Writer) int

var byName = map[string]Tool{
	"nslookup": nslookup,
	"curl":     curl,
	"netstat":  netstat,
}

// ByName is the tool called name.
func ByName(name string) (Tool, bool) {
	t, ok := byName[name]
	return t, ok
}

// Names of all tools, sorted.
func Names() []string {
	names := make([]string, 0, len(byName))
	for name := range byName {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
