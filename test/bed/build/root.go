// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package build

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const modulePath = "github.com/upmio/unit-operator"

// Root returns the top of the source tree: the directory at or above the working directory whose
// go.mod is this project's. The bed builds its parts from there.
func Root() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && declares(string(data), modulePath) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not in a clone of %s; run this from one", start, modulePath)
		}
	}
}

func declares(gomod, path string) bool {
	for line := range strings.Lines(gomod) {
		if fields := strings.Fields(line); len(fields) == 2 && fields[0] == "module" {
			return fields[1] == path
		}
	}
	return false
}
