// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package roles

import (
	"os"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

// agentVariable makes the test binary unit-agent.
const agentVariable = "UNIT_AGENT_TEST_IS_AGENT"

func TestMain(m *testing.M) {
	if os.Getenv(agentVariable) != "" {
		os.Exit(agent.Main(os.Args, os.Stdout, os.Stderr))
	}
	enginetest.Main(m, nil)
}
