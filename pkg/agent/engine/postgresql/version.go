// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"fmt"
	"regexp"
	"strconv"

	"github.com/upmio/unit-operator/pkg/agent/engine/internal/child"
)

var versionPattern = regexp.MustCompile(`\b(\d+)(?:\.(\d+))?(?:beta\d+|rc\d+|devel)?\b`)

// parseVersion reads server_version (17.5 (Debian 17.5-1), 18beta1) and what
// postgres --version prints: "postgres (PostgreSQL) 17.5 (Debian 17.5-1)".
func parseVersion(text string) (version string, major int, err error) {
	m := versionPattern.FindStringSubmatch(text)
	if m == nil {
		return "", 0, fmt.Errorf("no version of a PostgreSQL server: %q", text)
	}
	if major, err = strconv.Atoi(m[1]); err != nil {
		return "", 0, fmt.Errorf("no version of a PostgreSQL server: %q", text)
	}
	version = m[1]
	if m[2] != "" {
		version += "." + m[2]
	}
	return version, major, nil
}

// serverMajor asks the postgres program.
func (e *Engine) serverMajor(ctx context.Context, postgres string) (int, error) {
	out, err := child.Run(ctx, child.Command{Path: postgres, Args: []string{"--version"}, Env: e.env.Environ})
	if err != nil {
		return 0, err
	}
	_, major, err := parseVersion(out)
	return major, err
}
