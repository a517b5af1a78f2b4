// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package images

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// fixed is the environment that decides what the compiler makes. Whatever else of the
// caller's would do so is dropped.
var fixed = []string{"CGO_ENABLED=0", "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOWORK=off", "GOEXPERIMENT=", "GOFIPS140=off"}

// compile builds the program of a tree into the file out.
func compile(ctx context.Context, tree string, program Program, platform v1.Platform, r Release, out string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", r.LinkerFlags, "-o", out, "./cmd/"+program.Name)
	cmd.Dir = tree
	environment := append([]string{"GOOS=" + platform.OS, "GOARCH=" + platform.Architecture}, fixed...)
	cmd.Env = append(without(os.Environ(), environment), environment...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building %s for %s: %w\n%s", program.Name, platform, err, output.Bytes())
	}
	return nil
}

// without drops the variables that are set in set.
func without(environment, set []string) []string {
	return slices.DeleteFunc(slices.Clone(environment), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.ContainsFunc(set, func(s string) bool { return strings.HasPrefix(s, name+"=") })
	})
}
