// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package enginetest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

func TestRootsAreThoseOfARealProxySQLOrOfTheStandIn(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"mysql-9.7.4", "proxysql-2.7.1", "proxysql-2.7.1-stand-in"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("UNIT_OPERATOR_SERVERS", dir)
	for _, tc := range []struct{ typ, real, want string }{
		{"mysql", "", "mysql-9.7.4"},
		{"mysql", "/opt/proxysql", "mysql-9.7.4"},
		{"proxysql", "", "proxysql-2.7.1-stand-in"},
		{"proxysql", "/opt/proxysql", "proxysql-2.7.1"},
	} {
		t.Setenv("UNIT_OPERATOR_PROXYSQL", tc.real)
		roots, _, err := enginetest.Roots(tc.typ)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{filepath.Join(dir, tc.want)}, roots); diff != "" {
			t.Errorf("%s with a real ProxySQL %q (-want +got):\n%s", tc.typ, tc.real, diff)
		}
	}
}
