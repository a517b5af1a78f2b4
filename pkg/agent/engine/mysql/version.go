// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"fmt"
	"regexp"
	"strconv"

	"github.com/upmio/unit-operator/pkg/agent/engine/internal/child"
)

// version of a server.
type version struct{ major, minor, patch int }

func (v version) atLeast(major, minor, patch int) bool {
	if v.major != major {
		return v.major > major
	}
	if v.minor != minor {
		return v.minor > minor
	}
	return v.patch >= patch
}

func (v version) String() string { return fmt.Sprintf("%d.%d.%d", v.major, v.minor, v.patch) }

var versionPattern = regexp.MustCompile(`(\d+)\.(\d+)\.(\d+)`)

// parseVersion reads @@version (8.0.41, 9.7.4-2) and what mysqld --version
// prints: "mysqld  Ver 5.7.44 for Linux on x86_64 (MySQL Community Server (GPL))".
func parseVersion(text string) (version, error) {
	m := versionPattern.FindStringSubmatch(text)
	if m == nil {
		return version{}, fmt.Errorf("no version of a MySQL server: %q", text)
	}
	var v version
	for i, to := range []*int{&v.major, &v.minor, &v.patch} {
		n, err := strconv.Atoi(m[i+1])
		if err != nil {
			return version{}, fmt.Errorf("no version of a MySQL server: %q", text)
		}
		*to = n
	}
	return v, nil
}

// serverVersion asks mysqld.
func (e *Engine) serverVersion(ctx context.Context, mysqld string) (version, error) {
	out, err := child.Run(ctx, child.Command{Path: mysqld, Args: []string{"--no-defaults", "--version"}, Env: e.env.Environ})
	if err != nil {
		return version{}, err
	}
	return parseVersion(out)
}
