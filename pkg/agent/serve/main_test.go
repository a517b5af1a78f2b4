// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
)

func TestMain(m *testing.M) { agenttest.Main(m, nil) }
