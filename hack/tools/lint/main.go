// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command golangci-lint is golangci-lint with the linters of Kubernetes built
// in: kubeapilinter for pkg/apis, logcheck for structured and contextual logs.
// It is what `golangci-lint custom` would generate, kept here so that go.sum
// pins all of it.
package main

import (
	"fmt"
	"os"
	"runtime"

	"github.com/golangci/golangci-lint/v2/pkg/commands"
	"github.com/golangci/golangci-lint/v2/pkg/exitcodes"

	_ "sigs.k8s.io/kube-api-linter"
	_ "sigs.k8s.io/logtools/logcheck/gclplugin"
)

func main() {
	info := commands.BuildInfo{GoVersion: runtime.Version(), Version: "v2.15.0-custom", Commit: "unknown", Date: "unknown"}
	if err := commands.Execute(info); err != nil {
		fmt.Fprintf(os.Stderr, "golangci-lint could not run: %v\n", err)
		os.Exit(exitcodes.Failure)
	}
}
