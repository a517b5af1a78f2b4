// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"bytes"
	"strings"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/version"
)

func TestMain(m *testing.M) {
	agenttest.Main(m, map[string]agenttest.Role{"serve": serveMain})
}

func run(argv ...string) (status int, stdout, stderr string) {
	var out, errOut bytes.Buffer
	status = Main(argv, &out, &errOut)
	return status, out.String(), errOut.String()
}

func TestHelpTeaches(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want []string
	}{
		{[]string{"--help"}, []string{"install", "supervise", "serve", "prestop", "env", "stock database images"}},
		{[]string{"install", "--help"}, []string{"DIR/tools"}},
		{[]string{"supervise", "--help"}, []string{"PID 1", "--probe-address", "/readyz", "128+n"}},
		{[]string{"serve", "--help"}, []string{"--grpc-address", "--http-address", "/metrics", "mutual"}},
		{[]string{"prestop", "--help"}, []string{"--max-wait", "source"}},
		{[]string{"env", "--help"}, []string{"environment"}},
	} {
		status, out, errOut := run(append([]string{"unit-agent"}, tc.args...)...)
		if status != 0 {
			t.Errorf("%v: status %d, %s", tc.args, status, errOut)
		}
		for _, want := range tc.want {
			if !strings.Contains(out, want) {
				t.Errorf("%v: lacks %q:\n%s", tc.args, want, out)
			}
		}
	}
}

func TestVersionIsTheBuilds(t *testing.T) {
	if status, out, _ := run("unit-agent", "--version"); status != 0 || !strings.Contains(out, version.Version) {
		t.Errorf("status %d, %q", status, out)
	}
}

func TestAMissingEnvironmentIsNamed(t *testing.T) {
	for _, name := range []string{"UNIT_NAME", "POD_UID", "DATA_DIR_MOUNT"} {
		t.Setenv(name, "")
	}
	for _, subcommand := range []string{"supervise", "serve", "prestop", "env"} {
		if status, _, errOut := run("unit-agent", subcommand); status != 1 || !strings.Contains(errOut, "UNIT_NAME") {
			t.Errorf("%s: status %d, %q", subcommand, status, errOut)
		}
	}
}

func TestEveryTypeHasItsEngine(t *testing.T) {
	env := agenttest.NewUnit(t, false).Env
	for _, unitType := range []string{"mysql", "postgresql", "proxysql"} {
		env.Type = unitType
		if e, err := NewEngine(env); err != nil || e.Type() != unitType {
			t.Errorf("%s: %v, %v", unitType, e, err)
		}
	}
	env.Type = "oracle"
	if _, err := NewEngine(env); err == nil || !strings.Contains(err.Error(), "oracle") {
		t.Errorf("an unknown type: %v", err)
	}
}

func TestCalledByTheNameOfAToolItIsTheTool(t *testing.T) {
	if status, _, errOut := run("/unit-agent/bin/tools/nslookup"); status != 2 || !strings.Contains(errOut, "nslookup") {
		t.Errorf("status %d, %q", status, errOut)
	}
	if status, out, _ := run("netstat", "-s"); status != 0 || !strings.Contains(out, "Tcp:") {
		t.Errorf("status %d, %q", status, out)
	}
}
