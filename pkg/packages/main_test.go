// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
)

func TestMain(m *testing.M) {
	enginetest.Main(m, func(env engine.Env) engine.Engine {
		switch env.Type {
		case "mysql":
			return mysql.New(env)
		case "postgresql":
			return postgresql.New(env)
		}
		return nil
	})
}

// resident memory of a process.
func resident(t *testing.T, pid int) string {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if size, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			return strings.TrimSpace(size)
		}
	}
	t.Fatal("no VmRSS")
	return ""
}
