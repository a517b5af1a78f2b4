// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package version says which build this is. The variables are set at link time:
//
//	go build -ldflags "-X github.com/upmio/unit-operator/pkg/version.Version=v1.2.3 -X github.com/upmio/unit-operator/pkg/version.Commit=abc"
package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

var (
	// Version of the build; a release's tag.
	Version = "v0.0.0-dev"
	// Commit it was built from. Without -ldflags, what the go command recorded.
	Commit = ""
)

// String is one line for people.
func String() string {
	commit := Commit
	if commit == "" {
		commit = recordedCommit()
	}
	return fmt.Sprintf("%s (commit %s, %s, %s/%s)", Version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func recordedCommit() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}
